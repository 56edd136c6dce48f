"""The reference: a plan's stages run by torch on whole tensors, on any device; the arithmetic others are checked against.

Consecutive geometric steps are one chain, read once (`warp`); every other step works on three float32 planes, clamped
to 0..1 after it. Values are rounded to 8 bits once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch

from kernels import stencils, warp, words
from kernels.blending import blended
from kernels.colors import mean
from kernels.index_maps import index_map
from kernels.mixing import Mixture, composed
from kernels.op import Mean, Op, Pixels, Planes, Statistic, Stencil, Weighed, Whole, asked
from kernels.params import Choice, drawn_fields
from kernels.plan import PlannedStep
from kernels.stages import Blending, Chain, Painting, Stage


def computed(cut: Sequence[Stage], pixels: torch.Tensor) -> torch.Tensor:
    """The picture after all stages, (H, W, C) uint8 as it came, on its device."""
    planes: torch.Tensor | None = None
    for stage in cut:
        if isinstance(stage, Chain):
            if len(cut) == 1 and (mapped := index_map(stage.links)) is not None:
                return warp.rearranged(pixels, mapped)
            planes = warp.moved(pixels if planes is None else planes, stage.links)
            continue
        planes = warp.to_planes(pixels) if planes is None else planes
        planes = _along(planes, stage)
    return pixels.clone() if planes is None else warp.to_pixels(planes)


def through(planes: torch.Tensor, cut: Sequence[Stage]) -> torch.Tensor:
    """Planes (3 or 4, H, W) float32 0..1 after all stages."""
    for stage in cut:
        planes = warp.moved(planes, stage.links) if isinstance(stage, Chain) else _along(planes, stage)
    return planes


def _along(planes: torch.Tensor, stage: Painting | Mixture | Blending) -> torch.Tensor:
    """Planes after a stage that is no chain."""
    match stage:
        case Mixture():
            return composed(planes, stage)
        case Blending():
            return torch.cat([blended(planes[:3], stage, through), planes[3:]])
        case _:
            return _painted(planes, stage.steps)


def _painted(planes: torch.Tensor, steps: Sequence[PlannedStep]) -> torch.Tensor:
    """Planes (3 or 4, H, W) after steps that move nothing; a fourth one, alpha, is passed by."""
    colour: Planes = (planes[0], planes[1], planes[2])
    for step in steps:
        colour = stepped(colour, step)
    return torch.stack([*colour, *planes[3:]])


def stepped(planes: Planes, step: PlannedStep) -> Planes:
    match step.op.kind:
        case Pixels(function):
            return _pixels(function, planes, step, {})
        case Statistic(measure, names, function):
            numbers = dict(zip(names, _measured(measure, planes, step), strict=True))
            return _pixels(function, planes, step, numbers)
        case Stencil(Weighed(weights)):
            return _whole(stencils.weighed(torch.stack(planes)[None], weights(**step.fields)))
        case Stencil(function):
            assert callable(function)
            return _whole(function(torch.stack(planes)[None], **step.fields))
        case Whole(function):
            wanted = asked(function, {**step.fields, "seed": step.noise_seed})
            return _whole(function(torch.stack(planes)[None], **wanted))
        case _:
            raise TypeError(f"{step.op.name} is no step on planes")


def _whole(image: torch.Tensor) -> Planes:
    red, green, blue = image[0].to(torch.float32).clamp(0.0, 1.0)
    return red, green, blue


def _measured(measure: Any, planes: Planes, step: PlannedStep) -> tuple[float, ...]:
    if not isinstance(measure, Mean):
        numbers: tuple[float, ...] = measure(*planes, **asked(measure, step.fields))
        return numbers
    bound, _ = _bound(measure.value)
    return (mean(bound(*planes, **asked(measure.value, step.fields))),)


def _pixels(function: Any, planes: Planes, step: PlannedStep, numbers: Mapping[str, float]) -> Planes:
    bound, frame_names = _bound(function)
    fields = {name: _number(step.op, name, value) for name, value in asked(function, step.fields).items()}
    frame = {name: _frame(name, planes[0], step) for name in frame_names}
    measured = asked(function, numbers)
    red, green, blue = (_plane(value, planes[0]) for value in bound(*planes, **fields, **measured, **frame))
    return red, green, blue


def _plane(value: torch.Tensor | float, like: torch.Tensor) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        return torch.full_like(like, min(max(float(value), 0.0), 1.0))
    return value.to(torch.float32).clamp(0.0, 1.0).expand(like.shape)


@cache
def _bound(function: Any) -> tuple[Any, tuple[str, ...]]:
    """A pixel function under torch, and what it asks for beside its fields."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return words.bind(function, words.TORCH), tuple(name for name in names if name in ("x", "y", "w", "h", "i", "seed"))


def _frame(name: str, like: torch.Tensor, step: PlannedStep) -> object:
    height, width = like.shape
    match name:
        case "x":
            return torch.arange(width, dtype=torch.float32, device=like.device).add_(0.5).expand(height, width)
        case "y":
            return torch.arange(height, dtype=torch.float32, device=like.device).add_(0.5)[:, None].expand(height, width)
        case "i":
            return torch.arange(height * width, device=like.device).view(height, width)
        case "w":
            return float(width)
        case "h":
            return float(height)
        case _:
            return step.noise_seed


def _number(op: Op, name: str, value: Any) -> Any:
    """A field as pixel arithmetic takes it: a name as its place among the names, a flag as 0 or 1."""
    if isinstance(value, str):
        kinds = dict(drawn_fields(op.params))
        kind = kinds.get(name)
        return kind.names.index(value) if isinstance(kind, Choice) else value
    return int(value) if isinstance(value, bool) else value
