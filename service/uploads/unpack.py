"""Archives of pictures (tar, tar.gz, zip): spooled to an unnamed file, then read member by member, never extracted.

Every limit is enforced while reading: what an archive says of itself is not believed.
"""

from __future__ import annotations

import asyncio
import errno
import struct
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, TypeVar

from batching.errors import StorageFull
from service.errors import (
    ArchiveCorrupt,
    ArchiveEncrypted,
    ArchiveRatio,
    ArchiveUnsafePath,
    EmptyBody,
    PayloadTooLarge,
    TooManyItems,
)
from service.room import check_room
from service.settings import Settings
from service.uploads.gunzip import Gunzip
from service.uploads.tar import TarStream, sums_up

Value = TypeVar("Value")
Member = tuple[str, bytes]

FREE_BYTES = 2**20
"""Up to here an archive may grow by any ratio: headers of small files compress well."""
_FLUSH_BYTES = 2**20
_SPARE_MEMBERS = 1000
"""Folders and litter beside as many pictures and folders as pictures are allowed."""
_DIRECTORY_BYTES = 2**20
_DIRECTORY_BYTES_A_MEMBER = 512
"""Most bytes of a zip's directory: 46 a member, its path, and what writers add of times and owners."""
_PADDING_BYTES = 64 * 2**20
"""Most that may follow the end of a tar, which is padded to whole records."""
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NESTED = (".zip", ".tar", ".tgz", ".tar.gz", ".gz", ".7z", ".rar", ".bz2", ".xz", ".zst")
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")

_UNPACKING = ThreadPoolExecutor(2, "unpack")
"""Threads of their own: a large member takes seconds, and all other requests share the others."""


class Spool:
    """An unnamed file below the data folder that holds an archive while it is read; gone with the process."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data
        self._limit, self._reserve_bytes = settings.max_archive_bytes, settings.disk_reserve_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.bytes = 0

    async def __aenter__(self) -> Spool:
        self.file: IO[bytes] = await _in_thread(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await _in_thread(self.file.close)

    async def write(self, piece: bytes) -> None:
        """Adds to the archive. PayloadTooLarge, StorageFull."""
        self.bytes += len(piece)
        if self.bytes > self._limit:
            raise PayloadTooLarge("the archive", self._limit)
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes >= _FLUSH_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Writes what is still held in memory."""
        content, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        await _in_thread(self._write, content)

    def _write(self, content: bytes) -> None:
        check_room(self.file.fileno(), self._reserve_bytes)
        self.file.write(content)

    def _open(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._folder, prefix="spool-", buffering=0)


async def _in_thread(function: Any, *arguments: Any) -> Any:
    try:
        return await asyncio.to_thread(function, *arguments)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise


async def unpacked(spool: Spool, settings: Settings) -> AsyncIterator[Member]:
    """Path and content of every picture in the archive, in its order. Errors: the `archive_*` codes, EmptyBody."""
    await spool.flush()
    if not spool.bytes:
        raise EmptyBody("the archive")
    members = _members(spool.file, spool.bytes, settings)
    while (member := await asyncio.get_running_loop().run_in_executor(_UNPACKING, next, members, None)) is not None:
        yield member


def _members(file: IO[bytes], archive_bytes: int, settings: Settings) -> Iterator[Member]:
    file.seek(0)
    start = file.read(512)
    file.seek(0)
    budget = _Budget(archive_bytes, settings)
    try:
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
            yield from _zip_members(file, archive_bytes, budget, settings)
        elif start.startswith(b"\x1f\x8b"):
            yield from _tar_members(Gunzip(file), budget)
        elif len(start) == 512 and (start[257:262] == b"ustar" or not any(start) or sums_up(start)):
            yield from _tar_members(file, budget)
        else:
            raise ArchiveCorrupt("the archive is neither tar, tar.gz nor zip")
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, NotImplementedError):
        raise ArchiveCorrupt("the archive is damaged or cut short") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # that of an offset before the beginning
            raise
        raise ArchiveCorrupt("the archive is damaged or cut short") from None


class _Budget:
    """How much an archive may still unpack to, and how many members it may still have."""

    def __init__(self, archive_bytes: int, settings: Settings) -> None:
        self._left = max(FREE_BYTES, archive_bytes * settings.max_archive_ratio)
        self._ratio = settings.max_archive_ratio
        self._max_items = self._pictures_left = settings.max_batch_items
        self._members_left = 2 * settings.max_batch_items + _SPARE_MEMBERS
        self.max_image_bytes = settings.max_image_bytes

    def count(self, members: int = 1) -> None:
        """Counts members of any kind: folders and litter cost time too. TooManyItems."""
        self._members_left -= members
        if self._members_left < 0:
            raise TooManyItems(self._max_items)

    def admit(self, name: str, picture_bytes: int) -> None:
        """Counts one picture. TooManyItems, PayloadTooLarge."""
        self._pictures_left -= 1
        if self._pictures_left < 0:
            raise TooManyItems(self._max_items)
        if picture_bytes > self.max_image_bytes:
            raise PayloadTooLarge("a picture", self.max_image_bytes, name)

    def spend(self, count: int) -> None:
        """Counts unpacked bytes. ArchiveRatio."""
        self._left -= count
        if self._left < 0:
            raise ArchiveRatio(f"the archive unpacks to more than {self._ratio} times its size")

    @property
    def left(self) -> int:
        """Bytes that may still come out."""
        return self._left


class _Whole:
    """A zip's file that is read in small pieces only: its directory says itself how long it is, and is read at once."""

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file, self._most_bytes = file, most_bytes
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes, all for -1. ArchiveCorrupt where that is more than any zip needs."""
        content = self._file.read(min(count, self._most_bytes + 1) if count >= 0 else self._most_bytes + 1)
        if len(content) > self._most_bytes:
            raise ArchiveCorrupt("the archive's directory is too long")
        return content

    def seekable(self) -> bool:
        return True


def _zip_members(file: IO[bytes], archive_bytes: int, budget: _Budget, settings: Settings) -> Iterator[Member]:
    whole = _Whole(file, max(_DIRECTORY_BYTES, settings.max_batch_items * _DIRECTORY_BYTES_A_MEMBER))
    with zipfile.ZipFile(whole) as archive:
        infos = archive.infolist()
        budget.count(len(infos))
        _check_overlaps(infos, archive_bytes)
        for info in infos:
            name = _zip_name(info)
            kind = info.external_attr >> 16 & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise ArchiveUnsafePath(name, "is a link or a device")
            if not _wanted(name, folder=name.endswith("/")):
                continue
            if info.flag_bits & 0x1:
                raise ArchiveEncrypted(name)
            if info.compress_type not in _ZIP_METHODS:
                raise ArchiveCorrupt("a member is packed by a method other than deflate")
            budget.admit(name, info.file_size)
            with archive.open(info) as stream:
                # one byte more than may be there shows whether there is more, without unpacking the rest
                content = stream.read(min(budget.max_image_bytes, budget.left) + 1)
                budget.spend(len(content))
                if len(content) > budget.max_image_bytes:
                    raise PayloadTooLarge("a picture", budget.max_image_bytes, name)
                if stream.read(1):
                    raise ArchiveCorrupt("a member is longer than the archive says")
            yield name, content


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was written: the module cuts it at NUL, which hides what comes behind."""
    return info.orig_filename.replace("\\", "/")


def _check_overlaps(infos: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    """Two members that share bytes of the archive are how a small one unpacks to a huge one."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ArchiveRatio("two members of the archive share the same bytes")
        # the bytes of the name as they stand there, which the module has decoded by the same flag
        name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        end = info.header_offset + 30 + len(name) + info.compress_size
    if end > archive_bytes:
        raise ArchiveCorrupt("the archive is cut short")


def _tar_members(file: IO[bytes] | Gunzip, budget: _Budget) -> Iterator[Member]:
    def read(count: int) -> bytes:
        content = file.read(count)
        budget.spend(len(content))
        return content

    archive = TarStream(read)
    for header in archive:
        budget.count()
        if header.kind == "other":
            raise ArchiveUnsafePath(header.name, "is a link or a device")
        if _wanted(header.name, folder=header.kind == "folder"):
            budget.admit(header.name, header.bytes)
            yield header.name, archive.content()
    padding = 0
    while content := read(_FLUSH_BYTES):  # so that the sum behind it is checked
        padding += len(content)
        if padding > _PADDING_BYTES:
            raise ArchiveCorrupt(f"the archive goes on for more than {_PADDING_BYTES} bytes behind its end")


def _wanted(name: str, *, folder: bool) -> bool:
    """Whether a member is a picture to be, not a folder or what file browsers leave. ArchiveUnsafePath, ArchiveCorrupt."""
    if not name:
        raise ArchiveCorrupt("a member of the archive has no name")
    if "\0" in name:
        raise ArchiveUnsafePath(name, "has a NUL in its name")
    if name.startswith("/") or name[1:2] == ":":
        raise ArchiveUnsafePath(name, "has an absolute path")
    segments = name.replace("\\", "/").split("/")
    if ".." in segments:
        raise ArchiveUnsafePath(name, "climbs out of the archive")
    if folder or any(segment in _LITTER for segment in segments) or segments[-1].startswith("._"):
        return False
    if name.lower().endswith(_NESTED):
        raise ArchiveRatio("archives inside an archive are not unpacked")
    return True
