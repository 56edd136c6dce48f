"""Recipes as files: both forms, and errors that say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.expansion.recipe_file import RecipeFileInvalid, load_recipe

YAML = "steps:\n  - {op: rotate, degrees: [-15, 15]}\n  - op: hflip\n    chance: 0.5\noutput: {format: png}\n"
JSON = '{"steps": [{"op": "rotate", "degrees": [-15, 15]}, {"op": "hflip", "chance": 0.5}], "output": {"format": "png"}}'


def written(tmp_path: Path, text: str, name: str = "recipe.yaml") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_yaml_and_json_mean_the_same(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, YAML)).digest == load_recipe(written(tmp_path, JSON, "recipe.json")).digest


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (YAML.replace("15, 15", "15, 1500"), 2, "/steps/0/degrees: must lie within"),
        (YAML.replace("hflip", "hflop"), 3, "/steps/1/op: there is no operation 'hflop'; did you mean hflip"),
        (YAML.replace("chance", "chances"), 4, "/steps/1/chances: unknown field"),
        (YAML.replace("png", "gif"), 5, "/output/format"),
        ("steps: [\n", 2, "is not YAML"),
        ("", None, "a recipe is an object"),
    ],
)
def test_errors_name_file_line_and_place(tmp_path: Path, text: str, line: int | None, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RecipeFileInvalid) as raised:
        load_recipe(path)
    assert str(raised.value).startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert said in str(raised.value)
    assert raised.value.line == line


def test_json_errors_name_the_line_too(tmp_path: Path) -> None:
    with pytest.raises(RecipeFileInvalid, match="is not JSON") as raised:
        load_recipe(written(tmp_path, '{"steps": [\n}', "recipe.json"))
    assert raised.value.line == 2


@pytest.mark.parametrize("name", ["recipe.yaml", "recipe.json"])
def test_what_nothing_can_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeFileInvalid, match="nested too deeply"):
        load_recipe(written(tmp_path, '{"steps": ' + "[" * 3000 + "]" * 3000 + "}", name))
    with pytest.raises(RecipeFileInvalid, match="cannot be read"):
        load_recipe(written(tmp_path, '{"steps": [{"op": "rotate", "degrees": ' + "9" * 5000 + "}]}", name))


def test_what_is_no_recipe_at_all(tmp_path: Path) -> None:
    with pytest.raises(RecipeFileInvalid, match="No such file"):
        load_recipe(tmp_path / "missing.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(RecipeFileInvalid, match="not UTF-8"):
        load_recipe(tmp_path / "picture.yaml")
