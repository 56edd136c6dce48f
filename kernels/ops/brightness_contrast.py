"""brightness_contrast: brightness and contrast at once."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import mixed
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class BrightnessContrast(Params):
    """Spread the values about mid-grey, or draw them together, and add to all of them."""

    op: Literal["brightness_contrast"] = "brightness_contrast"
    brightness: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.2, 0.2)
    """What is added to every value, after contrast."""
    contrast: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What the distance to mid-grey is multiplied by: 0 is even grey, 1 leaves it."""


def brightness_contrast(r: Value, g: Value, b: Value, brightness: float, contrast: float) -> tuple[Value, Value, Value]:
    return (
        mixed(r, contrast, 0.5) + brightness,
        mixed(g, contrast, 0.5) + brightness,
        mixed(b, contrast, 0.5) + brightness,
    )


OP = Op(
    BrightnessContrast,
    Pixels(brightness_contrast),
    examples=(
        BrightnessContrast(brightness=(0.1, 0.1), contrast=(1.6, 1.6)),
        BrightnessContrast(brightness=(-0.2, -0.2), contrast=(0.6, 0.6)),
    ),
)
