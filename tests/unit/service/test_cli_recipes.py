"""`augment recipe list | show | import` where no service runs, as a person and as a program sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from kernels.recipe import Recipe
from service.catalogue.ready import READY
from service.cli import app
from tests.helpers.pipelines import DATA

NOBODY = "http://127.0.0.1:9"


def augment(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "AUGMENT_URL": NOBODY}).invoke(app, words)


def test_ready_recipes_are_listed_without_a_service() -> None:
    shown = augment("recipe", "list")
    assert shown.exit_code == 0
    assert all(name in shown.stdout and ready.summary in shown.stdout for name, ready in READY.items())
    assert f"no service answers at {NOBODY}" in shown.stderr
    document = json.loads(augment("recipe", "list", "--json").stdout)
    assert ([one["name"] for one in document["ready"]], document["stored"]) == (list(READY), [])


@pytest.mark.parametrize("name", ["light", "light@0"])
def test_a_ready_recipe_is_printed_as_yaml(name: str) -> None:
    shown = augment("recipe", "show", name)
    assert (shown.exit_code, shown.stdout) == (0, READY["light"].text)
    assert Recipe.parse(yaml.safe_load(shown.stdout)) == READY["light"].recipe
    document = json.loads(augment("recipe", "show", name, "--json").stdout)
    assert (document["version"], document["digest"]) == (0, READY["light"].recipe.digest)


@pytest.mark.parametrize("name", ["nope@0", "light@x"])
def test_what_is_not_ready(name: str) -> None:
    assert augment("recipe", "show", name).exit_code == 2


def test_a_pipeline_is_printed_as_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "simple.json").write_text('["RandomHorizontalFlip", {"RandomRotation": {"degrees": 10}}]')
    shown = augment("recipe", "import", str(tmp_path / "simple.json"), "--format", "torchvision")
    assert shown.exit_code == 0
    assert shown.stdout == "steps:\n  - {op: hflip, chance: 0.5}\n  - {op: rotate, degrees: [-10, 10]}\n"
    assert "pixels are read bilinearly here" in shown.stderr
    assert "1 as they are, 1 with a difference, 0 missing" in shown.stderr


def test_what_is_missing_is_an_exit_status(tmp_path: Path) -> None:
    out = tmp_path / "recipe.yaml"
    shown = augment("recipe", "import", str(DATA / "albumentations_2.json"), "--out", str(out), "--json")
    document = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert document["counts"]["missing"] == sum(item["verdict"] == "missing" for item in document["items"]) > 0
    assert Recipe.parse(yaml.safe_load(out.read_text())).digest == document["recipe_digest"]
    assert augment("recipe", "check", str(out)).exit_code == 0


def test_yaml_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "saved.yaml").write_text(yaml.safe_dump(json.loads((DATA / "albumentations_1.json").read_text())))
    document = json.loads(augment("recipe", "import", str(tmp_path / "saved.yaml"), "--json").stdout)
    assert document["format"] == "albumentations"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "is not JSON"),
        ('[{"RandomRotation": {"degrees": NaN}}, "RandomPosterize"]', "NaN"),
        ('["RandomInvert"]', "say which"),
        ("[" * 100_000, "nested too deeply"),
        ("3", "must be NAME"),
    ],
)
def test_what_is_no_pipeline(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    shown = augment("recipe", "import", str(tmp_path / "bad.json"))
    assert shown.exit_code == 2
    assert says in shown.stderr
    assert "Traceback" not in shown.stderr


def test_an_operation_by_its_name_elsewhere() -> None:
    shown = augment("ops", "show", "HorizontalFlip")
    assert shown.exit_code == 0
    assert "HorizontalFlip is called hflip here" in shown.stdout
    assert "in imgaug: Fliplr" in shown.stdout
    assert json.loads(augment("ops", "show", "shiftscalerotate", "--json").stdout)["name"] in (
        "affine",
        "shift_scale_rotate",
    )
    assert "hflip" in [one["name"] for one in json.loads(augment("ops", "--search", "Fliplr", "--json").stdout)]
