"""aug_mix: several short chains of operations, blended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator

from kernels.magnitudes import MIX, MIX_ALL, Space
from kernels.op import Blend, Member, Op, Strand
from kernels.params import Integer, IntegerRange, Warp
from kernels.tensors import Size

_DEEPEST = 8
Depth = Annotated[int, Field(ge=1, le=_DEEPEST, strict=True)]


class AugMix(Warp):
    """Put the picture through several short chains of operations, and blend the results with each other and the picture.

    Every blend is as likely: weights come from a flat Dirichlet distribution, the picture's own share evenly from 0 to 1.
    Labels stay where they are, as most of what the picture shows does. Source: Hendrycks, Mu, Cubuk, Zoph, Gilmer,
    Lakshminarayanan: "AugMix: A simple data processing method to improve robustness and uncertainty" (ICLR 2020).
    """

    op: Literal["aug_mix"] = "aug_mix"
    severity: Annotated[IntegerRange, Integer(1, MIX.bins, unit=f"of {MIX.bins}")] = (3, 3)
    """Operations are at strengths below this."""
    width: Annotated[IntegerRange, Integer(1, 8, unit="chains")] = (3, 3)
    """How many chains."""
    depth: tuple[Depth, Depth] = (1, 3)
    """[from, to]: how many operations a chain has, drawn for each."""
    all_ops: Annotated[bool, Field(strict=True)] = True
    """Whether brightness, contrast, colour and sharpness are among the operations; they are not as published, so that the
    corruptions of ImageNet-C, which are alike, stay unseen."""

    @field_validator("depth")
    @classmethod
    def _in_order(cls, depth: tuple[int, int]) -> tuple[int, int]:
        if depth[0] > depth[1]:
            raise ValueError("the first end must not be above the second")
        return depth


def draws(params: AugMix) -> int:
    return params.width[1] + params.width[1] * _of_chain(params.depth)


def _of_chain(depth: tuple[int, int]) -> int:
    """Draws of one chain: its length; operation, strength and direction of each step."""
    return 1 + 3 * depth[1]


def strands(
    fractions: Sequence[float], size_in: Size, severity: int, width: int, depth: tuple[int, int], all_ops: bool
) -> list[Strand]:
    # the picture's own share, where a unit is cut into the chains' shares, and then the chains, the last draws of all
    each = _of_chain(depth)
    most = len(fractions) // (1 + each)
    own, cuts = fractions[0], sorted(fractions[1:width])
    shares = [end - start for start, end in zip([0.0, *cuts], [*cuts, 1.0], strict=True)]
    found = [Strand(own, ())]
    for place, share in enumerate(shares):
        first = most + place * each
        chain = _members(fractions[first : first + each], size_in, severity, depth, MIX_ALL if all_ops else MIX)
        found.append(Strand((1.0 - own) * share, chain))
    return found


def _members(
    fractions: Sequence[float], size: Size, severity: int, depth: tuple[int, int], space: Space
) -> tuple[Member, ...]:
    low, high = depth
    made = []
    for link in range(low + int(fractions[0] * (high - low + 1))):
        choice, strength, sign = fractions[1 + 3 * link : 4 + 3 * link]
        made.append(space.drawn(choice, int(strength * severity), sign, size))
    return tuple(member for member in made if member is not None)


OP = Op(
    AugMix,
    Blend(draws, strands),
    examples=(
        AugMix(severity=(8, 8), depth=(2, 3)),
        AugMix(severity=(5, 10), width=(2, 4), depth=(1, 2), all_ops=False, border="reflect"),
    ),
)
