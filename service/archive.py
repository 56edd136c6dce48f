"""A batch's results as one zip or tar file, written while it is sent: no temporary file and no long transaction."""

from __future__ import annotations

import asyncio
import tarfile
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Literal
from uuid import UUID

from batching.errors import SourceMissing
from service.names import MANIFEST, output_path
from service.store import ObjectStore
from service.truth import queries
from service.truth.database import AsyncEngine
from service.views import output_view
from service.zip_stream import ZipStream

ArchiveFormat = Literal["zip", "tar"]
MEDIA_TYPES: dict[ArchiveFormat, str] = {"zip": "application/zip", "tar": "application/x-tar"}

_PAGE = 500
_READS_AT_ONCE = 8
_BYTES_AT_ONCE = 64 * 2**20
_PIECE_BYTES = 128 * 1024
_TAR_BLOCK = 512
_TAR_RECORD = 10240

Entry = tuple[queries.Output, bytes]
Content = bytes | asyncio.Task[bytes] | None
"""What is read of a result: its bytes, or that they are being read; None: it is deleted."""
Writer = Callable[[AsyncIterator[Entry], datetime], AsyncIterator[bytes]]


async def archive(
    engine: AsyncEngine, store: ObjectStore, tenant: str, batch_id: UUID, form: ArchiveFormat, at: datetime
) -> AsyncIterator[bytes]:
    """The archive in pieces: `{name}/{variant}.{ext}` for each result, then `manifest.jsonl` with one result a line.

    A result that is deleted meanwhile is left out, of the manifest too. Errors cut the archive off: StoreUnavailable,
    DatabaseUnavailable. `at`: the time that the manifest carries.
    """
    writer = _zip if form == "zip" else _tar
    waiting: list[bytes] = []
    waiting_bytes = 0
    async for piece in writer(_entries(store, _outputs(engine, tenant, batch_id)), at):
        waiting.append(piece)
        waiting_bytes += len(piece)
        if waiting_bytes >= _PIECE_BYTES:  # every piece on its own way to the network costs as much as a small picture
            yield b"".join(waiting)
            waiting, waiting_bytes = [], 0
    if waiting:
        yield b"".join(waiting)


async def _outputs(engine: AsyncEngine, tenant: str, batch_id: UUID) -> AsyncIterator[queries.Output]:
    after: tuple[UUID, int] | None = None
    while page := await queries.outputs_page(engine, tenant, batch_id, after, _PAGE):
        for output in page:
            yield output
        if len(page) < _PAGE:
            return
        after = page[-1].item_id, page[-1].variant


async def _entries(store: ObjectStore, outputs: AsyncIterator[queries.Output]) -> AsyncIterator[Entry]:
    """Results with their bytes, in order; the next few are read while one is sent."""
    ahead: deque[tuple[queries.Output, Content]] = deque()
    ahead_bytes = 0
    try:
        async for output in outputs:
            while ahead and (len(ahead) >= _READS_AT_ONCE or ahead_bytes + output.bytes > _BYTES_AT_ONCE):
                first, begun = ahead.popleft()
                ahead_bytes -= first.bytes
                if (content := await _there(begun)) is not None:
                    yield first, content
            ahead.append((output, _begun(store, output.object_key)))
            ahead_bytes += output.bytes
        while ahead:
            first, begun = ahead.popleft()
            if (content := await _there(begun)) is not None:
                yield first, content
    finally:
        tasks = [begun for _, begun in ahead if isinstance(begun, asyncio.Task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _begun(store: ObjectStore, key: str) -> Content:
    try:
        at_once = store.get_at_once(key)
    except SourceMissing:
        return None
    return asyncio.create_task(store.get(key)) if at_once is None else at_once


async def _there(begun: Content) -> bytes | None:
    if not isinstance(begun, asyncio.Task):
        return begun
    try:
        return await begun
    except SourceMissing:
        return None


class _Manifest:
    """Lines of the manifest, kept deflated: they go last, and there may be very many."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
        self._packed: list[bytes] = []
        self.crc = self.bytes = self.packed_bytes = 0

    def add(self, output: queries.Output) -> None:
        """Adds the line of one result."""
        line = output_view(output).model_dump_json().encode() + b"\n"
        self.crc = zlib.crc32(line, self.crc)
        self.bytes += len(line)
        self._keep(self._deflate.compress(line))

    def packed(self) -> list[bytes]:
        """The whole as a raw deflate stream; no line can be added after."""
        self._keep(self._deflate.flush())
        return self._packed

    def unpacked(self) -> Iterator[bytes]:
        """The whole as text, piece by piece."""
        inflate = zlib.decompressobj(-15)
        for piece in self.packed():
            yield inflate.decompress(piece)
        yield inflate.flush()

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._packed.append(piece)
            self.packed_bytes += len(piece)


async def _zip(entries: AsyncIterator[Entry], at: datetime) -> AsyncIterator[bytes]:
    stream, manifest = ZipStream(), _Manifest()
    async for output, content in entries:
        yield stream.stored(output_path(output.name, output.variant, output.format), content, output.created_at)
        yield content
        manifest.add(output)
    pieces = manifest.packed()
    yield stream.deflated(MANIFEST, manifest.crc, manifest.packed_bytes, manifest.bytes, at)
    for piece in pieces:
        yield piece
    yield stream.end()


async def _tar(entries: AsyncIterator[Entry], at: datetime) -> AsyncIterator[bytes]:
    manifest, written = _Manifest(), 0
    async for output, content in entries:
        header = _tar_header(output_path(output.name, output.variant, output.format), len(content), output.created_at)
        padding = b"\0" * (-len(content) % _TAR_BLOCK)
        yield header
        yield content + padding
        written += len(header) + len(content) + len(padding)
        manifest.add(output)
    header = _tar_header(MANIFEST, manifest.bytes, at)
    yield header
    for piece in manifest.unpacked():
        yield piece
    written += len(header) + manifest.bytes
    # two empty blocks end the archive, and its last record is filled up
    end = -(written + 2 * _TAR_BLOCK) % _TAR_RECORD + 2 * _TAR_BLOCK
    yield b"\0" * end


def _tar_header(name: str, size: int, modified: datetime) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, int(modified.timestamp()), 0o644
    return info.tobuf(tarfile.PAX_FORMAT)
