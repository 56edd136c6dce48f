"""Outlines on their way along a chain: moved, bent by fields, clipped to every canvas, with the share that is left.

Matrices move corners exactly; a field is inverted by fixed-point iteration, and by Newton's method where it bends too much
for that; sides get more points to bend with. Under `wrap` an outline is taken where its largest piece comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels import matrices
from kernels.chain import Link
from kernels.matrices import Point, Points
from kernels.tensors import Size

_BENT_PIECE = 6.0
_MOST_PIECES = 64
"""A side that is bent by a field is cut into pieces of so many pixels, and into so many at most."""
_INVERSE_STEPS = 40
_CLOSE = 1e-6
"""The iteration has arrived when nothing moves by more than this, in pixels."""
_LATTICE = 33
_AT_ONCE = 4096
"""Places a side from which Newton's method starts, and points that look for the nearest one at once."""
_FAR = 1e6
Ring = list[Point]


class Outlines(NamedTuple):
    """Closed outlines, those that are gone left out."""

    numbers: NDArray[np.intp]
    """(n,): the place of each in the list they came in."""
    points: Points
    """(m, 2): x and y of all corners, one outline after the other."""
    starts: NDArray[np.intp]
    """(n,): the place of each outline's first corner."""
    visible: NDArray[np.float64]
    """(n,): the share of each that is left, 0..1."""

    def each(self) -> list[Points]:
        """The corners of each."""
        ends = [*self.starts.tolist(), len(self.points)]
        return [self.points[first:end] for first, end in pairwise(ends)]

    def extents(self) -> tuple[Points, Points]:
        """Left and top, right and bottom: each (n, 2)."""
        return np.minimum.reduceat(self.points, self.starts), np.maximum.reduceat(self.points, self.starts)

    def areas(self) -> NDArray[np.float64]:
        """(n,): the area of each, in square pixels."""
        ends = self.points[_following(self)]
        crossed = self.points[:, 0] * ends[:, 1] - self.points[:, 1] * ends[:, 0]
        found: NDArray[np.float64] = np.abs(np.add.reduceat(crossed, self.starts)) / 2
        return found


def followed(rings: Sequence[Points], links: Sequence[Link], size: Size, *, clip: bool) -> tuple[Outlines, Outlines]:
    """Outlines at the end of the chain: what is on the canvas after every step, and the form that is to be written.

    That is the same, or without `clip` the outline as it would be on a canvas without an end; clipped all the same where
    perspective sends it out of all reach. What lies off the picture from the start does not count as lost.
    """
    here = _clipped(_joined(rings), size)
    here = here._replace(visible=np.ones(len(here.numbers)))
    whole = None if clip else _joined([rings[number] for number in here.numbers])
    for link in links:
        if not len(here.numbers):
            break
        here, whole = _moved(here, link), whole and _moved(whole, link)
        if link.border == "wrap":
            turned = _turns(here, link.size_out)
            here, whole = _shifted(here, turned), whole and _shifted(whole, turned)
        before, here = here.numbers, _clipped(here, link.size_out)
        whole = whole and _kept(whole, np.isin(before, here.numbers), here)
    return here, whole or here


def forward(points: Points, link: Link) -> Points:
    """Where points of a step's input canvas go."""
    if link.displacement is None:
        return matrices.moved(link.forward, points)
    field = link.displacement.numpy()
    places = points
    for _ in range(_INVERSE_STEPS):
        before, places = places, points - displacement_at(field, places)
        off = np.abs(places - before).max(axis=1, initial=0.0)
        if off.max(initial=0.0) < _CLOSE:
            return places
    left = ~(off < _CLOSE)
    places[left] = _solved(field, points[left])
    return places


def _solved(field: NDArray[np.float32], points: Points) -> Points:
    """The same by Newton's method, from the nearest of some places whose way is known. Fields must be one to one."""
    _, height, width = field.shape
    across, down = (np.linspace(0.0, side, min(side + 1, _LATTICE)) for side in (width, height))
    known = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    reached = known + displacement_at(field, known)
    chunks = [points[first : first + _AT_ONCE] for first in range(0, len(points), _AT_ONCE)]
    nearest = [np.square(chunk[:, None] - reached).sum(axis=2).argmin(axis=1) for chunk in chunks]
    places = known[np.concatenate(nearest)] if nearest else points
    for _ in range(_INVERSE_STEPS):
        off = places + displacement_at(field, places) - points
        if np.abs(off).max(initial=0.0) < _CLOSE:
            break
        pace_x, pace_y = (
            step + displacement_at(field, places + step / 2) - displacement_at(field, places - step / 2)
            for step in np.eye(2)
        )
        determinant = pace_x[:, 0] * pace_y[:, 1] - pace_x[:, 1] * pace_y[:, 0]
        determinant = np.where(np.abs(determinant) < 1e-3, 1e-3, determinant)
        right = (off[:, 0] * pace_y[:, 1] - off[:, 1] * pace_y[:, 0]) / determinant
        below = (off[:, 1] * pace_x[:, 0] - off[:, 0] * pace_x[:, 1]) / determinant
        step = np.stack([right, below], axis=1)
        # never further than to the next of the places that are known
        most = max(width, height) / (_LATTICE - 1)
        places = places - step * np.minimum(1.0, most / np.maximum(np.hypot(right, below), 1e-12))[:, None]
    return places


def on_canvas(points: Points, size: Size) -> NDArray[np.bool_]:
    """Which points lie on a canvas, its edge included."""
    x, y = points[:, 0], points[:, 1]
    return (x >= 0.0) & (x <= size.width) & (y >= 0.0) & (y <= size.height)


def _joined(rings: Sequence[Points]) -> Outlines:
    starts = np.cumsum([0, *(len(ring) for ring in rings)])[:-1].astype(np.intp)
    points = np.concatenate(rings) if rings else np.empty((0, 2))
    return Outlines(np.arange(len(rings)), points, starts, np.ones(len(rings)))


def _moved(outlines: Outlines, link: Link) -> Outlines:
    if link.displacement is not None:
        outlines = _densified(outlines)  # straight lines bend in a field
    return outlines._replace(points=forward(outlines.points, link))


def _shifted(outlines: Outlines, by: Points) -> Outlines:
    """Each outline moved by its own row of `by`."""
    return outlines._replace(points=outlines.points + np.repeat(by, _lengths(outlines), axis=0))


def _kept(whole: Outlines, kept: NDArray[np.bool_], clipped: Outlines) -> Outlines:
    """Those of `whole` that are kept; the clipped form of what a perspective has sent out of all reach."""
    reach = np.maximum.reduceat(np.abs(np.nan_to_num(whole.points, nan=np.inf)).max(axis=1), whole.starts)
    if kept.all() and (reach <= _FAR).all():
        return whole._replace(numbers=clipped.numbers, visible=clipped.visible)
    near = [ring if far <= _FAR else None for ring, far in zip(whole.each(), reach.tolist(), strict=True)]
    left = [ring for ring, keep in zip(near, kept.tolist(), strict=True) if keep]
    rings = [short if ring is None else ring for ring, short in zip(left, clipped.each(), strict=True)] if left else []
    return _joined(rings)._replace(numbers=clipped.numbers, visible=clipped.visible)


def _clipped(outlines: Outlines, size: Size) -> Outlines:
    """What is on the canvas; what is not is gone."""
    if not len(outlines.numbers):
        return outlines
    inside = np.logical_and.reduceat(on_canvas(outlines.points, size), outlines.starts)
    if inside.all():
        return outlines
    corners: Ring = list(map(tuple, outlines.points.tolist()))
    ends = [*outlines.starts.tolist(), len(corners)]
    kept: list[int] = []
    shares: list[float] = []
    starts: list[int] = []
    left: Ring = []
    for place, is_inside in enumerate(inside.tolist()):
        ring, share = corners[ends[place] : ends[place + 1]], 1.0
        if not is_inside:
            whole, ring = _area(ring), _cut(ring, size)
            if not ring:
                continue
            share = _area(ring) / whole if whole > 0.0 else 1.0
        kept.append(place)
        shares.append(share)
        starts.append(len(left))
        left += ring
    visible = outlines.visible[kept] * np.array(shares)
    return Outlines(outlines.numbers[kept], np.array(left).reshape(-1, 2), np.array(starts, dtype=np.intp), visible)


def _cut(ring: Ring, size: Size) -> Ring:
    """The part of an outline on a canvas (Sutherland and Hodgman); empty where nothing but its edge is left."""
    area = _area(ring)
    if not area < _FAR * _FAR:  # not finite: a part of it lies behind the horizon
        return []
    for axis, edge, sign in ((0, 0.0, 1.0), (0, float(size.width), -1.0), (1, 0.0, 1.0), (1, float(size.height), -1.0)):
        kept: Ring = []
        start = ring[-1] if ring else (0.0, 0.0)
        before = (start[axis] - edge) * sign
        for end in ring:
            after = (end[axis] - edge) * sign
            if (before < 0.0) != (after < 0.0):
                share = before / (before - after)
                across = start[1 - axis] + (end[1 - axis] - start[1 - axis]) * share
                kept.append((edge, across) if axis == 0 else (across, edge))
            if after >= 0.0:
                kept.append(end)
            start, before = end, after
        ring = kept
    return ring if area == 0.0 or _area(ring) > 0.0 else []


def _area(ring: Ring) -> float:
    total = 0.0
    x, y = ring[-1] if ring else (0.0, 0.0)
    for u, v in ring:
        total += x * v - y * u
        x, y = u, v
    return abs(total) / 2


def _turns(outlines: Outlines, size: Size) -> Points:
    """How far to shift each outline, by whole pictures, so that its largest piece lies on the canvas: (n, 2)."""
    shifts = np.zeros((len(outlines.numbers), 2))
    side = np.array([size.width, size.height], dtype=np.float64)
    low, high = outlines.extents()
    first, last = np.floor(low / side), np.floor(high / side)
    for place in np.flatnonzero((first != 0.0).any(axis=1) | (last != 0.0).any(axis=1)).tolist():
        ring = outlines.each()[place]
        spans = [np.arange(first[place, axis], last[place, axis] + 1) for axis in (0, 1)]
        turns = [-side * (across, down) for down in spans[1] for across in spans[0]]
        pieces = [_cut(list(map(tuple, (ring + turn).tolist())), size) for turn in turns]
        shifts[place] = turns[max(range(len(turns)), key=lambda number: _area(pieces[number]))]
    return shifts


def _densified(outlines: Outlines) -> Outlines:
    """The same outlines with a point at least every few pixels."""
    if not len(outlines.numbers):
        return outlines
    sides = outlines.points[_following(outlines)] - outlines.points
    pieces = np.ceil(np.hypot(sides[:, 0], sides[:, 1]) / _BENT_PIECE).clip(1, _MOST_PIECES).astype(np.intp)
    begins = np.cumsum(pieces) - pieces
    of = np.repeat(np.arange(len(pieces)), pieces)
    shares = (np.arange(len(of)) - begins[of]) / pieces[of]
    return outlines._replace(points=outlines.points[of] + sides[of] * shares[:, None], starts=begins[outlines.starts])


def _following(outlines: Outlines) -> NDArray[np.intp]:
    """The place of the next corner, for each corner."""
    following = np.arange(1, len(outlines.points) + 1)
    following[np.append(outlines.starts[1:], len(outlines.points)) - 1] = outlines.starts
    return following


def _lengths(outlines: Outlines) -> NDArray[np.intp]:
    return np.diff(np.append(outlines.starts, len(outlines.points)))


def displacement_at(field: NDArray[np.float32], points: Points) -> Points:
    """The displacement (n, 2) at points, bilinear between pixels, its edge beyond them."""
    _, height, width = field.shape
    x, y = np.clip(points[:, 0] - 0.5, 0, width - 1), np.clip(points[:, 1] - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    upper = field[:, top, left] * (1 - across) + field[:, top, right] * across
    lower = field[:, bottom, left] * (1 - across) + field[:, bottom, right] * across
    shift: Points = (upper * (1 - down) + lower * down).T.astype(np.float64)
    return shift
