"""Porter: reads a picture and writes its results on the thread of the engine that runs it, where objects are small files.

So a picture crosses between threads once each way, and the loop thread has no part in its bytes. What cannot be done at
once is left to the loop, which may wait, and try again for as long as the lease is ours.
"""

from __future__ import annotations

import time
from contextlib import suppress

from batching import failpoints
from batching.items import Encoded, Item, Stored
from batching.leases import Leases
from batching.ledger import Files
from batching.telemetry import Tally


class Porter:
    """Carries pictures and results of one worker. Any thread may ask it."""

    def __init__(self, files: Files, leases: Leases, tally: Tally) -> None:
        self._files, self._leases, self._tally = files, leases, tally

    def fetched(self, item: Item) -> bytes | None:
        """The bytes of its picture; None: the store is to be asked."""
        with self._tally.stage("fetch"):
            content = None
            with suppress(OSError):  # asked again, the store says what it means
                content = self._files.read(item.source_key)
        if content is not None:
            failpoints.hit("fetched")
        return content

    def stored(self, item: Item, outputs: tuple[Encoded, ...]) -> tuple[Stored, ...] | None:
        """Its results, all of them stored; None: they are to be put into the store. Nothing is written without a lease."""
        placed = []
        with self._tally.stage("store"):
            for output in outputs:
                key = output_key(item, output.variant)
                if not self._leases.ours(item, time.monotonic()) or not self._written(key, output.content):
                    return None
                placed.append(placed_at(key, output))
        failpoints.hit("stored")
        return tuple(placed)

    def _written(self, key: str, content: bytes) -> bool:
        try:
            return self._files.write(key, content)
        except OSError:
            return False


def output_key(item: Item, variant: int) -> str:
    """Where a result of this attempt is stored."""
    return f"{item.tenant}/outputs/{item.day}/{item.id.hex[-2:]}/{item.id}-{variant}-{item.token}"


def placed_at(key: str, output: Encoded) -> Stored:
    """What the ledger writes of a result whose bytes are under `key`."""
    return Stored(
        variant=output.variant,
        object_key=key,
        bytes=len(output.content),
        sha256=output.sha256,
        width=output.width,
        height=output.height,
        format=output.format,
        draws=output.draws,
        labels=output.labels,
    )
