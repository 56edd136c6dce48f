"""mask_dropout: labelled objects are painted over, and gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from kernels.labels import ClassName
from kernels.op import Aim, Aimed, Covering, Op
from kernels.params import Color, Integer, IntegerRange, OfClasses, Params
from kernels.scatter import numbers
from kernels.tensors import Size

if TYPE_CHECKING:
    from kernels.sight import Sight


class MaskDropout(Params):
    """Paint whole labelled objects over, and drop their labels; what is left of others keeps theirs.

    Objects are the polygons, or the boxes where there are none, or the connected parts of the class mask where there are no
    boxes either; the mask is 0 where something was painted. Without labels nothing happens.
    """

    op: Literal["mask_dropout"] = "mask_dropout"
    n: Annotated[IntegerRange, Integer(1, 100, unit="objects")] = (1, 1)
    """How many objects are lost; where there are fewer, all."""
    color: Color = (0.0, 0.0, 0.0)
    """What is painted."""
    classes: OfClasses = ()
    """Objects of these classes alone are lost; any if empty."""


def aim(sight: Sight | None, size_in: Size, seed: tuple[int, int], n: int, classes: Sequence[ClassName]) -> Aimed:
    nothing = Aimed({"hidden": np.zeros(size_in, np.bool_), "objects": ()}, {"objects": []})
    if sight is None:
        return nothing
    outlined = sight.outlined(classes)
    if outlined:
        lost = [outlined[place] for place in _drawn(len(outlined), n, seed)]
        return Aimed({"hidden": sight.covered(lost), "objects": tuple(lost)}, {"objects": lost})
    if sight.outlined():  # of other classes: the mask shows the same objects again
        return nothing
    parts = sight.parts(classes)
    lost = _drawn(len(parts.boxes), n, seed)
    gone = np.zeros(len(parts.boxes) + 1, np.bool_)
    gone[[1 + place for place in lost]] = True
    return Aimed({"hidden": gone[parts.marked], "objects": ()}, {"objects": lost})


def _drawn(count: int, n: int, seed: tuple[int, int]) -> list[int]:
    """n of so many places, in their order."""
    return sorted(np.argsort(numbers(count, seed, 0), kind="stable")[:n].tolist())


OP = Op(
    MaskDropout,
    Covering(),
    examples=(MaskDropout(n=(2, 2)), MaskDropout(color=(0.5, 0.5, 0.5))),
    aim=Aim(("hidden", "objects"), aim),
)
