"""Archives of pictures (tar, tar.gz, zip): spooled to an unnamed file, then read member by member, never extracted.

Every limit is enforced while reading: what an archive says of itself is not believed.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any, Self, TypeVar

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
from service.settings import Settings

Value = TypeVar("Value")
Member = tuple[str, bytes]

FREE_BYTES = 2**20
"""Up to here an archive may grow by any ratio: headers of small files compress well."""
_FLUSH_BYTES = 2**20
_HEADER_BYTES = 64 * 1024
"""Longest extended header of a tar member."""
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NESTED = (".zip", ".tar", ".tgz", ".tar.gz", ".gz", ".7z", ".rar", ".bz2", ".xz", ".zst")
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


class Spool:
    """An unnamed file below the data folder that holds an archive while it is read; gone with the process."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data
        self._limit = settings.max_archive_bytes
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
        await _in_thread(self.file.write, content)

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
    while (member := await _in_thread(next, members, None)) is not None:
        yield member


def _members(file: IO[bytes], archive_bytes: int, settings: Settings) -> Iterator[Member]:
    file.seek(0)
    start = file.read(512)
    file.seek(0)
    budget = _Budget(archive_bytes, settings)
    try:
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
            yield from _zip_members(file, archive_bytes, budget)
        elif start.startswith(b"\x1f\x8b"):
            # tarfile's own reading of gzip believes a stream that is cut short, and checks no sum
            with gzip.GzipFile(fileobj=file) as inflated:
                yield from _tar_members(inflated, budget)
        elif len(start) == 512 and (start[257:262] == b"ustar" or not any(start) or _sums_up(start)):
            yield from _tar_members(file, budget)
        else:
            raise ArchiveCorrupt("the archive is neither tar, tar.gz nor zip")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, NotImplementedError):
        raise ArchiveCorrupt("the archive is damaged or cut short") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise ArchiveCorrupt("the archive is damaged or cut short") from None  # gzip's own errors have no number


class _Budget:
    """How much an archive may still unpack to."""

    def __init__(self, archive_bytes: int, settings: Settings) -> None:
        self._left = max(FREE_BYTES, archive_bytes * settings.max_archive_ratio)
        self._ratio = settings.max_archive_ratio
        self._members_left = settings.max_batch_items
        self._max_items = settings.max_batch_items
        self._max_image_bytes = settings.max_image_bytes

    def read(self, name: str, stream: IO[bytes], declared: int) -> bytes:
        """The whole member. PayloadTooLarge, ArchiveRatio, TooManyItems."""
        self._members_left -= 1
        if self._members_left < 0:
            raise TooManyItems(self._max_items)
        if declared > self._max_image_bytes:
            raise PayloadTooLarge("a picture", self._max_image_bytes, name)
        # one byte more than may be there shows whether there is more, without unpacking the rest
        content = stream.read(min(self._max_image_bytes, self._left) + 1)
        self.spend(len(content))
        if len(content) > self._max_image_bytes:
            raise PayloadTooLarge("a picture", self._max_image_bytes, name)
        return content

    def spend(self, count: int) -> None:
        """Counts unpacked bytes. ArchiveRatio."""
        self._left -= count
        if self._left < 0:
            raise ArchiveRatio(f"the archive unpacks to more than {self._ratio} times its size")


def _zip_members(file: IO[bytes], archive_bytes: int, budget: _Budget) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        _check_overlaps(infos, archive_bytes)
        for info in infos:
            name = _zip_name(info)
            kind = info.external_attr >> 16 & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise ArchiveUnsafePath(name, "is a link or a device")
            if not _wanted(name, folder=info.is_dir()):
                continue
            if info.flag_bits & 0x1:
                raise ArchiveEncrypted(name)
            if info.compress_type not in _ZIP_METHODS:
                raise ArchiveCorrupt("a member is packed by a method other than deflate")
            with archive.open(info) as stream:
                content = budget.read(name, stream, info.file_size)
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
        end = info.header_offset + 30 + len(info.orig_filename.encode()) + info.compress_size
    if end > archive_bytes:
        raise ArchiveCorrupt("the archive is cut short")


def _tar_members(file: IO[bytes] | gzip.GzipFile, budget: _Budget) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r|", tarinfo=_Header) as archive:
        for info in archive:
            budget.spend(512)
            name = info.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            if not (info.isfile() or info.isdir()):
                raise ArchiveUnsafePath(name, "is a link or a device")
            if info.issparse():
                raise ArchiveCorrupt("a member is stored with holes")
            if not _wanted(name, folder=info.isdir()):
                budget.spend(info.size)
                continue
            stream = archive.extractfile(info)
            assert stream is not None  # it is a file
            content = budget.read(name, stream, info.size)
            if len(content) != info.size:
                raise ArchiveCorrupt("the archive is cut short")
            yield name, content
        if not getattr(archive, "has_end", False):
            raise ArchiveCorrupt("the archive is cut short")
    while piece := file.read(_FLUSH_BYTES):
        budget.spend(len(piece))  # padding; read so that the sum behind it is checked


class _Header(tarfile.TarInfo):
    """A member's header whose extended form is bounded: it is read into memory before anything can be checked."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """The next header. Notes on the archive that it has an end: one that stops between members looks whole."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # not in the stubs
            archive.has_end = True  # type: ignore[attr-defined]  # the archive is ours, and lives as long as this reading
            raise

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        kinds = (
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        )
        if self.type in kinds and self.size > _HEADER_BYTES:
            raise tarfile.ReadError("an extended header is too long")
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # not in the stubs
        return found


def _wanted(name: str, *, folder: bool) -> bool:
    """Whether a member is a picture to be; folders and what file browsers leave behind are not. ArchiveUnsafePath."""
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


def _sums_up(header: bytes) -> bool:
    """Whether 512 bytes carry the checksum of an old tar header."""
    try:
        stored = int(header[148:156].strip(b"\0 ") or b"0", 8)
    except ValueError:
        return False
    return stored == sum(header[:148]) + sum(header[156:]) + 8 * 0x20
