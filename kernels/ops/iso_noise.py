"""iso_noise: a camera in the dark."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, normal


class IsoNoise(Params):
    """Add grain that all channels share and blotches of colour, as a sensor of high sensitivity does."""

    op: Literal["iso_noise"] = "iso_noise"
    intensity: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.02, 0.06)
    """Standard deviation of the grain."""
    color: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.01, 0.05)
    """Standard deviation of the noise that each channel has of its own."""


def iso_noise(
    r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, intensity: float, color: float
) -> tuple[Value, Value, Value]:
    grain = intensity * normal(i, seed, 3)
    return (
        r + grain + color * normal(i, seed, 0),
        g + grain + color * normal(i, seed, 1),
        b + grain + color * normal(i, seed, 2),
    )


OP = Op(
    IsoNoise,
    Pixels(iso_noise),
    examples=(
        IsoNoise(intensity=(0.08, 0.08), color=(0.06, 0.06)),
        IsoNoise(intensity=(0.04, 0.04), color=(0.02, 0.02)),
    ),
)
