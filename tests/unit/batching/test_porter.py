"""Porter: threads of the engine read pictures and write results themselves, and leave to the loop what takes a while."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

import pytest

from batching.engine import Engine, EngineConfig
from batching.execute import Failed, Ran, Result, Unread, decoder
from batching.items import Item
from batching.leases import Leases
from batching.porter import Porter, output_key
from batching.telemetry import Tally
from kernels import codec
from kernels.codec import Limits
from kernels.recipe import Output, Recipe
from tests.helpers.ledger import MemoryFiles, MemoryStore, make_item
from tests.helpers.pictures import make_image

FLIP = Recipe.parse({"steps": [{"op": "hflip"}], "output": {"format": "png"}})


class Worker:
    """An engine with a porter over a store in memory."""

    def __init__(self, layout: str) -> None:
        self.store, self.leases = MemoryStore(), Leases(lease_s=30.0)
        self.files = MemoryFiles(self.store)
        self.porter = Porter(self.files, self.leases, Tally())
        config = EngineConfig(layout=layout, threads=2)  # type: ignore[arg-type]  # one of the two
        self.engine = Engine(config, decoder(Limits()), Tally(), lambda error: None)

    def item(self, *, leased: bool = True, content: bytes | None = None) -> Item:
        picture = codec.encode(make_image(12, 16, seed=1), Output(format="png")) if content is None else content
        item = make_item(picture, recipe=FLIP, variants=2)
        self.store.objects[item.source_key] = picture
        if leased:
            self.leases.add([item], time.monotonic())
        return item

    def result(self, item: Item) -> Result:
        done: queue.Queue[Result] = queue.Queue()
        self.engine.submit_unread(item, done.put, self.porter)
        return done.get(timeout=30)


@pytest.fixture(params=["whole", "stages"])
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    worker = Worker(request.param)
    yield worker
    assert worker.engine.close()


def test_results_are_stored_when_they_come(worker: Worker) -> None:
    item = worker.item()
    result = worker.result(item)
    assert isinstance(result, Ran)
    assert result.stored is not None
    assert [stored.object_key for stored in result.stored] == [output_key(item, variant) for variant in (0, 1)]
    for stored, output in zip(result.stored, result.outputs, strict=True):
        assert worker.store.objects[stored.object_key] == output.content
        assert (stored.bytes, stored.sha256, stored.draws) == (len(output.content), output.sha256, output.draws)


def test_a_picture_that_takes_a_while_is_left_to_the_loop(worker: Worker) -> None:
    slow, gone = worker.item(), worker.item()
    worker.files.unready.add(slow.source_key)
    assert worker.result(slow) == Unread(slow)
    worker.store.objects.clear()
    assert worker.result(gone) == Unread(gone)


@pytest.mark.parametrize("fault", ["busy", "failing", "not ours"])
def test_what_cannot_be_written_at_once_comes_with_its_bytes(worker: Worker, fault: str) -> None:
    item = worker.item(leased=fault != "not ours")
    worker.files.busy = fault == "busy"
    worker.store.failing = RuntimeError() if fault == "failing" else None
    result = worker.result(item)
    assert isinstance(result, Ran)
    assert result.stored is None
    assert len(result.outputs) == item.variants
    assert worker.files.written == []


def test_a_bad_picture_fails_and_stores_nothing(worker: Worker) -> None:
    result = worker.result(worker.item(content=b"no picture"))
    assert isinstance(result, Failed)
    assert result.code == "unsupported_format"
    assert worker.files.written == []
