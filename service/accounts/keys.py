"""API keys: made here, shown once, kept as their SHA-256.

A key is `augk_`, 32 characters drawn from 62 (190 bits), and 6 that are a CRC-32 of what stands before them. Scanners for
leaked secrets find it by `augk_[0-9A-Za-z]{38}` without false alarms, and a mistyped one is refused without a look-up. A
slow hash would guard passwords, which people choose; there is nothing to guess in 190 bits.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "augk_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
LONGEST_LIFE_DAYS = 36_525
"""A key that ends does so within a hundred years: later ends are mistakes, and the last ones have no date in UTC."""
_RANDOM, _CHECK = 32, 6
_HINT = len(PREFIX) + 4
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")


def new_key() -> str:
    """A key that nobody has."""
    body = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_key(text: str) -> bool:
    """Whether `text` has the form of a key, its checksum included."""
    return _FORM.fullmatch(text) is not None and text[-_CHECK:] == _checksum(text[:-_CHECK])


def hint_of(key: str) -> str:
    """What may be shown of a key, so that its owner recognises it."""
    return key[:_HINT]


def sha256_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
