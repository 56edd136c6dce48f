"""Pictures on their way in: hashed, probed and stored while the next one still arrives."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from batching.errors import Unavailable
from kernels.codec import Limits, Probe, probe
from kernels.errors import InputError
from kernels.rng import item_key
from service.errors import DuplicateCustomId, EmptyBody, TooManyItems, ValidationError
from service.object_keys import Owner
from service.schemas import MAX_CUSTOM_ID_BYTES
from service.settings import Settings
from service.store import ObjectStore
from service.truth.queries import Image
from service.uploads.json_text import check_text

PUTS_AT_ONCE = 8
BYTES_AT_ONCE = 64 * 2**20
"""Most bytes of one request that wait for the store; the reading of its body waits with them."""
TURN_S = 0.00025
"""So long the pictures of one request are taken in before others have a turn."""
_HASHED_HERE_BYTES = 256 * 1024
"""Up to here hashing is quicker than handing the bytes to a thread."""


@dataclass(frozen=True)
class Sent:
    """One picture as it was accepted: its bytes are stored, or `error` says why they are not worth it."""

    custom_id: str
    sha256: str
    bytes: int
    object_key: str
    probe: Probe | None
    error: InputError | None
    image: Image | None = None
    url: str | None = None
    """Where a worker will fetch it: nothing else is known of it yet."""


def limits(settings: Settings) -> Limits:
    """What a picture may ask of us."""
    return Limits(settings.max_image_bytes, settings.max_image_pixels, settings.max_image_side)


async def sha256_of(content: bytes) -> str:
    """SHA-256 as 64 hex digits; long content is hashed in a thread."""
    if len(content) <= _HASHED_HERE_BYTES:
        return hashlib.sha256(content).hexdigest()
    return (await asyncio.to_thread(hashlib.sha256, content)).hexdigest()


class Intake:
    """The pictures of one request. `add` each, then `stored` is the list of them, every one kept."""

    def __init__(self, store: ObjectStore, settings: Settings, owner: Owner, *, alone: bool = False) -> None:
        """`owner`: the batch or image that they are of.

        `alone`: there is one picture, so what is wrong with it is raised. Otherwise it is that picture's `error`.
        """
        self._store, self._settings, self._owner, self._alone = store, settings, owner, alone
        self._limits = limits(settings)
        self._sent: list[Sent] = []
        self._item_keys: set[int] = set()
        self._keys: set[str] = set()
        self._puts: dict[asyncio.Task[None], int] = {}
        self._turn_ends_s = 0.0

    async def add(self, custom_id: str | None, content: bytes, sha256: str = "") -> None:
        """Takes one picture. Waits while too much of this request waits for the store, and lets other requests have a turn.

        sha256: `sha256_of` it, where that is known already.
        Errors: TooManyItems, StorageFull, DuplicateCustomId, and where it is alone EmptyBody and those of `probe`.
        """
        self._room()
        if not content and self._alone:
            raise EmptyBody("the picture")
        sha256 = sha256 or await sha256_of(content)
        name = self._named(custom_id or sha256)
        found, error = self._probed(content)
        key = self._owner.key(sha256) if found else ""
        if key and key not in self._keys:
            self._keys.add(key)
            await self._put(key, content)
        self._sent.append(Sent(name, sha256, len(content), key, found, error))
        if not self._alone and time.perf_counter() > self._turn_ends_s:
            await asyncio.sleep(0)  # hundreds of small pictures may have come in one piece
            self._turn_ends_s = time.perf_counter() + TURN_S

    def refer(self, custom_id: str | None, image: Image) -> None:
        """Takes a picture that was uploaded before. Errors: TooManyItems, StorageFull, DuplicateCustomId."""
        self._room()
        name = self._named(custom_id or image.filename or image.sha256)
        seen = Probe(image.format, image.width, image.height)  # type: ignore[arg-type]  # written from a Probe's format
        self._sent.append(Sent(name, image.sha256, image.bytes, image.object_key, seen, None, image))

    def refer_to(self, custom_id: str, url: str) -> None:
        """Takes a picture that is to be fetched from a checked address. Errors as `refer`."""
        self._room()
        self._sent.append(Sent(self._named(custom_id), "", 0, "", None, None, url=url))

    async def stored(self) -> Sequence[Sent]:
        """Every picture, in order, after all of their bytes have been stored."""
        while self._puts:
            await self._settle()
        return tuple(self._sent)

    async def abandon(self) -> None:
        """Ends what is under way, when the request failed, and removes what it stored: nothing will ever refer to it."""
        for task in self._puts:
            task.cancel()
        await asyncio.gather(*self._puts, return_exceptions=True)
        self._puts.clear()
        with suppress(Unavailable):  # it is collected some day
            await self._store.delete(sorted(self._keys))

    def _room(self) -> None:
        if len(self._sent) >= self._settings.max_batch_items:
            raise TooManyItems(self._settings.max_batch_items)
        self._store.check_room()

    def _named(self, custom_id: str) -> str:
        check_text(custom_id, "/custom_id")
        if len(custom_id.encode()) > MAX_CUSTOM_ID_BYTES:
            raise ValidationError(f"a custom_id has at most {MAX_CUSTOM_ID_BYTES} bytes", "/custom_id", MAX_CUSTOM_ID_BYTES)
        # two names of one key would get the same draws, and are as good as equal: nobody has two but by search
        if (key := item_key(custom_id)) in self._item_keys:
            raise DuplicateCustomId(custom_id)
        self._item_keys.add(key)
        return custom_id

    def _probed(self, content: bytes) -> tuple[Probe | None, InputError | None]:
        try:
            return probe(content, self._limits), None
        except InputError as error:
            if self._alone:
                raise
            return None, error

    async def _put(self, key: str, content: bytes) -> None:
        while self._puts and (len(self._puts) >= PUTS_AT_ONCE or sum(self._puts.values()) + len(content) > BYTES_AT_ONCE):
            await self._settle()
        if self._alone:
            await self._store.put(key, content)
        elif not self._store.put_at_once(key, content):
            self._puts[asyncio.create_task(self._store.put(key, content))] = len(content)

    async def _settle(self) -> None:
        done, _ = await asyncio.wait(self._puts, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del self._puts[task]
            task.result()
