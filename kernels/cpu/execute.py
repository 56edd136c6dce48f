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
from kernels.blending import blended
from kernels.chain import BLACK, Link
from kernels.cpu.compiled import kernels
from kernels.cpu.itinerary import NO_FIELDS, Itinerary, itinerary
from kernels.cpu.places import COLUMNS
from kernels.cpu.program import Numbers, averages, program
from kernels.cpu.tiles import TILE
from kernels.index_maps import IndexMap, index_map
from kernels.mixing import Mixture, composed
from kernels.op import Pixels, Statistic, Stencil, Weighed, Whole, asked
from kernels.plan import PlannedStep
from kernels.stages import Blending, Chain, Stage
from kernels.stencils import mirror
from kernels.tensors import Size

PLANES, LOAD, SAMPLE_BYTES, SAMPLE_SUMS, SAMPLE_FLOATS = range(5)
"""Where a pass begins; see `tiles.advance`."""
ALONG_ROUTES = (SAMPLE_BYTES, SAMPLE_SUMS, SAMPLE_FLOATS)
"""Those that read along a route."""
_KEPT = 1 << 24
"""Floats of scratch that a thread keeps between pictures: 64 MiB."""
_LINE = 16
"""Floats in a line of the processor's cache."""
_NO_BYTES = np.zeros(0, np.uint8)
_NO_SUMS = np.zeros(0, np.uint16)
_NO_FLOATS = np.zeros(0, np.float32)
_NO_PLANES = np.zeros((3, 0), np.float32)
_NO_TABLE = np.zeros((1, COLUMNS))

Grid = NDArray[np.float32]
_scratch = threading.local()


def computed(stages: Sequence[Stage], pixels: torch.Tensor) -> torch.Tensor:
    """The picture after all stages: (H, W, C) uint8. pixels: (H, W, C) uint8 with C 3, or 4 with alpha."""
    if not stages:
        return pixels.clone()
    levels = pixels.numpy()
    if levels.shape[2] == 3:
        return _through(stages, levels)
    coloured = [stage._replace(part="colour") if isinstance(stage, Mixture) else stage for stage in stages]
    colour = _through(coloured, np.ascontiguousarray(levels[..., :3]))
    # alpha is moved and mixed as a grey picture would be, and is 0 outside
    moving = [
        stage._replace(part="alpha") if isinstance(stage, Mixture) else Chain(_unfilled(stage.links))
        for stage in stages
        if isinstance(stage, Mixture | Chain)
    ]
    alpha = _through(moving, np.repeat(levels[..., 3:], 3, axis=2))
    return torch.cat([colour, alpha[..., :1]], dim=2)


def _through(stages: Sequence[Stage], levels: NDArray[np.uint8]) -> torch.Tensor:
    height, width, _ = levels.shape
    passes = Passes(Size(height, width), levels.reshape(-1))
    passes.walk(stages)
    return passes.pixels()


def _through_planes(planes: torch.Tensor, stages: Sequence[Stage]) -> torch.Tensor:
    """(3, H, W) float32 0..1 after all stages, maybe in scratch; the given ones stay."""
    passes = Passes(Size(planes.shape[1], planes.shape[2]), _NO_BYTES)
    passes._planes, passes._front = planes.clone().view(3, -1).numpy(), PLANES
    passes.walk(stages)
    return passes._image()[0]


def _unfilled(links: tuple[Link, ...]) -> tuple[Link, ...]:
    return tuple(link._replace(fill=BLACK) for link in links)


class Passes:
    """One picture on its way: where its pixels are now, and the steps that wait for the next pass.

    The step at place `_cut` of those waiting, if any, needs a mean of what is before it. `walk` to `_settle`
    decide; the methods from `_advance` on touch pixels, and `outline` notes them instead.
    """

    def __init__(self, size: Size, pixels: NDArray[np.uint8]) -> None:
        """pixels: flat, red, green, blue of each."""
        self._size = size
        self._front = LOAD
        self._bytes = pixels
        self._sums, self._floats = _NO_SUMS, _NO_FLOATS
        self._planes = _NO_PLANES
        self._table, self._fields = _NO_TABLE, NO_FIELDS
        self._waiting: list[tuple[PlannedStep, Numbers]] = []
        self._cut: int | None = None

    def walk(self, stages: Sequence[Stage]) -> None:
        """Takes the picture through the stages, but for the steps that still wait when they end."""
        for number, stage in enumerate(stages, 1):
            if isinstance(stage, Chain):
                self._move(stage.links, number == len(stages))
            elif isinstance(stage, Mixture):
                self._mix(stage)
            elif isinstance(stage, Blending):
                self._blend(stage)
            else:
                for step in stage.steps:
                    self._step(step)

    def pixels(self) -> torch.Tensor:
        """(H, W, 3) uint8, after the steps that wait."""
        if not self._is_pending:
            return torch.from_numpy(self._bytes).view(*self._size, 3)
        result = np.empty((*self._size, 3), np.uint8)
        self._run(result.reshape(-1))
        return torch.from_numpy(result)

    @property
    def _is_pending(self) -> bool:
        """Whether the bytes are not yet what they are to be."""
        return self._front != LOAD or bool(self._waiting)

    def _step(self, step: PlannedStep) -> None:
        match step.op.kind:
            case Pixels():
                self._waiting.append((step, {}))
            case Statistic(_, names, _) if averages(step):
                if self._cut is not None:
                    self._run(_NO_BYTES)
                self._cut = len(self._waiting)
                self._waiting.append((step, {names[0]: 0.0}))
            case Statistic():
                numbers = self._measured(step)  # first: it may empty the list of those that wait
                self._waiting.append((step, numbers))
            case Stencil(Weighed(weights)):
                self._weigh(step, weights(**step.fields))
            case Stencil() | Whole():
                self._replace(step)
            case _:
                raise TypeError(f"{step.op.name} is no step on planes")

    def _move(self, links: tuple[Link, ...], is_last: bool) -> None:
        """Goes on along a chain: bytes are read where they are, by the next pass."""
        untouched = not self._is_pending
        mapped = index_map(links)
        if mapped is not None:
            if untouched and (is_last or mapped.is_of_bytes):
                self._rearrange(mapped, links)
            else:
                self._resample(links)
            return
        trip = self._itinerary(links, 255.0 if untouched else 1.0)
        shrinks = trip.boxes.are_needed
        if not untouched and shrinks:
            self._resample(links)
            return
        if not untouched:
            # first: it runs what waits, from where the pixels still are
            self._interleave()
            self._front = SAMPLE_FLOATS
        else:
            self._front = self._shrink(trip) if shrinks else SAMPLE_BYTES
        self._table, self._fields, self._size = trip.table, trip.fields, links[-1].size_out

    def _run(self, result: NDArray[np.uint8]) -> None:
        """Takes the picture through the waiting steps: to `result`, or to planes if that is empty."""
        self._advance(result)
        self._front, self._waiting, self._cut = PLANES, [], None

    def _settle(self) -> None:
        """Makes planes of the picture, if it is none yet or steps wait."""
        if self._front != PLANES or self._waiting:
            self._run(_NO_BYTES)

    def _advance(self, result: NDArray[np.uint8]) -> None:
        at_once = self._front != PLANES and result.size > 0 and self._cut is None
        if self._front != PLANES:
            self._planes = _floats("planes", 3 * (TILE if at_once else self._size.pixels)).reshape(3, -1)
        made = program(self._waiting, self._cut)
        kernels().advance(
            self._front,
            self._bytes,
            self._sums,
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

    def _image(self) -> torch.Tensor:
        """The pixels now as (1, 3, H, W) float32 0..1, which may be scratch."""
        self._settle()
        return torch.from_numpy(self._planes).view(1, 3, *self._size)

    def _measured(self, step: PlannedStep) -> Numbers:
        """The numbers that a step measures on the picture by a function of its own."""
        assert isinstance(step.op.kind, Statistic)
        measure = step.op.kind.measure
        assert callable(measure)
        red, green, blue = self._image()[0]
        return dict(zip(step.op.kind.names, measure(red, green, blue, **asked(measure, step.fields)), strict=True))

    def _weigh(self, step: PlannedStep, weights: Grid) -> None:
        self._settle()
        if len(weights) == 1:
            return
        height, width = self._size
        reach = len(weights) // 2
        scratch = _floats("weighed", (height + 2) * (width + 15) + len(weights))
        columns, rows = mirror(width, reach, reach), mirror(height, reach, reach)
        kernels().weigh(self._planes, width, height, weights, columns, rows, scratch)

    def _replace(self, step: PlannedStep) -> None:
        """Goes on with what the step's own function makes of the planes, in their memory."""
        assert isinstance(step.op.kind, Stencil | Whole)
        function = step.op.kind.function
        assert callable(function)
        image = function(self._image(), **asked(function, {**step.fields, "seed": step.noise_seed}))
        planes = torch.from_numpy(self._planes).view(3, *self._size)
        torch.clamp(image[0].to(torch.float32), 0.0, 1.0, out=planes)

    def _itinerary(self, links: tuple[Link, ...], level: float) -> Itinerary:
        return itinerary(links, level, kernels().plot)

    def _rearrange(self, mapped: IndexMap, links: tuple[Link, ...]) -> None:
        pixels = torch.from_numpy(self._bytes.reshape(*self._size, 3))
        self._bytes, self._size = warp.rearranged(pixels, mapped).numpy().reshape(-1), links[-1].size_out

    def _resample(self, links: tuple[Link, ...]) -> None:
        """Reads planes along a chain by torch."""
        moved, self._size = warp.moved(self._image()[0], links).contiguous(), links[-1].size_out
        self._planes, self._front = moved.view(3, self._size.pixels).numpy(), PLANES

    def _mix(self, mixture: Mixture) -> None:
        """Lays other pictures over the planes."""
        mixed, self._size = composed(self._image()[0], mixture).contiguous(), mixture.step.size_out
        self._planes, self._front = mixed.view(3, self._size.pixels).numpy(), PLANES

    def _blend(self, blending: Blending) -> None:
        """Puts chains together, each from the planes as they are now."""
        # memory of their own: the chains use the scratch of this thread
        own = self._image()[0].clone()
        self._planes, self._front = blended(own, blending, _through_planes).view(3, -1).numpy(), PLANES

    def _interleave(self) -> None:
        # memory of its own always: a single pixel is contiguous either way round, and the next pass writes the planes
        turned = self._image()[0].permute(1, 2, 0).clone(memory_format=torch.contiguous_format)
        self._floats = turned.numpy().reshape(-1)

    def _shrink(self, trip: Itinerary) -> int:
        """Sums the bytes in boxes; from where the next pass reads those."""
        (height, width), source = self._size, self._bytes
        boxes, lattice = trip.boxes, trip.lattice
        count = 3 * lattice.columns * lattice.rows
        fits = 255 * boxes.weight < 2**16
        kept = _floats("sums", -(-count // 2) if fits else count)
        if fits:
            self._sums = kept.view(np.uint16)[:count]
        else:
            self._floats = kept
        result = self._sums if fits else self._floats
        fill = np.array(trip.fill, np.float32)
        kernels().shrink(source, width, height, *lattice, *boxes, trip.border, fill, result)
        return SAMPLE_SUMS if fits else SAMPLE_FLOATS


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
