"""run: plans and pictures in, pictures out. Ragged: every picture is computed on its own, so no neighbour can matter.

A plan is cut into stages. Consecutive geometric steps are one chain, read once (`warp`); every other step works on three
float32 planes, clamped to 0..1 after it. Values are rounded to 8 bits once, at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

from kernels import label_moves, warp, words
from kernels.chain import Link, chain
from kernels.errors import DeviceLost, DeviceOutOfMemory
from kernels.index_maps import index_map
from kernels.op import Field, Op, Pixels, Places, Planes, Statistic, Stencil, Whole
from kernels.params import Choice, drawn_fields
from kernels.plan import Plan, PlannedStep, asked
from kernels.tensors import Picture

_CPU = torch.device("cpu")


def run(plans: Sequence[Plan], pictures: Sequence[Picture], device: torch.device) -> list[Picture]:
    """The result of each plan on its picture, in order; 8-bit pixels on the CPU, whatever the device.

    A picture may appear several times, once for each variant. DeviceOutOfMemory and DeviceLost come from the device.
    """
    if device.type == "cpu":
        with _one_thread():
            return [_made(plan, picture, device) for plan, picture in zip(plans, pictures, strict=True)]
    try:
        return [_made(plan, picture, device) for plan, picture in zip(plans, pictures, strict=True)]
    except torch.OutOfMemoryError as error:
        raise DeviceOutOfMemory(str(device)) from error
    except torch.AcceleratorError as error:
        raise DeviceLost(str(device), str(error).splitlines()[0]) from error


def _made(plan: Plan, picture: Picture, device: torch.device) -> Picture:
    if picture.size != plan.size_in:
        raise ValueError(f"the plan is for a picture of {plan.size_in}, not {picture.size}")
    links = chain([step for step in plan.steps if _moves(step)])
    pixels = _computed(plan, links, picture.pixels.to(device)).cpu()
    labels = None if picture.labels is None else label_moves.moved(picture.labels, links, plan.size_in, plan.size_out)
    return Picture(pixels, labels)


def _computed(plan: Plan, links: Sequence[Link], pixels: torch.Tensor) -> torch.Tensor:
    stages = [(moves, tuple(steps)) for moves, steps in itertools.groupby(plan.steps, _moves)]
    if not stages:
        return pixels.clone()
    left = iter(links)
    planes: torch.Tensor | None = None
    for moves, steps in stages:
        if moves:
            here = tuple(itertools.islice(left, len(steps)))
            if len(stages) == 1 and (mapped := index_map(here)) is not None:
                return warp.rearranged(pixels, mapped)
            planes = warp.moved(pixels if planes is None else planes, here)
        else:
            planes = _painted(warp.to_planes(pixels) if planes is None else planes, steps)
    assert planes is not None
    return warp.to_pixels(planes)


def _moves(step: PlannedStep) -> bool:
    return isinstance(step.op.kind, Places | Field)


def _painted(planes: torch.Tensor, steps: Sequence[PlannedStep]) -> torch.Tensor:
    """Planes (3 or 4, H, W) after steps that move nothing; a fourth one, alpha, is passed by."""
    colour: Planes = (planes[0], planes[1], planes[2])
    for step in steps:
        colour = _stepped(colour, step)
    return torch.stack([*colour, *planes[3:]])


def _stepped(planes: Planes, step: PlannedStep) -> Planes:
    match step.op.kind:
        case Pixels(function):
            return _pixels(function, planes, step, {})
        case Statistic(measure, names, function):
            numbers = dict(zip(names, measure(*planes, **asked(measure, step.fields)), strict=True))
            return _pixels(function, planes, step, numbers)
        case Stencil(function):
            return _whole(function(torch.stack(planes)[None], **step.fields))
        case Whole(function):
            wanted = asked(function, {**step.fields, "seed": step.noise_seed})
            return _whole(function(torch.stack(planes)[None], **wanted))
        case _:
            raise TypeError(f"{step.op.name} is no step on planes")


def _whole(image: torch.Tensor) -> Planes:
    red, green, blue = image[0].to(torch.float32).clamp(0.0, 1.0)
    return red, green, blue


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


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch on the calling thread alone: split loops round their ends another way, and pictures are the parallel unit."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
