"""The compiled kernels of this process: made once, from the cache folder or anew, for one set of types."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kernels.cpu import blurs, boxes, tiles
from kernels.cpu.machine import cache_folder

_lock = threading.Lock()
_made: list[Kernels] = []


@dataclass(frozen=True)
class Kernels:
    """The entry points, each as its plain function describes it."""

    advance: Callable[..., int]
    shrink: Callable[..., None]
    weigh: Callable[..., None]


def kernels(folder: Path | None = None) -> Kernels:
    """The kernels, compiled or loaded at the first call: within a second from a filled cache, else in some 15 s.

    folder: where compiled code is kept, unless the kernels are there already; the user's cache folder if not given.
    """
    if not _made:
        with _lock:
            if not _made:
                with cache_folder(folder) as place:
                    _made.append(_compile(place))
    return _made[0]


def _compile(place: Path) -> Kernels:
    # numba costs a third of a second to import: only who runs pixels pays
    import numba
    from numba import types

    from kernels.cpu import frames, opcodes
    from kernels.cpu.binding import Binder

    run_steps, _ = frames.interpreter(tuple(opcodes.steps().values()))
    sum_values, _ = frames.summer(tuple(opcodes.means().values()))
    binder = Binder({tiles.run_steps: run_steps, tiles.sum_values: sum_values})
    whole, yes = types.int64, types.boolean
    levels, floats = types.uint8[::1], types.float32[::1]
    planes, table, program = types.float32[:, ::1], types.float64[:, ::1], types.int64[:, ::1]
    settings = {"CACHE_DIR": str(place), **_processor()}
    before = {name: getattr(numba.config, name) for name in settings}
    vars(numba.config).update(settings)
    try:
        return Kernels(
            advance=binder.entry(
                tiles.advance,
                whole(whole, levels, floats, table, floats, planes, whole, whole, program, floats, whole, whole, levels),
            ),
            shrink=binder.entry(
                boxes.shrink,
                types.void(levels, whole, whole, whole, whole, whole, whole, yes, floats, floats),
            ),
            weigh=binder.entry(
                blurs.weigh, types.void(planes, whole, whole, floats, types.int64[::1], types.int64[::1], floats)
            ),
        )
    finally:
        vars(numba.config).update(before)


def _processor() -> dict[str, str]:
    """What numba is told of the processor: to use the whole of its vectors, where LLVM would rather use half of them."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    if not features.get("avx512f"):
        return {}
    return {"CPU_NAME": binding.get_host_cpu_name(), "CPU_FEATURES": f"{features.flatten()},-prefer-256-bit"}
