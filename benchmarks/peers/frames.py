"""Pictures of one request or answer in a row: the cheapest form there is, so that no peer pays for parsing."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_LENGTH = struct.Struct(">I")


def pack(pictures: Iterable[bytes]) -> bytes:
    """Each picture after its length, four bytes, most significant first."""
    return b"".join(part for picture in pictures for part in (_LENGTH.pack(len(picture)), picture))


def unpack(body: bytes) -> list[bytes]:
    """The pictures. Errors: ValueError where a length says more than there is."""
    pictures, at = [], 0
    while at < len(body):
        if at + _LENGTH.size > len(body):
            raise ValueError(f"{len(body) - at} bytes where a length should be")
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        if at + length > len(body):
            raise ValueError(f"a picture of {length} bytes, of which {len(body) - at} are there")
        pictures.append(body[at : at + length])
        at += length
    return pictures
