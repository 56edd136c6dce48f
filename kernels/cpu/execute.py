"""Execute: one plan on one picture by compiled kernels.

Steps on single pixels wait until something needs their result: a statistic, a neighbourhood, another chain, or the end.
Then one pass takes every tile from where the pixels are (bytes, a chain to read them along, or planes) through all of
them. What has no compiled form runs on the same planes as torch tensors.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import warp
from kernels.chain import BLACK, Link
from kernels.cpu.compiled import kernels
from kernels.cpu.itinerary import NO_FIELDS, Itinerary, itinerary
from kernels.cpu.places import COLUMNS
from kernels.cpu.program import Numbers, averages, program
from kernels.cpu.tiles import TILE
from kernels.index_maps import index_map
from kernels.mixing import Mixture, composed
from kernels.op import Pixels, Statistic, Stencil, Weighed, Whole
from kernels.plan import PlannedStep, asked
from kernels.stages import Chain, Stage
from kernels.stencils import mirror
from kernels.tensors import Size

PLANES, LOAD, SAMPLE_BYTES, SAMPLE_FLOATS = range(4)
"""Where a pass begins; see `tiles.advance`."""
_KEPT = 1 << 24
"""Floats of scratch that a thread keeps between pictures: 64 MiB."""
_LINE = 16
"""Floats in a line of the processor's cache."""
_NO_BYTES = np.zeros(0, np.uint8)
_NO_FLOATS = np.zeros(0, np.float32)
_NO_PLANES = np.zeros((3, 0), np.float32)
_NO_TABLE = np.zeros((1, COLUMNS))

Grid = NDArray[np.float32]
_scratch = threading.local()


def computed(stages: Sequence[Stage], pixels: torch.Tensor) -> torch.Tensor:
    """The picture after all stages: (H, W, C) uint8. pixels: (H, W, C) uint8 with C 3, or 4 with alpha."""
    if not stages:
        return pixels.clone()
    if pixels.shape[2] == 3:
        return _Pass(pixels).through(stages)
    coloured = [stage._replace(part="colour") if isinstance(stage, Mixture) else stage for stage in stages]
    colour = _Pass(pixels[..., :3].contiguous()).through(coloured)
    # alpha is moved and mixed as a grey picture would be, and is 0 outside
    moving = [
        stage._replace(part="alpha") if isinstance(stage, Mixture) else Chain(_unfilled(stage.links))
        for stage in stages
        if isinstance(stage, Mixture | Chain)
    ]
    alpha = _Pass(pixels[..., 3:].expand(-1, -1, 3).contiguous()).through(moving)
    return torch.cat([colour, alpha[..., :1]], dim=2)


def _unfilled(links: tuple[Link, ...]) -> tuple[Link, ...]:
    return tuple(link._replace(fill=BLACK) for link in links)


class _Pass:
    """One picture on its way: where its pixels are now, and the steps that wait for the next pass.

    The step at place `_cut` of those waiting, if any, needs a mean of what is before it.
    """

    def __init__(self, pixels: torch.Tensor) -> None:
        self._size = Size(pixels.shape[0], pixels.shape[1])
        self._front = LOAD
        self._bytes: NDArray[np.uint8] = pixels.numpy().reshape(-1)
        self._floats = _NO_FLOATS
        self._planes = _NO_PLANES
        self._table, self._fields = _NO_TABLE, NO_FIELDS
        self._waiting: list[tuple[PlannedStep, Numbers]] = []
        self._cut: int | None = None

    def through(self, stages: Sequence[Stage]) -> torch.Tensor:
        for stage in stages:
            if isinstance(stage, Chain):
                self._move(stage.links)
            elif isinstance(stage, Mixture):
                self._put(composed(self._image()[0], stage), stage.step.size_out)
            else:
                for step in stage.steps:
                    self._step(step)
        if self._front == LOAD and not self._waiting:
            return torch.from_numpy(self._bytes).view(*self._size, 3)
        result = np.empty((*self._size, 3), np.uint8)
        self._run(result.reshape(-1))
        return torch.from_numpy(result)

    def _step(self, step: PlannedStep) -> None:
        match step.op.kind:
            case Pixels():
                self._waiting.append((step, {}))
            case Statistic(_, names, _) if averages(step):
                if self._cut is not None:
                    self._run(_NO_BYTES)
                self._cut = len(self._waiting)
                self._waiting.append((step, {names[0]: 0.0}))
            case Statistic(measure, names, _):
                assert callable(measure)
                red, green, blue = self._image()[0]
                numbers = measure(red, green, blue, **asked(measure, step.fields))
                self._waiting.append((step, dict(zip(names, numbers, strict=True))))
            case Stencil(Weighed(weights)):
                self._weigh(weights(**step.fields))
            case Stencil(function):
                assert callable(function)
                self._replace(function(self._image(), **step.fields))
            case Whole(function):
                self._replace(function(self._image(), **asked(function, {**step.fields, "seed": step.noise_seed})))
            case _:
                raise TypeError(f"{step.op.name} is no step on planes")

    def _move(self, links: tuple[Link, ...]) -> None:
        """Goes on along a chain: bytes are read where they are, by the next pass."""
        untouched = self._front == LOAD and not self._waiting
        mapped = index_map(links)
        size_out = links[-1].size_out
        if untouched and mapped is not None and mapped.is_of_bytes:
            pixels = torch.from_numpy(self._bytes.reshape(*self._size, 3))
            self._bytes, self._size = warp.rearranged(pixels, mapped).numpy().reshape(-1), size_out
            return
        if mapped is not None:
            self._put(warp.moved(self._image()[0], links), size_out)
            return
        trip = itinerary(links, 255.0 if untouched else 1.0)
        shrinks = trip.shrink_x > 1 or trip.shrink_y > 1
        if not untouched and shrinks:
            self._put(warp.moved(self._image()[0], links), size_out)
            return
        if not untouched:
            # memory of its own always: a single pixel is contiguous either way round, and the next pass writes the planes
            interleaved = self._image()[0].permute(1, 2, 0).clone(memory_format=torch.contiguous_format)
            self._front, self._floats = SAMPLE_FLOATS, interleaved.numpy().reshape(-1)
        elif shrinks:
            self._front, self._floats = SAMPLE_FLOATS, self._shrunk(trip)
        else:
            self._front = SAMPLE_BYTES
        self._table, self._fields, self._size = trip.table, trip.fields, size_out

    def _shrunk(self, trip: Itinerary) -> Grid:
        box, width = trip.box, self._size.width
        columns, rows = box.right - box.left, box.bottom - box.top
        sums = _floats("sums", 3 * -(-columns // trip.shrink_x) * -(-rows // trip.shrink_y))
        kernels().shrink(
            self._bytes,
            3 * width,
            3 * (box.top * width + box.left),
            columns,
            rows,
            trip.shrink_x,
            trip.shrink_y,
            trip.fill is not None,
            np.array(trip.fill or BLACK, np.float32),
            sums,
        )
        return sums

    def _image(self) -> torch.Tensor:
        """The pixels now as (1, 3, H, W) float32 0..1, which may be scratch."""
        if self._front != PLANES or self._waiting:
            self._run(_NO_BYTES)
        return torch.from_numpy(self._planes).view(1, 3, *self._size)

    def _weigh(self, weights: Grid) -> None:
        self._image()
        if len(weights) == 1:
            return
        height, width = self._size
        reach = len(weights) // 2
        scratch = _floats("weighed", (height + 2) * (width + 15) + len(weights))
        columns, rows = mirror(width, reach, reach), mirror(height, reach, reach)
        kernels().weigh(self._planes, width, height, weights, columns, rows, scratch)

    def _replace(self, image: torch.Tensor) -> None:
        """Goes on with what a neighbourhood made of the planes, in their memory."""
        planes = torch.from_numpy(self._planes).view(3, *self._size)
        torch.clamp(image[0].to(torch.float32), 0.0, 1.0, out=planes)

    def _put(self, planes: torch.Tensor, size: Size) -> None:
        self._planes, self._size, self._front = planes.contiguous().view(3, size.pixels).numpy(), size, PLANES

    def _run(self, result: NDArray[np.uint8]) -> None:
        """Takes the picture through the waiting steps: to `result`, or to planes if that is empty."""
        at_once = self._front != PLANES and result.size > 0 and self._cut is None
        if self._front != PLANES:
            self._planes = _floats("planes", 3 * (TILE if at_once else self._size.pixels)).reshape(3, -1)
        made = program(self._waiting, self._cut)
        kernels().advance(
            self._front,
            self._bytes,
            self._floats,
            self._table,
            self._fields,
            self._planes,
            self._size.width,
            self._size.height,
            made.table,
            made.row,
            made.cut,
            made.mean,
            made.mean_at,
            made.slot,
            result,
        )
        self._front, self._waiting, self._cut = PLANES, [], None


def _floats(purpose: str, count: int) -> Grid:
    """Scratch of this thread: fresh memory costs more to touch than a picture costs to compute."""
    kept: Grid | None = getattr(_scratch, purpose, None)
    if kept is None or kept.size < count:
        fresh = np.empty(count + _LINE, np.float32)
        # at the start of a line of the cache, or every vector read would touch two
        kept = fresh[-fresh.ctypes.data // fresh.itemsize % _LINE :][:count]
        if count <= _KEPT:
            setattr(_scratch, purpose, kept)
    return kept[:count]
