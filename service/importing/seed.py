"""The seed's requests as a recipe: one of them, or a list that is applied in order."""

from __future__ import annotations

from typing import Any

from kernels.errors import RecipeInvalid
from kernels.tensors import MAX_SIDE, Size
from service import seed_ops
from service.errors import ValidationError
from service.importing.convert import Item, calls_in
from service.importing.rules import Step

_LARGE = Size(MAX_SIDE, MAX_SIDE)
_NOISE = ("rainbow_noise", "salt_noise", "pepper_noise")


def steps_of(document: Any) -> tuple[list[Step], list[Item]]:
    """Steps and report. RecipeInvalid where the seed would refuse a request too."""
    requests = calls_in(document, "") if isinstance(document, list) else ((document, ""),)
    made = [_one(value, pointer, place) for place, (value, pointer) in enumerate(requests)]
    return [step for step, _ in made], [item for _, item in made]


def _one(value: Any, pointer: str, place: int) -> tuple[Step, Item]:
    try:
        written = dict(seed_ops.step(value, _LARGE))
    except ValidationError as error:
        raise RecipeInvalid(error.reason, f"{pointer}{error.pointer}") from None
    arguments = value["arguments"]
    name = arguments["processing"]
    says = []
    if name in _NOISE:
        says.append("so many pixels as of a large picture: in a small one the seed draws a few less of them")
    if name == "shift" and arguments["distance"] >= MAX_SIDE:
        says.append(f"distances from {MAX_SIDE} pixels on begin again at 0")
    known = ("processing", *seed_ops.OPERATIONS[name].fields)
    says += [f"the field {field[:40]!a} is passed over, as the seed does" for field in arguments if field not in known][:8]
    step = Step(str(written.pop("op")), written, source=place)
    return step, Item(pointer, name, "different" if says else "exact", tuple(says))
