"""A worker process as it is, but for pixels and bytes: its engine answers at once, its store keeps nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from batching.engine import Engine, EngineConfig
from batching.execute import Decode, Ran, Result, Work
from batching.items import Encoded, Item
from batching.ledger import Ledger, Store
from batching.porter import Porter
from batching.telemetry import Tally
from batching.worker import run_worker
from kernels.errors import DeviceLost
from service.settings import load
from service.system.worker_main import config_of, open_ledger
from service.telemetry import configure_logging

_NO_HASH = "0" * 64


class NoPixels(Engine):
    """Gives every item its results at once, without a thread of its own."""

    def __init__(self, config: EngineConfig, decode: Decode, tally: Tally, lost: Callable[[DeviceLost], None]) -> None:
        self._config = config

    def submit(self, work: Work, done: Callable[[Result], None], porter: Porter | None = None) -> None:
        """Calls `done` before it returns."""
        item = work.item
        outputs = tuple(Encoded(variant, b"", _NO_HASH, 1, 1, "jpeg", draws=(), labels=None) for variant in item.numbers)
        done(Ran(item, outputs, porter.stored(item, outputs) if porter else None))

    def submit_unread(self, item: Item, done: Callable[[Result], None], porter: Porter) -> None:
        """As `submit`."""
        content = porter.fetched(item)
        self.submit(Work(item, content or b""), done, porter)

    def more_soon(self, item: Item) -> bool:
        """False: nothing ever waits."""
        return False

    def withdraw(self) -> list[Item]:
        """Nothing: nothing ever waits."""
        return []

    def overdue(self, limit_s: float) -> list[Item]:
        """Nothing, likewise."""
        return []

    def close(self, timeout_s: float = 5.0) -> bool:
        """True: there is no thread."""
        return True


class NoFiles:
    """Files that are all there and are not kept, as those of a local store."""

    def read(self, key: str) -> bytes:
        """A byte."""
        return b"x"

    def write(self, key: str, content: bytes) -> bool:
        """True."""
        return True


class NoBytes:
    """A store that has every object and keeps none."""

    files = NoFiles()

    async def get(self, key: str) -> bytes:
        """A byte."""
        return b"x"

    async def put(self, key: str, content: bytes) -> None:
        """Nothing."""

    async def copy(self, source: str, key: str) -> None:
        """Nothing."""


@asynccontextmanager
async def _store() -> AsyncIterator[Store]:
    yield NoBytes()


def main() -> int:
    """Works until SIGTERM; settings from the environment."""
    settings = load()
    configure_logging(settings.log_format, settings.log_level)

    @asynccontextmanager
    async def ledger() -> AsyncIterator[Ledger]:
        async with open_ledger(settings) as opened:
            yield opened

    return run_worker(config_of(settings), ledger, _store, make_engine=NoPixels)


if __name__ == "__main__":
    sys.exit(main())
