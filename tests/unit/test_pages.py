"""The pages for people: links and pictures are there, what is generated is complete, pictures carry their licences."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import yaml

from benchmarks.sandbox import table as sandbox_table
from benchmarks.sharpness import table
from kernels.ops import OPS
from kernels.recipe import Recipe
from service.errors import STATUS
from service.settings import Settings, environment_name
from tests.helpers.faults.report import table as faults_table

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PLACE = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
_TEXT = re.compile(r"\[([^]]*)\]\([^)]*\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in _LINK.findall(page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_every_link_into_a_page_finds_its_heading() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}#{place}"
        for page in PAGES
        for target, place in _PLACE.findall(page.read_text())
        if "://" not in target and place not in places(page.parent / target if target else page)
    ]
    assert not broken


@cache
def places(page: Path) -> set[str]:
    """What a link into a Markdown page may name: its headings, as GitHub and MkDocs write them."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w -]", "", _TEXT.sub(r"\1", heading)).strip().lower().replace(" ", "-") for heading in headings}


def test_the_page_on_sharpness_shows_what_was_measured() -> None:
    (result,) = (ROOT / "benchmarks" / "results").glob("*/sharpness--*.json")
    assert table(json.loads(result.read_text())) in (DOCS / "explanation" / "one-resampling.md").read_text()


def test_every_test_that_the_page_on_bad_input_names_is_there() -> None:
    named = set(re.findall(r"`(?:\w+/)?(test_\w+\.py)`", (DOCS / "explanation" / "bad-input.md").read_text()))
    assert len(named) > 10
    assert named <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


def test_the_page_on_guarantees_shows_what_was_tried_and_measured() -> None:
    page = (DOCS / "explanation" / "guarantees.md").read_text()
    results = ROOT / "benchmarks" / "results"
    (trials,), (cost,) = results.glob("*/faults--*.json"), results.glob("*/sandbox--*.json")
    assert faults_table(json.loads(trials.read_text())["trials"]) in page
    assert sandbox_table(json.loads(cost.read_text())) in page


def test_every_recipe_in_the_pages_is_right() -> None:
    pages = [DOCS / "howto" / "policies.md", DOCS / "howto" / "mix-pictures.md"]
    blocks = [
        block for page in pages for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    recipes = [Recipe.parse(yaml.safe_load(block)) for block in blocks if block.startswith("steps:")]
    assert len(recipes) == 5


def test_every_decision_is_listed() -> None:
    listed = set(_LINK.findall((DOCS / "decisions" / "README.md").read_text()))
    assert listed == {page.name for page in (DOCS / "decisions").glob("0*.md")}


def test_every_operation_setting_and_error_has_its_place() -> None:
    operations = (DOCS / "reference" / "operations.md").read_text()
    settings = (DOCS / "reference" / "settings.md").read_text()
    errors = (DOCS / "reference" / "errors.md").read_text()
    gallery = (DOCS / "gallery" / "README.md").read_text()
    missing = [name for name in OPS if f"\n## {name}\n" not in operations or f"({name}.webp)" not in gallery]
    missing += [name for name in map(environment_name, Settings.model_fields) if f"| `{name}` |" not in settings]
    missing += [code for code in STATUS if f"| `{code}` |" not in errors]
    assert not missing, "run `python docs/build.py`"


def test_committed_pictures_are_small_and_licensed() -> None:
    assert {path.stem for path in (DOCS / "gallery").glob("*.webp")} == {*OPS}
    assert sum(path.stat().st_size for path in (DOCS / "gallery").glob("*.webp")) < 6 * 2**20
    assert sum(path.stat().st_size for path in (DOCS / "images").glob("*")) < 2**20
    assert (DOCS / "images" / "LICENSES.txt").exists()
    assert (ROOT / "service" / "catalogue" / "sample" / "LICENSE.txt").exists()


def test_the_architecture_page_names_every_folder_of_the_service() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "explanation" / "architecture.md").read_text(), re.MULTILINE))
    assert {place.parent.name for place in (ROOT / "service").glob("*/__init__.py")} <= named
