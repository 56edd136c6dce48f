"""Engine: threads that turn items into results. It lives as long as its process, so the device never waits for a queue.

On the CPU each thread takes a whole item through decode, run and encode while it is in the core's cache. On CUDA these
are stages: a pool of threads decodes, one runs micro-batches of what is decoded, a pool encodes; hand-offs are bounded.
Interactive items overtake at each hand-off.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import torch

from batching import failpoints
from batching.device import CPU, Cap, own_stream, run_within_memory
from batching.execute import (
    Decode,
    Died,
    Lacking,
    Ran,
    Result,
    Unread,
    Work,
    complete,
    decoded,
    encoded,
    isolated,
    partners,
    planned,
)
from batching.handoffs import HandOff
from batching.items import Budget, Failed, Item
from batching.porter import Porter
from batching.telemetry import Tally
from batching.threads import compute
from kernels.errors import DeviceLost
from kernels.partners import Partners
from kernels.plan import Plan
from kernels.run import prepared
from kernels.tensors import Picture

log = logging.getLogger(__name__)
Done = Callable[[Result], None]


@dataclass(frozen=True)
class EngineConfig:
    """What an engine is built for."""

    device: torch.device = CPU
    layout: Literal["whole", "stages"] = "whole"
    """whole: each thread completes items; stages: decode, run and encode have threads of their own, as CUDA wants."""
    threads: int = 1
    """whole: threads that each complete items; stages: threads that decode, and as many that encode."""
    budget: Budget = field(default_factory=Budget)
    """stages: most that is run together, and half of what waits between two stages."""
    max_output_pixels: int = 200_000_000
    """Most output pixels of one item, all variants, those of its partners included."""
    item_timeout_s: float = 60.0
    """Longest time for one item; looked at between variants."""


@dataclass(frozen=True)
class _Task:
    item: Item
    work: Work | None
    """None: the porter is to fetch the picture."""
    done: Done
    porter: Porter | None
    entered_s: float


@dataclass(frozen=True)
class _Decoded:
    task: _Task
    picture: Picture
    plans: tuple[Plan, ...]
    partners: Partners
    partner_pixels: int = 0
    """Of partners that are decoded already."""

    @property
    def cost(self) -> int:
        return self.partner_pixels + sum(plan.size_in.pixels + plan.size_out.pixels for plan in self.plans)


@dataclass(frozen=True)
class _Computed:
    task: _Task
    plans: tuple[Plan, ...]
    pictures: tuple[Picture, ...]


class Engine:
    """Submit work, get exactly one result for it (`Ran`, `Failed`, `Lacking`, `Died`, `Unread`). A bad picture fails alone.

    `lost` is called, once, when the device no longer answers; what was submitted then gets no result.
    """

    def __init__(self, config: EngineConfig, decode: Decode, tally: Tally, lost: Callable[[DeviceLost], None]) -> None:
        self._config, self._decode, self._tally, self._lost = config, decode, tally, lost
        self._entrance: HandOff[_Task] = HandOff()
        between = 2.0 * config.budget.cost_pixels
        self._to_run: HandOff[_Decoded] = HandOff(between)
        self._to_encode: HandOff[_Computed] = HandOff(between)
        self._cap = Cap(config.budget.cost_pixels)
        self._begun: dict[int, tuple[_Task, float]] = {}
        self._gone = False
        if config.layout == "whole":
            self._stages = [self._start("compute", config.threads, self._complete_items)]
        else:
            self._stages = [
                self._start("decode", config.threads, self._decode_items),
                self._start("run", 1, self._run_items),
                self._start("encode", config.threads, self._encode_items),
            ]

    def submit(self, work: Work, done: Done, porter: Porter | None = None) -> None:
        """Adds work; `done` is called from an engine thread. Never blocks: who submits bounds what is in flight.

        porter: who stores its results, on the thread that made them.
        """
        self._enter(_Task(work.item, work, done, porter, time.perf_counter()))

    def submit_unread(self, item: Item, done: Done, porter: Porter) -> None:
        """As `submit`, for an item whose picture the porter fetches when a thread begins it; `Unread` where he cannot."""
        self._enter(_Task(item, None, done, porter, time.perf_counter()))

    def more_soon(self, item: Item) -> bool:
        """Whether others of its kind wait for a thread: of its priority; of its tenant too, if they are bulk."""
        if item.priority == "bulk":
            return self._entrance.waits("bulk", item.tenant)
        return self._entrance.waiting("interactive") > 0

    @property
    def max_output_pixels(self) -> int:
        """Most pixels of one item's results and partners."""
        return self._config.max_output_pixels

    def withdraw(self) -> list[Item]:
        """Takes back all items that are not begun; they get no result."""
        return [task.item for task in self._entrance.withdraw()]

    def overdue(self, limit_s: float) -> list[Item]:
        """Items that were begun longer ago than that and have no result yet."""
        latest_s = time.perf_counter() - limit_s
        return [task.item for task, begun_s in list(self._begun.values()) if begun_s < latest_s]

    def close(self, timeout_s: float = 5.0) -> bool:
        """Ends the threads after what they have; False if one still runs after `timeout_s`."""
        deadline = time.perf_counter() + timeout_s
        closings = (self._entrance.close, self._to_run.close, self._to_encode.close)
        for close, threads in zip(closings, self._stages, strict=False):
            close()
            for thread in threads:
                thread.join(max(0.0, deadline - time.perf_counter()))
        return not any(thread.is_alive() for threads in self._stages for thread in threads)

    def _start(self, name: str, number: int, serve: Callable[[], None]) -> list[threading.Thread]:
        def body() -> None:
            torch.set_num_threads(1)  # a setting of each thread; the items are what runs side by side
            if self._config.layout == "whole":  # where a GPU computes, these threads are what feeds it
                compute()
            while True:
                try:
                    serve()
                    return
                except DeviceLost as error:
                    if not self._gone:
                        self._gone = True
                        self._lost(error)
                    return
                except Exception:
                    # A fault of this file; the item in hand gets no result and is overdue some day. The others go on.
                    log.exception("thread %s failed", threading.current_thread().name)

        # Daemons: a thread that hangs in a decoder must not keep the process from leaving.
        threads = [threading.Thread(target=body, name=f"{name}-{place}", daemon=True) for place in range(number)]
        for thread in threads:
            thread.start()
        return threads

    def _enter(self, task: _Task) -> None:
        self._entrance.put(task.item.priority, task.item.cost_pixels, task, task.item.tenant)

    def _next(self) -> _Task | None:
        task = self._entrance.get()
        if task is not None:
            self._tally.spent("wait", time.perf_counter() - task.entered_s)
            self._begun[id(task)] = (task, time.perf_counter())
        return task

    def _finish(self, task: _Task, result: Result) -> None:
        self._begun.pop(id(task), None)
        task.done(result)

    def _complete_items(self) -> None:
        while task := self._next():
            self._finish(task, isolated(task.item, partial(self._complete, task)))

    def _complete(self, task: _Task) -> Ran | Unread:
        if (work := _fetched(task)) is None:
            return Unread(task.item)
        config = self._config
        ran = complete(work, self._decode, config.device, config.max_output_pixels, config.item_timeout_s, self._tally)
        return _stored(task, ran)

    def _prepare(self, task: _Task, work: Work) -> _Decoded:
        with self._tally.stage("decode"):
            picture = decoded(work, self._decode)
            find = partners(work, self._decode)
            plans = prepared(planned(work, picture, find, self._config.max_output_pixels), self._config.device)
        return _Decoded(task, picture, tuple(plans), find)

    def _prepare_all(self, task: _Task) -> _Decoded | Unread:
        """Partners are decoded too: the one thread that runs must not wait for them."""
        if (work := _fetched(task)) is None:
            return Unread(task.item)
        prepared = self._prepare(task, work)
        taken = {partner for plan in prepared.plans for step in plan.steps for partner in step.partners}
        with self._tally.stage("decode"):
            found = {partner: prepared.partners(partner) for partner in taken}
        pixels = sum(picture.size.pixels for picture in found.values())
        return replace(prepared, partners=found.__getitem__, partner_pixels=pixels)

    def _decode_items(self) -> None:
        while task := self._next():
            prepared = isolated(task.item, partial(self._prepare_all, task))
            if isinstance(prepared, Failed | Lacking | Died | Unread):
                self._finish(task, prepared)
            else:
                self._to_run.put(task.item.priority, prepared.cost, prepared)

    def _run_items(self) -> None:
        with own_stream(self._config.device):
            while group := self._to_run.get_many(self._cap.cost, self._config.budget.items):
                for prepared, computed in zip(group, self._run_group(group), strict=True):
                    if isinstance(computed, Failed | Lacking | Died):
                        self._finish(prepared.task, computed)
                    else:
                        self._to_encode.put(prepared.task.item.priority, prepared.cost, computed)

    def _run_group(self, group: Sequence[_Decoded]) -> list[_Computed | Failed | Lacking | Died]:
        plans = [plan for prepared in group for plan in prepared.plans]
        pictures = [prepared.picture for prepared in group for _ in prepared.plans]
        found = [prepared.partners for prepared in group for _ in prepared.plans]
        try:
            with self._tally.stage("run"):
                computed = run_within_memory(plans, pictures, found, self._config.device, self._cap.shrink)
            self._cap.grow()
            failpoints.hit("ran")
        except DeviceLost:
            raise
        except Exception:
            if len(group) == 1:
                return [isolated(group[0].task.item, partial(self._run_alone, group[0]))]
            log.warning("a micro-batch of %d items failed; running each alone", len(group), exc_info=True)
            return [result for prepared in group for result in self._run_group([prepared])]
        rest = iter(computed)
        return [_Computed(one.task, one.plans, tuple(next(rest) for _ in one.plans)) for one in group]

    def _run_alone(self, prepared: _Decoded) -> _Computed:
        number = len(prepared.plans)
        pictures = run_within_memory(
            prepared.plans, [prepared.picture] * number, [prepared.partners] * number, self._config.device
        )
        failpoints.hit("ran")
        return _Computed(prepared.task, prepared.plans, tuple(pictures))

    def _encode_items(self) -> None:
        while computed := self._to_encode.get():
            item = computed.task.item
            self._finish(computed.task, isolated(item, partial(self._encode, computed)))

    def _encode(self, computed: _Computed) -> Ran:
        item, outputs = computed.task.item, []
        for variant, plan, picture in zip(item.numbers, computed.plans, computed.pictures, strict=True):
            with self._tally.stage("encode"):
                outputs.append(encoded(item, variant, plan, picture))
            failpoints.hit("encoded")
        return _stored(computed.task, Ran(item, tuple(outputs)))


def _fetched(task: _Task) -> Work | None:
    if task.work is not None:
        return task.work
    assert task.porter is not None  # or it would have come with its bytes
    content = task.porter.fetched(task.item)
    return None if content is None else Work(task.item, content)


def _stored(task: _Task, ran: Ran) -> Ran:
    return ran if task.porter is None else replace(ran, stored=task.porter.stored(ran.item, ran.outputs))
