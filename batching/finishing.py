"""Finishing: outcomes are committed in groups, then their entries leave the lanes and those who wait are told.

Groups of interactive items are committed beside those of bulk ones, so that they do not wait for sixty-four other results.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from batching import failpoints
from batching.errors import Internal, Unavailable
from batching.events import Notice
from batching.farewell import Farewell
from batching.inflight import InFlight
from batching.items import PRIORITIES, Done, Failed, Item, Outcome, Taken
from batching.leases import Leases
from batching.ledger import Finish, Ledger
from batching.retries import back_off
from batching.telemetry import Tally

log = logging.getLogger(__name__)
MOST_OUTPUTS = 64
URGENT_PART = 2 / 3
"""Of the time since an interactive item was put into its lane: so long its result waits, while more of them are on their
way than the engine runs at once. So a part of those who ask at the same time share a statement, however fast the machine
is; where one is asked for, it is committed at once."""
MOST_WAIT_S = 0.4
"""Of a bulk result: with a tenth of a second, small machines spent nine statements on a micro-batch instead of four. One
that is the only one of its tenant beside those of others waits as interactive ones do."""
ODD_ERRORS = 8
"""Tries of a group before an error that is not the database's absence is blamed on one of its members."""


@dataclass(frozen=True)
class Finished:
    """An item's outcome and the lane entry it came from."""

    entry: Taken
    outcome: Outcome
    under_way_s: float = 0.0
    """Since it was put into its lane."""


@dataclass(frozen=True)
class Returned:
    """An item that this worker will not finish, and its lane entry."""

    entry: Taken
    item: Item
    reason: Literal["hand_back", "crashed", "broken"] = "hand_back"
    """crashed, broken: what the sandbox did with it; those wait for the reconciler, the others go back to their lane."""


class Group:
    """Outcomes that wait to be committed together. Says when they are due; no clock of its own."""

    def __init__(self) -> None:
        self._members: list[Finished] = []
        self._outputs = self._urgent = 0
        self._due_s = float("inf")

    def add(self, member: Finished, now_s: float, alone: bool = False) -> None:
        """Adds an outcome; `alone`: nothing else of its tenant is under way, but work of others is."""
        self._members.append(member)
        self._outputs += len(member.outcome.outputs) if isinstance(member.outcome, Done) else 1
        wait_s = MOST_WAIT_S
        interactive = member.outcome.item.priority == "interactive"
        self._urgent += interactive
        if interactive or alone:
            wait_s = min(MOST_WAIT_S, URGENT_PART * member.under_way_s)
        self._due_s = min(self._due_s, now_s + wait_s)

    def due_in_s(self, now_s: float, more_to_come: bool, crowded: bool = False) -> float | None:
        """Seconds until the group is to be committed, 0 if now; None: it is empty.

        crowded: whether interactive items wait for the engine, so that others will join this one in a moment.
        """
        if not self._members:
            return None
        if self._outputs >= MOST_OUTPUTS or not more_to_come or (self._urgent and not crowded):
            return 0.0
        return max(0.0, self._due_s - now_s)

    @property
    def urgent(self) -> int:
        """Interactive members."""
        return self._urgent

    def take(self) -> list[Finished]:
        """All members; the group is empty then."""
        members = self._members
        self.__init__()  # type: ignore[misc]  # the same group, as new
        return members


@dataclass
class _Open:
    """The group that outcomes of one priority are added to, and when it is looked at next."""

    group: Group
    changed: asyncio.Event
    looks_at_s: float = float("inf")

    async def look_in(self, now_s: float, due_s: float | None) -> None:
        """Waits for `changed`, or until the group is due; None: it is empty."""
        if due_s is None:
            await self.changed.wait()
            return
        self.looks_at_s = now_s + due_s
        timer = asyncio.get_running_loop().call_later(due_s, self.changed.set)
        try:
            await self.changed.wait()
        finally:
            timer.cancel()
            self.looks_at_s = float("inf")


class Finisher:
    """Commits outcomes and hands items back, of each priority one group after the other, while `run` runs."""

    def __init__(
        self,
        ledger: Ledger,
        farewell: Farewell,
        leases: Leases,
        tally: Tally,
        more_to_come: Callable[[], bool],
        in_flight: InFlight,
    ) -> None:
        """more_to_come() says whether any item is still on its way here."""
        self._ledger, self._farewell, self._leases, self._tally = ledger, farewell, leases, tally
        self._more_to_come, self._in_flight, self._free = more_to_come, in_flight, in_flight.free
        self._open = {priority: _Open(Group(), asyncio.Event()) for priority in PRIORITIES}
        self._returned: list[Returned] = []
        self._partings: set[asyncio.Task[None]] = set()

    def add(self, member: Finished) -> None:
        """Adds an outcome to the open group of its priority."""
        now_s = time.monotonic()
        priority = member.outcome.item.priority
        alone = priority == "bulk" and self._in_flight.alone(member.entry)
        self._open[priority].group.add(member, now_s, alone)
        for one in self._open.values():  # the last that was to come makes both due; most change nothing about that
            due_s = self._due_in_s(one.group, now_s)
            if due_s is not None and now_s + due_s < one.looks_at_s:
                one.changed.set()

    def give_back(self, member: Returned) -> None:
        """Adds an item to be handed back."""
        self._returned.append(member)
        self._open["bulk"].changed.set()

    def look(self) -> None:
        """Looks again whether groups are due: what was on its way here may have gone another way."""
        for one in self._open.values():
            one.changed.set()

    async def run(self) -> None:
        """Commits groups as they are due, until cancelled; what the database refuses is tried until it answers."""
        async with asyncio.TaskGroup() as both:
            for priority, one in self._open.items():
                both.create_task(self._run(one, hands_back=priority == "bulk"))

    async def _run(self, one: _Open, *, hands_back: bool) -> None:
        while True:
            one.changed.clear()
            if hands_back and self._returned:
                returned, self._returned = self._returned, []
                await self._hand_back(returned)
                continue
            now_s = time.monotonic()
            due_s = self._due_in_s(one.group, now_s)
            if due_s == 0:
                await self._commit(one.group.take())
            else:
                await one.look_in(now_s, due_s)

    def _due_in_s(self, group: Group, now_s: float) -> float | None:
        crowded = self._in_flight.crowded(beside=group.urgent)
        return group.due_in_s(now_s, self._more_to_come(), crowded)

    async def part(self) -> None:
        """Waits until Redis was told of everything committed."""
        await asyncio.gather(*self._partings, return_exceptions=True)

    async def _commit(self, members: list[Finished]) -> None:
        odd = 0
        for pause in back_off():
            now_s = time.monotonic()
            is_ours = [self._leases.ours(member.outcome.item, now_s) for member in members]
            self._drop([member for member, ours in zip(members, is_ours, strict=True) if not ours])
            members = [member for member, ours in zip(members, is_ours, strict=True) if ours]
            if not members:
                return
            try:
                failpoints.hit("before_finish")
                with self._tally.stage("finish"):
                    finish = await self._ledger.finish([member.outcome for member in members])
                failpoints.hit("finished")  # committed, and nobody knows: the same finish again says the same
            except Unavailable as error:
                log.warning("cannot commit %d items: %s", len(members), error)
            except Exception:
                log.exception("committing %d items failed", len(members))
                odd += 1
                if odd >= ODD_ERRORS:
                    await self._one_by_one(members)
                    return
            else:
                self._part_with(members, finish)
                return
            await asyncio.sleep(pause)

    async def _one_by_one(self, members: list[Finished]) -> None:
        """One member may be what the database refuses: it fails alone, and is left to its lease if even that fails."""
        for member in members:
            item = member.outcome.item
            for outcome in (member.outcome, Failed(item, Internal.code, Internal().message)):
                try:
                    finish = await self._ledger.finish([outcome])
                except Exception:
                    log.exception("committing item %s alone failed", item.id)
                else:
                    self._part_with([Finished(member.entry, outcome)], finish)
                    break
            else:
                self._drop([member])

    def _part_with(self, members: list[Finished], finish: Finish) -> None:
        written = [member for member in members if member.outcome.item.id not in finish.fenced]
        self._tally.count("fenced", len(members) - len(written))
        notices: dict[str, set[UUID]] = defaultdict(set)
        batches: dict[str, set[UUID]] = defaultdict(set)
        for member in written:
            outcome = member.outcome
            self._tally.count(f"outcome:{'succeeded' if isinstance(outcome, Done) else outcome.code}")
            self._tally.count("outputs", len(outcome.outputs) if isinstance(outcome, Done) else 0)
            if member.entry.channel:
                notices[member.entry.channel].add(outcome.item.id)
                batches[member.entry.channel] |= finish.completed_batches & {outcome.item.batch_id}
        entries = [member.entry for member in members]
        self._leases.drop(member.outcome.item for member in members)
        self._free(entries)
        told = {channel: Notice(frozenset(items), frozenset(batches[channel])) for channel, items in notices.items()}
        self._later(self._farewell.settle(entries, told))

    def _drop(self, members: list[Finished]) -> None:
        """Fenced before writing: others have these items by now, or soon."""
        if members:
            self._tally.count("fenced", len(members))
            log.warning("dropping %d items whose leases were lost", len(members))
            self._leases.drop(member.outcome.item for member in members)
            self._free([member.entry for member in members])

    async def _hand_back(self, returned: list[Returned]) -> None:
        for pause in back_off():
            now_s = time.monotonic()
            ours = [member for member in returned if self._leases.ours(member.item, now_s)]
            whole = [member.item for member in ours if member.reason == "hand_back"]
            try:
                if whole:
                    await self._ledger.hand_back(whole)
                for member in ours:
                    if member.reason != "hand_back":
                        await self._ledger.give_up(member.item, member.reason)
                break
            except Exception as error:
                log.warning("cannot hand %d items back: %s", len(ours), error)
            await asyncio.sleep(pause)
        self._tally.count("fenced", len(returned) - len(ours))
        for reason, number in Counter(member.reason for member in ours).items():
            self._tally.count("handed_back" if reason == "hand_back" else reason, number)
        self._leases.drop(member.item for member in returned)
        entries = [member.entry for member in returned]
        self._free(entries)
        self._later(self._farewell.give_back([member.entry for member in returned if member.reason == "hand_back"]))
        self._later(self._farewell.settle([member.entry for member in returned if member.reason != "hand_back"], {}))

    def _later(self, parting: Coroutine[None, None, None]) -> None:
        # Not awaited: the next group must not wait for Redis, and an entry that stays behind is found by the reconciler.
        task = asyncio.get_running_loop().create_task(parting)
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)
