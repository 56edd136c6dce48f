"""Execute: plans of a whole micro-batch on its pictures, all of them together in each launch.

One copy takes programs, routes and pictures to the device, one brings all results back; between them the host only
launches. Next steps of all pictures that are of one kind are one launch; sweeps wait for whatever else is to be done, so
there are as many of them as the picture with the most passes has.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.chain import BLACK
from kernels.cuda.arena import Arena
from kernels.cuda.compiled import Kernels, kernels
from kernels.cuda.memory import Memory, Spot
from kernels.cuda.passage import Action, Call, Ends, Launch, Passage
from kernels.stages import Chain, Stage
from kernels.tensors import Size

_KINDS = ("shrink", "average", "settle", "weigh", "sweep")
"""In the order in which they are launched where there is a choice."""
_arenas: dict[torch.device, Arena] = {}
_lock = threading.Lock()


def computed(
    cuts: Sequence[Sequence[Stage]], pictures: Sequence[torch.Tensor], device: torch.device, arena: Arena | None = None
) -> list[torch.Tensor]:
    """Each picture after all its stages: (H, W, C) uint8 on the CPU. pictures: (H, W, C) uint8 on the CPU, C 3 or 4.

    On a CUDA device kernels run on the current stream; on the CPU Triton's interpreter runs them, slowly.
    """
    made = kernels(interpreted=device.type == "cpu")
    memory = Memory()
    ways: list[list[Action]] = []
    results: list[tuple[Spot, tuple[int, int, int]] | None] = []
    for cut, pixels in zip(cuts, pictures, strict=True):
        # a picture without steps never leaves the host
        results.append(_prepared(memory, cut, pixels, ways) if cut else None)
    rounds = [_together(memory, group, made.tile) for group in scheduled(ways)]
    memory.lay_out()
    with _current(device), (arena or _arena(device)).slot() as slot:
        slot.reserve(memory.upload_bytes, memory.bytes)
        memory.write(slot.host, slot.device)
        slot.device[: memory.upload_bytes].copy_(slot.host[: memory.upload_bytes], non_blocking=True)
        for together in rounds:
            together.run(made, memory)
        brought = torch.empty(memory.bytes - memory.results_start, dtype=torch.uint8, pin_memory=device.type == "cuda")
        brought.copy_(slot.device[memory.results_start : memory.bytes], non_blocking=True)
        slot.finish()
    return [
        pixels.clone() if result is None else memory.results(brought, result[0]).view(result[1])
        for pixels, result in zip(pictures, results, strict=True)
    ]


def _prepared(
    memory: Memory, cut: Sequence[Stage], pixels: torch.Tensor, ways: list[list[Action]]
) -> tuple[Spot, tuple[int, int, int]]:
    """Where a picture's result will be, and its shape. Adds its way, and that of its alpha, to `ways`."""
    size, channels = Size(pixels.shape[0], pixels.shape[1]), pixels.shape[2]
    source, result = memory.picture(pixels), memory.result()
    passage = Passage(memory, size, Ends(source, channels, 1, result, channels, 3))
    ways.append(passage.through(cut))
    out = passage.size
    result.area.grow(out.pixels * channels)
    if channels == 4:
        # alpha is moved as a grey picture would be, and is 0 outside
        chains = [stage for stage in cut if isinstance(stage, Chain)]
        unfilled = [Chain(tuple(link._replace(fill=BLACK) for link in chain.links)) for chain in chains]
        last = Ends(source._replace(offset=3), 4, 0, result._replace(offset=3), 4, 1)
        ways.append(Passage(memory, size, last).through(unfilled))
    return result, (out.height, out.width, channels)


class Together:
    """Items of one launch, with their tables."""

    def __init__(self, kernel: str, count: int, tiles: Spot, records: Spot) -> None:
        self._kernel, self._count, self._tiles, self._records = kernel, count, tiles, records

    def run(self, made: Kernels, memory: Memory) -> None:
        tiles, records = memory.table(self._tiles, torch.int32), memory.table(self._records, torch.int64)
        made.launch(getattr(made, self._kernel), self._count, tiles, records)


class Between:
    """What torch does to one picture."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def run(self, made: Kernels, memory: Memory) -> None:
        self._call.function()


def scheduled(ways: Sequence[Sequence[Action]]) -> list[list[Action]]:
    """The actions of all ways in the order they run, what runs together in one list; each way's own order is kept."""
    left = [list(reversed(way)) for way in ways if way]
    groups: list[list[Action]] = []
    while left := [way for way in left if way]:
        calls = [way.pop() for way in left if isinstance(way[-1], Call)]
        if calls:
            groups.extend([call] for call in calls)
            continue
        kind = next(kind for kind in _KINDS if any(_is(way[-1], kind) for way in left))
        groups.append([way.pop() for way in left if _is(way[-1], kind)])
    return groups


def tiled(counts: Sequence[int], tile: int) -> NDArray[np.int32]:
    """(tiles, 2): item and first of its `count` things, for tiles of `tile` things."""
    tiles = -(-np.array(counts, np.int64) // tile)
    items = np.repeat(np.arange(len(counts)), tiles)
    firsts = np.arange(len(items)) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    return np.stack([items, firsts * tile], axis=1).astype(np.int32)


def _is(action: Action, kind: str) -> bool:
    return isinstance(action, Launch) and action.kernel == kind


def _together(memory: Memory, group: Sequence[Action], tile: int) -> Together | Between:
    if isinstance(group[0], Call):
        return Between(group[0])
    launches = [action for action in group if isinstance(action, Launch)]
    tiles = tiled([launch.count for launch in launches], tile)
    records = memory.records([launch.record for launch in launches])
    return Together(launches[0].kernel, len(tiles), memory.given(tiles), records)


def _current(device: torch.device) -> AbstractContextManager[object]:
    """Within it Triton launches on this device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _arena(device: torch.device) -> Arena:
    with _lock:
        if device not in _arenas:
            _arenas[device] = Arena(device)
        return _arenas[device]
