"""What the catalogue says of an operation, in words for people: read from its declaration, never written a second time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic.fields import FieldInfo

from kernels.equivalents import EQUIVALENTS
from kernels.op import Blend, Container, Field, Mix, Op, Places, Policy, Within
from kernels.params import Choice, Cycle, Integer, Params, Uniform, drawn_fields

LabelBehaviour = Literal["follow", "stay", "merged", "inside"]
LABELS: Mapping[LabelBehaviour, str] = {
    "follow": "follow",
    "stay": "stay",
    "merged": "are merged",
    "inside": "fare as the steps inside say",
}
"""What becomes of labels, as the end of a sentence."""
KINDS = {
    "pixels": "arithmetic on each pixel",
    "statistic": "arithmetic on each pixel, by numbers measured on the picture",
    "places": "moves pixels by a matrix; consecutive ones are resampled once",
    "field": "moves pixels by a displacement; consecutive ones are resampled once",
    "stencil": "a neighbourhood of each pixel",
    "whole": "the picture as a whole",
    "mix": "the picture and others of the same batch, chosen by the seed, or pieces of it",
    "within": "steps inside it, on a part of the picture, or on several",
    "container": "steps inside it, which run and fuse as they would without it",
    "policy": "steps of other operations that it makes up, which run and fuse as if they were written out",
    "blend": "several chains of steps that it makes up, added up by weights",
}
"""What each kind of operation works on."""
_BRIEF = 60
_SHARED = ("border", "fill", "chance")
"""Fields that many operations have; an operation's own come first."""


@dataclass(frozen=True)
class FieldFacts:
    """One field of an operation."""

    name: str
    drawn: bool
    """Whether each picture gets its own number."""
    takes: str
    unit: str
    """What its numbers are measured in; empty where they are none."""
    default: str
    meaning: str


def fields(op: Op) -> tuple[FieldFacts, ...]:
    """The operation's fields in the order written, its own before those that many have."""
    drawn = dict(drawn_fields(op.params))
    schema: Mapping[str, Any] = op.params.model_json_schema()["properties"]
    names = [name for name in op.params.model_fields if name not in ("op", *_SHARED)]
    names += [name for name in _SHARED if name in op.params.model_fields]
    defaults = _defaults(op.examples[0])
    return tuple(
        FieldFacts(
            name,
            name in drawn,
            _drawn(drawn[name]) if name in drawn else _static(schema[name]),
            drawn[name].unit if name in drawn and not isinstance(drawn[name], Choice) else "",
            _default(op.params.model_fields[name], defaults.get(name)),
            (op.params.model_fields[name].description or "").replace("\n", " "),
        )
        for name in names
    )


def label_behaviour(op: Op) -> LabelBehaviour:
    """What becomes of labels: they follow, stay, are merged with those of other pictures, or fare as steps inside say."""
    if isinstance(op.kind, Container):
        return "inside"
    if isinstance(op.kind, Mix) and op.moves_labels:
        return "merged" if op.kind.partners else "follow"
    return "follow" if op.moves_labels else "stay"


def labels(op: Op) -> str:
    """`label_behaviour` as the end of a sentence."""
    return LABELS[label_behaviour(op)]


def stepwise(op: Op) -> str:
    """What profile kornia does for the operation, and how that differs."""
    if isinstance(op.kind, Places):
        return "`kornia.geometry.transform.warp_affine`, or `warp_perspective`."
    if isinstance(op.kind, Field):
        return "`kornia.geometry.transform.remap`."
    if isinstance(op.kind, Container | Within):
        return "the steps inside, each by itself."
    if isinstance(op.kind, Policy | Blend):
        return "the steps that it makes up, each by itself."
    found = EQUIVALENTS.get(op.name)
    if found is None:
        return "as in the torch reference: Kornia has no function that gives the same for fixed numbers."
    named = ", ".join(f"`kornia.{name}`" for name in found.names)
    return f"{named}. {found.differs}".strip()


def usual(op: Op) -> Params:
    """A step with the defaults of its fields; those that have none are the first example's."""
    return _usual(op.examples[0])


def written(params: Params) -> dict[str, Any]:
    """A step as plain JSON, as it would be written by hand: `op`, and the fields that differ from their defaults."""
    defaults = _defaults(params)
    differing = {name: value for name, value in _plainly(params).items() if name not in defaults or defaults[name] != value}
    return {"op": params.op} | differing | _inside(params)


def written_out(params: Params) -> dict[str, Any]:
    """A step as plain JSON with all of its own fields, ranges included; of those that many have, what differs."""
    own = {name: value for name, value in _plainly(params).items() if name not in _SHARED}
    shared = {name: value for name, value in written(params).items() if name in _SHARED}
    return {"op": params.op} | own | shared | _inside(params)


def step(op: Op, place: int = 0) -> str:
    """An example as a line of a YAML recipe, with the fields that differ from their defaults."""
    return shown(written(op.examples[place]))


def _usual(params: Params) -> Params:
    """The same operation with the defaults of its fields, those that have none as they are."""
    known = type(params).model_fields
    return type(params)(**{name: getattr(params, name) for name, field in known.items() if field.is_required()})


def _defaults(params: Params) -> Mapping[str, Any]:
    """The fields that have a default, with it, as plain JSON; some go by the others."""
    known = type(params).model_fields
    return {name: value for name, value in _plainly(_usual(params)).items() if not known[name].is_required()}


def _plainly(params: Params) -> dict[str, Any]:
    """A step's fields as people write them, without its name and the steps inside."""
    drawn = dict(drawn_fields(type(params)))
    given = params.model_dump(mode="json", exclude={"op", "steps"} if _steps(params) else {"op"})
    return {name: _plain(_single(value) if name in drawn else value) for name, value in given.items()}


def _inside(params: Params) -> dict[str, Any]:
    return {"steps": [written(one) for one in _steps(params)]} if _steps(params) else {}


def _steps(params: Params) -> Sequence[Params]:
    """The steps inside as they are written: a container may have them several times among its children."""
    steps: Sequence[Params] = getattr(params, "steps", ()) if params.children() else ()
    return steps


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
    if schema.get("type") == "object":
        return "step"
    named = {"boolean": "true or false", "integer": "whole number", "number": "number", "string": "text", "null": "null"}
    kind = named.get(str(schema.get("type")), "value")
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:g}"
    return f"{kind} from {low:g}" if low is not None else kind


def _default(field: FieldInfo, value: object) -> str:
    if field.is_required():
        return "required"
    return "all alike" if field.default_factory is not None else brief(value)


def _single(ends: object) -> object:
    """A pair of equal ends, or a list of one name, as it would be written by hand."""
    # told apart as they are written: 0.0 and -0.0 are equal, and give two digests
    return ends[0] if isinstance(ends, list) and len({repr(end) for end in ends}) == 1 else ends


def _plain(value: Any) -> Any:
    """Whole numbers without a fraction, as people write them; but -0.0, which no whole number is."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and repr(value) != "-0.0" else value


def brief(value: object) -> str:
    """`shown`, of a long list only its beginning."""
    text = shown(value)
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 4]} ..."


def shown(value: object) -> str:
    """Plain JSON as a line of YAML."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case float():
            return f"{value:g}"
        case list():
            return f"[{', '.join(map(shown, value))}]"
        case dict():
            return "{" + ", ".join(f"{name}: {shown(one)}" for name, one in value.items()) + "}"
        case _:
            return str(value)
