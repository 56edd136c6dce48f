"""snow: snow lies on what is bright."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform


class Snow(Params):
    """Whiten the brighter parts of the picture as if snow lay on them: their lightness is multiplied, hue is kept.

    Lightness is that of HLS: the mean of the largest and the smallest channel. Kornia's `RandomSnow` whitens what is darker
    than its coefficient instead.
    """

    op: Literal["snow"] = "snow"
    amount: Annotated[Range, Uniform(0, 1, unit="of the range of lightness")] = (0.3, 0.6)
    """Snow lies on lightness above 1 minus this."""
    brightness: Annotated[Range, Uniform(1, 5, unit="times")] = (1.5, 2.5)
    """What lightness is multiplied by there, up to white."""


def snow(image: torch.Tensor, amount: float, brightness: float) -> torch.Tensor:
    high, low = image.amax(dim=1, keepdim=True), image.amin(dim=1, keepdim=True)
    light = (high + low) * 0.5
    whiter = (light * brightness).clamp(max=1.0)
    # saturation is chroma / (1 - |2 L - 1|); at the same saturation, chroma changes as that does
    room, room_after = 1.0 - (2.0 * light - 1.0).abs(), 1.0 - (2.0 * whiter - 1.0).abs()
    chroma = torch.where(room > 1e-6, room_after / room.clamp(min=1e-6), 0.0)
    return torch.where(light > 1.0 - amount, whiter + (image - light) * chroma, image)


OP = Op(
    Snow,
    Whole(snow),
    examples=(Snow(amount=(0.45, 0.45), brightness=(1.6, 1.6)), Snow(amount=(1, 1), brightness=(1.4, 1.4))),
)
