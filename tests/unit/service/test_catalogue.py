"""The catalogue: every operation has its section, rows are counted, pictures and speeds say what is so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kernels.ops import OPS
from service.catalogue.entry import entry
from service.catalogue.picture import TILE, as_webp, illustrated, sample, tiles
from service.catalogue.rows import ROWS, SECTIONS
from service.catalogue.sections import by_section, coverage, section, undeclared
from service.catalogue.speed import SPEEDS, measured, speed
from service.view_schemas import OpPage

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "catalogue.md"
YELLOW = (255, 220, 0)


def test_every_operation_is_in_a_row() -> None:
    assert not undeclared(), "add these to the rows that they cover, in service/catalogue/rows.py"


def test_rows_and_sections() -> None:
    assert {name: len(rows) for name, rows in ROWS.items()} == {
        "colour": 31,
        "tables": 14,
        "filters": 25,
        "noise": 13,
        "erase": 7,
        "geometry": 26,
        "fields": 13,
        "mixing": 12,
        "compression": 3,
        "weather": 8,
        "policies": 12,
    }
    assert list(ROWS) == list(SECTIONS)
    grouped = [op.name for _, ops in by_section() for op in ops]
    assert sorted(grouped) == sorted(OPS)
    assert (section(OPS["gamma"]), section(OPS["elastic"]), section(OPS["salt"])) == ("tables", "fields", "noise")


def test_rows_that_are_not_covered_yet_are_counted_on_the_page() -> None:
    rows = list(coverage())
    counts = Counter(row.status for row in rows)
    assert sum(counts.values()) == 164
    assert f"not yet: {counts['not yet']}; left out on purpose: {counts['left out']}." in PAGE.read_text()
    by_name = {row.name: row for row in rows}
    assert by_name["tint / channel_gain"].ops == ("tint", "channel_gain")
    assert by_name["dissolving (diffusion model)"].status == "left out"
    assert by_name["box_hygiene"].status == "covered otherwise"
    assert all(row.says for row in rows if row.status in ("left out", "covered otherwise"))
    assert all(row.missing and not row.ops for row in rows if row.status == "not yet")


def test_a_strip_begins_with_the_sample_and_is_the_same_every_time() -> None:
    shown = tiles(OPS["gamma"])
    assert [tile.role for tile in shown] == ["original", "example", "draw", "draw", "draw"]
    assert shown[0].picture.tobytes() == sample().resize(TILE, Image.Resampling.LANCZOS).tobytes()
    assert len({tile.picture.tobytes() for tile in shown}) == 5
    assert as_webp(illustrated(OPS["gamma"])) == as_webp(illustrated(OPS["gamma"]))


def test_draws_that_are_all_alike_are_shown_once() -> None:
    assert [tile.role for tile in tiles(OPS["invert"])] == ["original", "example"]
    assert illustrated(OPS["invert"]).width < illustrated(OPS["gamma"]).width


def test_labels_are_drawn_where_they_move() -> None:
    assert not yellow(tiles(OPS["invert"])[0].picture).any()
    before, after = (yellow(tile.picture) for tile in tiles(OPS["hflip"]))
    assert before.sum() > 300
    mirrored = yellow(ImageOps.mirror(tiles(OPS["hflip"])[0].picture))
    rows, columns = np.nonzero(after)
    wanted = np.nonzero(mirrored)
    assert abs(rows.mean() - wanted[0].mean()) < 1  # a line is two pixels wide, its middle between two columns
    assert abs(columns.mean() - wanted[1].mean()) < 2


def yellow(picture: Image.Image) -> np.ndarray:
    return (np.asarray(picture) == YELLOW).all(axis=2)


def test_captions_name_what_was_drawn() -> None:
    original, example, *draws = tiles(OPS["rotate"])
    assert (original.says, example.says) == ("", "degrees: 30")
    assert all(tile.says.startswith("degrees: ") for tile in draws)
    assert len({tile.says for tile in draws}) == 3


def test_entries_are_what_the_openapi_document_says() -> None:
    page = OpPage.model_validate({"ops": [entry(op) for op in OPS.values()]})
    assert [op.name for op in page.ops] == list(OPS)
    assert page.ops[0].picture == f"/v1/ops/{page.ops[0].name}/picture"


def test_every_operation_has_a_speed() -> None:
    found = {name: speed(name) for name in OPS}
    assert {one.name for one in found.values()} <= {*SPEEDS}
    assert all(one.ns_a_pixel > 0 and one.by for one in found.values())
    assert {name: one.ns_a_pixel for name, one in found.items() if not one.is_estimate} == measured().ns_a_pixel
    assert found["invert"].name == "fast"
    assert found["percentile_filter"].name == "slow"
    assert found["invert"].by == ("compiled kernels",)
    assert found["mean_shift_blur"].by == found["canny"].by == ("OpenCV",)
    assert found["zoom_blur"].by == ("torch",)
