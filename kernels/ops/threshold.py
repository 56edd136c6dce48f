"""threshold: black and white, nothing between."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, where


class Threshold(Params):
    """Make every pixel black or white, by its grey."""

    op: Literal["threshold"] = "threshold"
    level: Annotated[Range, Uniform(0, 1, unit="share of the 256 levels")] = (0.35, 0.65)
    """Greys among this share of the levels, from the darkest, become black: 0 makes all white, 1 all black."""


def threshold(r: Value, g: Value, b: Value, level: float) -> tuple[Value, Value, Value]:
    # half a level off: a grey picture's values never sit on it
    white = where(luma(r, g, b) * 255.0 < level * 256.0 - 0.5, 0.0, 1.0)
    return white, white, white


OP = Op(Threshold, Pixels(threshold), examples=(Threshold(level=(0.5, 0.5)), Threshold(level=(0.3, 0.3))))
