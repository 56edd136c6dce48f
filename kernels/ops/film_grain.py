"""film_grain: the grain of a film, larger than a pixel."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, cell, floor, normal, sqrt


class FilmGrain(Params):
    """Add soft grey grain of a given size, strongest in the mid-tones; black and white have none."""

    op: Literal["film_grain"] = "film_grain"
    sigma: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.03, 0.1)
    """Standard deviation of the grain in mid-grey."""
    size: Annotated[Range, Uniform(1, 64, unit="pixels")] = (1.0, 2.5)
    """Distance of the grains: 1 is noise of single pixels."""


def film_grain(
    r: Value, g: Value, b: Value, x: Value, y: Value, seed: NoiseSeed, sigma: float, size: float
) -> tuple[Value, Value, Value]:
    across, down = (x - 0.5) / size, (y - 0.5) / size
    left, top = floor(across), floor(down)
    right, below = across - left, down - top
    # between four normal numbers; by the root of the weights' squares, so that no place has less grain than another
    noise = (1.0 - below) * (
        (1.0 - right) * normal(cell(left, top), seed, 0) + right * normal(cell(left + 1.0, top), seed, 0)
    ) + below * (
        (1.0 - right) * normal(cell(left, top + 1.0), seed, 0) + right * normal(cell(left + 1.0, top + 1.0), seed, 0)
    )
    spread = (right * right + (1.0 - right) * (1.0 - right)) * (below * below + (1.0 - below) * (1.0 - below))
    grey = luma(r, g, b)
    grain = 4.0 * sigma * grey * (1.0 - grey) * noise / sqrt(spread)
    return r + grain, g + grain, b + grain


OP = Op(
    FilmGrain,
    Pixels(film_grain),
    examples=(FilmGrain(sigma=(0.15, 0.15), size=(2.0, 2.0)), FilmGrain(sigma=(0.08, 0.08), size=(1.0, 1.0))),
)
