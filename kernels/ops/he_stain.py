"""he_stain: slides of tissue, stained more or less."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, exp2, log2, maximum


class HeStain(Params):
    """Change how much haematoxylin and eosin a slide has taken up.

    Ruifrok and Johnston, "Quantification of histochemical staining by color deconvolution", 2001, with their colours of
    haematoxylin, eosin and a third stain, which is left as it is. White has taken up nothing, black stays black.
    """

    op: Literal["he_stain"] = "he_stain"
    haematoxylin: Annotated[Range, Uniform(0, 4, unit="times")] = (0.7, 1.3)
    """What the amount of haematoxylin (violet: nuclei) is multiplied by."""
    eosin: Annotated[Range, Uniform(0, 4, unit="times")] = (0.7, 1.3)
    """What the amount of eosin (pink: everything else) is multiplied by."""
    haematoxylin_shift: Annotated[Range, Uniform(-1, 1, unit="optical density")] = (-0.05, 0.05)
    """What is added to the amount of haematoxylin."""
    eosin_shift: Annotated[Range, Uniform(-1, 1, unit="optical density")] = (-0.05, 0.05)
    """What is added to the amount of eosin."""


def density(value: Value) -> Value:
    """How often the light is halved; of black, as of the darkest grey."""
    return -log2(maximum(value, 0.003921568627450980))


def he_stain(
    r: Value,
    g: Value,
    b: Value,
    haematoxylin: float,
    eosin: float,
    haematoxylin_shift: float,
    eosin_shift: float,
) -> tuple[Value, Value, Value]:
    red, green, blue = density(r), density(g), density(b)
    # the inverse of the stains' colours, which are 0.65 0.70 0.29, 0.07 0.99 0.11 and 0.27 0.57 0.78
    violet = 1.87798274 * red - 0.06590806 * green - 0.60190736 * blue
    pink = 1.13473037 * green - 1.00767869 * red - 0.48041419 * blue
    # shifts are natural logarithms, densities binary ones
    more_violet = (haematoxylin - 1.0) * violet + 1.44269504 * haematoxylin_shift
    more_pink = (eosin - 1.0) * pink + 1.44269504 * eosin_shift
    return (
        r * exp2(-0.65 * more_violet - 0.07 * more_pink),
        g * exp2(-0.70 * more_violet - 0.99 * more_pink),
        b * exp2(-0.29 * more_violet - 0.11 * more_pink),
    )


OP = Op(
    HeStain,
    Pixels(he_stain),
    examples=(
        HeStain(haematoxylin=(0.7, 0.7), eosin=(1.6, 1.6), haematoxylin_shift=(0.0, 0.0), eosin_shift=(0.15, 0.15)),
        HeStain(haematoxylin=(1.5, 1.5), eosin=(0.5, 0.5), haematoxylin_shift=(0.1, 0.1), eosin_shift=(0.0, 0.0)),
    ),
)
