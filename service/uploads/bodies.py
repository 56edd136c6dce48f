"""Request bodies, read piece by piece: capped while they stream, timed, never decoded further than needed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import multipart
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from service.errors import BadRequest, EmptyBody, PayloadTooLarge, RequestTimeout
from service.settings import Settings

_HEADER_BYTES = 16 * 1024
"""Longest header line of a part: file names of several thousand bytes are odd, not wrong."""
_INFLATE_STEP = 1 << 20
_INFLATE_RATIO = 20
_INFLATE_FREE_BYTES = 64 * 2**20
"""Up to here a packed body may grow by any ratio: the parts of a multipart body are bounded, but there may be thousands."""
_SLOWEST_BYTES_PER_S = 1024
"""A body that comes more slowly than this, on the whole, is given up, however small its pauses are."""


@dataclass(frozen=True)
class PartHead:
    """Where a part of a multipart body begins: its field and, for files, the name it was sent under."""

    field: str
    filename: str | None


PartEvent = PartHead | bytes | None
"""The head of a part, then pieces of its content, then None where it ends."""


async def pieces(request: Request, limit_bytes: int, settings: Settings) -> AsyncIterator[bytes]:
    """The body in pieces, unpacked where it was sent with `Content-Encoding: gzip`.

    Errors: PayloadTooLarge as soon as it is known to be longer than `limit_bytes`, or to grow too much when unpacked;
    RequestTimeout when nothing comes for `body_timeout_s`, or next to nothing for longer; BadRequest for an encoding that
    is unknown.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise PayloadTooLarge("the request's body", limit_bytes)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise BadRequest("Content-Encoding may be gzip or left out")
    stream = _timed(request.receive, settings.body_timeout_s)
    received = 0
    async for piece in _inflated(stream) if encoding == "gzip" else stream:
        received += len(piece)
        if received > limit_bytes:
            raise PayloadTooLarge("the request's body", limit_bytes)
        yield piece


async def whole_body(request: Request, limit_bytes: int, settings: Settings) -> bytes:
    """The body as one piece; may be empty. Errors as `pieces`."""
    return b"".join([piece async for piece in pieces(request, limit_bytes, settings)])


async def _timed(receive: Receive, timeout_s: float) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    received, waited_s, more = 0, 0.0, True
    while more:
        begun_s = clock()
        # time that we take to store what came is not the sender's
        patience_s = min(timeout_s, timeout_s + received / _SLOWEST_BYTES_PER_S - waited_s)
        try:
            async with asyncio.timeout_at(begun_s + patience_s):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(timeout_s) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        waited_s += clock() - begun_s
        more = message.get("more_body", False)
        if piece := message.get("body", b""):
            received += len(piece)
            yield piece


async def _inflated(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    packed = unpacked = 0
    try:
        async for piece in stream:
            rest = piece
            packed += len(piece)
            while rest and not inflater.eof:
                yield (inflated := inflater.decompress(rest, _INFLATE_STEP))
                unpacked += len(inflated)
                if unpacked > max(_INFLATE_FREE_BYTES, _INFLATE_RATIO * packed):
                    raise PayloadTooLarge("the unpacked body", max(_INFLATE_FREE_BYTES, _INFLATE_RATIO * packed))
                rest = inflater.unconsumed_tail
    except zlib.error:
        raise BadRequest("the body is not gzip, although Content-Encoding says so") from None
    if not inflater.eof:
        raise BadRequest("the gzip body is cut short")


def boundary(request: Request) -> str:
    """The boundary of a multipart body. Errors: BadRequest."""
    _, options = multipart.parse_options_header(request.headers.get("content-type", ""))
    found = options.get("boundary", "")
    if not found or not found.isascii():
        raise BadRequest("the Content-Type of a multipart body must name its boundary")
    return str(found)


async def parts(request: Request, limit_bytes: int, max_parts: int, settings: Settings) -> AsyncIterator[PartEvent]:
    """The parts of a multipart/form-data body as they arrive. Errors: BadRequest, EmptyBody, and those of `pieces`."""
    # names are read as Latin-1, which keeps every byte, and decoded below: an undecodable name is data, not an error
    parser = multipart.PushMultipartParser(
        boundary(request), max_header_size=_HEADER_BYTES, max_segment_count=max_parts, header_charset="latin-1"
    )
    empty = True
    try:
        async for piece in pieces(request, limit_bytes, settings):
            empty = False
            for event in parser.parse(piece):
                if isinstance(event, multipart.MultipartSegment):
                    filename = None if event.filename is None else _name(event.filename)
                    yield PartHead(_name(event.name or ""), filename)
                else:
                    yield None if event is None else bytes(event)
        if empty:
            raise EmptyBody()
        parser.close()
    except multipart.ParserLimitReached:
        raise BadRequest(
            f"the body has more than {max_parts} parts, or the header of a part is longer than {_HEADER_BYTES} bytes"
        ) from None
    except multipart.MultipartError:
        raise BadRequest("the body is not complete multipart/form-data") from None


def _name(latin: str) -> str:
    """The name as UTF-8; bytes that are none, and NUL, which no row can hold, are written as escapes."""
    return latin.encode("latin-1").decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


__all__ = ["ClientDisconnect", "PartEvent", "PartHead", "boundary", "parts", "pieces", "whole_body"]
