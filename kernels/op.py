"""Op: what an operation is. Its kind says how it runs, what it fuses with and what it does to labels."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.params import Params, drawn_fields, static_fields
from kernels.tensors import Size

Matrix = tuple[float, float, float, float, float, float, float, float, float]
"""3x3, row by row: continuous input pixel coordinates (x, y, 1) to output ones; pixel i's centre is at i + 0.5."""
Planes = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
FRAME = ("r", "g", "b", "x", "y", "w", "h", "i", "seed")
"""What a pixel function may ask for beside its fields: channel values 0..1, pixel centre, canvas size, pixel number
(row * width + column) and this picture's and step's noise seed."""


@dataclass(frozen=True)
class Pixels:
    """Straight-line arithmetic on one pixel, in the words of `kernels.words`; labels stay.

    function(r, g, b, ..., fields by name) -> (r, g, b). The result is clamped to 0..1 after the step. A drawn name
    arrives as its place in `Choice.names`, a static bool as 0 or 1.
    """

    function: Callable[..., tuple[object, object, object]]


@dataclass(frozen=True)
class Mean:
    """The mean over the picture of value(r, g, b, fields by name), a pixel function with one result, within 0..1."""

    value: Callable[..., object]


@dataclass(frozen=True)
class Statistic:
    """Numbers measured on the picture, then arithmetic on each pixel; labels stay.

    measure(r, g, b, fields by name) -> numbers, in the order of `names`; r, g, b: (H, W) float32 0..1. It must not
    depend on the order of summation. `Mean` instead is written in words, so every backend can compute it.
    `function` is a pixel function that may also name the measured numbers.
    """

    measure: Callable[..., tuple[float, ...]] | Mean
    names: tuple[str, ...]
    function: Callable[..., tuple[object, object, object]]


@dataclass(frozen=True)
class Places:
    """A 3x3 matrix, and a new canvas size if `canvas` is given; joins the coordinate chain; labels follow.

    matrix(size_in, fields by name) -> Matrix; canvas(size_in, fields by name) -> Size, of the step's output.
    """

    matrix: Callable[..., Matrix]
    canvas: Callable[..., Size] | None = None


@dataclass(frozen=True)
class Field:
    """A displacement at a point; joins the coordinate chain; labels follow by the inverse map.

    displacement(size_in, seed, fields by name) -> (2, H, W) float32 tensor, in pixels (dx, dy): output pixel p shows
    input point p + displacement(p). seed: two 32-bit words. It must be smooth (its Lipschitz constant below 1).
    """

    displacement: Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Weighed:
    """Sums over a row, then over a column, of neighbours times weights(fields by name), float32 of any odd number.

    Outside the picture is its mirror image (d c b a | a b c d | d c b a).
    """

    weights: Callable[..., NDArray[np.float32]]


@dataclass(frozen=True)
class Stencil:
    """A neighbourhood: function(image, fields by name) -> image, (1, 3, H, W) float32 0..1; labels stay.

    `Weighed` instead is known to every backend.
    """

    function: Callable[..., torch.Tensor] | Weighed


@dataclass(frozen=True)
class Whole:
    """Anything else: function(image, seed, fields by name) -> image, (1, 3, H, W) float32 0..1; labels stay.

    The fallback for what fits no other kind. seed: two 32-bit words for noise.
    """

    function: Callable[..., torch.Tensor]


class Region(NamedTuple):
    """Whole columns left .. right and rows top .. bottom of a canvas, ends excluded; it may be empty."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return Size(self.bottom - self.top, self.right - self.left)


class Cutout(NamedTuple):
    """Only labelled objects are shown: a share of them (0..1), their edges softened by a Gaussian of `softness` pixels."""

    share: float
    softness: float


class Layer(NamedTuple):
    """How one picture of several lies on the canvas: moved there by `matrix`, shown within `region`.

    weight: 0..1 of what shows there is this picture. cutout: what of it is shown; None: all.
    """

    matrix: Matrix
    region: Region
    weight: float = 1.0
    cutout: Cutout | None = None


@dataclass(frozen=True)
class Mix:
    """Pictures laid on one canvas, one over the other: the step's own, then `partners` others; labels are merged.

    layer(place, source, canvas, fields by name) -> Layer, of the step's own picture (place 0) and of each partner (1, 2,
    ...), all of size `source`. A partner is the decoded picture as it was sent. canvas(size_in, fields by name) -> Size,
    of the step's output, where it is not the picture's own. A barrier: what is before and after it is fused on its own.
    """

    partners: int
    layer: Callable[..., Layer]
    canvas: Callable[..., Size] | None = None


Part = Literal["chain", "mixture", "painting"]
Kind = Pixels | Statistic | Places | Field | Stencil | Whole | Mix


@dataclass(frozen=True)
class Op:
    """One operation of the catalogue. Building it checks that its functions ask for what the kind and fields supply."""

    params: type[Params]
    kind: Kind
    examples: tuple[Params, ...]

    def __post_init__(self) -> None:
        fields = {name for name, _ in drawn_fields(self.params)} | set(static_fields(self.params))
        fields -= {"border", "fill"}  # read by the resampler, never by the operation
        match self.kind:
            case Pixels(function):
                self._check(function, fields, ("r", "g", "b"), FRAME)
            case Statistic(measure, names, function):
                measured = measure.value if isinstance(measure, Mean) else measure
                self._check(measured, set(), ("r", "g", "b"), tuple(fields))
                self._check(function, fields, ("r", "g", "b"), FRAME + names)
            case Places(matrix, canvas):
                self._check(matrix, fields if canvas is None else set(), ("size_in",), tuple(fields))
                if canvas is not None:
                    self._check(canvas, set(), ("size_in",), tuple(fields))
            case Field(function):
                self._check(function, fields, ("size_in", "seed"), ())
            case Stencil(Weighed(weights)):
                self._check(weights, fields, (), ())
            case Stencil(function):
                assert callable(function)
                self._check(function, fields, ("image",), ())
            case Whole(function):
                self._check(function, fields, ("image",), ("seed",))
            case Mix(_, layer, canvas):
                first = ("place", "source", "canvas")
                self._check(layer, fields if canvas is None else set(), first, tuple(fields))
                if canvas is not None:
                    self._check(canvas, set(), ("size_in",), tuple(fields))
        if not self.examples or any(type(example) is not self.params for example in self.examples):
            raise TypeError(f"{self.name}: examples must be one or more {self.params.__name__}")

    def _check(
        self, function: Callable[..., object], fields: set[str], first: tuple[str, ...], optional: tuple[str, ...]
    ) -> None:
        asked = tuple(inspect.signature(function).parameters)
        if asked[: len(first)] != first:
            raise TypeError(f"{self.name}: {function.__name__} must start with {', '.join(first)}")
        unknown = set(asked) - set(first) - fields - set(optional)
        missing = fields - set(asked)
        if unknown or missing:
            raise TypeError(f"{self.name}: {function.__name__} asks for {unknown or '{}'}, leaves out {missing or '{}'}")

    @cached_property
    def name(self) -> str:
        return str(self.params.model_fields["op"].default)

    @cached_property
    def summary(self) -> str:
        """First paragraph of the fields' docstring: what the operation does, for people."""
        return inspect.cleandoc(self.params.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    @property
    def kind_name(self) -> str:
        return type(self.kind).__name__.lower()

    @property
    def moves_labels(self) -> bool:
        return self.part != "painting"

    @cached_property
    def part(self) -> Part:
        """What it is a part of when a plan is cut into stages."""
        return "chain" if isinstance(self.kind, Places | Field) else "mixture" if isinstance(self.kind, Mix) else "painting"
