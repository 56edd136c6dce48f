"""Recipes as people keep them: YAML or JSON files, checked before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from kernels.errors import RecipeInvalid, UnknownOp
from kernels.recipe import Recipe

_MOST_BYTES = 2**20


class RecipeFileInvalid(ValueError):
    """A recipe file cannot be used; the message names the file, the line where it is known, and the place in it."""

    def __init__(self, path: Path, reason: str, line: int | None = None, pointer: str | None = None) -> None:
        super().__init__(f"{path}{f':{line}' if line else ''}: {reason}")
        self.path, self.reason, self.line, self.pointer = path, reason, line, pointer


def load_recipe(path: Path) -> Recipe:
    """The checked recipe in a file. RecipeFileInvalid says what to change."""
    try:
        text = path.read_bytes()[: _MOST_BYTES + 1].decode("utf-8")
    except OSError as error:
        raise RecipeFileInvalid(path, error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise RecipeFileInvalid(path, "is not UTF-8 text, so not a recipe") from error
    if len(text) > _MOST_BYTES:
        raise RecipeFileInvalid(path, f"is larger than {_MOST_BYTES} bytes, so not a recipe")
    try:
        return Recipe.parse(_document(path, text))
    except (RecipeInvalid, UnknownOp) as error:
        raise RecipeFileInvalid(path, error.message, _line(text, error.pointer or ""), error.pointer) from error


def _document(path: Path, text: str) -> object:
    try:
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except json.JSONDecodeError as error:
        raise RecipeFileInvalid(path, f"is not JSON: {error.msg}", error.lineno) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise RecipeFileInvalid(path, f"is not YAML: {error.problem or error.context}", line) from error
    except yaml.YAMLError as error:
        raise RecipeFileInvalid(path, f"is not YAML: {error}") from error
    except RecursionError:
        raise RecipeFileInvalid(path, "is nested too deeply, so not a recipe") from None
    except ValueError:  # an integer of thousands of digits, or the 99th of a month
        raise RecipeFileInvalid(path, "holds a number or a date that cannot be read") from None


def _line(text: str, pointer: str) -> int | None:
    """The line of the nearest place that a JSON pointer reaches; JSON is read as YAML for it."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    line = None
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        below: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if name in pairs:
                line, below = pairs[name][0].start_mark.line + 1, pairs[name][1]
        elif isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            below = node.value[int(name)]
            line = below.start_mark.line + 1
        if below is None:
            break
        node = below
    return line
