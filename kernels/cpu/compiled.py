"""The compiled kernels of this process: made once, from the cache folder or anew, for one set of types."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kernels.cpu.machine import compiling, is_hashed

Plotted = tuple[int, int, int, int, int, int, int, int, int, int, int, int]

_lock = threading.Lock()
_made: list[Kernels] = []


@dataclass(frozen=True)
class Kernels:
    """The entry points, each as its plain function describes it. Other types of arguments are refused, not compiled."""

    advance: Callable[..., None]
    """`tiles.advance`."""
    shrink: Callable[..., None]
    """`boxes.shrink`, to sums of 16 bits or to floats."""
    weigh: Callable[..., None]
    """`blurs.weigh`."""
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
    from kernels.cpu import blurs, boxes, frames, itinerary, opcodes, tiles
    from kernels.cpu.binding import Binder

    run_steps = frames.interpreter(tuple(opcodes.steps().values()))
    sum_values = frames.summer(tuple(opcodes.means().values()))
    binder = Binder({tiles.run_steps: run_steps, tiles.sum_values: sum_values})
    whole = types.int64
    levels, sums, floats, places = types.uint8[::1], types.uint16[::1], types.float32[::1], types.int64[::1]
    planes, table, program = types.float32[:, ::1], types.float64[:, ::1], types.int64[:, ::1]
    images = types.uint8[:, :, ::1]
    to_advance = (whole, levels, sums, floats, table, floats, planes, whole, whole, program, floats, *[whole] * 4, levels)
    to_shrink = [types.void(levels, *[whole] * 13, floats, result) for result in (sums, floats)]
    plotted = types.UniTuple(whole, 12)  # type: ignore[no-untyped-call]  # numba has no types of its own
    with compiling(folder):
        made = Kernels(
            advance=binder.entry(tiles.advance, types.void(*to_advance)),
            shrink=binder.entry(boxes.shrink, *to_shrink),
            weigh=binder.entry(blurs.weigh, types.void(planes, whole, whole, floats, places, places, floats)),
            slide=binder.entry(windows.slide, types.void(images, images, whole, whole)),
            plot=binder.entry(itinerary.plot, plotted(table, types.float64, table)),
        )
    assert all(is_hashed(module) for module in binder.modules), "the cache would not see a change in what is compiled"
    return made
