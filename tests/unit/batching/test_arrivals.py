"""Arrivals: what threads hand to a loop comes, each value once, whether or not anyone is in a hurry."""

from __future__ import annotations

import asyncio
import threading

from batching.arrivals import MOST_AT_REST, Arrivals


async def test_a_value_in_a_hurry_comes_at_once_and_brings_the_others() -> None:
    arrivals: Arrivals[int] = Arrivals(asyncio.get_running_loop())
    futures = [arrivals.expected() for _ in range(3)]
    for number, future in enumerate(futures):
        arrivals.put(future, number, hurried=number == 2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [future.result() for future in futures] == [0, 1, 2]


async def test_many_values_come_without_a_hurry() -> None:
    arrivals: Arrivals[int] = Arrivals(asyncio.get_running_loop())
    futures = [arrivals.expected() for _ in range(MOST_AT_REST)]
    for future in futures:
        arrivals.put(future, 1, hurried=False)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(future.done() for future in futures)


async def test_a_value_alone_comes_after_a_rest() -> None:
    arrivals: Arrivals[int] = Arrivals(asyncio.get_running_loop())
    for number in range(2):  # the second time too, when it had nothing to look for meanwhile
        future = arrivals.expected()
        arrivals.put(future, number, hurried=False)
        await asyncio.sleep(0)
        assert not future.done()
        assert await asyncio.wait_for(future, 5) == number
        await asyncio.sleep(0.05)


async def test_nothing_is_lost_between_threads() -> None:
    arrivals: Arrivals[int] = Arrivals(asyncio.get_running_loop())
    futures = [arrivals.expected() for _ in range(2000)]

    def work(first: int) -> None:
        for number in range(first, len(futures), 4):
            arrivals.put(futures[number], number, hurried=number % 7 == 0)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    assert await asyncio.wait_for(asyncio.gather(*futures), 10) == list(range(len(futures)))
    for thread in threads:
        thread.join()


async def test_who_no_longer_waits_gets_nothing() -> None:
    arrivals: Arrivals[int] = Arrivals(asyncio.get_running_loop())
    gone, there = arrivals.expected(), arrivals.expected()
    gone.cancel()
    arrivals.put(gone, 1, hurried=False)
    arrivals.put(there, 2, hurried=True)
    assert await asyncio.wait_for(there, 5) == 2
    assert gone.cancelled()
