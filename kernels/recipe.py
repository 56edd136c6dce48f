"""Recipe: the checked list of steps a caller sends."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, SerializeAsAny, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from kernels.aliases import ops_called
from kernels.errors import RecipeInvalid, UnknownOp
from kernels.label_rules import LabelRules
from kernels.op import Mix, Within
from kernels.ops import OPS
from kernels.params import MAX_DEPTH, MAX_STEPS, Group, Params

Profile = Literal["fused", "kornia"]
Model = TypeVar("Model", bound=BaseModel)


class Output(BaseModel):
    """The form that results are encoded in."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    format: Literal["jpeg", "png", "webp"] = "jpeg"
    """File format of the results."""
    quality: Annotated[int, Field(ge=1, le=100, strict=True)] = 90
    """JPEG and WebP quality, 1 to 100; PNG has none."""
    alpha: Literal["drop", "keep"] = "drop"
    """Whether transparency is composited over black, or kept (PNG and WebP only)."""


class Recipe(BaseModel):
    """Steps in order, and the form of the output. Build one with `Recipe.parse`, whose errors name the place."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps: tuple[SerializeAsAny[Params], ...] = ()
    """The operations, applied in this order."""
    output: Output = Output()
    """The form that results are encoded in."""
    labels: LabelRules = LabelRules()
    """Which labels results keep."""
    profile: Profile = "fused"
    """How steps are executed: `fused` resamples a chain of geometric steps once; `kornia` runs each step by itself."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # once: it asks every field of every step, and plans find what is known of their recipe by it
        return hash((self.steps, self.output, self.labels, self.profile))

    @classmethod
    def parse(cls, value: object, pointer: str = "") -> Recipe:
        """The recipe in a decoded JSON or YAML document. RecipeInvalid and UnknownOp carry a JSON pointer into it."""
        if isinstance(value, Recipe):
            return value
        if not isinstance(value, Mapping):
            raise RecipeInvalid("a recipe is an object with `steps` and, if wanted, `output`", pointer)
        unknown = [name for name in value if name not in cls.model_fields]
        if unknown:
            raise RecipeInvalid(
                "unknown field; a recipe has steps, output, labels, profile", f"{pointer}/{_escaped(unknown[0])}"
            )
        steps = parse_steps(value.get("steps", []), f"{pointer}/steps")
        output = _checked(Output, value.get("output", {}), f"{pointer}/output")
        labels = _checked(LabelRules, value.get("labels", {}), f"{pointer}/labels")
        profile = value.get("profile", "fused")
        if profile not in get_args(Profile):
            raise RecipeInvalid(f"must be {' or '.join(map(repr, get_args(Profile)))}", f"{pointer}/profile")
        if output.alpha == "keep" and output.format == "jpeg":
            raise RecipeInvalid("JPEG has no transparency; use png or webp, or alpha: drop", f"{pointer}/output/alpha")
        return cls(steps=steps, output=output, labels=labels, profile=profile)

    def with_output(self, output: Output) -> Recipe:
        """The same steps with another form of output."""
        # made anew: a copy would keep the digest of this one
        return Recipe(steps=self.steps, output=output, labels=self.labels, profile=self.profile)

    def document(self) -> dict[str, Any]:
        """The whole recipe as plain JSON, every default written out: what is stored, digested and replayed."""
        document: dict[str, Any] = self.model_dump(mode="json")
        return document

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole recipe, output and profile included, as 64 hex digits."""
        canonical = json.dumps(self.document(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler.resolve_ref_schema(handler(schema))
        steps = handler(core_schema.list_schema(_STEP))
        json_schema["properties"]["steps"] = {**steps, "maxItems": MAX_STEPS}
        return json_schema


_STEP_REF = "kernels.recipe.Step:0"


def _step_schema(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    """Any operation's fields; the steps inside a container are such steps again."""
    again = handler(core_schema.definition_reference_schema(_STEP_REF))
    forms = [op.params.model_json_schema() for op in OPS.values()]
    for form in forms:
        if "steps" in form["properties"]:
            form["properties"]["steps"]["items"] = again
    return {"oneOf": forms, "discriminator": {"propertyName": "op"}}


_STEP = core_schema.any_schema(ref=_STEP_REF, metadata={"pydantic_js_functions": [_step_schema]})


def preorder(steps: tuple[Params, ...]) -> Iterator[Params]:
    """Every step, a container before the steps inside it. A step's number is its place in this order."""
    for step in steps:
        yield step
        yield from preorder(step.children())


def steps_in(params: Params) -> int:
    """How many steps one step is: itself and all inside it, each repetition counted."""
    return 1 + sum(steps_in(child) for child in params.children())


def parse_steps(value: object, pointer: str, depth: int = 0) -> tuple[Params, ...]:
    """A list of step objects, each checked against its operation's fields. depth: containers that it stands in."""
    if not isinstance(value, list | tuple):
        raise RecipeInvalid("must be a list of steps", pointer)
    if len(value) > MAX_STEPS:
        raise RecipeInvalid(f"has {len(value)} steps; at most {MAX_STEPS} are allowed", pointer)
    found: list[Params] = []
    count = 0
    for place, step in enumerate(value):
        found.append(_parse_step(step, f"{pointer}/{place}", depth))
        # here, so that what is nested without end is refused as soon as one list of it is too long
        count += steps_in(found[-1])
        if count > MAX_STEPS:
            raise RecipeInvalid(
                f"has more than {MAX_STEPS} steps, those inside others and each repetition counted", pointer
            )
    return tuple(found)


def _parse_step(value: object, pointer: str, depth: int) -> Params:
    if isinstance(value, Params):
        return value
    if not isinstance(value, Mapping):
        raise RecipeInvalid("a step is an object with `op` and its fields", pointer)
    name = value.get("op")
    if not isinstance(name, str):
        raise RecipeInvalid("a step needs `op`, the name of an operation", f"{pointer}/op")
    if name not in OPS:
        raise unknown_op(name, f"{pointer}/op")
    params = OPS[name].params
    if issubclass(params, Group) and "steps" in value:
        if depth == MAX_DEPTH:
            raise RecipeInvalid(f"is nested too deeply; at most {MAX_DEPTH} containers may stand in each other", pointer)
        value = {**value, "steps": parse_steps(value["steps"], f"{pointer}/steps", depth + 1)}
    step = _checked(params, value, pointer)
    if isinstance(OPS[name].kind, Within):
        _check_inside(name, step.children(), pointer)
    return step


def _check_inside(name: str, steps: tuple[Params, ...], pointer: str) -> None:
    """Nothing, or RecipeInvalid where a step on a part of a picture does more than change the colours that are there."""
    for step in preorder(steps):
        op = OPS[step.op]
        if op.moves_labels or isinstance(op.kind, Mix) or op.aim is not None:
            does = (
                "mixes pictures" if isinstance(op.kind, Mix) else "moves pixels" if op.moves_labels else "looks at labels"
            )
            raise RecipeInvalid(
                f"{step.op} {does}, and {name} takes only steps that change colours in place; put it before or after",
                f"{pointer}/steps",
            )


def unknown_op(name: str, pointer: str) -> UnknownOp:
    """The error of a name that no operation has, with the names that may be meant."""
    called_here = tuple(op for op in ops_called(name[:80]) if op in OPS)
    return UnknownOp(name[:80], pointer, tuple(difflib.get_close_matches(name[:80], OPS, n=2)), called_here)


def _checked(model: type[Model], value: object, pointer: str) -> Model:
    # looked for here, because pydantic would make an error for each of them
    unknown = [name for name in value if name not in model.model_fields] if isinstance(value, Mapping) else []
    if unknown:
        names = ", ".join(model.model_fields)
        raise RecipeInvalid(f"unknown field; the fields are {names}", f"{pointer}/{_escaped(unknown[0])}")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(
            f"/{_escaped(part)}" for part in first["loc"] if part in model.model_fields or isinstance(part, int)
        )
        raise RecipeInvalid(first["msg"].removeprefix("Value error, "), pointer + place) from None


def _escaped(part: object) -> str:
    return str(part)[:80].replace("~", "~0").replace("/", "~1")
