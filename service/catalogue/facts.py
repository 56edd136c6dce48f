"""What the catalogue says of an operation, in words for people: read from its declaration, never written a second time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernels.equivalents import EQUIVALENTS
from kernels.op import Field, Mix, Op, Places
from kernels.params import Choice, Cycle, Integer, Uniform, drawn_fields

KINDS = {
    "pixels": "arithmetic on each pixel",
    "statistic": "arithmetic on each pixel, by numbers measured on the picture",
    "places": "moves pixels by a matrix; consecutive ones are resampled once",
    "field": "moves pixels by a displacement; consecutive ones are resampled once",
    "stencil": "a neighbourhood of each pixel",
    "whole": "the picture as a whole",
    "mix": "the picture and others of the same batch, chosen by the seed, or pieces of it",
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
    example = op.params(op=op.name).model_dump(mode="json") if _has_defaults(op) else {}
    return tuple(
        FieldFacts(
            name,
            name in drawn,
            _drawn(drawn[name]) if name in drawn else _static(schema[name]),
            _default(example, name, name in drawn),
            (op.params.model_fields[name].description or "").replace("\n", " "),
        )
        for name in names
    )


def labels(op: Op) -> str:
    """What becomes of labels: they `follow`, also `in pieces`, `stay`, or `are merged` with those of other pictures."""
    if isinstance(op.kind, Mix) and op.moves_labels:
        return "are merged" if op.kind.partners else "follow, in pieces"
    return "follow" if op.moves_labels else "stay"


def stepwise(op: Op) -> str:
    """What profile kornia does for the operation, and how that differs."""
    if isinstance(op.kind, Places):
        return "`kornia.geometry.transform.warp_affine`, or `warp_perspective`."
    if isinstance(op.kind, Field):
        return "`kornia.geometry.transform.remap`."
    found = EQUIVALENTS.get(op.name)
    if found is None:
        return "as in the torch reference; Kornia has no such function of fixed numbers."
    named = ", ".join(f"`kornia.{name}`" for name in found.names)
    return f"{named}. {found.differs}".strip()


def step(op: Op, place: int = 0) -> str:
    """An example as a line of a YAML recipe, with the fields that differ from their defaults."""
    example = op.examples[place].model_dump(mode="json")
    usual = op.params(op=op.name).model_dump(mode="json") if _has_defaults(op) else {}
    written = {name: value for name, value in example.items() if name != "op" and usual.get(name) != value}
    drawn = dict(drawn_fields(op.params))
    pairs = [f"{name}: {_shown(_single(value) if name in drawn else value)}" for name, value in written.items()]
    return "{" + ", ".join([f"op: {op.name}", *pairs]) + "}"


def _has_defaults(op: Op) -> bool:
    return not any(field.is_required() for field in op.params.model_fields.values())


def _drawn(kind: Uniform | Integer | Choice) -> str:
    match kind:
        case Cycle(names):
            return f"one or several of {', '.join(names)}; the variant's number takes one of them in turn"
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
    named = {"boolean": "true or false", "integer": "whole number", "number": "number", "string": "text", "null": "null"}
    kind = named.get(str(schema.get("type")), "value")
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:g}"
    return f"{kind} from {low:g}" if low is not None else kind


def _default(example: Mapping[str, object], name: str, is_drawn: bool) -> str:
    if name not in example:
        return "required"
    return _shown(_single(example[name]) if is_drawn else example[name])


def _single(ends: object) -> object:
    """A pair of equal ends, or a list of one name, as it would be written by hand."""
    return ends[0] if isinstance(ends, list) and ends and all(end == ends[0] for end in ends) else ends


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
