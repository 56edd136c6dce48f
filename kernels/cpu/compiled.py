"""The compiled kernels of this process: made once, from the cache folder or anew, for one set of types."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kernels.cpu.machine import compiling, is_hashed

Plotted = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int]

_lock = threading.Lock()
_made: list[Kernels] = []


@dataclass(frozen=True)
class Kernels:
    """The entry points, each as its plain function describes it. Other types of arguments are refused, not compiled."""

    carry: Callable[..., int]
    """`passes.carry`."""
    slide: Callable[..., None]
    """`windows.slide`."""
    plot: Callable[..., Plotted]
    """`itinerary.plot`."""


def kernels(folder: Path | None = None) -> Kernels:
    """The kernels, compiled or loaded at the first call: within a second from a filled cache, else in some 50 s.

    folder: see `machine.compiling`; it counts at the first call only.
    """
    if not _made:
        with _lock:
            if not _made:
                _made.append(_compile(folder))
    return _made[0]


def _compile(folder: Path | None) -> Kernels:
    # numba costs a third of a second to import: only who runs pixels pays
    from numba import types

    from kernels import windows
    from kernels.cpu import frames, itinerary, opcodes, passes, tiles
    from kernels.cpu.binding import Binder

    run_steps = frames.interpreter(tuple(opcodes.steps().values()))
    sum_values = frames.summer(tuple(opcodes.means().values()))
    binder = Binder({tiles.run_steps: run_steps, tiles.sum_values: sum_values})
    whole, levels, floats, orders = types.int64, types.uint8[::1], types.float32[::1], types.float64[::1]
    planes, table, images = types.float32[:, ::1], types.float64[:, ::1], types.uint8[:, :, ::1]
    plotted = types.UniTuple(whole, 14)  # type: ignore[no-untyped-call]  # numba has no types of its own
    with compiling(folder):
        made = Kernels(
            carry=binder.entry(passes.carry, whole(orders, levels, floats, floats, planes, floats, levels)),
            slide=binder.entry(windows.slide, types.void(images, images, whole, whole)),
            plot=binder.entry(itinerary.plot, plotted(table, types.float64, table)),
        )
    assert all(is_hashed(module) for module in binder.modules), "the cache would not see a change in what is compiled"
    return made
