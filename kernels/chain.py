"""Chains: consecutive geometric steps as links, and the chain of coordinates that leads back through all of them.

An output pixel is followed back from the last step to the first. Every canvas on the way is honoured: a point that lies
outside it is folded (replicate, reflect, wrap) or covered by that step's fill (constant). The plain product of the
matrices would show again what an earlier step had cut away; it is used only between canvases that the chain cannot leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kernels import matrices
from kernels.op import Field, Matrix, Places
from kernels.params import Border, Warp
from kernels.plan import PlannedStep, asked
from kernels.tensors import Size

_TINY = 1e-6
_FAR = 1e6
"""A place outside every canvas, for points that a perspective cannot show."""
Fill = tuple[float, float, float]
BLACK: Fill = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Link:
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

    base: x and y, each (H, W) float32, or None for the centres of the output's pixels. reach: a quadrilateral's corners
    (n, 2) on the first canvas that holds every such place (not finite if a perspective has no bound).
    """

    matrix: Matrix
    base: tuple[torch.Tensor, torch.Tensor] | None
    veils: tuple[Veil, ...]
    reach: Matrix


def chain(steps: Sequence[PlannedStep]) -> tuple[Link, ...]:
    """Links of geometric steps, first step first."""
    return tuple(_link(step) for step in steps)


def _link(step: PlannedStep) -> Link:
    # without a border of its own a step stays on its canvas, but for the outer half of the edge pixels
    border: Border = step.params.border if isinstance(step.params, Warp) else "replicate"
    fill = step.params.fill if isinstance(step.params, Warp) else BLACK
    match step.op.kind:
        case Places(matrix=matrix):
            forward = matrix(step.size_in, **asked(matrix, step.fields))
            back = matrices.inverse(forward)
            return Link(forward, back, None, step.size_in, step.size_out, border, fill)
        case Field(displacement=displacement):
            moved = displacement(step.size_in, step.noise_seed, **step.fields)
            one = matrices.identity()
            return Link(one, one, moved, step.size_in, step.size_out, border, fill)
        case _:
            raise TypeError(f"{step.op.name} moves nothing")


def way(links: Sequence[Link], device: torch.device) -> Way:
    """The way back from the last link's output to the first link's input; the first canvas itself is not folded."""
    output = links[-1].size_out
    matrix, region = matrices.identity(), _corners(output, 0.5, 0.5)
    forward = matrices.identity()
    base: tuple[torch.Tensor, torch.Tensor] | None = None
    veils: list[Veil] = []
    for number in range(len(links) - 1, -1, -1):
        link = links[number]
        if link.displacement is None:
            matrix = matrices.multiply(link.back, matrix)
            reach = matrices.moved(matrix, region)
        else:
            reach = matrices.moved(matrix, region)
            first = base is None and np.array_equal(matrix, matrices.identity())
            base, matrix = displaced(locate(matrix, base, output, device), link.displacement, first), matrices.identity()
            reach = region = _grown(reach, float(link.displacement.abs().max()))
        forward = matrices.multiply(forward, link.forward)
        soft_x, soft_y = _softness(forward, output)
        margins = min(soft_x, link.size_in.width) / 2, min(soft_y, link.size_in.height) / 2
        if number == 0 or within(reach, link.size_in, *margins):
            continue
        x, y = locate(matrix, base, output, device)
        if link.border == "constant":
            covered = _coverage(x, link.size_in.width, soft_x) * _coverage(y, link.size_in.height, soft_y)
            veils.insert(0, Veil(covered, link.fill))
        # between the outermost pixel centres: beyond them the edge is read as it is, and no other canvas's outside shows
        base = (
            folded(x, link.size_in.width, link.border).clamp(margins[0], link.size_in.width - margins[0]),
            folded(y, link.size_in.height, link.border).clamp(margins[1], link.size_in.height - margins[1]),
        )
        matrix, region = matrices.identity(), _corners(link.size_in, *margins)
    return Way(matrix, base, tuple(veils), matrices.moved(matrix, region))


def locate(
    matrix: Matrix, base: tuple[torch.Tensor, torch.Tensor] | None, output: Size, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """`matrix` applied to `base` (the output's pixel centres if None): x and y, each (H, W) float32."""
    if base is None:
        x = torch.arange(output.width, dtype=torch.float32, device=device).add_(0.5).unsqueeze(0)
        y = torch.arange(output.height, dtype=torch.float32, device=device).add_(0.5).unsqueeze(1)
    else:
        x, y = base
        if np.array_equal(matrix, matrices.identity()):
            return x, y
    rows = [_line(x, y, *row) for row in matrix.tolist()[: 2 if matrices.is_affine(matrix) else 3]]
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


def within(points: Matrix, size: Size, margin_x: float, margin_y: float) -> bool:
    """Whether all points lie on the canvas, so many pixels from its edges. Points that are not finite do not."""
    low = np.array([margin_x, margin_y]) - _TINY
    return bool((points >= low).all() and (points <= np.array([size.width, size.height]) - low).all())


def _coverage(x: torch.Tensor, side: int, softness: float) -> torch.Tensor:
    """Share of an interval of `softness` pixels about x that lies on the canvas.

    One pixel gives what bilinear reading with zeros outside gives; more, where the chain shrinks, a soft edge.
    """
    return torch.minimum(x, side - x).mul_(1.0 / softness).add_(0.5).clamp_(0.0, 1.0)


def _softness(forward: Matrix, output: Size) -> tuple[float, float]:
    """Width and height, in pixels of a canvas, of what the output's middle pixel shows of it; at least 1."""
    middle = matrices.moved(matrices.inverse(forward), np.array([[output.width / 2, output.height / 2]]))
    x, y = middle[0].tolist()
    step_x, step_y = matrices.steps(forward, x, y)
    return max(1.0, 1.0 / max(step_x, 1e-6)), max(1.0, 1.0 / max(step_y, 1e-6))


def _corners(size: Size, margin_x: float, margin_y: float) -> Matrix:
    right, bottom = size.width - margin_x, size.height - margin_y
    return np.array([[margin_x, margin_y], [right, margin_y], [right, bottom], [margin_x, bottom]])


def _grown(points: Matrix, by: float) -> Matrix:
    low, high = points.min(axis=0) - by, points.max(axis=0) + by
    return np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
