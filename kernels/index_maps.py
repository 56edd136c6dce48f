"""Exact chains: flips, quarter turns, shifts, crops and pads by whole pixels move every pixel bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from kernels.chain import Link
from kernels.op import Matrix
from kernels.params import Border
from kernels.route import Fill
from kernels.tensors import Size

Places = NDArray[np.int64]
Runs = list[tuple[int, int, int]]
_CLOSE = 1e-9
_MOST_RUNS = 8


@dataclass(frozen=True)
class Cut:
    """A canvas that was left: output columns and rows that lie outside it show `fill`."""

    columns: NDArray[np.bool_]
    rows: NDArray[np.bool_]
    fill: Fill


@dataclass(frozen=True)
class IndexMap:
    """Output pixel (row, column) is source pixel (rows[row], columns[column]), or the other way about if `turned`."""

    rows: Places
    columns: Places
    turned: bool
    cuts: tuple[Cut, ...]

    @property
    def is_of_bytes(self) -> bool:
        """Whether every fill is one of the 256 levels, so that bytes may be moved as they are."""
        return all(round(level * 255.0) / 255.0 == level for cut in self.cuts for level in cut.fill)


@dataclass(frozen=True)
class Window:
    """A part of the source: the rows from `top` on and the columns from `left` on, flipped, and then turned.

    size: of the part, before it is turned. is_upended: its last row is first; is_mirrored: its last column is; turned: rows
    become columns.
    """

    top: int
    left: int
    size: Size
    is_upended: bool
    is_mirrored: bool
    turned: bool
    cuts: tuple[Cut, ...] = ()
    is_of_bytes = True


def index_map(links: Sequence[Link]) -> IndexMap | Window | None:
    """The chain as an index map, or None if some step needs interpolation."""
    for link in links:
        if link.displacement is not None or not _exact(link.forward):
            return None
    if (window := _window(links)) is not None:
        return window
    height, width = links[-1].size_out
    across, down, turned = np.arange(width), np.arange(height), False
    cuts: list[Cut] = []
    for link in reversed(links):
        a, b, c, d, e, f = link.back[:6]
        # (x, y) of this canvas are carried by (down, across) once a quarter turn has swapped them
        along_x, along_y = (down, across) if turned else (across, down)
        if b == 0.0:
            along_x, along_y = _line(along_x, a, c), _line(along_y, e, f)
        else:
            along_x, along_y, turned = _line(along_y, b, c), _line(along_x, d, f), not turned
        if link.border == "constant":
            outside_x, outside_y = _outside(along_x, link.size_in.width), _outside(along_y, link.size_in.height)
            if outside_x.any() or outside_y.any():
                columns, rows = (outside_y, outside_x) if turned else (outside_x, outside_y)
                cuts.insert(0, Cut(columns, rows, link.fill))
        along_x, along_y = (
            _folded(along_x, link.size_in.width, link.border),
            _folded(along_y, link.size_in.height, link.border),
        )
        across, down = (along_y, along_x) if turned else (along_x, along_y)
    return IndexMap(down, across, turned, tuple(cuts))


def _window(links: Sequence[Link]) -> Window | None:
    """An exact chain as a part of its source, if it never leaves a canvas."""
    height, width = links[-1].size_out
    # which column is seen at the first place along the output, and at the last one, and which row
    from_x, to_x, from_y, to_y, turned = 0, width - 1, 0, height - 1, False
    for link in reversed(links):
        a, b, c, d, e, f = link.forward[:6]
        if b == 0.0:
            (from_x, to_x), (from_y, to_y) = _seen(from_x, to_x, a, c), _seen(from_y, to_y, e, f)
        else:
            (from_x, to_x), (from_y, to_y), turned = _seen(from_y, to_y, d, f), _seen(from_x, to_x, b, c), not turned
        rows, columns = link.size_in
        if min(from_x, to_x, from_y, to_y) < 0 or max(from_x, to_x) >= columns or max(from_y, to_y) >= rows:
            return None
    size = Size(abs(to_y - from_y) + 1, abs(to_x - from_x) + 1)
    return Window(min(from_y, to_y), min(from_x, to_x), size, to_y < from_y, to_x < from_x, turned)


def _seen(first: int, last: int, sign: float, shift: float) -> tuple[int, int]:
    """The pixels whose centres x' = sign x + shift takes to those of `first` and `last`."""
    whole = round(shift)
    return (first - whole, last - whole) if sign > 0 else (whole - 1 - first, whole - 1 - last)


def gather(
    planes: torch.Tensor, mapped: IndexMap | Window, rows_dim: int = 0, into: torch.Tensor | None = None
) -> torch.Tensor:
    """Pixels of `planes`, rows and columns being dimensions `rows_dim` and the next: `into`, or a contiguous new tensor."""
    if isinstance(mapped, Window):
        part = _part(planes, mapped, rows_dim)
        return part if into is None else into.copy_(part)
    if mapped.turned:
        planes = planes.transpose(rows_dim, rows_dim + 1)
    down, across = _runs(mapped.rows), _runs(mapped.columns)
    if len(down) * len(across) > 1 and max(len(down), len(across)) <= _MOST_RUNS:
        return _in_blocks(planes, rows_dim, down, across, into)
    picked = _picked(_picked(planes, rows_dim, mapped.rows, down), rows_dim + 1, mapped.columns, across)
    if into is not None:
        return into.copy_(picked)
    # a slice is a view: the result must never share memory with the picture it came from
    shared = picked.untyped_storage().data_ptr() == planes.untyped_storage().data_ptr()
    return picked.clone(memory_format=torch.contiguous_format) if shared else picked.contiguous()


def _part(planes: torch.Tensor, window: Window, rows_dim: int) -> torch.Tensor:
    if planes.dtype == torch.uint8 and planes.dim() == 3 and rows_dim == 0 and planes.device.type == "cpu":
        return torch.from_numpy(_part_of_pixels(planes.numpy(), window))
    part = planes.narrow(rows_dim, window.top, window.size.height).narrow(rows_dim + 1, window.left, window.size.width)
    flips = [rows_dim + dim for dim, flips in enumerate((window.is_upended, window.is_mirrored)) if flips]
    # a slice is a view: the result must never share memory with the picture it came from
    part = part.flip(flips) if flips else part
    if window.turned:
        part = part.transpose(rows_dim, rows_dim + 1)
    return part.clone(memory_format=torch.contiguous_format)


def _part_of_pixels(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """By OpenCV, which moves bytes of several pixels at once where torch moves them one by one."""
    part = pixels[window.top : window.top + window.size.height, window.left : window.left + window.size.width]
    if window.is_upended or window.is_mirrored:
        code = -1 if window.is_upended and window.is_mirrored else int(window.is_mirrored)
        part = np.asarray(cv2.flip(part, code), dtype=np.uint8)
    elif not window.turned:
        return part.copy()
    return np.asarray(cv2.transpose(part), dtype=np.uint8) if window.turned else part


def _in_blocks(planes: torch.Tensor, rows_dim: int, down: Runs, across: Runs, into: torch.Tensor | None) -> torch.Tensor:
    """Block after block, each a stretch of rows and one of columns, straight to its place: frames, and what is wrapped."""
    shape = list(planes.shape)
    shape[rows_dim], shape[rows_dim + 1] = (sum(length for _, _, length in runs) for runs in (down, across))
    result = planes.new_empty(shape) if into is None else into
    top = 0
    for run in down:
        rows = _stretch(planes, rows_dim, run)
        left = 0
        for other in across:
            target = result.narrow(rows_dim, top, run[2]).narrow(rows_dim + 1, left, other[2])
            target.copy_(_stretch(rows, rows_dim + 1, other))
            left += other[2]
        top += run[2]
    return result


def _stretch(planes: torch.Tensor, dim: int, run: tuple[int, int, int]) -> torch.Tensor:
    """A run of places along `dim`; one of step 0 has one place, to be repeated."""
    start, step, length = run
    part = planes.narrow(dim, start if step >= 0 else start - length + 1, length if step else 1)
    return part.flip(dim) if step < 0 else part


def _picked(planes: torch.Tensor, dim: int, places: Places, runs: Runs) -> torch.Tensor:
    """Rows or columns at `places`, as slices where they follow each other, in `runs`: far faster than one by one."""
    if len(runs) > _MOST_RUNS:
        return planes.index_select(dim, torch.from_numpy(places).to(planes.device))
    shape = list(planes.shape)
    parts = []
    for run in runs:
        shape[dim] = run[2]
        parts.append(_stretch(planes, dim, run).expand(shape))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def _runs(places: Places) -> Runs:
    """Stretches of places that rise, fall or stay: (first place, step, length)."""
    steps = places[1:] - places[:-1]
    turns = [*(np.flatnonzero(steps[1:] != steps[:-1]) + 1).tolist(), len(steps)]
    runs: Runs = []
    begin = turn = 0
    while begin < len(places) and len(runs) <= _MOST_RUNS:
        while turn < len(turns) - 1 and turns[turn] <= begin:
            turn += 1
        step = int(steps[begin]) if begin < len(steps) else 1
        end = turns[turn] if begin < len(steps) and step in (-1, 0, 1) else begin
        runs.append((int(places[begin]), step if step in (-1, 0, 1) else 1, end - begin + 1))
        begin = end + 1
    return runs


def _exact(matrix: Matrix) -> bool:
    """Whether pixel centres go to pixel centres: axes kept or swapped, unit steps, whole shifts."""
    a, b, c, d, e, f, g, h, i = matrix
    kept = b == d == 0.0 and abs(a) == abs(e) == 1.0
    swapped = a == e == 0.0 and abs(b) == abs(d) == 1.0
    whole = abs(c - round(c)) < _CLOSE and abs(f - round(f)) < _CLOSE
    return bool((kept or swapped) and whole and (g, h, i) == (0.0, 0.0, 1.0))


def _line(places: Places, sign: float, shift: float) -> Places:
    """Pixel numbers under x' = sign x + shift of their centres."""
    return places + round(shift) if sign > 0 else round(shift) - 1 - places


def _outside(places: Places, side: int) -> NDArray[np.bool_]:
    return (places < 0) | (places >= side)


def _folded(places: Places, side: int, border: Border) -> Places:
    if border == "wrap":
        wrapped: Places = np.mod(places, side)
        return wrapped
    if border == "reflect":
        turned = np.mod(places, 2 * side)
        mirrored: Places = np.minimum(turned, 2 * side - 1 - turned)
        return mirrored
    clipped: Places = np.clip(places, 0, side - 1)
    return clipped
