"""Sub-policies: the 25 pairs of operations that AutoAugment learned on each of three data sets.

Source: Cubuk, Zoph, Mane, Vasudevan, Le: "AutoAugment: Learning augmentation strategies from data" (CVPR 2019), tables of
its appendix. Names are those of `magnitudes`.
"""

from __future__ import annotations

from typing import NamedTuple


class Learned(NamedTuple):
    """One operation of a pair. strength: 0 to 9; no matter where an operation has none."""

    name: str
    chance: float
    strength: int


Pair = tuple[Learned, Learned]


def _pairs(table: str) -> tuple[Pair, ...]:
    """One pair on each line, as `name chance strength | name chance strength`."""
    lines = [[_learned(part.split()) for part in line.split("|")] for line in table.strip().splitlines()]
    return tuple((first, second) for first, second in lines)


def _learned(words: list[str]) -> Learned:
    name, chance, *strength = words
    return Learned(name, float(chance), int(strength[0]) if strength else 0)


IMAGENET = _pairs("""
    posterize 0.4 8 | rotate 0.6 9
    solarize 0.6 5 | auto_contrast 0.6
    equalize 0.8 | equalize 0.6
    posterize 0.6 7 | posterize 0.6 6
    equalize 0.4 | solarize 0.2 4
    equalize 0.4 | rotate 0.8 8
    solarize 0.6 3 | equalize 0.6
    posterize 0.8 5 | equalize 1
    rotate 0.2 3 | solarize 0.6 8
    equalize 0.6 | posterize 0.4 6
    rotate 0.8 8 | color 0.4 0
    rotate 0.4 9 | equalize 0.6
    equalize 0 | equalize 0.8
    invert 0.6 | equalize 1
    color 0.6 4 | contrast 1 8
    rotate 0.8 8 | color 1 2
    color 0.8 8 | solarize 0.8 7
    sharpness 0.4 7 | invert 0.6
    shear_x 0.6 5 | equalize 1
    color 0.4 0 | equalize 0.6
    equalize 0.4 | solarize 0.2 4
    solarize 0.6 5 | auto_contrast 0.6
    invert 0.6 | equalize 1
    color 0.6 4 | contrast 1 8
    equalize 0.8 | equalize 0.6
""")
CIFAR10 = _pairs("""
    invert 0.1 | contrast 0.2 6
    rotate 0.7 2 | translate_x 0.3 9
    sharpness 0.8 1 | sharpness 0.9 3
    shear_y 0.5 8 | translate_y 0.7 9
    auto_contrast 0.5 | equalize 0.9
    shear_y 0.2 7 | posterize 0.3 7
    color 0.4 3 | brightness 0.6 7
    sharpness 0.3 9 | brightness 0.7 9
    equalize 0.6 | equalize 0.5
    contrast 0.6 7 | sharpness 0.6 5
    color 0.7 7 | translate_x 0.5 8
    equalize 0.3 | auto_contrast 0.4
    translate_y 0.4 3 | sharpness 0.2 6
    brightness 0.9 6 | color 0.2 8
    solarize 0.5 2 | invert 0
    equalize 0.2 | auto_contrast 0.6
    equalize 0.2 | equalize 0.6
    color 0.9 9 | equalize 0.6
    auto_contrast 0.8 | solarize 0.2 8
    brightness 0.1 3 | color 0.7 0
    solarize 0.4 5 | auto_contrast 0.9
    translate_y 0.9 9 | translate_y 0.7 9
    auto_contrast 0.9 | solarize 0.8 3
    equalize 0.8 | invert 0.1
    translate_y 0.7 9 | auto_contrast 0.9
""")
SVHN = _pairs("""
    shear_x 0.9 4 | invert 0.2
    shear_y 0.9 8 | invert 0.7
    equalize 0.6 | solarize 0.6 6
    invert 0.9 | equalize 0.6
    equalize 0.6 | rotate 0.9 3
    shear_x 0.9 4 | auto_contrast 0.8
    shear_y 0.9 8 | invert 0.4
    shear_y 0.9 5 | solarize 0.2 6
    invert 0.9 | auto_contrast 0.8
    equalize 0.6 | rotate 0.9 3
    shear_x 0.9 4 | solarize 0.3 3
    shear_y 0.8 8 | invert 0.7
    equalize 0.9 | translate_y 0.6 6
    invert 0.9 | equalize 0.6
    contrast 0.3 3 | rotate 0.8 4
    invert 0.8 | translate_y 0 2
    shear_y 0.7 6 | solarize 0.4 8
    invert 0.6 | rotate 0.8 4
    shear_y 0.3 7 | translate_x 0.9 3
    shear_x 0.1 6 | invert 0.6
    solarize 0.7 2 | translate_y 0.6 7
    shear_y 0.8 4 | invert 0.8
    shear_x 0.7 9 | translate_y 0.8 3
    shear_y 0.8 5 | auto_contrast 0.7
    shear_x 0.7 2 | invert 0.1
""")
