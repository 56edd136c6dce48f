"""Passages: one picture's way through its stages, cut into what kernels do, before anything runs.

Steps on single pixels wait until something needs their result: a statistic, a neighbourhood, another chain, or the end.
Then one sweep takes the picture from where its pixels are through all of them. `kernels.cpu.execute` cuts alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import reference
from kernels.blending import blended
from kernels.chain import Link
from kernels.cpu import opcodes
from kernels.cpu.itinerary import Itinerary, itinerary
from kernels.cpu.program import averages, program
from kernels.cuda.memory import Area, Memory, Spot, Value
from kernels.cuda.records import LOAD, PICK_BYTES, PICK_FLOATS, PLANES, SAMPLE_BYTES, SAMPLE_FLOATS
from kernels.index_maps import index_map
from kernels.mixing import Mixture
from kernels.op import Mean, Pixels, Statistic, Stencil, Weighed, Whole, asked
from kernels.plan import PlannedStep
from kernels.stages import Blending, Chain, Stage
from kernels.stencils import mirror
from kernels.tensors import Size

_FLOAT = 4
_STEPS = 2.0**24
"""Steps in which means are added up, see `frames.summer`."""
_CHEAP = (LOAD, PICK_BYTES)
"""Fronts that are read again sooner than what they gave is kept: 3 bytes a pixel instead of 24."""
_NO_MEAN = (-1, 0, 0)


@dataclass(frozen=True)
class Launch:
    """An item of a kernel's next launch: its name in `compiled.Kernels`, its record and how much there is of it."""

    kernel: str
    record: Sequence[Value]
    count: int


@dataclass(frozen=True)
class Call:
    """What torch does between two launches."""

    function: Callable[[], None]


Action = Launch | Call


class Ends(NamedTuple):
    """Where a picture's bytes are, `stride` from pixel to pixel and `apart` from channel to channel, and where they go."""

    source: Spot
    stride: int
    apart: int
    result: Spot
    result_stride: int
    shades: int


class _Measured(NamedTuple):
    """A step among those waiting whose numbers are measured while the device works, and where they will stand."""

    step: int
    spots: list[Spot]


class Passage:
    """One picture on its way: where its pixels are by then, and the steps that wait for the next sweep."""

    def __init__(self, memory: Memory, size: Size, ends: Ends) -> None:
        self._memory, self._size, self._ends = memory, size, ends
        self._areas = [memory.work() for _ in range(3)]
        self._front = LOAD
        self._source, self._stride, self._apart = ends.source, ends.stride, ends.apart
        self._trip: tuple[Value, int, Value] = (0, 0, 0)
        self._waiting: list[tuple[PlannedStep, Mapping[str, float]]] = []
        self._cut: int | None = None
        self._measured: list[_Measured] = []
        self._actions: list[Action] = []

    @property
    def size(self) -> Size:
        """The canvas that the picture has reached."""
        return self._size

    def through(self, stages: Sequence[Stage]) -> list[Action]:
        """Everything that happens to the picture, in order."""
        for stage in stages:
            if isinstance(stage, Chain):
                self._move(stage.links)
            elif isinstance(stage, Mixture):
                raise TypeError(f"{stage.step.op.name} mixes pictures: it is run by torch")
            elif isinstance(stage, Blending):
                self._blend(stage)
            else:
                for step in stage.steps:
                    self._step(step)
        self._sweep(self._ends.result)
        return self._actions

    def _step(self, step: PlannedStep) -> None:
        match step.op.kind:
            case Pixels():
                self._waiting.append((step, {}))
            case Statistic(_, names, _) if averages(step):
                if self._cut is not None:
                    self._sweep(None)
                self._cut = len(self._waiting)
                self._waiting.append((step, {names[0]: 0.0}))
            case Statistic(measure, names, _):
                assert not isinstance(measure, Mean)
                self._measure(step, measure, names)
            case Stencil(Weighed(weights)):
                self._weigh(weights(**step.fields))
            case Stencil(function):
                assert callable(function)
                self._call(function, step.fields)
            case Whole(function):
                self._call(function, asked(function, {**step.fields, "seed": step.noise_seed}))
            case _:
                raise TypeError(f"{step.op.name} is no step on planes")

    def _move(self, links: tuple[Link, ...]) -> None:
        """Goes on along a chain: bytes are read where they are, by the next sweep."""
        of_bytes = self._front == LOAD and not self._waiting
        if not of_bytes:
            self._planes()
        size_out = links[-1].size_out
        if index_map(links) is not None:
            self._follow(itinerary(links, 1.0), PICK_BYTES if of_bytes else PICK_FLOATS)
        else:
            trip = itinerary(links, 255.0 if of_bytes else 1.0)
            shrinks = trip.boxes.are_needed
            if shrinks:
                self._shrink(trip, of_bytes)
            self._follow(trip, SAMPLE_BYTES if of_bytes and not shrinks else SAMPLE_FLOATS)
            if trip.readings != (1, 1):
                self._average(size_out)
        self._size = size_out

    def _follow(self, trip: Itinerary, front: int) -> None:
        fields: Value = self._memory.given(trip.fields) if trip.fields.size else 0
        self._front, self._trip = front, (self._memory.given(trip.table), len(trip.table) - 1, fields)

    def _shrink(self, trip: Itinerary, of_bytes: bool) -> None:
        boxes = trip.lattice.columns * trip.lattice.rows
        fill = self._memory.given(np.array(trip.fill, np.float32))
        sums = Spot(self._free(3 * _FLOAT * boxes))
        record: Sequence[Value] = (
            self._source,
            int(of_bytes),
            self._stride,
            self._apart,
            self._size.width,
            self._size.height,
            *trip.lattice,
            *trip.boxes,
            trip.border,
            fill,
            sums,
        )
        self._actions.append(Launch("shrink", record, boxes))
        self._source, self._stride, self._apart = sums, 1, boxes

    def _average(self, size: Size) -> None:
        """Reads each pixel of a canvas at the end of the route several times: the picture is planes then."""
        planes, self._size = Spot(self._free(3 * _FLOAT * size.pixels)), size
        self._launch("average", planes, None, (0, 0, 0, 0), _NO_MEAN)
        self._arrived(planes)

    def _weigh(self, weights: NDArray[np.float32]) -> None:
        planes = self._planes()
        if len(weights) == 1:
            return
        (height, width), reach = self._size, len(weights) // 2
        aside, given = Spot(self._free(3 * _FLOAT * self._size.pixels)), self._memory.given(weights)
        for source, result, side, down in ((planes, aside, width, 0), (aside, planes, height, 1)):
            seen = self._memory.given(mirror(side, reach, reach).astype(np.int32))
            record = (source, result, width, height, len(weights), given, seen, down)
            self._actions.append(Launch("weigh", record, self._size.pixels))

    def _measure(self, step: PlannedStep, measure: Callable[..., Sequence[float]], names: Sequence[str]) -> None:
        planes, size, memory, spots = self._planes(), self._size, self._memory, list[Spot]()

        def run() -> None:
            # the host waits for these numbers: they are its own
            numbers = measure(*memory.floats(planes, 3, *size), **asked(measure, step.fields))
            for spot, number in zip(spots, numbers, strict=True):
                memory.floats(spot, 1).fill_(number)

        self._actions.append(Call(run))
        self._measured.append(_Measured(len(self._waiting), spots))
        self._waiting.append((step, dict.fromkeys(names, 0.0)))

    def _call(self, function: Callable[..., torch.Tensor], fields: Mapping[str, Any]) -> None:
        self._by_torch(lambda image: function(image, **fields), self._size)

    def _blend(self, blending: Blending) -> None:
        self._by_torch(lambda image: blended(image[0], blending, reference.through)[None], self._size)

    def _by_torch(self, function: Callable[[torch.Tensor], torch.Tensor], size_out: Size) -> None:
        """What a torch function makes of the picture, (1, 3, H, W) float32 0..1."""
        planes, size, memory = self._planes(), self._size, self._memory
        made = planes if size_out == size else Spot(self._free(3 * _FLOAT * size_out.pixels))

        def run() -> None:
            image = function(memory.floats(planes, 1, 3, *size))
            torch.clamp(image.to(torch.float32), 0.0, 1.0, out=memory.floats(made, 1, 3, *size_out))

        self._actions.append(Call(run))
        self._size = size_out
        self._arrived(made)

    def _planes(self) -> Spot:
        """Where the pixels are as planes (3, H, W) float32 0..1."""
        if self._front != PLANES or self._waiting:
            self._sweep(None)
        return self._source

    def _free(self, size: int) -> Area:
        """An area of so many bytes that the pixels are not in."""
        area = next(area for area in self._areas if area is not self._source.area)
        area.grow(size)
        return area

    def _sweep(self, result: Spot | None) -> None:
        """Takes the picture through the waiting steps: to `result`, or to planes."""
        made = program(self._waiting, self._cut)
        # an empty array has no place in memory
        steps = np.array(made.steps, np.int64).reshape(-1, 4)
        table, row = self._memory.given(steps), self._memory.given(np.array(made.row or [0.0], np.float32))
        for step, spots in self._measured:
            planned = self._waiting[step][0]
            assert isinstance(planned.op.kind, Statistic)
            opcode, at = opcodes.steps()[planned.op.name], int(steps[step, 1])
            spots.extend(Spot(row.area, _FLOAT * (at + opcode.offset(name))) for name in planned.op.kind.names)
        first, end = 0, len(steps)
        if self._cut is not None:
            total = self._memory.given(np.zeros(1, np.int64))
            again = self._front in _CHEAP
            planes = None if again else self._kept()
            self._launch("sweep", planes, None, (table, 0, made.cut, row), (made.mean, made.mean_at, total))
            slot = Spot(row.area, _FLOAT * made.slot)
            part = int(np.float64(1.0 / (_STEPS * self._size.pixels)).view(np.int64))
            self._actions.append(Launch("settle", (total, slot, part), 1))
            if planes is not None:
                self._arrived(planes)
                first = made.cut
        kept = self._kept() if result is None else None
        self._launch("sweep", kept, result, (table, first, end, row), _NO_MEAN)
        if kept is not None:
            self._arrived(kept)
        self._waiting, self._cut, self._measured = [], None, []

    def _kept(self) -> Spot:
        """Where a sweep leaves its planes."""
        return self._source if self._front == PLANES else Spot(self._free(3 * _FLOAT * self._size.pixels))

    def _arrived(self, planes: Spot) -> None:
        self._front, self._source, self._stride, self._apart = PLANES, planes, 1, self._size.pixels

    def _launch(
        self,
        kernel: str,
        planes: Spot | None,
        result: Spot | None,
        steps: tuple[Value, int, int, Value],
        mean: tuple[int, int, Value],
    ) -> None:
        (route, last, fields), (table, first, end, row) = self._trip, steps
        height, width = self._size
        record: Sequence[Value] = (
            self._source,
            self._stride,
            self._apart,
            self._front,
            route,
            last,
            fields,
            planes or (self._source if self._front == PLANES else 0),
            result or 0,
            self._ends.result_stride,
            self._ends.shades,
            width,
            height,
            table,
            first,
            end,
            row,
            *mean,
        )
        self._actions.append(Launch(kernel, record, self._size.pixels))
