"""run: plans and pictures in, pictures out. Ragged: every picture is computed on its own, so no neighbour can matter.

A plan is cut into stages (`stages`). On a CPU with AVX2 and FMA compiled kernels run them (`cpu`), on CUDA Triton's, all
pictures together (`cuda`), elsewhere torch does (`reference`); plans of profile kornia run step by step through Kornia
(`stepwise`) everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from kernels import cpu, cuda, label_mixing, reference, stepwise
from kernels.cpu import machine
from kernels.errors import DeviceLost, DeviceOutOfMemory
from kernels.labels import Labels
from kernels.mixing import Guests, Mixture
from kernels.op import Blend, Field, Mix, Within
from kernels.ops import OPS
from kernels.partners import Partners
from kernels.plan import Plan
from kernels.stages import Stage, stages
from kernels.tensors import Picture

if TYPE_CHECKING:
    from kernels.cpu.execute import Ordered

_CPU = torch.device("cpu")
log = logging.getLogger(__name__)
Backend = Callable[[Sequence[Stage], torch.Tensor], torch.Tensor]
"""computed(stages, pixels): (H, W, C) uint8 pixels after all stages, on the device they came on."""


def run(
    plans: Sequence[Plan],
    pictures: Sequence[Picture],
    device: torch.device,
    partners: Sequence[Partners | None] | None = None,
) -> list[Picture]:
    """The result of each plan on its picture, in order; 8-bit pixels on the CPU, whatever the device.

    A picture may appear several times, once for each variant. partners: for each plan, where it finds the pictures that it
    mixes in. PartnerUnusable comes from there; DeviceOutOfMemory and DeviceLost come from the device.
    """
    found = [None] * len(plans) if partners is None else partners
    if device.type == "cpu":
        return _on_one_thread(plans, pictures, found, None)
    try:
        if not _has_triton():
            return [_made(*each, device) for each in zip(plans, pictures, found, strict=True)]
        return _together(plans, pictures, found, device)
    except torch.OutOfMemoryError as error:
        raise DeviceOutOfMemory(str(device)) from error
    except torch.AcceleratorError as error:
        raise DeviceLost(str(device), str(error).splitlines()[0]) from error


def run_reference(
    plans: Sequence[Plan], pictures: Sequence[Picture], partners: Sequence[Partners | None] | None = None
) -> list[Picture]:
    """`run` on the CPU by the reference, whatever the profile: slow, and what the kernels are checked against."""
    return _on_one_thread(plans, pictures, [None] * len(plans) if partners is None else partners, reference.computed)


def _together(
    plans: Sequence[Plan], pictures: Sequence[Picture], partners: Sequence[Partners | None], device: torch.device
) -> list[Picture]:
    """One micro-batch of all fused plans; those of profile kornia, and those that mix pictures, one by one."""
    from kernels.cuda import execute

    cuts = [_cut(*each) for each in zip(plans, pictures, partners, strict=True)]
    fused = [
        place
        for place, plan in enumerate(plans)
        if plan.profile == "fused" and not any(isinstance(stage, Mixture) for stage in cuts[place])
    ]
    computed = execute.computed([cuts[place] for place in fused], [pictures[place].pixels for place in fused], device)
    made = {
        place: Picture(pixels, _moved(pictures[place], cuts[place], plans[place]))
        for place, pixels in zip(fused, computed, strict=True)
    }
    return [made.get(place) or _made(plans[place], pictures[place], partners[place], device) for place in range(len(plans))]


def _made(
    plan: Plan, picture: Picture, partners: Partners | None, device: torch.device, computed: Backend | None = None
) -> Picture:
    if isinstance(plan, Prepared) and computed is None and device.type == "cpu":
        return _finished(plan, picture)
    cut = _cut(plan, picture, partners)
    compute = computed or (stepwise.computed if plan.profile == "kornia" else _backend(device.type))
    pixels = compute(cut, picture.pixels) if device.type == "cpu" else compute(cut, picture.pixels.to(device)).cpu()
    return Picture(pixels, _moved(picture, cut, plan))


def _cut(plan: Plan, picture: Picture, partners: Partners | None) -> tuple[Stage, ...]:
    if picture.size != plan.size_in:
        raise ValueError(f"the plan is for a picture of {plan.size_in}, not {picture.size}")
    return stages(plan, None if partners is None else Guests(partners, picture.pixels.shape[2]))


def _moved(picture: Picture, cut: tuple[Stage, ...], plan: Plan) -> Labels | None:
    return label_mixing.followed(picture.labels, cut, plan.size_in, plan.size_out, plan.label_rules)


def warm(device: torch.device, folder: Path | None = None) -> None:
    """Makes ready what computes on this device, so that no picture has to wait for it.

    folder: where compiled kernels are kept; the user's cache folder if not given.
    """
    if device.type == "cpu" and machine.is_able():
        cpu.warm(folder)
    if device.type == "cuda" and _has_triton():
        cuda.warm(device)


@dataclass(frozen=True)
class Prepared(Plan):
    """A plan with all that the CPU can work out of it before it has the picture."""

    cut: tuple[Stage, ...] = ()
    ordered: Ordered | None = None
    """All that is done to a picture without alpha, where Python has no part in the passes."""


def prepared(plans: Sequence[Plan], device: torch.device) -> list[Plan]:
    """The same plans, `Prepared` where the device is a CPU, and as they are where they cannot be.

    `run` prepares plans that it is given together; who runs one picture after the other saves time by preparing many at
    once, because decoding empties the processor's caches of all that Python needs.
    """
    if device.type != "cpu" or _backend("cpu") is reference.computed or all(isinstance(plan, Prepared) for plan in plans):
        return list(plans)
    from kernels.cpu.execute import ordered

    # one loop after the other, because each is short enough for the processor's nearest cache
    cuts = [stages(plan) if _is_preparable(plan) else None for plan in plans]
    orders = [None if cut is None else ordered(cut, plan.size_in) for plan, cut in zip(plans, cuts, strict=True)]
    return [
        plan
        if cut is None
        else Prepared(plan.steps, plan.size_in, plan.size_out, plan.draws, plan.label_rules, plan.profile, cut, made)
        for plan, cut, made in zip(plans, cuts, orders, strict=True)
    ]


def _is_preparable(plan: Plan) -> bool:
    return (
        not isinstance(plan, Prepared) and plan.profile == "fused" and all(_is_small(step.op.name) for step in plan.steps)
    )


@cache
def _is_small(name: str) -> bool:
    """Whether what is prepared of a step takes little memory, and nobody else's picture."""
    return not isinstance(OPS[name].kind, Field | Mix | Blend | Within)


def _finished(plan: Prepared, picture: Picture) -> Picture:
    if picture.size != plan.size_in:
        raise ValueError(f"the plan is for a picture of {plan.size_in}, not {picture.size}")
    labels = None if picture.labels is None else _moved(picture, plan.cut, plan)
    if plan.ordered is not None and picture.levels.shape[2] == 3:
        return Picture(plan.ordered.finished(picture.levels), labels)
    return Picture(_backend("cpu")(plan.cut, picture.pixels), labels)


@cache
def _has_triton() -> bool:
    try:
        import_module("triton")
    except ImportError as error:
        log.warning("Triton cannot be imported (%s): torch computes pictures on the GPU, one after another", error)
        return False
    return True


@cache
def _backend(kind: str) -> Backend:
    """Who computes on this kind of device."""
    if kind != "cpu":
        return reference.computed
    if not machine.is_able():
        log.warning("this CPU lacks AVX2 or FMA: pictures are computed by torch, several times as slowly")
        return reference.computed
    from kernels.cpu import execute

    return execute.computed


def _on_one_thread(
    plans: Sequence[Plan], pictures: Sequence[Picture], partners: Sequence[Partners | None], computed: Backend | None
) -> list[Picture]:
    """On the calling thread alone: torch's split loops round their ends another way, and pictures are the parallel unit."""
    threads = torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        ready = plans if computed else prepared(plans, _CPU)
        return [_made(*each, _CPU, computed) for each in zip(ready, pictures, partners, strict=True)]
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
