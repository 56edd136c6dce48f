"""log_contrast: brighten as the eye and film do."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, log2


class LogContrast(Params):
    """Replace every value by gain times the binary logarithm of 1 + value: the dark is brightened most."""

    op: Literal["log_contrast"] = "log_contrast"
    gain: Annotated[Range, Uniform(0, 10, unit="times")] = (0.6, 1.4)
    """What the logarithm is multiplied by: at 1 black and white stay."""


def log_contrast(r: Value, g: Value, b: Value, gain: float) -> tuple[Value, Value, Value]:
    return gain * log2(1.0 + r), gain * log2(1.0 + g), gain * log2(1.0 + b)


OP = Op(LogContrast, Pixels(log_contrast), examples=(LogContrast(gain=(1.3, 1.3)), LogContrast(gain=(0.7, 0.7))))
