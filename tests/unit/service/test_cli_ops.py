"""`augment ops` and `augment recipe check`, as a person and as a program sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from kernels.op import Stencil
from kernels.ops import OPS
from kernels.recipe import Recipe
from service.catalogue.facts import fields, step, usual, written_out
from service.catalogue.picture import TILE
from service.cli import app
from service.expansion.recipe_file import load_recipe


def augment(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, words)


def listed(*words: str) -> set[str]:
    return {entry["name"] for entry in json.loads(augment("ops", *words, "--json").stdout)}


def test_the_catalogue_names_every_operation() -> None:
    shown = augment("ops")
    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in OPS)
    assert [entry["name"] for entry in json.loads(augment("ops", "--json").stdout)] == list(OPS)


def test_the_catalogue_can_be_searched() -> None:
    found = listed("--search", "blur")
    assert "gaussian_blur" in found
    assert "hflip" not in found
    assert "no operation" in augment("ops", "--search", "nothing of this name").stdout


def test_the_catalogue_can_be_filtered() -> None:
    assert {"gaussian_noise", "salt"} <= listed("--section", "noise") < {*OPS}
    assert listed("--kind", "stencil") == {op.name for op in OPS.values() if isinstance(op.kind, Stencil)}
    assert {"hflip", "elastic"} <= listed("--labels", "follow")
    assert {"mixup", "mosaic"} <= listed("--labels", "merged") < listed("--kind", "mix")
    assert set.union(*(listed("--labels", fate) for fate in ("stay", "follow", "merged", "inside"))) == {*OPS}
    assert listed("--section", "geometry", "--search", "mirror") < listed("--section", "geometry")
    shown = augment("ops", "--section", "noise").stdout
    assert "gaussian_noise" in shown
    assert "rotate" not in shown
    wrong = augment("ops", "--section", "nose")
    assert wrong.exit_code == 2
    assert "is not one of colour, tables" in wrong.stderr


def test_one_operation_with_its_picture(tmp_path: Path) -> None:
    shown = augment("ops", "show", "rotate", "--png", str(tmp_path / "rotate.png"))
    assert shown.exit_code == 0
    assert "degrees" in shown.stdout
    assert "-360 to 360 degrees" in shown.stdout
    assert "Geometry; moves pixels by a matrix" in shown.stdout
    assert "ns of CPU a pixel, computed by compiled kernels" in shown.stdout
    with Image.open(tmp_path / "rotate.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (5 * TILE[0] + 4 * 6, TILE[1])
    document = json.loads(augment("ops", "show", "rotate", "--json").stdout)
    assert (document["labels"], document["section"]) == ("follow", "geometry")
    assert document["fields"][0] == {
        "name": "degrees",
        "drawn": True,
        "takes": "number or [from, to], -360 to 360 degrees",
        "unit": "degrees",
        "default": "[-15, 15]",
        "meaning": "Angle of the turn.",
    }
    assert document["steps"] == {
        "example": {"op": "rotate", "degrees": 30},
        "drawn": {"op": "rotate", "degrees": [-15, 15]},
    }
    assert "degrees" in document["schema"]["properties"]


def test_an_unknown_operation_has_a_suggestion() -> None:
    shown = augment("ops", "show", "rotat")
    assert shown.exit_code == 2
    assert "did you mean rotate" in shown.stderr


@pytest.mark.parametrize("name", OPS)
def test_written_steps_mean_the_examples(name: str, tmp_path: Path) -> None:
    op = OPS[name]
    text = "steps:\n" + "".join(f"  - {step(op, place)}\n" for place in range(len(op.examples)))
    (tmp_path / "recipe.yaml").write_text(text)
    assert load_recipe(tmp_path / "recipe.yaml") == Recipe(steps=op.examples)


@pytest.mark.parametrize("name", OPS)
def test_steps_to_paste_mean_the_usual_fields(name: str) -> None:
    assert Recipe.parse({"steps": [written_out(usual(OPS[name]))]}) == Recipe(steps=(usual(OPS[name]),))


@pytest.mark.parametrize("name", OPS)
def test_every_field_says_what_it_takes_and_means(name: str) -> None:
    for field in fields(OPS[name]):
        assert field.takes, field.name
        assert field.default, field.name
        assert field.meaning.endswith("."), field.name


def test_a_good_recipe(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(
        "steps:\n  - {op: rotate, degrees: 10}\n  - {op: center_crop, size: [20, 30]}\n  - {op: invert}\n"
        "output: {format: png}\n"
    )
    shown = augment("recipe", "check", str(tmp_path / "good.yaml"), "--size", "100x200")
    assert shown.exit_code == 0
    assert "0 rotate, 1 center_crop, 2 invert" in " ".join(shown.stdout.split())
    assert "one coordinate chain, resampled once" in " ".join(shown.stdout.split())
    assert "estimate: " in shown.stdout
    assert "a picture of 200 x 100 becomes 30 x 20, png" in shown.stdout
    document = json.loads(augment("recipe", "check", str(tmp_path / "good.yaml"), "--json").stdout)
    assert document["valid"] is True
    assert document["digest"] == load_recipe(tmp_path / "good.yaml").digest
    assert [stage["steps"] for stage in document["explanation"]["stages"]] == [[0, 1, 2]]


def test_a_size_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("steps: []\n")
    for size in ("512", "0x5", "5x99999", "axb"):
        shown = augment("recipe", "check", str(tmp_path / "good.yaml"), "--size", size)
        assert shown.exit_code == 2
        assert "is not HEIGHTxWIDTH" in shown.stderr


def test_a_bad_recipe(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("steps:\n  - op: rotate\n    degrees: far\n")
    shown = augment("recipe", "check", str(tmp_path / "bad.yaml"))
    assert shown.exit_code == 2
    assert "bad.yaml:3: /steps/0/degrees: must be a number" in shown.stderr
    document = json.loads(augment("recipe", "check", str(tmp_path / "bad.yaml"), "--json").stdout)
    assert (document["valid"], document["pointer"], document["line"]) == (False, "/steps/0/degrees", 3)
