"""linear_illumination: light that grows from one side of the picture to the other."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.shapes import cosine, sine
from kernels.words import Value, maximum


class LinearIllumination(Params):
    """Add light that grows evenly from one side or corner, where it is 0, to the opposite one."""

    op: Literal["linear_illumination"] = "linear_illumination"
    gain: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.2, 0.2)
    """What is added where the light is strongest; below 0 it is taken away."""
    degrees: Annotated[Range, Uniform(0, 360, unit="degrees")] = (0.0, 360.0)
    """Where the light comes from: 0 is the right, 90 the top, and so on counter-clockwise."""


def linear_illumination(
    r: Value, g: Value, b: Value, x: Value, y: Value, w: float, h: float, gain: float, degrees: float
) -> tuple[Value, Value, Value]:
    across, up = cosine(degrees / 360.0), sine(degrees / 360.0)
    reach = w * maximum(across, -across) + h * maximum(up, -up)
    light = gain * (0.5 + ((x - 0.5 * w) * across - (y - 0.5 * h) * up) / reach)
    return r + light, g + light, b + light


OP = Op(
    LinearIllumination,
    Pixels(linear_illumination),
    examples=(
        LinearIllumination(gain=(0.5, 0.5), degrees=(45.0, 45.0)),
        LinearIllumination(gain=(-0.3, -0.3), degrees=(180.0, 180.0)),
    ),
)
