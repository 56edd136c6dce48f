"""The kernels of this process: made once for a GPU, or once for Triton's interpreter, which runs them on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from kernels.cpu import opcodes
from kernels.cuda import blurs, boxes, frames, tiles
from kernels.cuda.binding import Binder, Generated

TILE = 512
"""Pixels of a tile on a GPU: four a thread; more would leave the opcode kernel fewer threads with more registers."""
INTERPRETED_TILE = 2048
"""Pixels of a tile in the interpreter, whose cost is a tile's, not a pixel's."""
OPTIONS: dict[str, Any] = {"num_warps": 4, "enable_fp_fusion": False}
"""A sum and a product are never one instruction: so a GPU has the interpreter's bits, whatever the compiler's version."""

_lock = threading.Lock()
_made: dict[bool, Kernels] = {}


@dataclass(frozen=True)
class Kernels:
    """The kernels by what they do: each takes a table of tiles and one of records, see `records`."""

    sweep: Any
    """`tiles.sweep`."""
    average: Any
    """`tiles.average`."""
    settle: Any
    """`tiles.settle`."""
    shrink: Any
    """`boxes.shrink`."""
    weigh: Any
    """`blurs.weigh`."""
    interpreted: bool

    @property
    def tile(self) -> int:
        return INTERPRETED_TILE if self.interpreted else TILE

    def launch(self, kernel: Any, count: int, table: torch.Tensor, records: torch.Tensor) -> None:
        """Runs a kernel on `count` tiles, on the current stream."""
        options = {} if self.interpreted else OPTIONS
        kernel[(count,)](table, records, lanes=self.tile, **options)


def kernels(interpreted: bool) -> Kernels:
    """The kernels; on a GPU each is compiled by its first launch, or read from Triton's cache folder."""
    with _lock:
        if interpreted not in _made:
            _made[interpreted] = _make(interpreted)
        return _made[interpreted]


def _make(interpreted: bool) -> Kernels:
    generated: dict[Callable[..., object], Generated] = {
        tiles.run_step: frames.stepper(tuple(opcodes.steps().values())),
        tiles.mean_values: frames.summer(tuple(opcodes.means().values())),
    }
    binder = Binder(interpreted, generated)
    return Kernels(
        sweep=binder.entry(tiles.sweep, "tiles", "records"),
        average=binder.entry(tiles.average, "tiles", "records"),
        settle=binder.entry(tiles.settle, "tiles", "records"),
        shrink=binder.entry(boxes.shrink, "tiles", "records"),
        weigh=binder.entry(blurs.weigh, "tiles", "records"),
        interpreted=interpreted,
    )
