"""color_jitter: brightness, contrast, saturation and hue in one step."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma, mixed, turned
from kernels.op import Mean, Op, Statistic
from kernels.params import Params, Range, Uniform
from kernels.words import Value, clamp


class ColorJitter(Params):
    """Change brightness, contrast, saturation and hue, in this order, limiting values to 0..1 after each.

    Each part is what the operation of its name does; contrast pivots on the mean grey after brightness.
    """

    op: Literal["color_jitter"] = "color_jitter"
    brightness: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What every value is multiplied by."""
    contrast: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What the distance to the picture's mean grey is multiplied by."""
    saturation: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What the distance to each pixel's own grey is multiplied by."""
    hue: Annotated[Range, Uniform(-0.5, 0.5, unit="turns of the colour circle")] = (-0.05, 0.05)
    """How far the colour circle is turned."""


def bright_grey(r: Value, g: Value, b: Value, brightness: float) -> Value:
    return luma(clamp(r * brightness), clamp(g * brightness), clamp(b * brightness))


def color_jitter(
    r: Value, g: Value, b: Value, brightness: float, contrast: float, saturation: float, hue: float, grey: float
) -> tuple[Value, Value, Value]:
    r, g, b = clamp(r * brightness), clamp(g * brightness), clamp(b * brightness)
    r, g, b = clamp(mixed(r, contrast, grey)), clamp(mixed(g, contrast, grey)), clamp(mixed(b, contrast, grey))
    own = luma(r, g, b)
    r, g, b = clamp(mixed(r, saturation, own)), clamp(mixed(g, saturation, own)), clamp(mixed(b, saturation, own))
    return turned(r, g, b, hue)


OP = Op(
    ColorJitter,
    Statistic(Mean(bright_grey), ("grey",), color_jitter),
    examples=(
        ColorJitter(brightness=(1.1, 1.1), contrast=(1.2, 1.2), saturation=(1.3, 1.3), hue=(-0.04, -0.04)),
        ColorJitter(brightness=(0.6, 0.6), contrast=(0.7, 0.7), saturation=(0.5, 0.5), hue=(-0.2, -0.2)),
    ),
)
