"""`augment replay`: the results of an expansion and of an archive made again, through the service and without one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli import app
from tests.helpers.http import archive, jpeg, png, submit
from tests.helpers.stack import Stack

RECIPE = """
steps:
  - {op: one_of, steps: [{op: mosaic, size: [48, 64]}, {op: mixup}]}
  - {op: rotate, degrees: [-20, 20]}
  - {op: gaussian_noise}
"""
PICTURES, VARIANTS = 5, 2


def command(*arguments: object) -> tuple[int, Any, str]:
    """Exit status, the summary, and what was said."""
    ran = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, json.loads(ran.stdout) if ran.stdout else None, ran.stderr


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "in").mkdir()
    for number in range(PICTURES):
        path = folder / "in" / f"{number}.{'jpg' if number % 2 else 'png'}"
        path.write_bytes((jpeg if number % 2 else png)(60, 80 + number, seed=number))
        if number:
            path.with_suffix(".txt").write_text("0 0.5 0.5 0.4 0.4\n")
    return folder


@pytest.fixture(scope="module")
def expanded(shared_stack: Stack, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of an expansion of labelled pictures that are mixed."""
    out = tmp_path_factory.mktemp("expanded")
    (out / "recipe.yaml").write_text(RECIPE)
    url = shared_stack.client.base_url
    options = ("--recipe", out / "recipe.yaml", "--variants", VARIANTS, "--seed", 3, "--out", out / "out", "--url", url)
    assert command("expand", photos, *options)[0] == 0
    return out / "out" / "manifest.jsonl"


def rewritten(manifest: Path, folder: Path, lines: Sequence[dict[str, Any]]) -> Path:
    (folder / manifest.name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder / manifest.name


def test_everything_is_identical_with_the_service_and_without(shared_stack: Stack, photos: Path, expanded: Path) -> None:
    for where in (("--url", shared_stack.client.base_url), ("--source", photos)):
        status, told, said = command("replay", expanded, *where)
        assert (status, told["results"], told["identical"]) == (0, PICTURES * VARIANTS, PICTURES * VARIANTS), (told, said)
        assert told["changed"] == {}
        assert told["not_identical"] == []
        assert told["results_per_s"] > 0


def test_differences_and_what_is_gone_are_told(shared_stack: Stack, photos: Path, expanded: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in expanded.read_text().splitlines()]
    lines[0] |= {"sha256": "0" * 64, "engine_version": "older"}
    lines[1] |= {"custom_id": "in/none.jpg"}
    manifest = rewritten(expanded, tmp_path, lines)
    status, told, _ = command("replay", manifest, "--source", photos)
    assert status == 1
    assert {name: told[name] for name in ("identical", "different", "gone", "failed")} == {
        "identical": PICTURES * VARIANTS - 2,
        "different": 1,
        "gone": 1,
        "failed": 0,
    }
    different, gone = told["not_identical"]
    assert different["changed"]["engine_version"]["was"] == "older"
    assert set(different["changed"]) == {"sha256", "engine_version"}
    assert gone["detail"].startswith("in/none.jpg is not in")
    lines[0]["output_id"] = "01234567-89ab-7def-8123-456789abcdef"
    status, told, _ = command("replay", rewritten(expanded, tmp_path, lines[:1]), "--url", shared_stack.client.base_url)
    assert (status, told["gone"]) == (0, 1)


def test_an_archive_needs_its_recipe(shared_stack: Stack, photos: Path, tmp_path: Path) -> None:
    pictures = {f"in/{number}.png": (photos / "in" / f"{number}.png").read_bytes() for number in (0, 2)}
    steps = [{"op": "rotate", "degrees": [-20, 20]}]
    view = submit(shared_stack.client, pictures, steps, variants=3, output={"format": "webp"})
    assert shared_stack.batch(view["id"])["state"] == "completed"
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_bytes(archive(shared_stack.client, view["id"])["manifest.jsonl"])
    assert command("replay", manifest, "--url", shared_stack.client.base_url)[1]["identical"] == 6
    status, _, said = command("replay", manifest, "--source", photos)
    assert status == 2
    assert "--recipe" in said
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"steps": steps, "output": {"format": "webp"}}))
    assert command("replay", manifest, "--source", photos, "--recipe", recipe)[1]["identical"] == 6


@pytest.mark.parametrize(
    ("text", "said"), [("{", "manifest.jsonl:1"), ('{"id": 1}', ":1: id: "), (None, "No such file")], ids=str
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    manifest = tmp_path / "manifest.jsonl"
    if text is not None:
        manifest.write_text(text)
    status, _, error = command("replay", manifest, "--source", tmp_path)
    assert status == 2
    assert said in error
