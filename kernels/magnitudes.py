"""Magnitudes: the operations that automatic policies choose from, and what each is at every strength.

Sources: Cubuk, Zoph, Mane, Vasudevan, Le: "AutoAugment" (CVPR 2019) and, with Shlens, "RandAugment" (NeurIPS 2020);
Mueller, Hutter: "TrivialAugment" (ICCV 2021), its wide space; Hendrycks, Mu, Cubuk, Zoph, Gilmer, Lakshminarayanan:
"AugMix" (ICLR 2020). Where the papers leave room, numbers are those of torchvision's transforms of the same names. Names
are the papers', in lower case; `color` is saturation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from kernels.op import Member
from kernels.params import Drawn
from kernels.tensors import Size

_DIGITS = 6
"""Decimals of an angle: an arc tangent may differ between machines in its last bits, recorded numbers must not."""


@dataclass(frozen=True, eq=False)
class Space:
    """What one policy chooses from: `bins` strengths, 0 the least, and the greatest magnitude of each operation."""

    names: tuple[str, ...]
    bins: int
    slope: Fraction
    """How far a shear moves a pixel, as a share of its distance from the edge that stays."""
    shift: Fraction
    """A translation: a share of the side, or pixels."""
    shift_is_share: bool
    degrees: int
    change: Fraction
    """How far factors of brightness, colour, contrast and sharpness are from 1."""
    bits: tuple[int, int]
    """Bits that posterize keeps at the least and at the greatest strength."""

    def member(self, name: str, strength: int, negative: bool, size: Size) -> Member | None:
        """The step of one operation on a picture of a size; None for identity. negative: the other direction."""
        return _member(self, name, strength, negative, size)

    def drawn(self, choice: float, strength: int, sign: float, size: Size) -> Member | None:
        """The step of one operation, each as likely, as likely in one direction as in the other, from two fractions."""
        return self.member(self.names[int(choice * len(self.names))], strength, sign < 0.5, size)


@lru_cache(maxsize=8192)
def _member(space: Space, name: str, strength: int, negative: bool, size: Size) -> Member | None:
    part = Fraction(strength, space.bins - 1)
    return _MEMBERS[name](space, -part if negative else part, size)


def _leaned(slope_x: float, slope_y: float, size: Size) -> Member:
    """A shear that leaves the top left corner; that of `affine` leaves the centre."""
    across, down = slope_x * size.height / (2 * size.width), slope_y * size.width / (2 * size.height)
    return _affine(shear_x=_angle(slope_x), shear_y=_angle(slope_y), translate_x=across, translate_y=down)


def _angle(slope: float) -> float:
    return round(math.degrees(math.atan(slope)), _DIGITS)


def _affine(**fields: float) -> Member:
    still: dict[str, Drawn] = {"degrees": 0.0, "translate_x": 0.0, "translate_y": 0.0, "scale": 1.0}
    return Member("affine", {**still, "shear_x": 0.0, "shear_y": 0.0, **fields})


def _shear_x(space: Space, part: Fraction, size: Size) -> Member:
    return _leaned(float(-space.slope * part), 0.0, size)


def _shear_y(space: Space, part: Fraction, size: Size) -> Member:
    return _leaned(0.0, float(-space.slope * part), size)


def _translate(space: Space, part: Fraction, side: int) -> int:
    """Whole pixels, cut off towards 0."""
    return int(space.shift * part * (side if space.shift_is_share else 1))


def _translate_x(space: Space, part: Fraction, size: Size) -> Member:
    return Member("translate", {"x": 0.0, "y": 0.0, "x_pixels": _translate(space, part, size.width), "y_pixels": 0})


def _translate_y(space: Space, part: Fraction, size: Size) -> Member:
    return Member("translate", {"x": 0.0, "y": 0.0, "x_pixels": 0, "y_pixels": _translate(space, part, size.height)})


def _rotate(space: Space, part: Fraction, size: Size) -> Member:
    return Member("rotate", {"degrees": float(space.degrees * part)})


def _factor(op: str, **fields: float) -> Callable[[Space, Fraction, Size], Member]:
    return lambda space, part, size: Member(op, {"factor": float(1 + space.change * part), **fields})


def _posterize(space: Space, part: Fraction, size: Size) -> Member:
    most, least = space.bits
    return Member("posterize", {"bits": round(most - (most - least) * abs(part))})


def _solarize(space: Space, part: Fraction, size: Size) -> Member:
    return Member("solarize", {"threshold": float(1 - abs(part))})


def _plain(op: str, **fields: Drawn) -> Callable[[Space, Fraction, Size], Member]:
    return lambda space, part, size: Member(op, fields)


def _identity(space: Space, part: Fraction, size: Size) -> None:
    return None


_MEMBERS: Mapping[str, Callable[[Space, Fraction, Size], Member | None]] = MappingProxyType(
    {
        "identity": _identity,
        "shear_x": _shear_x,
        "shear_y": _shear_y,
        "translate_x": _translate_x,
        "translate_y": _translate_y,
        "rotate": _rotate,
        "brightness": _factor("brightness", offset=0.0),
        "color": _factor("saturation"),
        "contrast": _factor("contrast"),
        "sharpness": _factor("sharpness"),
        "posterize": _posterize,
        "solarize": _solarize,
        "auto_contrast": _plain("auto_contrast", cutoff=0.0),
        "equalize": _plain("equalize", of="channels"),
        "invert": _plain("invert"),
    }
)
_ALL = tuple(_MEMBERS)
_WITHOUT_INVERT = tuple(name for name in _ALL if name != "invert")
_COLOURS = ("brightness", "color", "contrast", "sharpness")
AUTO = Space(_ALL[1:], 10, Fraction(3, 10), Fraction(150, 331), True, 30, Fraction(9, 10), (8, 4))
RAND = Space(_WITHOUT_INVERT, 31, Fraction(3, 10), Fraction(150, 331), True, 30, Fraction(9, 10), (8, 4))
TRIVIAL = Space(_WITHOUT_INVERT, 31, Fraction(99, 100), Fraction(32), False, 135, Fraction(99, 100), (8, 2))
MIX_ALL = Space(_WITHOUT_INVERT[1:], 10, Fraction(3, 10), Fraction(1, 3), True, 30, Fraction(9, 10), (4, 0))
MIX = replace(MIX_ALL, names=tuple(name for name in MIX_ALL.names if name not in _COLOURS))
"""That of AugMix as published: without what changes brightness, contrast, colour and sharpness as ImageNet-C does."""
