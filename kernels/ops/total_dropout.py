"""total_dropout: the whole picture is lost."""

from __future__ import annotations

from typing import Literal

from kernels.op import Op, Pixels
from kernels.params import Color, Params
from kernels.words import Value


class TotalDropout(Params):
    """Replace the whole picture by one colour; give it a small `chance`, so that only some pictures are lost."""

    op: Literal["total_dropout"] = "total_dropout"
    color: Color = (0.0, 0.0, 0.0)
    """The colour."""


def total_dropout(r: Value, g: Value, b: Value, color: tuple[float, float, float]) -> tuple[Value, Value, Value]:
    return 0.0 * r + color[0], 0.0 * g + color[1], 0.0 * b + color[2]


OP = Op(TotalDropout, Pixels(total_dropout), examples=(TotalDropout(), TotalDropout(color=(0.5, 0.5, 0.5))))
