"""recompress: a picture that has been sent on many times."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.arrays import image_of, levels_of
from kernels.codec.decode import decode
from kernels.codec.encode import written
from kernels.op import Op, Whole
from kernels.params import Choice, Integer, IntegerRange, Names, Params
from kernels.scatter import numbers


class Recompress(Params):
    """Write the picture as a lossy file and read it again several times, each time with another quality."""

    op: Literal["recompress"] = "recompress"
    passes: Annotated[IntegerRange, Integer(1, 10, unit="files")] = (2, 5)
    """How many times."""
    quality: Annotated[IntegerRange, Integer(1, 100, unit="of the codec's scale")] = (40, 80)
    """Quality of the files, on average."""
    spread: Annotated[IntegerRange, Integer(0, 50, unit="of the codec's scale")] = (10, 20)
    """How far a file's quality is from it at most, either way, within 1 to 100."""
    codec: Annotated[Names, Choice(("jpeg", "webp", "both"))] = ("jpeg", "both")
    """Which files; both: JPEG and WebP in turn."""


def recompress(
    image: torch.Tensor, seed: tuple[int, int], passes: int, quality: int, spread: int, codec: str
) -> torch.Tensor:
    levels = levels_of(image)
    for place, fraction in enumerate(numbers(passes, seed, 0).tolist()):
        form: Literal["jpeg", "webp"] = "webp" if codec == "webp" or (codec == "both" and place % 2) else "jpeg"
        chosen = quality + round((2.0 * fraction - 1.0) * spread)
        levels = decode(written(levels, form, min(max(chosen, 1), 100)))
    return image_of(levels, image)


OP = Op(
    Recompress,
    Whole(recompress),
    examples=(
        Recompress(passes=(6, 6), quality=(15, 15), codec=("both",)),
        Recompress(passes=(3, 3), quality=(10, 10), spread=(5, 5), codec=("jpeg",)),
    ),
)
