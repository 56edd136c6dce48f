"""Object store: picture bytes by key, in a local folder, in S3 (or what speaks its protocol), or in memory.

Keys are written once: the same key always gets the same bytes, so a put may be repeated and readers may cache for ever.
A put is whole or not there: the local store writes a temporary file beside the place and renames it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from batching.errors import SourceMissing, StorageFull, StoreUnavailable
from service.local_files import LocalFiles
from service.room import check_room
from service.settings import Settings

if TYPE_CHECKING:
    from obstore import GetOptions

FULL = re.compile(
    r"os error (28|122)\b|status code: 507\b|<Code>(QuotaExceeded|XMinioStorageFull|InsufficientStorage)</Code>"
)
"""No space left, quota exceeded, and what S3-like stores call the same."""
CHUNK_BYTES = 256 * 1024
DELETES_AT_ONCE = 64
PAGE = 1000
"""Objects of one page of a listing."""
READY = "_ready"
READY_KEY, CLOCK_KEY = f"{READY}/probe", f"{READY}/clock"
LINK_S = 300
"""How long a signed link holds."""

Backend = LocalStore | MemoryStore | S3Store


@dataclass(frozen=True)
class StoredObject:
    """What a listing says of one object."""

    key: str
    bytes: int
    modified_at: datetime


class ObjectStore:
    """Picture bytes by key. Every method raises StoreUnavailable or StorageFull where the store itself fails."""

    def __init__(
        self,
        backend: Backend,
        *,
        root: Path | None = None,
        fsync: bool = False,
        reserve_bytes: int = 0,
        signed_reads: bool = False,
    ) -> None:
        """`root` is the local store's folder; with `fsync` a put returns when the disk has it.

        reserve_bytes: room on its disk for what was accepted already (`check_room`).
        signed_reads: whether readers may be sent to the store itself (`link`), where it can sign links.
        """
        self._backend, self._root, self._reserve_bytes = backend, root, reserve_bytes
        self._signer = backend if signed_reads and isinstance(backend, S3Store) else None
        self._files = LocalFiles(root, fsync=fsync) if root else None

    @property
    def files(self) -> LocalFiles | None:
        """Its files, where it is a folder: small ones may be read and written at once, by any thread."""
        return self._files

    @property
    def shared(self) -> bool:
        """Whether another process sees the same objects."""
        return not isinstance(self._backend, MemoryStore)

    async def get(self, key: str) -> bytes:
        """The bytes under `key`. Errors: SourceMissing."""
        with _translated():
            if self._files:
                return await self._files.get(key)
            found = await obstore.get_async(self._backend, key)
            return (await found.bytes_async()).to_bytes()

    async def put(self, key: str, content: bytes) -> None:
        """Stores `content` under `key`."""
        with _translated():
            if self._files:
                await self._files.put(key, content)
            else:
                # who follows a link gets the object as it is: its type goes with it
                attributes = {"Content-Type": _media_type(content)} if self._signer else None
                await obstore.put_async(self._backend, key, content, attributes=attributes, use_multipart=False)

    def get_at_once(self, key: str) -> bytes | None:
        """The bytes, where nothing is to be waited for: who reads many needs no task for each. Errors: SourceMissing."""
        with _translated():
            return self._files.get_at_once(key) if self._files else None

    def put_at_once(self, key: str, content: bytes) -> bool:
        """Stores `content`, where nothing is to be waited for; False: `put` it."""
        with _translated():
            return self._files is not None and self._files.put_at_once(key, content)

    async def copy(self, source: str, key: str) -> None:
        """Stores what is under `source` under `key` too, where the store is: no bytes pass through here.

        In a local store both are names of one file, which is never written to again. Errors: SourceMissing.
        """
        with _translated():
            if self._files:
                await self._files.copy(source, key)
            else:
                await obstore.copy_async(self._backend, source, key)

    async def stream(self, key: str, first: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `first` up to, not including, `end`, in pieces. Errors: SourceMissing, before the first piece."""
        if end is not None and end <= first:
            return
        with _translated():
            part: GetOptions = {"range": (first, end) if end is not None else {"offset": first}}
            found = await obstore.get_async(self._backend, key, options=part if first or end is not None else None)
            async for piece in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(piece)

    async def link(self, key: str, method: Literal["GET", "HEAD"]) -> str | None:
        """A signed link to the object for `LINK_S`, for one method; None where readers are not to be sent to the store."""
        if self._signer is None:
            return None
        with _translated():
            return await obstore.sign_async(self._signer, method, key, timedelta(seconds=LINK_S))

    async def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""
        try:
            with _translated():
                await obstore.head_async(self._backend, key)
        except SourceMissing:
            return False
        return True

    async def modified_at(self, key: str) -> datetime:
        """When the object was last put, on the store's clock. Errors: SourceMissing."""
        with _translated():
            return (await obstore.head_async(self._backend, key))["last_modified"]

    async def clock(self) -> datetime:
        """The time on the store's clock: when an object that is put now was put."""
        with _translated():
            await obstore.put_async(self._backend, CLOCK_KEY, b"now", use_multipart=False)
        return await self.modified_at(CLOCK_KEY)

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes what is there of `keys`; what is not there is no error."""
        for start in range(0, len(keys), DELETES_AT_ONCE):
            await asyncio.gather(*(self._delete(key) for key in keys[start : start + DELETES_AT_ONCE]))

    async def _delete(self, key: str) -> None:
        try:
            with _translated():
                await obstore.delete_async(self._backend, key)
        except SourceMissing:
            return

    async def objects(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Every object whose key starts with the whole path segments of `prefix`, in no order."""
        with _translated():
            async for page in obstore.list(self._backend, prefix=prefix):
                for meta in page:
                    yield StoredObject(meta["path"], meta["size"], meta["last_modified"])

    async def pages(self, prefix: str) -> AsyncGenerator[Sequence[StoredObject]]:
        """As `objects`, a page at a time."""
        with _translated():
            async for page in obstore.list(self._backend, prefix=prefix, chunk_size=PAGE):
                yield [StoredObject(meta["path"], meta["size"], meta["last_modified"]) for meta in page]

    async def remove_unfinished(self, prefix: str, before: datetime) -> int:
        """Removes what killed processes were writing below `prefix` before that time; says how many files.

        Only a local store keeps such files, beside their places and under names that no listing shows.
        """
        if self._files is None:
            return 0
        with _translated():
            return await self._files.remove_unfinished(prefix, before.timestamp())

    async def folders(self, prefix: str) -> Sequence[str]:
        """Names of the folders directly below `prefix`; the root without one."""
        with _translated():
            found = await obstore.list_with_delimiter_async(self._backend, prefix=prefix or None)
        return [path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"]]

    def check_room(self) -> None:
        """Nothing, where more may be accepted. How full another store than a folder is only shows when it refuses.

        Errors: StorageFull.
        """
        if self._root is not None:
            with _translated():
                check_room(self._root, self._reserve_bytes)

    async def ready(self) -> None:
        """Returns when more may be accepted, and an object could be written and read back.

        Errors: StoreUnavailable, StorageFull.
        """
        self.check_room()
        await self.put(READY_KEY, b"ready")
        try:
            content = await self.get(READY_KEY)
        except SourceMissing as error:
            raise StoreUnavailable("an object just written is not there") from error
        if content != b"ready":
            raise StoreUnavailable("an object just written reads back otherwise")


def open_store(settings: Settings) -> ObjectStore:
    """The store that `store_url` names; without one, the folder `store` under `data`, made where it is missing.

    S3 takes its key, region and endpoint from the usual AWS_ variables. Errors: ValueError for a URL that names no store.
    """
    url = urlsplit(settings.store_url or (settings.data.absolute() / "store").as_uri())
    match url.scheme:
        case "file" if url.path and not url.netloc:
            return local_store(
                Path(unquote(url.path)), fsync=settings.store_fsync, reserve_bytes=settings.disk_reserve_bytes
            )
        case "s3" if url.netloc:
            return ObjectStore(_s3(url.netloc, url.path.strip("/")), signed_reads=settings.store_signed_reads)
        case "memory":
            return ObjectStore(MemoryStore())
    raise ValueError("AUGMENT_STORE_URL must be file:///folder, s3://bucket/prefix or memory://")


def local_store(folder: Path, *, fsync: bool = False, reserve_bytes: int = 0) -> ObjectStore:
    """A store in a folder, made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    backend = LocalStore(folder, automatic_cleanup=True)
    return ObjectStore(backend, root=folder, fsync=fsync, reserve_bytes=reserve_bytes)


def _s3(bucket: str, prefix: str) -> S3Store:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return S3Store(
        bucket,
        prefix=prefix or None,
        # path style works with every S3-like server, and with AWS for a bucket of any name
        virtual_hosted_style_request=False,
        client_options={"allow_http": endpoint.startswith("http://"), "connect_timeout": "3s", "timeout": "30s"},
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=15)},
    )


def _media_type(content: bytes) -> str:
    # brings torch and the codecs, which the reconciler does without: it never puts a picture
    from kernels.codec import MEDIA_TYPES, Limits
    from kernels.codec.probe import format_of
    from kernels.errors import UnsupportedFormat

    try:
        return MEDIA_TYPES[format_of(content, Limits(max_bytes=len(content)))]
    except UnsupportedFormat:
        return "application/octet-stream"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceMissing from error
    except (BaseError, OSError) as error:
        said = str(error).partition("Debug source:")[0]  # what follows is a dump that repeats it
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or FULL.search(said):
            raise StorageFull from error
        raise StoreUnavailable(said.partition("\n")[0]) from error
