"""The setting that holds the secrets of our own tokens."""

from __future__ import annotations

import re

MIN_SECRET = 32
"""Characters; RFC 8725 3.5 asks for as many bytes as the hash has."""
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def parse(text: str) -> dict[str, str]:
    """Secrets by key id, of `ID:SECRET[,ID:SECRET...]`. ValueError, which never repeats a secret."""
    secrets: dict[str, str] = {}
    for place, entry in enumerate(text.split(","), 1):
        key_id, _, secret = entry.strip().partition(":")
        if not _KEY_ID.fullmatch(key_id):
            raise ValueError(f"entry {place} must be ID:SECRET, the id of up to 64 letters, digits, dots and dashes")
        if key_id in secrets:
            raise ValueError(f"entry {place} has the id of an earlier one")
        if len(secret) < MIN_SECRET:
            raise ValueError(f"the secret of entry {place} has fewer than {MIN_SECRET} characters")
        secrets[key_id] = secret
    return secrets
