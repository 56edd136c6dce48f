"""The contact sheet shows what it should, where it should."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.expansion.contact_sheet import draw_sheet

RED, GREEN = (200, 30, 30), (30, 200, 30)


def filled(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def line(out: Path, source: Path, variant: int) -> dict[str, object]:
    path = filled(out / source.stem / f"{variant}.png", GREEN)
    recipe = {"steps": [{"op": "hflip", "chance": 0.5}, {"op": "invert", "chance": 1.0}]}
    draws = [{"step": 0, "op": "hflip", "applied": True}, {"step": 1, "op": "invert", "applied": True}]
    return {
        "source": str(source),
        "path": str(path.relative_to(out)),
        "custom_id": source.name,
        "variant": variant,
        "seed": 7,
        "format": "png",
        "device": "cpu",
        "recipe": recipe,
        "draws": draws,
    }


def expanded(folder: Path, pictures: int, variants: int) -> Path:
    out = folder / "out"
    sources = [filled(folder / f"{number}.png", RED) for number in range(pictures)]
    lines = [line(out, source, variant) for source in sources for variant in range(variants)]
    (out / "manifest.jsonl").write_text("".join(json.dumps(one) + "\n" for one in reversed(lines)))
    return out


def share(sheet: Path, color: tuple[int, int, int]) -> float:
    pixels = np.asarray(Image.open(sheet).convert("RGB")).astype(int)
    return float((np.abs(pixels - color).max(axis=2) < 8).mean())


def test_each_row_has_its_picture_and_its_variants(tmp_path: Path) -> None:
    sheet = draw_sheet(expanded(tmp_path, pictures=3, variants=4), tmp_path / "sheet.png", "three pictures")
    assert share(sheet, GREEN) == pytest.approx(4 * share(sheet, RED), rel=0.01)
    assert share(sheet, RED) > 0


def test_rows_and_columns_are_bounded(tmp_path: Path) -> None:
    out = expanded(tmp_path, pictures=4, variants=5)
    small = draw_sheet(out, tmp_path / "small.png", "few", most_rows=2, most_variants=3)
    large = draw_sheet(out, tmp_path / "large.png", "all")
    with Image.open(small) as few, Image.open(large) as all_of_them:
        assert few.width < all_of_them.width
        assert few.height < all_of_them.height


def test_long_names_do_not_leave_their_cell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = filled(tmp_path / ("a long name " * 15 + ".png"), RED)
    (out / "x").mkdir(parents=True)
    (out / "manifest.jsonl").write_text(json.dumps(line(out, source, 0)) + "\n")
    sheet = draw_sheet(out, tmp_path / "sheet.png", "one")
    pixels = np.asarray(Image.open(sheet).convert("L")).astype(int)
    assert (pixels[:, -20:] > 240).all(), "something was written over the margin"


def test_no_results_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text("")
    with pytest.raises(FileNotFoundError, match="lists no results"):
        draw_sheet(tmp_path, tmp_path / "sheet.png", "nothing")
