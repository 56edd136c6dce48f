"""Lanes: where items wait in Redis, one lane for each tenant and priority, and how micro-batches are formed of them.

Redis holds ids and costs only, and may be emptied at any moment: whoever leases asks PostgreSQL, and the reconciler puts
lost ids back. Every change is one atomic step of `lanes.lua`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar, cast
from uuid import UUID

import redis.asyncio as aredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from batching.events import Notice
from batching.items import PRIORITIES, Bell, Budget, LaneKey, MicroBatch, Priority, Taken, Waiting
from batching.wake import Enqueue, enqueuer

CHUNK = 500
"""Entries handled by one atomic step, so that Redis is never held up for long."""
QUANTA = 64
"""A tenant's turn is this part of a micro-batch."""
FLAG_MS = 30_000
"""Life of the flag "a job is outstanding" while its worker serves, renewed every few seconds."""
_STEPS = files(__package__).joinpath("lanes.lua").read_text()
T = TypeVar("T")
NOBODY: Mapping[str, Notice] = MappingProxyType({})
LANES_DOWN = (aredis.RedisError, OSError)
"""What every method raises while Redis is away (time-outs are OSErrors)."""


@dataclass(frozen=True)
class HandedOff:
    """What a put did: how many of the items now wait in Redis (the first ones), and in which epoch of it."""

    accepted: int
    epoch: str


class Lanes:
    """The lanes of one Redis. Errors of every method: `redis.RedisError`; repeating any of them is harmless."""

    def __init__(self, client: aredis.Redis, enqueue: Enqueue | None = None) -> None:
        self._redis = client
        self._step = client.register_script(_STEPS)
        self._enqueue = enqueue or enqueuer(client)

    async def put(self, lane: LaneKey, waiting: Sequence[Waiting], window: int) -> int:
        """Adds items to the end of their lane while it holds fewer than `window`; says how many, the first ones."""
        return (await self.hand_off(lane, waiting, window)).accepted

    async def hand_off(self, lane: LaneKey, waiting: Sequence[Waiting], window: int) -> HandedOff:
        """`put` that also says the epoch. Workers that are idle are woken."""
        accepted, epoch = 0, ""
        for chunk in _chunks(waiting):
            entries = [part for item in chunk for part in (item.item_id.hex, item.cost_pixels, item.channel)]
            reply = await self._call("put", lane.priority, lane.tenant, window, secrets.token_hex(16), *entries)
            accepted, epoch = accepted + int(reply[0]), _text(reply[1])
            await self._rouse(reply[2:])
            if int(reply[0]) < len(chunk):
                break
        return HandedOff(accepted, epoch)

    async def take(
        self,
        consumer: str,
        budget: Budget,
        priorities: Sequence[Priority] = PRIORITIES,
        held: Collection[str] = (),
    ) -> MicroBatch | None:
        """A micro-batch of at least one entry up to the budget (its last entry may exceed it), or None: nothing waits.

        Interactive first, up to its share while bulk waits; among tenants in turns of equal cost. Tenants that are `held`
        get no bulk work taken, and keep their turn.
        """
        reply = await self._call(
            "take",
            consumer,
            budget.cost_pixels,
            budget.items,
            budget.interactive_share,
            budget.tenant_share,
            max(1, budget.cost_pixels // QUANTA),
            ",".join(priorities),
            *held,
        )
        return MicroBatch(tuple(_taken(entry) for entry in reply)) if reply else None

    async def settle(self, entries: Sequence[Taken], notices: Mapping[str, Notice] = NOBODY) -> int:
        """Removes entries whose items are final, or are no longer ours; says how many were still there.

        Before that each channel is sent its notice, in the same round trip.
        """
        removed = 0
        told: list[str | int] = [len(notices)]
        for channel, notice in notices.items():
            told += [channel, notice.document()]
        for chunk in _chunks(entries):
            by_lane: dict[LaneKey, list[str]] = defaultdict(list)
            for entry in chunk:
                by_lane[entry.lane].append(entry.entry_id)
            arguments: list[str | int] = []
            for lane, ids in by_lane.items():
                arguments += [_key(lane), len(ids), *ids]
            removed += int(await self._call("settle", *told, *arguments))
            told = [0]
        return removed

    async def give_back(self, entries: Sequence[Taken]) -> None:
        """Puts entries that were taken but not begun at the end of their lanes, for other workers."""
        by_lane: dict[LaneKey, list[Waiting]] = defaultdict(list)
        for entry in entries:
            by_lane[entry.lane].append(Waiting(entry.item_id, entry.cost_pixels, entry.channel))
        for lane, waiting in by_lane.items():
            await self.put(lane, waiting, window=2**53)
        await self.settle(entries)

    async def attend(self, sender: str, ttl_s: float) -> None:
        """Says that a process which hands off lives, for so long."""
        await self._call("attend", sender, round(ttl_s * 1000))

    async def part(self, sender: str) -> None:
        """Says that a process has nothing more to hand off, or that what it left was looked for."""
        await self._redis.zrem("senders", sender)

    async def absent(self) -> dict[str, float]:
        """Processes that have not said for so long that they live, and did not part: seconds since they were to."""
        return {_text(name): int(late_ms) / 1000 for name, late_ms in await self._call("absent")}

    async def put_since(self, lane: LaneKey, age_s: float) -> set[UUID]:
        """Items whose entries were put into the lane no longer ago than that and are still in it, waiting or taken."""
        found: set[UUID] = set()
        last = ""
        while page := await self._call("since", _key(lane), round(age_s * 1000), last, CHUNK):
            found |= {UUID(_text(item)) for _, item in page}
            last = _text(page[-1][0])
        return found

    async def lanes(self) -> list[LaneKey]:
        """Every lane that holds an entry, waiting or taken."""
        return [_lane(key) for key in await self._redis.smembers("lanes")]

    async def lengths(self, lanes: Sequence[LaneKey]) -> list[int]:
        """Entries in each of `lanes`, waiting or taken: what counts against the window."""
        pipe = self._redis.pipeline(transaction=False)
        for lane in lanes:
            pipe.xlen(_key(lane))
        return [int(length) for length in await pipe.execute()]

    async def depths(self) -> dict[Priority, int]:
        """Entries in all lanes, waiting or taken, by priority."""
        lanes = await self.lanes()
        depths: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        for lane, length in zip(lanes, await self.lengths(lanes), strict=True):
            depths[lane.priority] += length
        return depths

    async def ages(self, lanes: Sequence[LaneKey]) -> list[float]:
        """For how many seconds the oldest entry of each of `lanes` has been in it, all by the Redis clock; 0: it is empty.

        An item handed off clearly longer ago is in no lane any more.
        """
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        for lane in lanes:
            pipe.xrange(_key(lane), count=1)
        (seconds, micros), *heads = await pipe.execute()
        now_s = int(seconds) + int(micros) / 1e6
        return [max(0.0, now_s - int(_text(head[0][0]).partition("-")[0]) / 1000) if head else 0.0 for head in heads]

    async def dead_entries(self, idle_ms: int, most: int = 1000) -> list[Taken]:
        """At most `most` entries that were taken that long ago and never settled; they count as taken anew.

        Settle them once their items have been looked at; call again until none is left.
        """
        found: list[Taken] = []
        for chunk in _chunks([_key(lane) for lane in await self.lanes()]):
            found += [_taken(entry) for entry in await self._call("dead", idle_ms, most - len(found), *chunk)]
            if len(found) >= most:
                break
        return found

    async def epoch(self) -> str | None:
        """The mark of this Redis since it was last emptied, or None before the first put or `ensure_epoch`."""
        found = await self._redis.get("epoch")
        return _text(found) if found is not None else None

    async def takes_more(self) -> None:
        """Returns when something could be written: one that is full, or only follows another, answers all the same."""
        await self._redis.set("probe", "1", px=60_000)

    async def ensure_epoch(self) -> str:
        """The epoch, begun if there was none."""
        await self._redis.set("epoch", secrets.token_hex(16), nx=True)
        return await self.epoch() or await self.ensure_epoch()

    async def wake(self) -> int:
        """Wakes every idle worker if work is ready; says how many jobs that took."""
        return await self._rouse(await self._call("wake"))

    async def release(self, worker: str) -> bool:
        """Ends a worker's service, unless work is ready: then False, and it must go on. No item falls between."""
        return bool(await self._call("release", worker))

    async def serving(self, worker: str) -> None:
        """Says that a job of `worker` is outstanding, so that no other is enqueued for it."""
        await self._redis.set(f"job:{worker}", "1", px=FLAG_MS)

    async def wait(self, bell: Bell, timeout_s: float) -> bool:
        """Waits until a bell is rung; False: it was not. The client's socket must wait longer."""
        return await self._redis.blpop([f"wake:{bell}"], timeout_s) is not None

    async def ring(self, bell: Bell) -> None:
        """Passes a token on that another worker may want."""
        await self._redis.rpush(f"wake:{bell}", "1")
        await self._redis.pexpire(f"wake:{bell}", 60_000)

    async def announce(self, worker: str, facts: Mapping[str, str], ttl_s: float) -> None:
        """Registers a worker for `ttl_s`, with the facts that `/metrics` and `/readyz` show."""
        ttl_ms = round(ttl_s * 1000)
        await self._call("register", worker, ttl_ms)
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(f"worker:{worker}", items=_flat(facts))
        pipe.pexpire(f"worker:{worker}", ttl_ms)
        await pipe.execute()

    async def retire(self, worker: str) -> None:
        """Takes a worker out of the register, so that no job is enqueued for it."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zrem("workers", worker)
        pipe.delete(f"worker:{worker}", f"job:{worker}")
        await pipe.execute()

    async def workers(self) -> dict[str, dict[str, str]]:
        """The facts of every live worker by name."""
        names = [_text(name) for name in await self._call("workers")]
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(f"worker:{name}")
        facts = await pipe.execute()
        return {
            name: {_text(field): _text(value) for field, value in fields.items()}
            for name, fields in zip(names, facts, strict=True)
            if fields
        }

    async def remember(self, name: str, facts: Mapping[str, str], ttl_s: float) -> None:
        """Keeps what a part that is no worker says of itself, for `ttl_s`."""
        pipe = self._redis.pipeline(transaction=False)
        if facts:
            pipe.hset(f"facts:{name}", items=_flat(facts))
        pipe.pexpire(f"facts:{name}", round(ttl_s * 1000))
        await pipe.execute()

    async def recall(self, name: str) -> dict[str, str]:
        """What `remember` was last told under that name; {}: nothing, or too long ago."""
        facts = await self._redis.hgetall(f"facts:{name}")
        return {_text(field): _text(value) for field, value in facts.items()}

    async def forget_dead_workers(self, grace_s: float) -> list[str]:
        """Names of the workers whose registration ended that long ago; they are said once."""
        return [_text(name) for name in await self._call("forget", round(grace_s * 1000))]

    async def _rouse(self, names: Sequence[bytes | str]) -> int:
        if names:
            await asyncio.to_thread(self._enqueue, [_text(name) for name in names])
        return len(names)

    async def _call(self, step: str, *arguments: str | int | float) -> Any:
        return await self._step(args=[step, *arguments])


@asynccontextmanager
async def open_lanes(url: str, *, timeout_s: float = 5.0) -> AsyncIterator[Lanes]:
    """Lanes of the Redis at `url`, over a client of their own whose every answer must come within `timeout_s`."""
    async with connect(url, timeout_s) as client:
        yield Lanes(client)


def connect(url: str, timeout_s: float = 5.0) -> aredis.Redis:
    """A client that fails within `timeout_s` instead of trying again for a minute, which is redis-py's habit."""
    return aredis.Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 1)
    )


def _key(lane: LaneKey) -> str:
    return f"lane:{lane.priority}:{lane.tenant}"


def _lane(key: bytes | str) -> LaneKey:
    _, priority, tenant = _text(key).split(":", 2)
    return LaneKey(cast(Priority, priority), tenant)


def _taken(entry: Sequence[bytes | str]) -> Taken:
    lane, entry_id, item, cost, channel, waited_ms = entry
    waited_s = max(0, int(waited_ms)) / 1000
    return Taken(_lane(lane), _text(entry_id), UUID(_text(item)), int(cost), _text(channel), waited_s)


def _flat(facts: Mapping[str, str]) -> list[str]:
    return [part for fact in facts.items() for part in fact]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _chunks(sequence: Sequence[T]) -> Iterator[list[T]]:
    rest = iter(sequence)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
