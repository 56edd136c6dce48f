"""Grouping of calls that arrive together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from service.groups import Grouped


async def test_what_waits_becomes_the_next_group() -> None:
    groups: list[list[int]] = []
    begun, gate = asyncio.Event(), asyncio.Event()

    async def double(group: Sequence[int]) -> list[int | Exception]:
        groups.append(list(group))
        begun.set()
        await gate.wait()
        return [2 * number for number in group]

    grouped: Grouped[int, int] = Grouped(double, most=3)
    first = asyncio.create_task(grouped.ask(1))
    await begun.wait()
    rest = [asyncio.create_task(grouped.ask(number)) for number in range(2, 7)]
    await asyncio.sleep(0)
    gate.set()

    assert [await first, *[await one for one in rest]] == [2, 4, 6, 8, 10, 12]
    assert groups == [[1], [2, 3, 4], [5, 6]]


async def test_a_group_gathers_while_others_come_and_nobody_waits_alone() -> None:
    groups: list[list[int]] = []

    async def noted(group: Sequence[int]) -> list[int | Exception]:
        groups.append(list(group))
        return list(group)

    grouped: Grouped[int, int] = Grouped(noted, most=3, gather_s=60.0)
    assert await grouped.ask(1) == 1
    assert await asyncio.gather(grouped.ask(2), grouped.ask(3)) == [2, 3]
    waits = asyncio.create_task(grouped.ask(4))
    await asyncio.sleep(0.01)
    assert not waits.done()
    waits.cancel()
    assert groups == [[1], [2, 3]]


async def test_an_error_goes_to_its_asker_or_to_the_group() -> None:
    async def picky(group: Sequence[int]) -> list[int | Exception]:
        if 13 in group:
            raise RuntimeError("all")
        return [ValueError("odd") if number % 2 else number for number in group]

    grouped: Grouped[int, int] = Grouped(picky, most=8)
    answers = await asyncio.gather(*(grouped.ask(number) for number in (1, 2)), return_exceptions=True)
    assert isinstance(answers[0], ValueError)
    assert answers[1] == 2
    both = await asyncio.gather(grouped.ask(13), grouped.ask(2), return_exceptions=True)
    assert [type(answer) for answer in both] == [RuntimeError, RuntimeError]
    assert await grouped.ask(4) == 4


async def test_an_asker_that_leaves_changes_nothing() -> None:
    done: list[int] = []

    async def keep(group: Sequence[int]) -> list[int | Exception]:
        await asyncio.sleep(0)
        done.extend(group)
        return list(group)

    grouped: Grouped[int, int] = Grouped(keep, most=8)
    leaving, staying = asyncio.create_task(grouped.ask(1)), asyncio.create_task(grouped.ask(2))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == 2
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await grouped.drained()
    assert done == [1, 2]
