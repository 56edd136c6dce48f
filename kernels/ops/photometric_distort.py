"""photometric_distort: the colour changes that the SSD detector is trained with, in one step."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import at_hue, hue_of
from kernels.op import Op, Pixels
from kernels.ops.channel_shuffle import ORDERS, channel_shuffle
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.words import Value, clamp, maximum, minimum, where


class PhotometricDistort(Params):
    """Change brightness, contrast, saturation and hue, then put the channels in another order.

    Liu et al., "SSD: Single Shot MultiBox Detector", 2016. Contrast multiplies values, as theirs does; torchvision's pivots
    on the mean grey. Their parts are skipped half of the time each; here each is drawn every time, and 0 or 1 leaves it.
    """

    op: Literal["photometric_distort"] = "photometric_distort"
    brightness: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.125, 0.125)
    """What is added to every value, first."""
    contrast: Annotated[Range, Uniform(0, 10, unit="times")] = (0.5, 1.5)
    """What every value is multiplied by."""
    contrast_place: Annotated[Names, Choice(("before", "after"))] = ("before", "after")
    """Whether contrast comes before saturation and hue, or after them."""
    saturation: Annotated[Range, Uniform(0, 10, unit="times")] = (0.5, 1.5)
    """What the HSV saturation is multiplied by."""
    hue: Annotated[Range, Uniform(-0.5, 0.5, unit="turns of the colour circle")] = (-0.05, 0.05)
    """How far the colour circle is turned."""
    order: Annotated[Names, Choice(ORDERS)] = ORDERS
    """Where the new red, green and blue come from."""


def photometric_distort(
    r: Value,
    g: Value,
    b: Value,
    brightness: float,
    contrast: float,
    contrast_place: int,
    saturation: float,
    hue: float,
    order: int,
) -> tuple[Value, Value, Value]:
    early, late = where(contrast_place == 0, contrast, 1.0), where(contrast_place == 0, 1.0, contrast)
    r, g, b = clamp(r + brightness), clamp(g + brightness), clamp(b + brightness)
    r, g, b = clamp(r * early), clamp(g * early), clamp(b * early)
    high = maximum(r, maximum(g, b))
    chroma = high - minimum(r, minimum(g, b))
    sixths = hue_of(r, g, b, high, chroma) + hue * 6.0
    r, g, b = at_hue(high, minimum(chroma * saturation, high), sixths)
    return channel_shuffle(clamp(r * late), clamp(g * late), clamp(b * late), order)


OP = Op(
    PhotometricDistort,
    Pixels(photometric_distort),
    examples=(
        PhotometricDistort(
            brightness=(0.05, 0.05),
            contrast=(1.3, 1.3),
            contrast_place=("before",),
            saturation=(1.4, 1.4),
            hue=(0.04, 0.04),
            order=("gbr",),
        ),
        PhotometricDistort(
            brightness=(-0.1, -0.1),
            contrast=(0.7, 0.7),
            contrast_place=("after",),
            saturation=(0.6, 0.6),
            hue=(-0.05, -0.05),
            order=("rgb",),
        ),
    ),
)
