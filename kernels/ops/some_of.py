"""some_of: some steps of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from kernels.op import Container, Op
from kernels.ops.hflip import Hflip
from kernels.ops.invert import Invert
from kernels.ops.posterize import Posterize
from kernels.ops.translate import Translate
from kernels.params import MAX_STEPS, Integer, IntegerRange, Weighted
from kernels.picks import shuffled, weighed_without_return


class SomeOf(Weighted):
    """Carry out some of the steps inside, each at most once, chosen by weights; a step of weight 0 never."""

    op: Literal["some_of"] = "some_of"
    n: Annotated[IntegerRange, Integer(0, MAX_STEPS, unit="steps")] = (1, 2)
    """How many; where there are fewer, all of them."""
    order: Literal["written", "shuffled"] = "written"
    """Whether they are carried out in the order they are written, or in any."""


def draws(params: SomeOf) -> int:
    return 2 * len(params.steps)


def taken(params: SomeOf, fractions: Sequence[float], n: int) -> Sequence[int]:
    count = len(params.steps)
    # they come with the heavier ones first, so a fair order takes draws of its own
    chosen = sorted(weighed_without_return(params.weights, fractions[: min(n, count)]))
    return shuffled(chosen, fractions[count:]) if params.order == "shuffled" else chosen


def bounds(params: SomeOf) -> tuple[int, int]:
    most = sum(weight > 0.0 for weight in params.weights)
    return min(params.n[0], most), min(params.n[1], most)


OP = Op(
    SomeOf,
    Container(draws, taken, bounds),
    examples=(
        SomeOf(steps=(Translate(x=(0.1, 0.2)), Hflip(), Posterize(bits=(1, 2)), Invert()), n=(2, 2)),
        SomeOf(steps=(Translate(x=(0.1, 0.2)), Posterize(bits=(1, 2)), Invert()), n=(1, 3), order="shuffled"),
    ),
)
