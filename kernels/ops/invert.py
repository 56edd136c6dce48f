"""invert: the negative."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from kernels.op import LevelForm, Op, Pixels
from kernels.params import Params
from kernels.words import Value


class Invert(Params):
    """Replace every value by what is missing to full brightness."""

    op: Literal["invert"] = "invert"


def invert(r: Value, g: Value, b: Value) -> tuple[Value, Value, Value]:
    return 1.0 - r, 1.0 - g, 1.0 - b


def of_levels() -> LevelForm:
    return partial(np.bitwise_not, order="C")


OP = Op(Invert, Pixels(invert, of_levels), examples=(Invert(),))
