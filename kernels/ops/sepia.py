"""sepia: the brown of old photographs."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import mixed
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, clamp


class Sepia(Params):
    """Replace every pixel by a brown of its brightness, or mix it with it."""

    op: Literal["sepia"] = "sepia"
    strength: Annotated[Range, Uniform(0, 1, unit="share of sepia")] = (1.0, 1.0)
    """Share of sepia in the mixture: 1 is a brown picture, 0 leaves it."""


def sepia(r: Value, g: Value, b: Value, strength: float) -> tuple[Value, Value, Value]:
    return (
        mixed(clamp(0.393 * r + 0.769 * g + 0.189 * b), strength, r),
        mixed(clamp(0.349 * r + 0.686 * g + 0.168 * b), strength, g),
        mixed(clamp(0.272 * r + 0.534 * g + 0.131 * b), strength, b),
    )


OP = Op(Sepia, Pixels(sepia), examples=(Sepia(), Sepia(strength=(0.5, 0.5))))
