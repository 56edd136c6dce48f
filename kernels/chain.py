"""Chains: consecutive geometric steps as links, and the coordinates that lead back through all of them (see `route`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.cpu.places import COLUMNS, MOVE, SHIFT, VEIL, VIEW
from kernels.matrices import IDENTITY, Point, Quad, inverse, is_affine, multiply, translation
from kernels.op import Field, Matrix, Places, asked
from kernels.params import Border, Warp
from kernels.plan import PlannedStep
from kernels.readings import smoothing
from kernels.route import CODES, LINK, Boxes, Fill, matrix_of, most_rows, route
from kernels.tensors import Size

_TINY = 1e-6
_FAR = 1e6
"""A place outside every canvas, for points that a perspective cannot show."""
BLACK: Fill = (0.0, 0.0, 0.0)
_EDGE: tuple[Border, Fill] = ("replicate", BLACK)
"""A step without a border of its own stays on its canvas, but for the outer half of the edge pixels."""
_BORDERS: dict[int, Border] = {code: border for border, code in CODES.items()}
_STILL = torch.zeros(2, 1, 1)


class Link(NamedTuple):
    """One geometric step: how a point of its output canvas finds its place on its input canvas."""

    forward: Matrix
    displacement: torch.Tensor | None
    """(2, H, W) float32 pixels, instead of the matrix."""
    size_in: Size
    size_out: Size
    border: Border
    fill: Fill

    @property
    def back(self) -> Matrix:
        """From output to input. ZeroDivisionError where there is no way back."""
        return inverse(self.forward)


@dataclass(frozen=True)
class Veil:
    """Where a canvas on the way was left: the rest shows `fill`. coverage: (H, W) float32 0..1 of the output."""

    coverage: torch.Tensor
    fill: Fill


@dataclass(frozen=True)
class Way:
    """Where output pixels lie on the first canvas: at `matrix` applied to `base`, under `veils` from first to last step.

    base: x and y, each (H, W) float32, or None for the centres of the output's pixels. reach: a quadrilateral that holds
    every place, see `route`. boxes: what the first canvas is summed over first.
    """

    matrix: Matrix
    base: tuple[torch.Tensor, torch.Tensor] | None
    veils: tuple[Veil, ...]
    reach: Quad
    boxes: Boxes


def chain(steps: Sequence[PlannedStep]) -> tuple[Link, ...]:
    """Links of geometric steps, first step first."""
    return tuple(_link(step) for step in steps)


def outlined(steps: Sequence[PlannedStep]) -> tuple[Link, ...]:
    """`chain` without the work of its fields, which displace nothing here: the same sizes, borders and passes."""
    return tuple(_link(step, displaces=False) for step in steps)


def _link(step: PlannedStep, *, displaces: bool = True) -> Link:
    border, fill = (step.params.border, step.params.fill) if isinstance(step.params, Warp) else _EDGE
    match step.op.kind:
        case Places(matrix=matrix):
            forward = matrix(step.size_in, **asked(matrix, step.fields))
            return Link(forward, None, step.size_in, step.size_out, border, fill)
        case Field(displacement=displacement):
            moved = displacement(step.size_in, step.noise_seed, **step.fields) if displaces else _STILL
            return Link(IDENTITY, moved, step.size_in, step.size_out, border, fill)
        case _:
            raise TypeError(f"{step.op.name} moves nothing")


def numbers(links: Sequence[Link]) -> NDArray[np.float64]:
    """(links, 18): what `route` is told of each."""
    return np.array(told(links), dtype=np.float64).reshape(-1, LINK)


def told(links: Sequence[Link]) -> list[float]:
    """The same as one list."""
    row: list[float] = []
    for forward, displacement, size_in, size_out, border, fill in links:
        row += (*forward, *size_in, *size_out, CODES[border], *fill, _bend(displacement))
    return row


def _bend(displacement: torch.Tensor | None) -> float:
    return -1.0 if displacement is None else float(displacement.abs().max())


def displacements(links: Sequence[Link]) -> list[torch.Tensor]:
    """The fields of a chain in the order in which a route comes to them: the last step's first."""
    return [link.displacement for link in reversed(links) if link.displacement is not None]


def way(links: Sequence[Link], device: torch.device, read: tuple[int, int] = (1, 1), aside: Point = (0.0, 0.0)) -> Way:
    """The way back from the last link's output to the first link's input; the first canvas itself is not folded.

    read: how often each output pixel is read along its row and its column; this time, so far `aside` its centre.
    """
    rows_of_links, output = numbers(links).tolist(), links[-1].size_out
    table = [[0.0] * COLUMNS for _ in range(most_rows(len(links)))]
    rows, _, last, reach = route(rows_of_links, 1.0, read, table)
    fields = iter(displacements(links))
    matrix, base = translation(*aside), None
    veils: list[Veil] = []
    for kind, *row in table[:rows]:
        if kind in (MOVE, VIEW):
            matrix = multiply(matrix_of(row), matrix)
            continue
        x, y = base = locate(matrix, base, output, device)
        matrix = IDENTITY
        if kind == SHIFT:
            base = displaced(base, next(fields), row[3] > 0.0)
        elif kind == VEIL:
            width, height, soft_x, soft_y, red, green, blue = row[:7]
            veils.insert(0, Veil(_coverage(x, width, soft_x) * _coverage(y, height, soft_y), (red, green, blue)))
        else:
            width, height, margin_x, margin_y, code = row[:5]
            base = (
                folded(x, width, _BORDERS[int(code)]).clamp(margin_x, width - margin_x),
                folded(y, height, _BORDERS[int(code)]).clamp(margin_y, height - margin_y),
            )
    return Way(multiply(last, matrix), base, tuple(veils), reach, Boxes(*smoothing(rows_of_links)[2:]))


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


def folded(x: torch.Tensor, side: float, border: Border) -> torch.Tensor:
    """Coordinates brought back onto a canvas of `side` pixels."""
    if border == "reflect":
        low, high = (float(end) for end in torch.aminmax(x))
        # at most one fold on either side, as nearly always: no division needed
        turned = x.abs() if -side <= low and high <= 2.0 * side else torch.remainder(x, 2.0 * side)
        return side - (side - turned).abs_()
    if border == "wrap":
        return torch.remainder(x, float(side))
    return x.clamp(0.5, side - 0.5)


def _coverage(x: torch.Tensor, side: float, softness: float) -> torch.Tensor:
    """Share of an interval of `softness` pixels about x that lies on the canvas.

    One pixel gives what bilinear reading with zeros outside gives; more, where the chain shrinks, a soft edge.
    """
    return torch.minimum(x, side - x).mul_(1.0 / softness).add_(0.5).clamp_(0.0, 1.0)
