"""Chains: consecutive geometric steps as links, and the coordinates that lead back through all of them (see `route`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from kernels.matrices import IDENTITY, Point, inverse, is_affine
from kernels.op import Field, Matrix, Places, asked
from kernels.params import Border, Warp
from kernels.plan import PlannedStep
from kernels.route import Fill, Shift, route
from kernels.tensors import Size

_TINY = 1e-6
_FAR = 1e6
"""A place outside every canvas, for points that a perspective cannot show."""
BLACK: Fill = (0.0, 0.0, 0.0)
_STILL = torch.zeros(2, 1, 1)


class Link(NamedTuple):
    """One geometric step: how a point of its output canvas finds its place on its input canvas."""

    forward: Matrix
    back: Matrix
    displacement: torch.Tensor | None
    """(2, H, W) float32 pixels, instead of the matrices."""
    size_in: Size
    size_out: Size
    border: Border
    fill: Fill


@dataclass(frozen=True)
class Veil:
    """Where a canvas on the way was left: the rest shows `fill`. coverage: (H, W) float32 0..1 of the output."""

    coverage: torch.Tensor
    fill: Fill


@dataclass(frozen=True)
class Way:
    """Where output pixels lie on the first canvas: at `matrix` applied to `base`, under `veils` from first to last step.

    base: x and y, each (H, W) float32, or None for the centres of the output's pixels. reach: see `Route`.
    """

    matrix: Matrix
    base: tuple[torch.Tensor, torch.Tensor] | None
    veils: tuple[Veil, ...]
    reach: tuple[Point, ...]


def chain(steps: Sequence[PlannedStep]) -> tuple[Link, ...]:
    """Links of geometric steps, first step first."""
    return tuple(_link(step) for step in steps)


def outlined(steps: Sequence[PlannedStep]) -> tuple[Link, ...]:
    """`chain` without the work of its fields, which displace nothing here: the same sizes, borders and passes."""
    return tuple(_link(step, displaces=False) for step in steps)


def _link(step: PlannedStep, *, displaces: bool = True) -> Link:
    # without a border of its own a step stays on its canvas, but for the outer half of the edge pixels
    border: Border = step.params.border if isinstance(step.params, Warp) else "replicate"
    fill = step.params.fill if isinstance(step.params, Warp) else BLACK
    match step.op.kind:
        case Places(matrix=matrix):
            forward = matrix(step.size_in, **asked(matrix, step.fields))
            back = inverse(forward)
            return Link(forward, back, None, step.size_in, step.size_out, border, fill)
        case Field(displacement=displacement):
            moved = displacement(step.size_in, step.noise_seed, **step.fields) if displaces else _STILL
            return Link(IDENTITY, IDENTITY, moved, step.size_in, step.size_out, border, fill)
        case _:
            raise TypeError(f"{step.op.name} moves nothing")


def way(links: Sequence[Link], device: torch.device) -> Way:
    """The way back from the last link's output to the first link's input; the first canvas itself is not folded."""
    output, found = links[-1].size_out, route(links)
    base: tuple[torch.Tensor, torch.Tensor] | None = None
    veils: list[Veil] = []
    for step in found.steps:
        x, y = locate(step.matrix, base, output, device)
        if isinstance(step, Shift):
            base = displaced((x, y), step.field, step.on_pixels)
            continue
        (soft_x, soft_y), (margin_x, margin_y), (height, width) = step.softness, step.margins, step.size
        if step.border == "constant":
            covered = _coverage(x, width, soft_x) * _coverage(y, height, soft_y)
            veils.insert(0, Veil(covered, step.fill))
        base = (
            folded(x, width, step.border).clamp(margin_x, width - margin_x),
            folded(y, height, step.border).clamp(margin_y, height - margin_y),
        )
    return Way(found.matrix, base, tuple(veils), found.reach)


def locate(
    matrix: Matrix, base: tuple[torch.Tensor, torch.Tensor] | None, output: Size, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """`matrix` applied to `base` (the output's pixel centres if None): x and y, each (H, W) float32."""
    if base is None:
        x = torch.arange(output.width, dtype=torch.float32, device=device).add_(0.5).unsqueeze(0)
        y = torch.arange(output.height, dtype=torch.float32, device=device).add_(0.5).unsqueeze(1)
    else:
        x, y = base
        if matrix == IDENTITY:
            return x, y
    rows = [_line(x, y, *matrix[at : at + 3]) for at in ((0, 3) if is_affine(matrix) else (0, 3, 6))]
    if len(rows) == 3:
        # behind the horizon there is nothing to show: send such points out of every canvas
        visible = rows[2] > _TINY
        safe = torch.where(visible, rows[2], 1.0)
        rows = [torch.where(visible, (row / safe).clamp_(-_FAR, _FAR), -_FAR) for row in rows[:2]]
    return rows[0], rows[1]


def _line(x: torch.Tensor, y: torch.Tensor, a: float, b: float, c: float) -> torch.Tensor:
    """a x + b y + c, where x and y are a row and a column (the sum is their outer one), or of one shape."""
    if x.shape != y.shape:
        return x * a + (y * b + c)
    if b == 0.0:
        return (x * a).add_(c)
    return torch.add((x * a).add_(c), y, alpha=b)


def displaced(
    place: tuple[torch.Tensor, torch.Tensor], displacement: torch.Tensor, on_pixels: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points moved by a field that is given on the pixels of its canvas, read bilinearly unless they are those pixels."""
    x, y = place
    field = displacement.to(x.device)
    if on_pixels:
        return x + field[0], y + field[1]
    height, width = field.shape[1:]
    grid = torch.stack([x * (2.0 / width) - 1.0, y * (2.0 / height) - 1.0], dim=-1)
    shift = torch.nn.functional.grid_sample(field[None], grid[None], "bilinear", "border", align_corners=False)[0]
    return x + shift[0], y + shift[1]


def folded(x: torch.Tensor, side: int, border: Border) -> torch.Tensor:
    """Coordinates brought back onto a canvas of `side` pixels."""
    if border == "reflect":
        low, high = (float(end) for end in torch.aminmax(x))
        # at most one fold on either side, as nearly always: no division needed
        turned = x.abs() if -side <= low and high <= 2.0 * side else torch.remainder(x, 2.0 * side)
        return side - (side - turned).abs_()
    if border == "wrap":
        return torch.remainder(x, float(side))
    return x.clamp(0.5, side - 0.5)


def _coverage(x: torch.Tensor, side: int, softness: float) -> torch.Tensor:
    """Share of an interval of `softness` pixels about x that lies on the canvas.

    One pixel gives what bilinear reading with zeros outside gives; more, where the chain shrinks, a soft edge.
    """
    return torch.minimum(x, side - x).mul_(1.0 / softness).add_(0.5).clamp_(0.0, 1.0)
