"""brightness: scale and shift every value."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class Brightness(Params):
    """Multiply every value by a factor, then add an offset."""

    op: Literal["brightness"] = "brightness"
    factor: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What every value is multiplied by: 0 is black, 1 leaves it."""
    offset: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (0.0, 0.0)
    """What is added to every value after that."""


def brightness(r: Value, g: Value, b: Value, factor: float, offset: float) -> tuple[Value, Value, Value]:
    return r * factor + offset, g * factor + offset, b * factor + offset


OP = Op(
    Brightness,
    Pixels(brightness),
    examples=(Brightness(factor=(1.5, 1.5)), Brightness(factor=(1.0, 1.0), offset=(-0.25, -0.25))),
)
