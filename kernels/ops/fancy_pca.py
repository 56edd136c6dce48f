"""fancy_pca: light of another colour and strength, along the directions in which photographs vary."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class FancyPca(Params):
    """Add to every pixel one colour, drawn along the principal components of the colours of ImageNet.

    Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012. A range of -s .. s has
    the spread of their normal distribution of standard deviation 0.58 s; theirs is 0.1.
    """

    op: Literal["fancy_pca"] = "fancy_pca"
    first: Annotated[Range, Uniform(-2, 2, unit="eigenvalues")] = (-0.17, 0.17)
    """How far along the first component: from dark to bright."""
    second: Annotated[Range, Uniform(-2, 2, unit="eigenvalues")] = (-0.17, 0.17)
    """How far along the second: from blue to red."""
    third: Annotated[Range, Uniform(-2, 2, unit="eigenvalues")] = (-0.17, 0.17)
    """How far along the third: from green to magenta."""


def fancy_pca(r: Value, g: Value, b: Value, first: float, second: float, third: float) -> tuple[Value, Value, Value]:
    # each eigenvector by its eigenvalue: 0.2175, 0.0188 and 0.0045; the first turned to point to the bright
    one, two, three = 0.2175 * first, 0.0188 * second, 0.0045 * third
    return (
        r + 0.5675 * one + 0.7192 * two + 0.4009 * three,
        g + 0.5808 * one - 0.0045 * two - 0.8140 * three,
        b + 0.5836 * one - 0.6948 * two + 0.4203 * three,
    )


OP = Op(
    FancyPca,
    Pixels(fancy_pca),
    examples=(
        FancyPca(first=(0.6, 0.6), second=(1.5, 1.5), third=(-1.0, -1.0)),
        FancyPca(first=(-0.4, -0.4), second=(-1.0, -1.0), third=(0.5, 0.5)),
    ),
)
