"""Bounds: fetched bytes, and what a device runs together."""

from __future__ import annotations

import asyncio

import pytest

from batching.device import CPU, Cap, choose, described
from batching.fetching import FetchGate


async def entered(gate: FetchGate, *, urgent: bool = False) -> bool:
    """Whether one may fetch now."""
    try:
        async with asyncio.timeout(0.02), gate.fetching(urgent):
            return True
    except TimeoutError:
        return False


async def test_fetches_wait_while_too_much_lies_in_memory() -> None:
    gate = FetchGate(most_bytes=100)
    gate.hold(60)
    assert await entered(gate)
    gate.hold(60)
    assert not await entered(gate)
    assert await entered(gate, urgent=True)
    gate.release(60)
    assert await entered(gate)


async def test_one_who_waits_goes_on_when_there_is_room() -> None:
    gate = FetchGate(most_bytes=100)
    gate.hold(150)

    async def fetch() -> None:
        async with gate.fetching(urgent=False):
            pass

    waiting = asyncio.create_task(fetch())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.release(150)
    await asyncio.wait_for(waiting, 1)


async def test_only_so_many_fetches_run_side_by_side() -> None:
    gate = FetchGate(most_fetches=2)
    async with gate.fetching(urgent=False), gate.fetching(urgent=False):
        assert not await entered(gate)
        assert await entered(gate, urgent=True)
    assert await entered(gate)


async def test_only_one_picture_at_a_time_fetches_partners_beyond_the_bound() -> None:
    gate = FetchGate(most_bytes=100)
    order: list[str] = []

    async def fetch(name: str, partners: int) -> None:
        async with gate.more(urgent=False) as room:
            for _ in range(partners):
                await room()
                gate.hold(60)
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(fetch("a", 4), fetch("b", 4)), 5)
    # both may begin while there is room; then one goes on to its end, and the other after it
    assert order[:2] == ["a", "b"]
    assert order[2:] == ["a"] * 3 + ["b"] * 3
    async with gate.more(urgent=True) as room:
        await asyncio.wait_for(room(), 1)


def test_what_did_not_fit_is_halved_and_slowly_grows_again() -> None:
    cap = Cap(1000)
    cap.shrink()
    cap.shrink()
    assert cap.cost == 250
    for _ in range(100):
        cap.grow()
    assert cap.cost == 1000
    for _ in range(100):
        cap.shrink()
    assert cap.cost == 1


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_a_device_is_chosen_and_described(name: str) -> None:
    device = choose(name)  # type: ignore[arg-type]  # one of its names
    assert len(described(device)) <= 32
    assert name == "auto" or (device == CPU and described(device) == "cpu")
