"""Params, the parent of every operation's fields, and the kinds of field that are drawn for each picture.

A field is *drawn* (annotated with `Uniform`, `Integer` or `Choice`: each picture gets its own number between a pair
of ends, or one of several names) or *static* (anything else: one value for all pictures). In a drawn field a single
number means both ends, a single name means that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    InstanceOf,
    SerializeAsAny,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from kernels.tensors import MAX_SIDE, Size

Range = tuple[float, float]
IntegerRange = tuple[int, int]
Names = tuple[str, ...]
MAX_STEPS = 64
"""Steps of a recipe in all: containers, those inside, each repetition."""
MAX_DEPTH = 8
"""Containers within each other."""
_MOST_NAMES = 100
Drawn = float | int | str
"""One drawn number or name, as it is stored with the result."""


@dataclass(frozen=True)
class Uniform:
    """A real number drawn evenly from a pair of ends, each within [minimum, maximum]."""

    minimum: float
    maximum: float
    unit: str

    def draw(self, ends: tuple[float, float], fraction: float) -> Drawn:
        low, high = ends
        return low + (high - low) * fraction

    def check(self, value: object) -> tuple[float, ...]:
        return tuple(float(end) for end in _pair(value, self.minimum, self.maximum, self.unit, (int, float)))

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check, serialization=_AS_LIST)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _pair_schema("number", self.minimum, self.maximum, self.unit)


@dataclass(frozen=True)
class Integer:
    """A whole number drawn evenly from a pair of ends, both included, each within [minimum, maximum]."""

    minimum: int
    maximum: int
    unit: str

    def draw(self, ends: tuple[int, int], fraction: float) -> Drawn:
        low, high = ends
        return low + int((high - low + 1) * fraction)

    def check(self, value: object) -> tuple[int, ...]:
        return tuple(int(end) for end in _pair(value, self.minimum, self.maximum, self.unit, (int,)))

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check, serialization=_AS_LIST)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _pair_schema("integer", self.minimum, self.maximum, self.unit)


@dataclass(frozen=True)
class Choice:
    """One name drawn evenly from those given, each one of `names`."""

    names: tuple[str, ...]
    unit: ClassVar[str] = "name"

    def draw(self, given: tuple[str, ...], fraction: float) -> Drawn:
        return given[int(len(given) * fraction)]

    def check(self, value: object) -> tuple[str, ...]:
        given = (value,) if isinstance(value, str) else value
        if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given) or not given:
            raise ValueError(f"must be a name, or a list of names to draw from: {', '.join(self.names)}")
        if len(given) > _MOST_NAMES:
            raise ValueError(f"has {len(given)} names to draw from; at most {_MOST_NAMES} are allowed")
        for name in given:
            if name not in self.names:
                raise ValueError(f"{name[:40]!r} is not one of {', '.join(self.names)}")
        return tuple(given)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check, serialization=_AS_LIST)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        one: JsonSchemaValue = {"enum": list(self.names)}
        several: JsonSchemaValue = {"type": "array", "items": one, "minItems": 1, "maxItems": _MOST_NAMES}
        return {"anyOf": [one, several], "drawn": type(self).__name__.lower()}


@dataclass(frozen=True)
class Cycle(Choice):
    """One name of those given, in turn: that of the variant's number, from the first again after the last."""

    def of(self, given: tuple[str, ...], variant: int) -> Drawn:
        return given[variant % len(given)]


DrawnKind = Uniform | Integer | Choice
_AS_LIST = core_schema.plain_serializer_function_ser_schema(list)


def _pair(value: object, low: float, high: float, unit: str, kinds: tuple[type, ...]) -> tuple[float, float]:
    ends = value if isinstance(value, list | tuple) else (value, value)
    noun = "whole number" if kinds == (int,) else "number"
    if len(ends) != 2 or any(isinstance(end, bool) or not isinstance(end, kinds) for end in ends):
        raise ValueError(f"must be a {noun} or a pair [from, to] of them")
    if not all(low <= end <= high for end in ends):  # NaN neither; no float is made, which long integers have none of
        raise ValueError(f"must lie within {low:g} to {high:g} ({unit})")
    if ends[0] > ends[1]:
        raise ValueError("the first end must not be above the second")
    return ends[0], ends[1]


def _pair_schema(kind: str, low: float, high: float, unit: str) -> JsonSchemaValue:
    one: JsonSchemaValue = {"type": kind, "minimum": low, "maximum": high}
    pair: JsonSchemaValue = {"type": "array", "items": one, "minItems": 2, "maxItems": 2}
    return {"anyOf": [one, pair], "unit": unit, "drawn": "integer" if kind == "integer" else "uniform"}


Side = Annotated[int, Field(ge=1, le=MAX_SIDE, strict=True)]
SizeField = tuple[Side, Side]
"""A static [height, width] in pixels."""
Channel = Annotated[float, Field(ge=0, le=1, strict=True)]
Color = tuple[Channel, Channel, Channel]
"""A static [red, green, blue], each a fraction of full brightness."""


def listed(most: int) -> BeforeValidator:
    """Refuses what is no list of at most so many, before its items are looked at: a million wrong ones take seconds."""

    def check(value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) > most:
            raise ValueError(f"must be a list of at most {most}")
        return value

    return BeforeValidator(check)


def rows(most_rows: int, most_columns: int) -> BeforeValidator:
    """Refuses what is no list of so many short lists, before its items are looked at: a million wrong ones take minutes."""

    def check(value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) > most_rows:
            raise ValueError(f"must be a list of at most {most_rows} lists")
        if not all(isinstance(row, list | tuple) and len(row) <= most_columns for row in value):
            raise ValueError(f"must hold lists of at most {most_columns} numbers")
        return value

    return BeforeValidator(check)


OfClasses = Annotated[
    tuple[
        Annotated[int, Field(ge=-(2**53), le=2**53, strict=True)] | Annotated[str, Field(strict=True, max_length=255)], ...
    ],
    Field(max_length=100),
    listed(100),
]
"""Static names, or numbers, of the classes of labels that a step looks at; empty: all."""

Border = Literal["constant", "replicate", "reflect", "wrap"]
"""What lies outside a picture: the fill colour, its edge pixels, its mirror image, or the picture again."""


class Params(BaseModel):
    """The fields of one step of a recipe. A subclass adds `op`, a Literal with its name, and its own fields."""

    # defaults are checked like what callers write, so that (0, 1) and [0.0, 1.0] are one value and give one digest
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, validate_default=True
    )

    op: str
    chance: Annotated[float, Field(ge=0, le=1, strict=True)] = 1.0
    """Share of the pictures that the step is applied to."""

    def children(self) -> tuple[Params, ...]:
        """The steps inside this step, in order: none, but for containers. They are numbered after their parent."""
        return ()


class Warp(Params):
    """Parent of the fields of operations that may show what lies outside the picture."""

    border: Border = "constant"
    """What is shown outside the picture."""
    fill: Color = (0.0, 0.0, 0.0)
    """Colour outside the picture where `border` is constant."""


_STEPS_SCHEMA = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "object", "properties": {"op": {"type": "string"}}, "required": ["op"]},
}
Steps = Annotated[tuple[SerializeAsAny[InstanceOf[Params]], ...], Field(min_length=1), WithJsonSchema(_STEPS_SCHEMA)]


class Group(Params):
    """Parent of the fields of containers: operations with steps inside. `Recipe.parse` reads these like a recipe's own."""

    steps: Steps
    """The steps inside, in order, written as in a recipe."""

    def children(self) -> tuple[Params, ...]:
        return self.steps


Weight = Annotated[float, Field(ge=0, le=1_000_000, strict=True)]


class Weighted(Group):
    """Parent of containers that take some of their steps by weights."""

    weights: Annotated[tuple[Weight, ...], Field(max_length=MAX_STEPS), listed(MAX_STEPS)] = Field(
        default_factory=lambda found: (1.0,) * len(found.get("steps", ()))
    )
    """How much more often one step is taken than another, a number for each; all alike if not given."""

    @field_validator("weights")
    @classmethod
    def _one_for_each(cls, weights: tuple[float, ...], found: ValidationInfo) -> tuple[float, ...]:
        if len(weights) != len(found.data.get("steps", weights)):
            raise ValueError(f"must have a number for each step: {len(found.data['steps'])}, not {len(weights)}")
        if not any(weights):
            raise ValueError("must not all be 0")
        return weights


@cache
def drawn_fields(params: type[Params]) -> tuple[tuple[str, DrawnKind], ...]:
    """Name and kind of the drawn fields, in the order written: the order of their draws."""
    found = []
    for name, field in params.model_fields.items():
        kinds = [kind for kind in field.metadata if isinstance(kind, DrawnKind)]
        if kinds:
            found.append((name, kinds[0]))
    return tuple(found)


@cache
def static_fields(params: type[Params]) -> tuple[str, ...]:
    """Names of the fields that have one value for all pictures, `op` and `chance` apart."""
    drawn = {name for name, _ in drawn_fields(params)}
    return tuple(name for name in params.model_fields if name not in drawn | {"op", "chance"})


def size_of(pair: tuple[int, int]) -> Size:
    """A static [height, width] as Size."""
    return Size(*pair)


JSON = dict[str, Any]
