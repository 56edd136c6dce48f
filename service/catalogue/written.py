"""A recipe as people write it: without what is left at its default, one step a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from kernels.recipe import Recipe
from service.catalogue import facts


def written(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a document that means the same, and has the same digest, with as few fields as possible."""
    document: dict[str, Any] = {"steps": [facts.written(step) for step in recipe.steps]}
    for name in ("output", "labels"):
        if fields := getattr(recipe, name).model_dump(mode="json", exclude_defaults=True):
            document[name] = fields
    if recipe.profile != "fused":
        document["profile"] = recipe.profile
    return document


def yaml_text(document: dict[str, Any]) -> str:
    """A written recipe as YAML, each step on a line of its own where it fits."""
    lines = ["steps:" if document["steps"] else "steps: []"]
    lines += _lines(document["steps"], "  ")
    lines += [f"{name}: {_flow(document[name])}" for name in document if name != "steps"]
    return "\n".join(lines) + "\n"


def _lines(steps: Sequence[dict[str, Any]], indent: str) -> list[str]:
    lines = []
    for step in steps:
        if isinstance(step.get("steps"), list) and all(isinstance(one, dict) for one in step["steps"]):
            own = {name: value for name, value in step.items() if name != "steps"}
            lines += [f"{indent}- op: {step['op']}"]
            lines += [f"{indent}  {name}: {_flow(value)}" for name, value in own.items() if name != "op"]
            lines += [f"{indent}  steps:", *_lines(step["steps"], f"{indent}    ")]
        else:
            lines.append(f"{indent}- {_flow(step)}")
    return lines


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(_rounded(value), default_flow_style=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    plain = isinstance(value, float) and value.is_integer() and abs(value) < 1e6 and repr(value) != "-0.0"
    return int(value) if plain else value
