"""run: plans and pictures in, pictures out. Ragged: every picture is computed on its own, so no neighbour can matter.

A plan is cut into stages (`stages`). On a CPU with AVX2 and FMA compiled kernels run them (`cpu`), on CUDA Triton's, all
pictures together (`cuda`), elsewhere torch does (`reference`); plans of profile kornia run step by step through Kornia
(`stepwise`) everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import torch

from kernels import cpu, cuda, label_moves, reference, stepwise
from kernels.cpu import machine
from kernels.errors import DeviceLost, DeviceOutOfMemory
from kernels.labels import Labels
from kernels.plan import Plan
from kernels.stages import Stage, links, stages
from kernels.tensors import Picture

_CPU = torch.device("cpu")
log = logging.getLogger(__name__)
Backend = Callable[[Sequence[Stage], torch.Tensor], torch.Tensor]
"""computed(stages, pixels): (H, W, C) uint8 pixels after all stages, on the device they came on."""


def run(plans: Sequence[Plan], pictures: Sequence[Picture], device: torch.device) -> list[Picture]:
    """The result of each plan on its picture, in order; 8-bit pixels on the CPU, whatever the device.

    A picture may appear several times, once for each variant. DeviceOutOfMemory and DeviceLost come from the device.
    """
    if device.type == "cpu":
        return _on_one_thread(plans, pictures, None)
    try:
        if not _has_triton():
            return [_made(plan, picture, device) for plan, picture in zip(plans, pictures, strict=True)]
        return _together(plans, pictures, device)
    except torch.OutOfMemoryError as error:
        raise DeviceOutOfMemory(str(device)) from error
    except torch.AcceleratorError as error:
        raise DeviceLost(str(device), str(error).splitlines()[0]) from error


def run_reference(plans: Sequence[Plan], pictures: Sequence[Picture]) -> list[Picture]:
    """`run` on the CPU by the reference, whatever the profile: slow, and what the kernels are checked against."""
    return _on_one_thread(plans, pictures, reference.computed)


def _together(plans: Sequence[Plan], pictures: Sequence[Picture], device: torch.device) -> list[Picture]:
    """One micro-batch of all fused plans; those of profile kornia one by one."""
    from kernels.cuda import execute

    fused = [place for place, plan in enumerate(plans) if plan.profile == "fused"]
    cuts = [_cut(plans[place], pictures[place]) for place in fused]
    computed = execute.computed(cuts, [pictures[place].pixels for place in fused], device)
    made = {
        place: Picture(pixels, _moved(pictures[place], cut, plans[place]))
        for place, cut, pixels in zip(fused, cuts, computed, strict=True)
    }
    return [made.get(place) or _made(plans[place], pictures[place], device) for place in range(len(plans))]


def _made(plan: Plan, picture: Picture, device: torch.device, computed: Backend | None = None) -> Picture:
    cut = _cut(plan, picture)
    compute = computed or (stepwise.computed if plan.profile == "kornia" else _backend(device.type))
    pixels = compute(cut, picture.pixels) if device.type == "cpu" else compute(cut, picture.pixels.to(device)).cpu()
    return Picture(pixels, _moved(picture, cut, plan))


def _cut(plan: Plan, picture: Picture) -> tuple[Stage, ...]:
    if picture.size != plan.size_in:
        raise ValueError(f"the plan is for a picture of {plan.size_in}, not {picture.size}")
    return stages(plan)


def _moved(picture: Picture, cut: tuple[Stage, ...], plan: Plan) -> Labels | None:
    if picture.labels is None:
        return None
    return label_moves.moved(picture.labels, links(cut), plan.size_in, plan.size_out, plan.label_rules)


def warm(device: torch.device, folder: Path | None = None) -> None:
    """Makes ready what computes on this device, so that no picture has to wait for it.

    folder: where compiled kernels are kept; the user's cache folder if not given.
    """
    if device.type == "cpu" and machine.is_able():
        cpu.warm(folder)
    if device.type == "cuda" and _has_triton():
        cuda.warm(device)


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


def _on_one_thread(plans: Sequence[Plan], pictures: Sequence[Picture], computed: Backend | None) -> list[Picture]:
    """On the calling thread alone: torch's split loops round their ends another way, and pictures are the parallel unit."""
    threads = torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        return [_made(plan, picture, _CPU, computed) for plan, picture in zip(plans, pictures, strict=True)]
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
