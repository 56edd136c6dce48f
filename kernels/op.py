"""Op: what an operation is. Its kind says how it runs, what it fuses with and what it does to labels."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.params import Drawn, Group, Params, drawn_fields, static_fields
from kernels.tensors import Size

Matrix = tuple[float, float, float, float, float, float, float, float, float]
"""3x3, row by row: continuous input pixel coordinates (x, y, 1) to output ones; pixel i's centre is at i + 0.5."""
Planes = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
FRAME = ("r", "g", "b", "x", "y", "w", "h", "i", "seed")
"""What a pixel function may ask for beside its fields: channel values 0..1, pixel centre, canvas size, pixel number
(row * width + column) and this picture's and step's noise seed."""
LevelForm = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Of (H, W, 3) uint8 pixels, others."""


@dataclass(frozen=True)
class Pixels:
    """Straight-line arithmetic on one pixel, in the words of `kernels.words`; labels stay.

    function(r, g, b, ..., fields by name) -> (r, g, b). The result is clamped to 0..1 after the step. A drawn name
    arrives as its place in `Choice.names`, a static bool as 0 or 1.

    of_levels(fields by name, as they are): what comes out for (H, W, 3) uint8 pixels, as such, or None; used where the step
    alone is done to a picture, or on a CPU nothing but moving its bytes before it. It leaves its argument as it is.
    """

    function: Callable[..., tuple[object, object, object]]
    of_levels: Callable[..., LevelForm | None] | None = None


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
    input point p + displacement(p). seed: two 32-bit words. It must be smooth and one to one: no part of the input may
    show twice, or labels cannot follow. That holds where its Lipschitz constant is below 1, and labels are quickest there.
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

    `Weighed` instead is known to every backend. of_levels(fields by name): a function that does the same to (H, W, 3) uint8
    pixels, or None; it is used where pixels are whole levels still, and leaves such.
    """

    function: Callable[..., torch.Tensor] | Weighed
    of_levels: Callable[..., LevelForm | None] | None = None


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


class Classes(NamedTuple):
    """Only pixels of some classes of the class mask are shown: a share of the classes that it has (0..1)."""

    share: float


class Layer(NamedTuple):
    """How one picture of several lies on the canvas: moved there by `matrix`, shown within `region`.

    weight: 0..1 of what shows there is this picture. cutout: what of it is shown; None: all. An array says it for each
    pixel of the region, (height, width) float32 0..1.
    """

    matrix: Matrix
    region: Region
    weight: float = 1.0
    cutout: Cutout | Classes | NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Mix:
    """Pictures laid on one canvas, one over the other: the step's own, then `partners` others; labels are merged.

    layer(place, source, canvas, seed, fields by name) -> Layer, of the step's own picture (place 0) and of each partner
    (1, 2, ...), all of size `source`. A partner is the decoded picture as it was sent. canvas(size_in, fields by name) ->
    Size, of the step's output, where it is not the picture's own. A barrier: what is before and after is fused on its own.
    """

    partners: int
    layer: Callable[..., Layer]
    canvas: Callable[..., Size] | None = None
    pieces: Callable[..., int] | None = None
    """pieces(fields by name): in how many layers, which do not overlap, the step's own picture is laid, places 0, 1, ...;
    one if not given."""


@dataclass(frozen=True)
class Likened(Mix):
    """The picture made to look more like one other: nothing of the other is shown, so labels and transparency stay.

    blend(image, other, fields by name) -> image, each (1, 3, H, W) float32 0..1; the other as its layer moves it there.
    """

    _: KW_ONLY
    blend: Callable[..., torch.Tensor]


def _everywhere(place: int, source: Size, canvas: Size) -> Layer:
    return Layer((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), Region(0, 0, canvas.width, canvas.height))


@dataclass(frozen=True)
class Covering(Mix):
    """The picture with some of its objects painted over in one colour: they are gone, and their labels with them.

    The step's aim finds `hidden`, (H, W) bool, and `objects`, the places of those that are gone among its outlines; its
    `color` is what is painted. Transparency stays.
    """

    partners: int = 0
    layer: Callable[..., Layer] = _everywhere


class Piece(NamedTuple):
    """A part of the picture that steps are carried out on, and how much of what they make is taken.

    share: 0..1, float32, of the region's shape (height, width), or (3, 1, 1), a number for each channel; None: all of it.
    """

    region: Region
    share: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Within:
    """Steps inside, carried out on parts of the picture alone, each on the picture as it comes; labels and alpha stay.

    pieces(size_in, fields by name) -> the parts, which do not overlap. The step's children are dealt out to them in turn,
    as many to each as are written in the recipe. What is inside moves no pixels, mixes no pictures and looks at no labels.
    A barrier: what is before and after it is fused on its own.
    """

    pieces: Callable[..., Sequence[Piece]]


@dataclass(frozen=True)
class Container:
    """Steps inside: which of them are carried out, and in which order. Whatever these are, they run and fuse as ever.

    draws(params) -> how many fractions it takes beside its gate and its drawn fields. taken(params, fractions, drawn fields
    by name) -> places, among `params.children()`, of the steps that are carried out, in their order. bounds(params) -> the
    fewest and the most of them. sequence(params, name of a picture) -> the name that its draws, and those of all steps
    inside, are made for; if it is not given, the picture's own.
    """

    draws: Callable[[Any], int]
    taken: Callable[..., Sequence[int]]
    bounds: Callable[[Any], tuple[int, int]]
    sequence: Callable[[Any, str], str] | None = None


class Member(NamedTuple):
    """A step that a policy makes up: the name of an operation that keeps the canvas, and all its fields."""

    op: str
    fields: Mapping[str, Drawn]

    def document(self) -> dict[str, Any]:
        """Plain JSON: {op, draws}."""
        return {"op": self.op, "draws": dict(self.fields)}


@dataclass(frozen=True)
class Policy:
    """Steps of other operations, made up from draws; they run and fuse as if they stood in the recipe.

    draws(params) -> how many fractions it takes beside its gate and its drawn fields. members(fractions, size_in, fields
    by name) -> the steps, in order.
    """

    draws: Callable[[Any], int]
    members: Callable[..., Sequence[Member]]


class Strand(NamedTuple):
    """One of the chains of a blend, and its share of the result, 0..1."""

    weight: float
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Blend:
    """Several chains of made-up steps, each on the picture as it comes, and the sum of their results by weights.

    strands(fractions, size_in, fields by name) -> the chains, one without members being the picture itself. Labels and
    alpha stay. A barrier: what is before and after it is fused on its own. draws: as of `Policy`.
    """

    draws: Callable[[Any], int]
    strands: Callable[..., Sequence[Strand]]


Part = Literal["chain", "mixture", "blend", "painting"]
Kind = Pixels | Statistic | Places | Field | Stencil | Whole | Mix | Within | Container | Policy | Blend


class Aimed(NamedTuple):
    """What a step has found out about labels: further fields of its functions, and what its record says of them."""

    fields: Mapping[str, Any]
    told: Mapping[str, Any]
    """Plain JSON."""


@dataclass(frozen=True)
class Aim:
    """What a step works out from the picture's labels, as they are when it comes to it, before a pixel is touched.

    function(sight, size_in, seed, fields by name) -> Aimed, with a field for each of `names`. sight: the labels, or None
    where there are none (`kernels.sight.Sight`). Its numbers are the step's own fields and seed, as ever.
    """

    names: tuple[str, ...]
    function: Callable[..., Aimed]


@dataclass(frozen=True)
class Op:
    """One operation of the catalogue. Building it checks that its functions ask for what the kind and fields supply."""

    params: type[Params]
    kind: Kind
    examples: tuple[Params, ...]
    aim: Aim | None = None
    """How it looks at labels, if it does."""

    def __post_init__(self) -> None:
        fields = {name for name, _ in drawn_fields(self.params)} | set(static_fields(self.params))
        # read by the resampler and by the plan, never by the operation
        fields -= {"border", "fill"} | ({"steps"} if issubclass(self.params, Group) else set())
        if self.aim is not None:
            self._check(self.aim.function, set(), ("sight", "size_in"), ("seed", *fields))
            # what the aim has read the kind's functions may leave out
            fields = (fields - self._seen) | set(self.aim.names)
        match self.kind:
            case Pixels(function, _):
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
            case Covering():
                if self.aim is None or self.aim.names != ("hidden", "objects") or "color" not in fields:
                    raise TypeError(f"{self.name}: must have a field `color`, and an aim at what is hidden and its objects")
            case Likened(layer=layer, blend=blend):
                self._check(layer, set(), ("place", "source", "canvas"), tuple(fields))
                self._check(blend, fields, ("image", "other"), ())
            case Mix(_, layer, canvas, pieces):
                first = ("place", "source", "canvas")
                self._check(layer, fields if canvas is None else set(), first, ("seed", *fields))
                if pieces is not None:
                    self._check(pieces, set(), (), tuple(fields))
                if canvas is not None:
                    self._check(canvas, set(), ("size_in",), tuple(fields))
            case Within(function):
                self._check(function, set(), ("size_in",), tuple(fields))
            case Container(taken=function):
                self._check(function, set(), ("params", "fractions"), tuple(fields))
            case Policy(_, function) | Blend(_, function):
                self._check(function, set(), ("fractions", "size_in"), tuple(fields))
        if not self.examples or any(type(example) is not self.params for example in self.examples):
            raise TypeError(f"{self.name}: examples must be one or more {self.params.__name__}")

    def _check(
        self, function: Callable[..., object], fields: set[str], first: tuple[str, ...], optional: tuple[str, ...]
    ) -> None:
        asked = tuple(inspect.signature(function).parameters)
        if asked[: len(first)] != first:
            raise TypeError(f"{self.name}: {function.__name__} must start with {', '.join(first)}")
        unknown = set(asked) - set(first) - fields - set(optional) - self._seen
        missing = fields - set(asked)
        if unknown or missing:
            raise TypeError(f"{self.name}: {function.__name__} asks for {unknown or '{}'}, leaves out {missing or '{}'}")

    @cached_property
    def _seen(self) -> set[str]:
        """The fields that its aim reads."""
        known = set(self.params.model_fields)
        return set() if self.aim is None else known & set(arguments(self.aim.function))

    @cached_property
    def name(self) -> str:
        return str(self.params.model_fields["op"].default)

    @cached_property
    def summary(self) -> str:
        """First paragraph of the fields' docstring: what the operation does, for people."""
        return inspect.cleandoc(self.params.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    @property
    def kind_name(self) -> str:
        return "mix" if isinstance(self.kind, Mix) else type(self.kind).__name__.lower()

    @property
    def moves_labels(self) -> bool:
        """Whether labels may move: of a container, by what is inside it alone."""
        return isinstance(self.kind, Places | Field | Mix | Policy) and not isinstance(self.kind, Likened)

    @cached_property
    def part(self) -> Part:
        """What it is a part of when a plan is cut into stages."""
        match self.kind:
            case Places() | Field():
                return "chain"
            case Mix():
                return "mixture"
            case Blend() | Within():
                return "blend"
            case _:
                return "painting"


def asked(function: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `fields` that `function` has an argument for."""
    return {name: fields[name] for name in arguments(function) if name in fields}


@cache
def arguments(function: Any) -> tuple[str, ...]:
    """Names of a plain function's arguments, in order."""
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names
