"""A contact sheet of an expansion: each picture in a row, beside the variants that were made of it."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from kernels.codec import decode
from service.names import MANIFEST

_CELL = (200, 150)
_GAP, _MARGIN, _CAPTION = 12, 28, 24
_PAPER, _INK, _FAINT, _LINE = (250, 250, 248), (34, 34, 34), (120, 120, 116), (222, 222, 216)


@dataclass(frozen=True)
class Row:
    """One picture and its variants, in order."""

    source: Path
    variants: tuple[Path, ...]
    captions: tuple[str, ...]


def draw_sheet(out: Path, sheet: Path, title: str, most_rows: int = 24, most_variants: int = 8) -> Path:
    """Writes a sheet of the first pictures of an expanded folder (PNG or JPEG, by its name); where it lies.

    Errors: OSError, InputError.
    """
    lines = _first_lines(out / MANIFEST, most_rows, most_variants)
    rows = _rows(out, lines)
    if not rows:
        raise FileNotFoundError(f"{out / MANIFEST} lists no results")
    columns = 1 + max(len(row.variants) for row in rows)
    heading = _heading(lines[0], columns)
    top = _MARGIN + 34 + 18 * len(heading) + 16
    width = 2 * _MARGIN + columns * _CELL[0] + (columns - 1) * _GAP + _GAP
    height = top + len(rows) * (_CELL[1] + _CAPTION + _GAP) + _MARGIN
    page = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(page)
    _write(pen, (_MARGIN, _MARGIN - 6), title, 22, _INK)
    for place, line in enumerate(heading):
        _write(pen, (_MARGIN, _MARGIN + 28 + 18 * place), line, 13, _FAINT)
    for number, row in enumerate(rows):
        _draw_row(page, pen, row, top + number * (_CELL[1] + _CAPTION + _GAP))
    divider = _MARGIN + _CELL[0] + _GAP
    pen.line([(divider, top), (divider, height - _MARGIN)], fill=_LINE, width=1)
    page.save(sheet, quality=88)
    return sheet


def _draw_row(page: Image.Image, pen: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    original = Image.fromarray(decode(row.source.read_bytes()))
    cells = [(original, f"{row.source.name}  {original.width} x {original.height}")]
    for path, caption in zip(row.variants, row.captions, strict=True):
        cells.append((Image.fromarray(decode(path.read_bytes())), caption))
    for place, (picture, caption) in enumerate(cells):
        left = _MARGIN + place * (_CELL[0] + _GAP) + (_GAP if place else 0)
        small = picture.copy()
        small.thumbnail((_CELL[0], _CELL[1]), Image.Resampling.LANCZOS)
        corner = (left, top + (_CELL[1] - small.height))
        page.paste(small, corner)
        _write(pen, (left, top + _CELL[1] + 4), _cut(caption, _CELL[0]), 12, _INK if place == 0 else _FAINT)


def _first_lines(manifest: Path, most_pictures: int, most_variants: int) -> list[Mapping[str, Any]]:
    """The manifest's lines of the first pictures it names, in the order of their ids; the file may be of any length."""
    kept: dict[str, list[Mapping[str, Any]]] = {}
    with manifest.open(encoding="utf-8", errors="surrogateescape") as stream:
        for text in stream:
            line = json.loads(text)
            if line["custom_id"] not in kept and len(kept) == most_pictures:
                break
            kept.setdefault(line["custom_id"], []).append(line)
    return [
        line for name in sorted(kept) for line in sorted(kept[name], key=lambda line: int(line["variant"]))[:most_variants]
    ]


def _rows(out: Path, lines: Sequence[Mapping[str, Any]]) -> list[Row]:
    rows = []
    for _, group in itertools.groupby(lines, lambda line: line["custom_id"]):
        made = list(group)
        paths = tuple(out / line["path"] for line in made)
        rows.append(Row(Path(made[0]["source"]), paths, tuple(_caption(line) for line in made)))
    return rows


def _caption(line: Mapping[str, Any]) -> str:
    """What chance decided for this variant: its number, and those of the optional steps that it got."""
    optional = {number for number, step in enumerate(line["recipe"]["steps"]) if step["chance"] < 1}
    got = [draw["op"].replace("_", " ") for draw in line["draws"] if draw["applied"] and draw["step"] in optional]
    return f"{line['variant']}  {', '.join(got)}"


def _heading(line: Mapping[str, Any], columns: int) -> list[str]:
    steps = []
    for step in line["recipe"]["steps"]:
        share = f" ({step['chance']:.0%})" if step["chance"] < 1 else ""
        steps.append(step["op"].replace("_", " ") + share)
    text = f"{'  >  '.join(steps)}   ·   seed {line['seed']}   ·   {line['format']}   ·   {line['device']}"
    return textwrap.wrap(text, columns * 24, break_long_words=False)


def _cut(text: str, width: int) -> str:
    """The text, shortened until it fits."""
    font = _font(12)
    if font.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 4 and font.getlength(f"{text[:kept]}…") > width:
        kept -= 1
    return f"{text[:kept]}…"


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, ink: tuple[int, int, int]) -> None:
    pen.text(place, text, fill=ink, font=_font(size))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
