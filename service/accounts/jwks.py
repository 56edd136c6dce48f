"""Public keys of another issuer: a file or an address that the operator names, read when we choose and never on demand."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import httpx2

from service.accounts.tokens import TokenKey, Tokens, public_keys

log = logging.getLogger(__name__)

MAX_BYTES = 2**20
_TIMEOUT_S = 5.0
_SOON_S = 15.0


class JwksUnreadable(Exception):
    """The keys cannot be read now; those that were read before stay."""


async def read_keys(source: str, issuer: str) -> Mapping[str, TokenKey]:
    """The keys under a path or an https:// address. JwksUnreadable."""
    try:
        content = await (_fetched(source) if "://" in source else asyncio.to_thread(_read, source))
        return public_keys(json.loads(content), issuer)
    except (OSError, ValueError, httpx2.HTTPError) as error:
        raise JwksUnreadable(f"{type(error).__name__}: {error}") from error


async def keep_fresh(tokens: Tokens, source: str, issuer: str, every_s: float) -> None:
    """Reads the keys again and again, so that the issuer can change them. Keys that it took away are gone then."""
    while True:
        try:
            tokens.theirs = await read_keys(source, issuer)
            pause_s = every_s
        except JwksUnreadable as error:
            log.warning("the keys of %s cannot be read: %s", issuer, error)
            pause_s = min(every_s, _SOON_S)
        await asyncio.sleep(pause_s)


async def _fetched(url: str) -> bytes:
    content = bytearray()
    # a redirect is not followed: the operator named this address and no other
    async with (
        httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client,
        client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
    ):
        if answer.status_code != httpx2.codes.OK:
            raise ValueError(f"it answers {answer.status_code}")
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > MAX_BYTES:
                raise ValueError("it is too large")
    return bytes(content)


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError("it is too large")
    return content
