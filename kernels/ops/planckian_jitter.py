"""planckian_jitter: light of another colour temperature."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, exp2, log2, maximum, where


class PlanckianJitter(Params):
    """Show the picture as if its light were that of a black body: candle, lamp, noon or blue sky.

    Daylight of 6500 kelvin leaves the picture; the luma of white stays. Colours of black bodies: Kim et al., "Design of
    Advanced Color Temperature Control System for HDTV Applications", 2002.
    """

    op: Literal["planckian_jitter"] = "planckian_jitter"
    temperature: Annotated[Range, Uniform(1700, 25_000, unit="kelvin")] = (4000.0, 12_000.0)
    """Colour temperature of the light: below 6500 it is warm, above it is cold."""


def cubic(a: Value | float, third: float, second: float, first: float, zeroth: float) -> Value | float:
    return ((third * a + second) * a + first) * a + zeroth


def encoded(linear: Value, daylight: float) -> Value:
    """A channel's light, relative to what it is at 6500 kelvin, as a factor of the picture's values: gamma 2.2."""
    return exp2(log2(maximum(linear / daylight, 0.0001)) * 0.45454547)


def planckian_jitter(r: Value, g: Value, b: Value, temperature: float) -> tuple[Value, Value, Value]:
    k = 1000.0 / temperature
    x = where(
        temperature < 4000.0,
        cubic(k, -0.2661239, -0.2343589, 0.8776956, 0.179910),
        cubic(k, -3.0258469, 2.1070379, 0.2226347, 0.240390),
    )
    y = where(
        temperature < 2222.0,
        cubic(x, -1.1063814, -1.34811020, 2.18555832, -0.20219683),
        where(
            temperature < 4000.0,
            cubic(x, -0.9549476, -1.37418593, 2.09137015, -0.16748867),
            cubic(x, 3.0817580, -5.87338670, 3.75112997, -0.37001483),
        ),
    )
    # CIE XYZ of luminance 1, then linear sRGB
    across, beyond = x / y, (1.0 - x - y) / y
    red = encoded(3.2404542 * across - 1.5371385 - 0.4985314 * beyond, 1.0426302)
    green = encoded(1.8760108 - 0.9692660 * across + 0.0415560 * beyond, 0.9837825)
    blue = encoded(0.0556434 * across - 0.2040259 + 1.0572252 * beyond, 1.0350765)
    white = 1.0 / luma(red, green, blue)
    return r * (red * white), g * (green * white), b * (blue * white)


OP = Op(
    PlanckianJitter,
    Pixels(planckian_jitter),
    examples=(PlanckianJitter(temperature=(3500.0, 3500.0)), PlanckianJitter(temperature=(12_000.0, 12_000.0))),
)
