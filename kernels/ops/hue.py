"""hue: turn the colour circle."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import turned
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class Hue(Params):
    """Move every pixel's hue around the colour circle; its HSV saturation and value stay, and so do grey pixels."""

    op: Literal["hue"] = "hue"
    turn: Annotated[Range, Uniform(-0.5, 0.5, unit="turns of the colour circle")] = (-0.05, 0.05)
    """How far: a third of a turn makes red green."""


def hue(r: Value, g: Value, b: Value, turn: float) -> tuple[Value, Value, Value]:
    return turned(r, g, b, turn)


OP = Op(Hue, Pixels(hue), examples=(Hue(turn=(0.33, 0.33)), Hue(turn=(-0.1, -0.1))))
