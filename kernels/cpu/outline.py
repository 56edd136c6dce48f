"""Outline: the executor's own decisions on a plan, with each pass noted instead of run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kernels.chain import Link
from kernels.cpu.execute import Passes
from kernels.cpu.itinerary import Itinerary, itinerary
from kernels.cpu.passes import ALONG_ROUTES, PLANES, SAMPLE_BYTES, SAMPLE_SUMS
from kernels.cpu.program import Numbers
from kernels.index_maps import IndexMap, Window
from kernels.mixing import Mixture
from kernels.op import Field, LevelForm, Places, Statistic, Stencil, Whole
from kernels.plan import Plan, PlannedStep
from kernels.stages import Blending, outline
from kernels.tensors import Size

Kind = Literal["rearrange", "sweep", "resample", "weigh", "function", "measure", "mix", "blend"]


@dataclass(frozen=True)
class Noted:
    """One trip of a picture's pixels through memory.

    rearrange: bytes moved as they are · sweep: tiles read once, taken through all of `steps` in the processor's cache,
    written once · resample: planes read along a chain by torch · weigh: a weighted neighbourhood · function: a step's own
    function on planes · measure: a step's own statistic of planes · mix: other pictures laid over planes · blend: the sum
    of what several chains make of planes, or parts of them put together, each with passes of its own.
    """

    kind: Kind
    steps: tuple[PlannedStep, ...]
    """Those that it works off, in order; none for a sweep that only turns planes into bytes, or bytes into planes."""
    size_in: Size
    size_out: Size
    front: int = PLANES
    """Where a sweep reads: see `execute`."""
    shrink: tuple[int, int] = (1, 1)
    """Columns and rows of the boxes that the source of a sweep or of torch is added up in first."""
    readings: int = 1
    """How often its source is read for each pixel that comes out."""
    averaged: PlannedStep | None = None
    """The step whose mean of the picture splits a sweep in two."""
    is_last: bool = False
    """Whether it ends in 8-bit pixels."""
    taps: int = 0
    """Weights of a neighbourhood; 1 leaves the picture."""
    function: Callable[..., object] | None = None
    inside: tuple[Noted, ...] = ()
    """Passes of the chains of a blend, or of the parts of a picture."""


def outlined(plan: Plan) -> tuple[Noted, ...]:
    """The passes of a plan on a picture without alpha, in order."""
    walked = _Outline(plan.size_in, plan.steps)
    walked.walk(outline(plan))
    walked.end()
    return tuple(walked.passes)


class _Outline(Passes):
    """`Passes` without pixels. Steps of a chain are found again by their number: each link is one of them."""

    def __init__(self, size_in: Size, steps: Sequence[PlannedStep]) -> None:
        super().__init__(size_in, np.zeros(0, np.uint8))
        self.passes: list[Noted] = []
        self._geometric = iter([step for step in steps if isinstance(step.op.kind, Places | Field)])
        self._moving: tuple[PlannedStep, ...] = ()
        self._led: tuple[PlannedStep, ...] = ()
        self._source, self._boxes, self._readings = size_in, (1, 1), 1

    def end(self) -> None:
        if self._is_pending:
            self._run(is_last=True)

    def _move(self, links: tuple[Link, ...], is_last: bool) -> None:
        self._moving = tuple(next(self._geometric) for _ in links)
        super()._move(links, is_last)

    def _follow(self, links: tuple[Link, ...], front: int) -> None:
        trip = itinerary(links, 255.0) if front == SAMPLE_BYTES else self._itinerary(links)
        self._led, self._source = self._moving, links[0].size_in
        self._boxes, self._readings = _smoothing(trip)
        super()._follow(links, SAMPLE_SUMS if front == SAMPLE_BYTES and trip.boxes.are_needed else front)

    def _advance(self, is_last: bool) -> None:
        reads = self._front in ALONG_ROUTES
        steps = (self._led if reads else ()) + tuple(step for step, _ in self._waiting)
        averaged = None if self._cut is None else self._waiting[self._cut][0]
        source = self._source if reads else self._size
        read = (self._boxes, self._readings) if reads else ((1, 1), 1)
        self.passes.append(Noted("sweep", steps, source, self._size, self._front, *read, averaged, is_last=is_last))
        self._boxes, self._readings = (1, 1), 1

    def _measured(self, step: PlannedStep) -> Numbers:
        self._settle()
        assert isinstance(step.op.kind, Statistic)
        measure = step.op.kind.measure
        assert callable(measure)
        self.passes.append(Noted("measure", (step,), self._size, self._size, function=measure))
        return dict.fromkeys(step.op.kind.names, 0.0)

    def _weigh(self, step: PlannedStep, weights: NDArray[np.float32]) -> None:
        self._settle()
        self.passes.append(Noted("weigh", (step,), self._size, self._size, taps=len(weights)))

    def _relevel(self, step: PlannedStep, form: LevelForm) -> None:
        self.passes.append(Noted("function", (step,), self._size, self._size, function=form))

    def _replace(self, step: PlannedStep) -> None:
        self._settle()
        assert isinstance(step.op.kind, Stencil | Whole)
        function = step.op.kind.function
        assert callable(function)
        self.passes.append(Noted("function", (step,), self._size, self._size, function=function))

    def _rearrange(self, mapped: IndexMap | Window, links: tuple[Link, ...]) -> None:
        self.passes.append(Noted("rearrange", self._moving, self._size, links[-1].size_out))
        self._size = links[-1].size_out

    def _resample(self, links: tuple[Link, ...]) -> None:
        self._settle()
        boxes, readings = _smoothing(self._itinerary(links))
        noted = Noted("resample", self._moving, self._size, links[-1].size_out, shrink=boxes, readings=readings)
        self.passes.append(noted)
        self._size, self._front = links[-1].size_out, PLANES

    def _mix(self, mixture: Mixture) -> None:
        self._settle()
        self.passes.append(Noted("mix", (mixture.step,), self._size, mixture.step.size_out))
        self._size, self._front = mixture.step.size_out, PLANES

    def _blend(self, blending: Blending) -> None:
        self._settle()
        step = blending.step
        inside: list[Noted] = []
        for steps, chain in zip(step.chains, blending.chains, strict=True):
            walked = _Outline(steps[0].size_in if steps else self._size, steps)
            walked._front = PLANES
            walked.walk(chain)
            walked._settle()
            inside += walked.passes
        self.passes.append(Noted("blend", (step,), self._size, self._size, inside=tuple(inside)))

    def _itinerary(self, links: tuple[Link, ...]) -> Itinerary:
        return itinerary(links, 1.0)  # by Python: who explains a recipe compiles nothing for it

    def _interleave(self) -> None:
        self._settle()


def _smoothing(trip: Itinerary) -> tuple[tuple[int, int], int]:
    """Columns and rows of the boxes that are read on the way, and how often each pixel is read."""
    return (trip.boxes.wide, trip.boxes.high), trip.readings[0] * trip.readings[1]
