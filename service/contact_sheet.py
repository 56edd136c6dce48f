"""A contact sheet of an expansion: each picture in a row, beside the variants that were made of it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from kernels.codec import decode
from service.names import MANIFEST

_CELL = (176, 132)
_GAP, _MARGIN, _CAPTION = 10, 28, 22
_PAPER, _INK, _FAINT, _LINE = (250, 250, 248), (34, 34, 34), (120, 120, 116), (222, 222, 216)
_SCALE = 2
"""The sheet is drawn at twice its nominal size, so that it stays sharp on dense displays."""


@dataclass(frozen=True)
class Row:
    """One picture and its variants, in order."""

    source: Path
    variants: tuple[Path, ...]
    captions: tuple[str, ...]


def draw_sheet(out: Path, sheet: Path, title: str, most_rows: int = 24, most_variants: int = 8) -> Path:
    """Writes a PNG of the first pictures of an expanded folder, and returns where. Errors: OSError, InputError."""
    lines = list(_lines(out / MANIFEST))
    rows = _rows(out, lines, most_rows, most_variants)
    if not rows:
        raise FileNotFoundError(f"{out / MANIFEST} lists no results")
    columns = 1 + max(len(row.variants) for row in rows)
    heading = _heading(lines[0], columns)
    top = _MARGIN + 34 + 18 * len(heading) + 16
    width = 2 * _MARGIN + columns * _CELL[0] + (columns - 1) * _GAP + _GAP
    height = top + len(rows) * (_CELL[1] + _CAPTION + _GAP) + _MARGIN
    page = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
    pen = ImageDraw.Draw(page)
    _write(pen, (_MARGIN, _MARGIN - 6), title, 22, _INK)
    for place, line in enumerate(heading):
        _write(pen, (_MARGIN, _MARGIN + 28 + 18 * place), line, 13, _FAINT)
    for number, row in enumerate(rows):
        _draw_row(page, pen, row, top + number * (_CELL[1] + _CAPTION + _GAP))
    divider = _SCALE * (_MARGIN + _CELL[0] + _GAP)
    pen.line([(divider, _SCALE * top), (divider, _SCALE * (height - _MARGIN))], fill=_LINE, width=_SCALE)
    page.save(sheet, format="PNG", optimize=True)
    return sheet


def _draw_row(page: Image.Image, pen: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    original = Image.fromarray(decode(row.source.read_bytes()))
    cells = [(original, f"{row.source.name}  {original.width} x {original.height}")]
    for path, caption in zip(row.variants, row.captions, strict=True):
        cells.append((Image.fromarray(decode(path.read_bytes())), caption))
    for place, (picture, caption) in enumerate(cells):
        left = _MARGIN + place * (_CELL[0] + _GAP) + (_GAP if place else 0)
        small = picture.copy()
        small.thumbnail((_CELL[0] * _SCALE, _CELL[1] * _SCALE), Image.Resampling.LANCZOS)
        corner = (left * _SCALE, top * _SCALE + (_CELL[1] * _SCALE - small.height))
        page.paste(small, corner)
        _write(pen, (left, top + _CELL[1] + 4), _cut(caption, _CELL[0]), 11, _INK if place == 0 else _FAINT)


def _rows(out: Path, lines: Sequence[Mapping[str, Any]], most_rows: int, most_variants: int) -> list[Row]:
    by_picture: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_picture.setdefault(line["custom_id"], []).append(line)
    rows = []
    for name in sorted(by_picture)[:most_rows]:
        made = sorted(by_picture[name], key=lambda line: int(line["variant"]))[:most_variants]
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


def _lines(manifest: Path) -> Iterator[Mapping[str, Any]]:
    with manifest.open(encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            yield json.loads(line)


def _cut(text: str, width: int) -> str:
    """The text, shortened until it fits."""
    font = _font(11)
    if font.getlength(text) <= width * _SCALE:
        return text
    kept = len(text)
    while kept > 4 and font.getlength(f"{text[:kept]}…") > width * _SCALE:
        kept -= 1
    return f"{text[:kept]}…"


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, ink: tuple[int, int, int]) -> None:
    pen.text((place[0] * _SCALE, place[1] * _SCALE), text, fill=ink, font=_font(size))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _SCALE)
