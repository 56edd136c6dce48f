"""invert: the negative."""

from __future__ import annotations

from typing import Literal

from kernels.op import Op, Pixels
from kernels.params import Params
from kernels.words import Value


class Invert(Params):
    """Replace every value by what is missing to full brightness."""

    op: Literal["invert"] = "invert"


def invert(r: Value, g: Value, b: Value) -> tuple[Value, Value, Value]:
    return 1.0 - r, 1.0 - g, 1.0 - b


OP = Op(Invert, Pixels(invert), examples=(Invert(),))
