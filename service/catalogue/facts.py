"""What the catalogue says of an operation, in words for people: read from its declaration, never written a second time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from kernels.equivalents import EQUIVALENTS
from kernels.op import Blend, Container, Field, Mix, Op, Places, Policy
from kernels.params import Choice, Group, Integer, Params, Uniform, drawn_fields

KINDS = {
    "pixels": "arithmetic on each pixel",
    "statistic": "arithmetic on each pixel, by numbers measured on the picture",
    "places": "moves pixels by a matrix; consecutive ones are resampled once",
    "field": "moves pixels by a displacement; consecutive ones are resampled once",
    "stencil": "a neighbourhood of each pixel",
    "whole": "the picture as a whole",
    "mix": "the picture and others of the same batch, chosen by the seed",
    "container": "steps inside it, which run and fuse as they would without it",
    "policy": "steps of other operations that it makes up, which run and fuse as if they were written out",
    "blend": "several chains of steps that it makes up, added up by weights",
}
"""What each kind of operation works on."""


@dataclass(frozen=True)
class FieldFacts:
    """One field of an operation."""

    name: str
    drawn: bool
    """Whether each picture gets its own number."""
    takes: str
    default: str
    meaning: str


def fields(op: Op) -> tuple[FieldFacts, ...]:
    """The operation's fields in the order written, its own before those that many have."""
    drawn = dict(drawn_fields(op.params))
    schema: Mapping[str, Any] = op.params.model_json_schema()["properties"]
    names = [name for name in op.params.model_fields if name not in ("op", "chance", "border", "fill")]
    names += [name for name in ("border", "fill", "chance") if name in op.params.model_fields]
    usual = _usual(op.examples[0])
    return tuple(
        FieldFacts(
            name,
            name in drawn,
            _drawn(drawn[name]) if name in drawn else _static(schema[name]),
            _default(op.params.model_fields[name], usual.get(name), name in drawn),
            (op.params.model_fields[name].description or "").replace("\n", " "),
        )
        for name in names
    )


def labels(op: Op) -> str:
    """What becomes of labels: they `follow`, `stay`, `are merged` with others', or `fare as the steps inside say`."""
    if isinstance(op.kind, Container):
        return "fare as the steps inside say"
    if isinstance(op.kind, Mix):
        return "are merged"
    return "follow" if op.moves_labels else "stay"


def stepwise(op: Op) -> str:
    """What profile kornia does for the operation, and how that differs."""
    if isinstance(op.kind, Places):
        return "`kornia.geometry.transform.warp_affine`, or `warp_perspective`."
    if isinstance(op.kind, Field):
        return "`kornia.geometry.transform.remap`."
    if isinstance(op.kind, Container):
        return "the steps inside, each by itself."
    if isinstance(op.kind, Policy | Blend):
        return "the steps that it makes up, each by itself."
    found = EQUIVALENTS.get(op.name)
    if found is None:
        return "as in the torch reference; Kornia has no such function of fixed numbers."
    named = ", ".join(f"`kornia.{name}`" for name in found.names)
    return f"{named}. {found.differs}".strip()


def step(op: Op, place: int = 0) -> str:
    """An example as a line of a YAML recipe, with the fields that differ from their defaults."""
    return written(op.examples[place])


def written(params: Params) -> str:
    """A step as it would be written in a line of a YAML recipe, with the fields that differ from their defaults."""
    usual = _usual(params)
    differing = {
        name: value
        for name, value in params.model_dump(mode="json", exclude={"op", "steps"}).items()
        if name not in usual or usual[name] != value
    }
    drawn = dict(drawn_fields(type(params)))
    pairs = [f"{name}: {_shown(_single(value) if name in drawn else value)}" for name, value in differing.items()]
    if isinstance(params, Group):
        pairs.append(f"steps: [{', '.join(map(written, params.steps))}]")
    return "{" + ", ".join([f"op: {params.op}", *pairs]) + "}"


def _usual(params: Params) -> dict[str, Any]:
    """The defaults of an operation's fields, those that are required left out; some go by the others of `params`."""
    required = {name: getattr(params, name) for name, field in type(params).model_fields.items() if field.is_required()}
    return type(params)(**required).model_dump(mode="json", exclude=set(required))


def _drawn(kind: Uniform | Integer | Choice) -> str:
    match kind:
        case Choice(names):
            return f"one or several of {', '.join(names)}"
        case Integer(low, high, unit):
            return f"whole number or [from, to], {low} to {high} {unit}"
        case Uniform(low, high, unit):
            return f"number or [from, to], {low:g} to {high:g} {unit}"


def _static(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_static(form) for form in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        inside = schema.get("prefixItems") or [schema.get("items", {})]
        return (
            f"list of {len(inside)}, each {_static(inside[0])}"
            if "prefixItems" in schema
            else f"list, each {_static(inside[0])}"
        )
    if schema.get("type") == "object":
        return "step"
    named = {"boolean": "true or false", "integer": "whole number", "number": "number", "string": "text", "null": "null"}
    kind = named.get(str(schema.get("type")), "value")
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:g}"
    return f"{kind} from {low:g}" if low is not None else kind


def _default(field: FieldInfo, value: object, is_drawn: bool) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "all alike"
    return _shown(_single(value) if is_drawn else value)


def _single(ends: object) -> object:
    """A pair of equal ends, or a list of one name, as it would be written by hand."""
    return ends[0] if isinstance(ends, list) and ends and all(end == ends[0] for end in ends) else ends


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
