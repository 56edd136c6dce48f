"""gaussian_illumination: a spot of light."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, exp2


class GaussianIllumination(Params):
    """Add a soft spot of light, or of shade; it is as round as the picture is square."""

    op: Literal["gaussian_illumination"] = "gaussian_illumination"
    gain: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.15, 0.15)
    """What is added in the middle of the spot; below 0 it is taken away."""
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.1, 0.9)
    """Middle of the spot, from left (0) to right (1)."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.1, 0.9)
    """Middle of the spot, from top (0) to bottom (1)."""
    sigma: Annotated[Range, Uniform(0.02, 2, unit="fraction of each side")] = (0.2, 1.0)
    """Standard deviation of the bell curve: how wide the spot is."""


def gaussian_illumination(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    gain: float,
    across: float,
    down: float,
    sigma: float,
) -> tuple[Value, Value, Value]:
    right, below = (x / w - across) / sigma, (y / h - down) / sigma
    light = gain * exp2(-0.72134752 * (right * right + below * below))  # half the binary logarithm of e
    return r + light, g + light, b + light


OP = Op(
    GaussianIllumination,
    Pixels(gaussian_illumination),
    examples=(
        GaussianIllumination(gain=(0.5, 0.5), across=(0.3, 0.3), down=(0.4, 0.4), sigma=(0.2, 0.2)),
        GaussianIllumination(gain=(-0.3, -0.3), across=(0.7, 0.7), down=(0.6, 0.6), sigma=(0.5, 0.5)),
    ),
)
