"""Engine with the real kernels when something fails: memory, the device, a fault of ours, time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Literal
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from batching import failpoints
from batching.execute import Ran, Result, decoder
from batching.items import Failed
from kernels.codec import Limits
from kernels.errors import DeviceLost, DeviceOutOfMemory
from kernels.partners import Partners
from kernels.plan import Plan
from kernels.run import run
from kernels.tensors import Picture
from tests.helpers.engines import LAYOUTS, Layout, Started, make_work, results


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_unexpected_error_is_tried_once_more(start: Started, layout: Layout) -> None:
    calls: list[bytes] = []
    real = decoder(Limits())

    def flaky(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        calls.append(content)
        if len(calls) == 1:
            raise RuntimeError("once")
        return real(content, alpha)

    [result] = results(start(layout, decode=flaky), [make_work()]).values()
    assert isinstance(result, Ran)
    assert len(calls) == 2


@pytest.mark.parametrize(("error", "code"), [(RuntimeError("always"), "internal"), (MemoryError(), "resource_exhausted")])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_error_that_stays_fails_the_item_and_names_nothing(
    start: Started, layout: Layout, error: Exception, code: str
) -> None:
    real = decoder(Limits())
    works = [make_work(key=key) for key in range(3)]

    def broken(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        if content == works[1].content:
            raise error
        return real(content, alpha)

    found = results(start(layout, decode=broken), works)
    failed = found[works[1].item.id]
    assert isinstance(failed, Failed)
    assert failed.code == code
    assert "always" not in failed.detail
    assert isinstance(found[works[0].item.id], Ran)
    assert isinstance(found[works[2].item.id], Ran)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", ["decoded", "ran", "encoded"])
def test_a_planted_fault_fails_items_as_internal(start: Started, layout: Layout, place: str) -> None:
    failpoints.arm({place: "error"})
    [result] = results(start(layout), [make_work()]).values()
    assert isinstance(result, Failed)
    assert result.code == "internal"


def faulty_run(fault: Callable[[int, torch.device], Exception | None]) -> Callable[..., list[Picture]]:
    """`run` that raises what `fault(number of plans, device)` says."""

    def faulty(plans: list[Plan], pictures: list[Picture], device: torch.device, partners: list[Partners]) -> list[Picture]:
        error = fault(len(plans), device)
        if error is not None:
            raise error
        return run(plans, pictures, device, partners)

    return faulty


def test_too_little_device_memory_halves_the_micro_batch(start: Started) -> None:
    sizes: list[int] = []

    def fault(number: int, device: torch.device) -> Exception | None:
        sizes.append(number)
        return DeviceOutOfMemory("cuda") if number > 3 else None

    works = [make_work(key=key, variants=4) for key in range(4)]
    plain = results(start("stages"), works)
    with mock.patch("batching.device.run", faulty_run(fault)):
        split = results(start("stages"), works)
    assert {item_id: _contents(result) for item_id, result in split.items()} == {
        item_id: _contents(result) for item_id, result in plain.items()
    }
    assert max(sizes) >= 4
    assert min(sizes) <= 2


def test_what_fits_no_device_even_alone_fails_as_resource_exhausted(start: Started) -> None:
    def fault(number: int, device: torch.device) -> Exception | None:
        return DeviceOutOfMemory("cuda")

    with mock.patch("batching.device.run", faulty_run(fault)):
        [result] = results(start("stages"), [make_work()]).values()
    assert isinstance(result, Failed)
    assert result.code == "resource_exhausted"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_lost_device_is_reported_once_and_gives_no_results(start: Started, layout: Layout) -> None:
    lost: queue.Queue[DeviceLost] = queue.Queue()
    done: queue.Queue[Result] = queue.Queue()
    with mock.patch("batching.device.run", faulty_run(lambda number, device: DeviceLost("cuda", "illegal access"))):
        engine = start(layout, lost=lost.put)
        for key in range(4):
            engine.submit(make_work(key=key), done.put)
        assert "illegal access" in lost.get(timeout=30).message
        time.sleep(0.05)
    assert lost.empty()
    assert done.empty()


def test_an_item_that_takes_too_long_fails(start: Started) -> None:
    failpoints.arm({"encoded": "sleep:0.05"})
    [result] = results(start(item_timeout_s=0.1), [make_work(variants=10)]).values()
    assert isinstance(result, Failed)
    assert result.code == "item_timeout"


def test_what_hangs_is_overdue(start: Started) -> None:
    gate = threading.Event()
    real = decoder(Limits())

    def hanging(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        gate.wait(10)
        return real(content, alpha)

    engine, work, done = start(decode=hanging), make_work(), queue.Queue[Result]()
    engine.submit(work, done.put)
    time.sleep(0.1)
    assert engine.overdue(0.05) == [work.item]
    assert engine.overdue(5.0) == []
    gate.set()
    assert isinstance(done.get(timeout=10), Ran)
    assert engine.overdue(0.0) == []


def _contents(result: Result) -> list[bytes]:
    assert isinstance(result, Ran), result
    return [output.content for output in result.outputs]
