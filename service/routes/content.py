"""Bytes of pictures on the wire: safe headers, conditional and range requests (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from batching.errors import SourceMissing
from kernels.codec import MEDIA_TYPES
from service.errors import Gone, RangeNotSatisfiable
from service.parts import Parts

_RANGE = re.compile(r"bytes=(\d{0,99})-(\d{0,99})")


def media_type_of(picture_format: str) -> str:
    """The media type of a format that the probe found or a result has."""
    types: Mapping[str, str] = dict(MEDIA_TYPES.items())
    return types[picture_format]


def safe_headers(sha256: str) -> dict[str, str]:
    """Headers that keep a browser from running what it was sent, and let it keep what never changes."""
    return {
        "ETag": f'"{sha256}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
        "Cache-Control": "private, max-age=31536000, immutable",
    }


async def stored_content(
    request: Request, parts: Parts, what: str, key: str, size: int, sha256: str, headers: Mapping[str, str]
) -> Response:
    """The object under `key`, whole or in the asked range, 304, or a link to the store. RangeNotSatisfiable, Gone."""
    sent = {**safe_headers(sha256), "Accept-Ranges": "bytes", **headers}
    if is_known(request, sha256):
        return Response(status_code=304, headers=sent)
    if link := await parts.store.link(key, "HEAD" if request.method == "HEAD" else "GET"):
        # ranges are asked of the store; the link is nobody else's, and not for long
        return Response(status_code=307, headers={**sent, "Location": link, "Cache-Control": "no-store"})
    first, end, status = 0, size, 200
    if asked := _range(request, sha256, size):
        first, end = asked
        status = 206
        sent["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    sent["Content-Length"] = str(end - first)
    if request.method == "HEAD":
        return Response(status_code=status, headers=sent)
    pieces = parts.store.stream(key, first, end if status == 206 else None)
    try:
        start = await anext(pieces, b"")
    except SourceMissing:
        raise Gone(what) from None
    return StreamingResponse(_joined(start, pieces), status, sent)


async def _joined(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for piece in rest:
        yield piece


def is_known(request: Request, sha256: str) -> bool:
    """Whether the caller says that it has this content (If-None-Match)."""
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or sha256 in tags


def _range(request: Request, sha256: str, size: int) -> tuple[int, int] | None:
    """First byte and end of the asked range; None: everything. Several ranges, and odd ones, are answered whole."""
    found = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    condition = request.headers.get("if-range")
    if not found or request.method != "GET" or (condition is not None and condition.strip('"') != sha256):
        return None
    start, last = found.groups()
    if start:
        first, end = int(start), min(int(last) + 1, size) if last else size
        if last and int(last) < int(start):
            return None
    elif last:
        first, end = max(0, size - int(last)), size
        if int(last) == 0:
            raise RangeNotSatisfiable(size)
    else:
        return None
    if first >= size:
        raise RangeNotSatisfiable(size)
    return first, end
