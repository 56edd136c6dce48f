"""saturation: stronger or paler colours."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma, mixed
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class Saturation(Params):
    """Move every pixel away from its own grey, or towards it; grey pixels stay."""

    op: Literal["saturation"] = "saturation"
    factor: Annotated[Range, Uniform(0, 10, unit="times")] = (0.7, 1.3)
    """What the distance to grey is multiplied by: 0 is a grey picture, 1 leaves it."""


def saturation(r: Value, g: Value, b: Value, factor: float) -> tuple[Value, Value, Value]:
    grey = luma(r, g, b)
    return mixed(r, factor, grey), mixed(g, factor, grey), mixed(b, factor, grey)


OP = Op(Saturation, Pixels(saturation), examples=(Saturation(factor=(2.5, 2.5)), Saturation(factor=(0.3, 0.3))))
