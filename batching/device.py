"""The device that pixels run on: which one, and what is done when its memory does not suffice."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch

from batching import failpoints
from kernels.errors import DeviceLost, DeviceOutOfMemory
from kernels.partners import Partners
from kernels.plan import Plan
from kernels.run import run
from kernels.tensors import Picture

log = logging.getLogger(__name__)
CPU = torch.device("cpu")


def choose(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device asked for; `auto` is CUDA where there is one. DeviceLost if CUDA is asked for and is not there."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return CPU
    if not torch.cuda.is_available():
        raise DeviceLost("cuda", "this process sees no CUDA device")
    return torch.device("cuda", torch.cuda.current_device())


def described(device: torch.device) -> str:
    """What a result's row says of the device, at most 32 characters."""
    return "cpu" if device.type == "cpu" else f"cuda {torch.cuda.get_device_name(device)}"[:32]


class Cap:
    """How much is run together, in pixels: half as much after each time that it did not fit, slowly more again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.cost = float(most)

    def shrink(self) -> None:
        """It did not fit."""
        self.cost = max(1.0, self.cost / 2)

    def grow(self) -> None:
        """A micro-batch was run."""
        self.cost = min(self._most, self.cost * 1.05)


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Runs the calling thread's work on a stream of its own, so that nothing else on the device holds it up."""
    if device.type == "cpu":
        yield
        return
    with torch.cuda.device(device), torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]  # torch has no types here
        yield


def run_within_memory(
    plans: Sequence[Plan],
    pictures: Sequence[Picture],
    partners: Sequence[Partners],
    device: torch.device,
    too_large: Callable[[], None] = lambda: None,
) -> list[Picture]:
    """`kernels.run.run`, in halves where the device has too little memory; what does not fit alone runs on the CPU.

    too_large() is called for each set of plans that did not fit.
    """
    try:
        failpoints.hit(failpoints.DEVICE)
        return run(plans, pictures, device, partners)
    except DeviceOutOfMemory as error:
        log.warning("%s; running %d pictures in halves", error.message, len(plans))
    too_large()
    # Outside of the except clause: the error's trace would keep the tensors alive that must go.
    gc.collect(1)
    if device.type != "cpu":
        torch.cuda.empty_cache()
    if len(plans) == 1:
        failpoints.hit(failpoints.DEVICE)
        return run(plans, pictures, CPU, partners)
    half = len(plans) // 2
    first = run_within_memory(plans[:half], pictures[:half], partners[:half], device, too_large)
    return first + run_within_memory(plans[half:], pictures[half:], partners[half:], device, too_large)
