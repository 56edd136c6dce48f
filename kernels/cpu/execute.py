"""Execute: one plan on one picture by compiled kernels.

Steps on single pixels wait until something needs their result: a statistic, a neighbourhood, another chain, or the end.
Then one pass takes every tile from where the pixels are (bytes, a chain to read them along, or planes) through all of
them. What has no compiled form runs on the same planes as torch tensors.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from struct import pack_into
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import warp
from kernels.blending import blended
from kernels.chain import BLACK, Link, told
from kernels.cpu.compiled import kernels
from kernels.cpu.itinerary import NO_FIELDS, Itinerary, fields_of, itinerary
from kernels.cpu.passes import ALONG_ROUTES, LOAD, PLANES, SAMPLE_BYTES, SAMPLE_FLOATS, SWEEP, WEIGH
from kernels.cpu.program import Numbers, averages, program
from kernels.cpu.tiles import TILE
from kernels.index_maps import IndexMap, Window, index_map
from kernels.mixing import Mixture, composed
from kernels.op import LevelForm, Pixels, Statistic, Stencil, Weighed, Whole, asked
from kernels.plan import PlannedStep
from kernels.stages import Blending, Chain, Painting, Stage
from kernels.tensors import Size

_KEPT = 1 << 24
"""Floats of scratch that a thread keeps between pictures: 64 MiB."""
_LINE = 16
"""Floats in a line of the processor's cache."""
_NO_BYTES = np.zeros(0, np.uint8)
_NO_FLOATS = np.zeros(0, np.float32)
_NO_PLANES = np.zeros((3, 0), np.float32)

Grid = NDArray[np.float32]
_scratch = threading.local()


class Ordered(NamedTuple):
    """Passes over one picture, as `passes.carry` takes them."""

    first: IndexMap | Window | None
    """How its bytes are moved before, as they are."""
    orders: NDArray[np.float64]
    """None at all where they are only moved."""
    fields: NDArray[np.float32]
    planes: int
    """Pixels that its planes must hold; 0 if it begins with planes that are there."""
    size: Size
    """Of what comes out."""
    form: LevelForm | None = None
    """What is done to its bytes instead, if one step does it all."""

    def finished(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What comes out for a picture of its own: (H, W, 3), as the picture itself."""
        if self.first is not None:
            levels = warp.rearranged(torch.from_numpy(levels), self.first).numpy()
        if self.form is not None:
            return self.form(levels)
        if not self.orders.size:
            return levels
        result = np.empty((*self.size, 3), np.uint8)
        _carried(self, levels.reshape(-1), _NO_FLOATS, _NO_PLANES, result.reshape(-1))
        return result


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


def ordered(stages: Sequence[Stage], size: Size) -> Ordered | None:
    """All passes of `computed` on a picture of this size without alpha, if only compiled kernels have a part in them.

    That, and moving bytes at first.
    """
    first, rest = None, stages
    if stages and isinstance(stages[0], Chain) and (first := index_map(stages[0].links)) is not None:
        rest, size = stages[1:], stages[0].links[-1].size_out
        if rest and not first.is_of_bytes:
            return None
    for number, stage in enumerate(rest):
        if isinstance(stage, Painting):
            if not all(_is_compiled(step) for step in stage.steps):
                return None
        elif not isinstance(stage, Chain) or number > 0:
            return None
    passes = Passes(size, _NO_BYTES)
    passes.walk(rest)
    return passes.ordered(first)


def _is_compiled(step: PlannedStep) -> bool:
    """Whether compiled kernels do the step, all of it."""
    kind = step.op.kind
    return isinstance(kind, Pixels) or averages(step) or (isinstance(kind, Stencil) and isinstance(kind.function, Weighed))


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
    """One picture on its way: where its pixels are now, the passes ordered since, and the steps that wait for the next.

    The step at place `_cut` of those waiting, if any, needs a mean of what is before it. `walk` to `_settle` decide; the
    methods from `_advance` on order passes, which are made when Python needs the pixels, or touch pixels themselves.
    `outline` notes them instead.
    """

    def __init__(self, size: Size, pixels: NDArray[np.uint8]) -> None:
        """pixels: flat, red, green, blue of each."""
        self._size = size
        self._front = LOAD
        self._bytes = pixels
        self._floats = _NO_FLOATS
        self._planes = _NO_PLANES
        self._links: tuple[Link, ...] = ()
        self._orders: list[float] = []
        self._fields, self._room = NO_FIELDS, 0
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
        if (form := self._form()) is not None:
            return torch.from_numpy(form(self._bytes.reshape(*self._size, 3)))
        self._run(is_last=True)
        result = np.empty((*self._size, 3), np.uint8)
        self._carry(result.reshape(-1))
        return torch.from_numpy(result)

    def ordered(self, first: IndexMap | Window | None) -> Ordered | None:
        """All passes of a picture that none was begun for, the last one too; None if nothing is done to it."""
        if not self._is_pending and first is None:
            return None
        form = self._form()
        if self._is_pending and form is None:
            self._run(is_last=True)
        return self._written()._replace(first=first, form=form)

    @property
    def _is_pending(self) -> bool:
        """Whether the bytes are not yet what they are to be."""
        return self._front != LOAD or bool(self._waiting)

    def _form(self) -> LevelForm | None:
        """How the one step that waits does to bytes all that is to be done to them, if it can."""
        if self._front != LOAD or len(self._waiting) != 1:
            return None
        ((step, _),) = self._waiting
        of_levels = step.op.kind.of_levels if isinstance(step.op.kind, Pixels) else None
        return of_levels(**step.fields) if of_levels else None

    def _step(self, step: PlannedStep) -> None:
        match step.op.kind:
            case Pixels():
                self._waiting.append((step, {}))
            case Statistic(_, names, _) if averages(step):
                if self._cut is not None:
                    self._run(is_last=False)
                self._cut = len(self._waiting)
                self._waiting.append((step, {names[0]: 0.0}))
            case Statistic():
                numbers = self._measured(step)  # first: it may empty the list of those that wait
                self._waiting.append((step, numbers))
            case Stencil(Weighed(weights)):
                self._weigh(step, weights(**step.fields))
            case Stencil(_, of_levels) if of_levels and not self._is_pending and (form := of_levels(**step.fields)):
                self._relevel(step, form)
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
        if untouched:
            self._follow(links, SAMPLE_BYTES)
            return
        trip = self._itinerary(links)
        if trip.boxes.are_needed:
            self._resample(links)
            return
        # first: it runs what waits, from where the pixels still are
        self._interleave()
        self._follow(links, SAMPLE_FLOATS)

    def _follow(self, links: tuple[Link, ...], front: int) -> None:
        """The next pass reads the picture along a chain."""
        self._front, self._links, self._size = front, links, links[-1].size_out

    def _run(self, is_last: bool) -> None:
        """Takes the picture through the waiting steps: to the result if it is the last time, else to planes."""
        self._advance(is_last)
        self._front, self._waiting, self._cut = PLANES, [], None

    def _settle(self) -> None:
        """Makes planes of the picture, if it is none yet or steps wait."""
        if self._front != PLANES or self._waiting:
            self._run(is_last=False)

    def _advance(self, is_last: bool) -> None:
        steps, row, cut, mean, mean_at, slot = program(self._waiting, self._cut)
        self._begin(TILE if is_last and self._cut is None else self._size.pixels)
        self._orders += (SWEEP, is_last, len(self._waiting), cut, mean, mean_at, slot, len(row), *steps, *row)

    def _begin(self, planes: int) -> None:
        """Says where the passes to come begin, if none is ordered yet. planes: pixels that they must hold then."""
        if self._orders:
            return
        links = self._links if self._front in ALONG_ROUTES else ()
        self._orders += (self._front, *self._size, len(links), *told(links))
        self._fields, self._room = fields_of(links), 0 if self._front == PLANES else planes

    def _written(self) -> Ordered:
        """The passes that were ordered, as the kernel takes them; none is left."""
        orders, self._orders = self._orders, []
        written = np.empty(len(orders))
        # several times as fast as an array of a list
        pack_into(f"{len(orders)}d", written.data, 0, *orders)
        return Ordered(None, written, self._fields, self._room, self._size)

    def _carry(self, result: NDArray[np.uint8]) -> None:
        """Makes the passes that were ordered."""
        if self._orders:
            self._planes = _carried(self._written(), self._bytes, self._floats, self._planes, result)

    def _image(self) -> torch.Tensor:
        """The pixels now as (1, 3, H, W) float32 0..1, which may be scratch."""
        self._settle()
        self._carry(_NO_BYTES)
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
        if len(weights) > 1:
            self._begin(self._size.pixels)
            self._orders += (WEIGH, len(weights), *weights.tolist())

    def _replace(self, step: PlannedStep) -> None:
        """Goes on with what the step's own function makes of the planes, in their memory."""
        assert isinstance(step.op.kind, Stencil | Whole)
        function = step.op.kind.function
        assert callable(function)
        image = function(self._image(), **asked(function, {**step.fields, "seed": step.noise_seed}))
        planes = torch.from_numpy(self._planes).view(3, *self._size)
        torch.clamp(image[0].to(torch.float32), 0.0, 1.0, out=planes)

    def _relevel(self, step: PlannedStep, form: LevelForm) -> None:
        """Goes on with bytes that the step makes of bytes."""
        self._bytes = form(self._bytes.reshape(*self._size, 3)).reshape(-1)

    def _itinerary(self, links: tuple[Link, ...]) -> Itinerary:
        """Of planes."""
        return itinerary(links, 1.0, kernels().plot)

    def _rearrange(self, mapped: IndexMap | Window, links: tuple[Link, ...]) -> None:
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


def _carried(made_ready: Ordered, source: NDArray[np.uint8], floats: Grid, planes: Grid, result: NDArray[np.uint8]) -> Grid:
    """Makes passes; the planes that they leave, which hold but a tile if all was one pass."""
    _, orders, fields, room, _, _ = made_ready
    if room > 0:
        planes = _kept("planes", 3 * room)[: 3 * room].reshape(3, room)
    scratch = _kept("work", 0)
    wanted = kernels().carry(orders, source, floats, fields, planes, scratch, result)
    if wanted > scratch.size:
        _kept("work", wanted)
    return planes


def _kept(purpose: str, count: int) -> Grid:
    """At least so many floats of scratch of this thread: fresh memory costs more to touch than a picture to compute."""
    kept: Grid | None = getattr(_scratch, purpose, None)
    if kept is None or kept.size < count:
        fresh = np.empty(count + _LINE, np.float32)
        # at the start of a line of the cache, or every vector read would touch two
        kept = fresh[-fresh.ctypes.data // fresh.itemsize % _LINE :][:count]
        if count <= _KEPT:
            setattr(_scratch, purpose, kept)
    return kept
