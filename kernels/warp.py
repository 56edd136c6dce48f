"""Moving pixels and class masks along a chain: bit for bit where it only rearranges pixels, else one bilinear reading.

A chain that shrinks is smoothed first: the source is averaged over boxes of pixels that overlap, so large that what is
read between them is as soft as the output pixel (`route.boxes`), and fine patterns turn into their mean and not into moiré.
One that shrinks last, to about a half, is read several times about each output pixel instead (`kernels.readings`).
Transparency, if a picture has it, is moved like a fourth colour, is 0 outside the picture, and does not weigh the colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from kernels import matrices
from kernels.chain import Link, Way, folded, locate, numbers, way
from kernels.cpu.places import INSIDE
from kernels.index_maps import IndexMap, Window, gather, index_map
from kernels.params import Border
from kernels.readings import asides, often
from kernels.route import CODES, Boxes, Fill, Lattice, lattice, within
from kernels.shrink import box_counts, box_sums
from kernels.tensors import Size

_RING = 2
"""The first box's middle lies at most so many boxes from the edge: none is wider than four from one to the next."""


class _Readable(NamedTuple):
    """What is read of a source: pixels or sums of boxes, (H, W, C) float32 in units of its `level`, less those of the fill.

    at: where they lie on the source, which is of size `size` and goes on as `border` says.
    """

    pixels: torch.Tensor
    of: Boxes
    at: Lattice
    border: Border
    fill: torch.Tensor | None
    level: float
    size: Size


def to_planes(pixels: torch.Tensor) -> torch.Tensor:
    """(H, W, C) uint8 as (C, H, W) float32, 0..1."""
    return pixels.permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format).div_(255.0)


def to_pixels(planes: Iterable[torch.Tensor]) -> torch.Tensor:
    """C planes (H, W) float32 0..1 as (H, W, C) uint8, rounded to the nearest level, halves to even."""
    return torch.stack([(plane * 255.0).round_().to(torch.uint8) for plane in planes], dim=-1)


def rearranged(pixels: torch.Tensor, mapped: IndexMap | Window) -> torch.Tensor:
    """(H, W, C) uint8 pixels moved by an index map, unread places filled: still uint8."""
    if isinstance(mapped, Window) or not mapped.cuts:
        return gather(pixels, mapped)
    channels = pixels.shape[2]
    moved = pixels.new_empty((len(mapped.rows), len(mapped.columns), channels))
    rows, columns = (_shown([getattr(cut, name) for cut in mapped.cuts]) for name in ("rows", "columns"))
    shown = moved[rows, columns]
    if shown.numel():
        gather(pixels, IndexMap(mapped.rows[rows], mapped.columns[columns], mapped.turned, ()), into=shown)
    lines = moved.numpy().reshape(len(mapped.rows), -1)
    for cut in mapped.cuts:
        color = color_of(cut.fill, channels, torch.device("cpu")).mul(255.0).round_().to(torch.uint8).numpy()
        # a whole line of the colour: copied as one piece, where a colour would go pixel by pixel
        line = np.tile(color, len(mapped.columns))
        for part in _stretches(cut.columns):
            lines[:, channels * part.start : channels * part.stop] = line[: channels * (part.stop - part.start)]
        for part in _stretches(cut.rows):
            lines[part] = line
    return moved


def _shown(cuts: Sequence[NDArray[np.bool_]]) -> slice:
    """From the first place that no cut covers to behind the last one."""
    places = np.flatnonzero(~np.logical_or.reduce(cuts))
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0, 0)


def _stretches(places: NDArray[np.bool_]) -> list[slice]:
    """Where places lie next to each other: torch fills slices several times as fast as masks."""
    edges = np.zeros(len(places) + 2, dtype=np.int8)
    edges[1:-1] = places
    ends = np.flatnonzero(edges[1:] != edges[:-1]).tolist()
    return [slice(start, stop) for start, stop in zip(ends[::2], ends[1::2], strict=True)]


def moved(source: torch.Tensor, links: Sequence[Link]) -> torch.Tensor:
    """The picture at the end of the chain, (C, H, W) float32 0..1. source: (H, W, C) uint8, or (C, H, W) float32."""
    mapped = index_map(links)
    if mapped is None:
        return _resampled(source, links)
    if source.dtype == torch.uint8 and mapped.is_of_bytes:
        return to_planes(rearranged(source, mapped))
    planes = gather(to_planes(source) if source.dtype == torch.uint8 else source, mapped, rows_dim=1)
    for cut in mapped.cuts:
        fill = color_of(cut.fill, planes.shape[0], planes.device)[:, None, None]
        for columns in _stretches(cut.columns):
            planes[:, :, columns] = fill
        for rows in _stretches(cut.rows):
            planes[:, rows] = fill
    return planes


def moved_classes(mask: NDArray[np.generic], links: Sequence[Link]) -> NDArray[np.generic]:
    """A mask of class numbers (H, W) at the end of the chain, each pixel the class of the nearest; 0 outside."""
    classes = torch.from_numpy(mask.astype(np.int32))
    mapped = index_map(links)
    if mapped is not None:
        planes = gather(classes, mapped)
        for cut in mapped.cuts:
            for stretch in _stretches(cut.columns):
                planes[:, stretch] = 0
            for stretch in _stretches(cut.rows):
                planes[stretch] = 0
        return planes.numpy().astype(mask.dtype)
    first, back = links[0], way(links, classes.device)
    x, y = locate(back.matrix, back.base, links[-1].size_out, classes.device)
    height, width = first.size_in
    inside = (x >= 0.0) & (x <= width) & (y >= 0.0) & (y <= height)
    x, y = (folded(axis, side, first.border) for axis, side in ((x, width), (y, height)))
    columns, rows = (axis.floor().to(torch.int64).clamp_(0, side - 1) for axis, side in ((x, width), (y, height)))
    picked = classes[rows, columns].expand(links[-1].size_out)
    for veil in back.veils:
        picked = torch.where(veil.coverage >= 0.5, picked, 0)
    if first.border == "constant":
        picked = torch.where(inside, picked, 0)
    return picked.numpy().astype(mask.dtype)


def _resampled(source: torch.Tensor, links: Sequence[Link]) -> torch.Tensor:
    """The mean of what is read of each output pixel."""
    aside, off = asides(numbers(links).tolist())
    read, output = (often(aside), often(off)), links[-1].size_out
    places = [(x, y) for y in _about(off) for x in _about(aside)]
    back = way(links, source.device, read, places[0])
    readable = _readable(source, links[0], back)
    planes = _sampled(readable, back, output)
    for place in places[1:]:
        planes += _sampled(readable, way(links, source.device, read, place), output)
    return planes if len(places) == 1 else planes.mul_(1.0 / len(places))


def _about(aside: float) -> tuple[float, ...]:
    """Where an output pixel is read once or twice along a side, from its centre."""
    return (-aside, aside) if aside > 0.0 else (0.0,)


def _readable(source: torch.Tensor, first: Link, back: Way) -> _Readable:
    """A source made ready to be read along the way back to the first link's input, wherever in output pixels."""
    # in the source's own units, rows by columns by channels: only the result is turned round and scaled to 0..1
    level, image = (255.0, source) if source.dtype == torch.uint8 else (1.0, source.permute(1, 2, 0))
    (height, width), of = first.size_in, back.boxes
    middle_x, middle_y = of.middle
    inner = within(back.reach, width, height, of.wide - middle_x, of.high - middle_y)
    border: Border = "replicate" if inner else first.border
    fill = color_of(first.fill, image.shape[2], image.device) * level if border == "constant" and any(first.fill) else None
    at = Lattice(*lattice(back.reach, width, height, of[:4], INSIDE if inner else CODES[border]))
    read = _read(image, of, at, border, fill)
    if border == "wrap":
        read = _ringed(read)
        at = at._replace(left=at.left - _RING * of.across, top=at.top - _RING * of.down)
    return _Readable(read, of, at, border, fill, level, first.size_in)


def _sampled(source: _Readable, back: Way, output: Size) -> torch.Tensor:
    """What is read of each output pixel at one place of it; see `chain.way`."""
    read, of, _, border, fill, level, _ = source
    grid = _grid(back, source, output)
    padding = "zeros" if border == "constant" else "border"
    planes = functional.grid_sample(read.permute(2, 0, 1)[None], grid[None], "bilinear", padding, align_corners=False)[0]
    scale = level * of.weight
    if scale != 1.0:
        planes *= 1.0 / scale
    if fill is not None:
        planes += (fill / level)[:, None, None]
    for veil in back.veils:
        if any(veil.fill):
            shown = color_of(veil.fill, planes.shape[0], planes.device)[:, None, None]
            planes.sub_(shown).mul_(veil.coverage).add_(shown)
        else:
            planes.mul_(veil.coverage)
    return planes.clamp_(0.0, 1.0)


def _read(image: torch.Tensor, of: Boxes, at: Lattice, border: Border, fill: torch.Tensor | None) -> torch.Tensor:
    """What is read of the source: sums of boxes, (H, W, C) float32, less those of the fill.

    So the zeros read outside stand for the fill.
    """
    if not of.are_needed:
        sums = image[at.top : at.top + at.rows, at.left : at.left + at.columns].to(torch.float32)
        return sums if fill is None else sums - fill
    sums = box_sums(image, of, at, border)
    return sums if fill is None else sums - box_counts(image, of, at) * fill


def _ringed(image: torch.Tensor) -> torch.Tensor:
    """(H, W, C) with `_RING` more pixels on every side, from the opposite edge."""
    rows, columns = (torch.arange(-_RING, side + _RING, device=image.device) % side for side in image.shape[:2])
    return image[rows][:, columns]


def _grid(back: Way, source: _Readable, output: Size) -> torch.Tensor:
    """Where each output pixel reads, in the units of `grid_sample`: (H, W, 2), -1..1 across what is read."""
    read, of, at, border, _, _, size = source
    scale_x, scale_y = 2.0 / (read.shape[1] * of.across), 2.0 / (read.shape[0] * of.down)
    # as if boxes lay beside each other about their middles
    middle_x, middle_y = of.middle
    left, top = at.left + middle_x - of.across / 2, at.top + middle_y - of.down / 2
    offset_x, offset_y = -left * scale_x - 1.0, -top * scale_y - 1.0
    grid = torch.empty((*output, 2), dtype=torch.float32, device=read.device)
    if border in ("reflect", "wrap"):
        x, y = locate(back.matrix, back.base, output, read.device)
        x, y = folded(x, size.width, border), folded(y, size.height, border)
        grid[..., 0], grid[..., 1] = x * scale_x + offset_x, y * scale_y + offset_y
        return grid
    to_units = (scale_x, 0.0, offset_x, 0.0, scale_y, offset_y, 0.0, 0.0, 1.0)
    x, y = locate(matrices.multiply(to_units, back.matrix), back.base, output, read.device)
    grid[..., 0], grid[..., 1] = x, y
    return grid


def color_of(fill: Fill, channels: int, device: torch.device) -> torch.Tensor:
    """A fill as (C,) float32; alpha is 0."""
    return torch.tensor([*fill, 0.0][:channels], dtype=torch.float32, device=device)
