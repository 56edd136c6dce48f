"""The rate against the number of workers, as a picture and as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Point = tuple[int, float]
_WIDTH, _HEIGHT = 960, 540
_LEFT, _TOP, _RIGHT, _BOTTOM = 90, 50, 930, 480
_LINE, _GRID, _TEXT, _NEEDED, _CEILING = "#1f5fbf", "#dddddd", "#222222", "#c0392b", "#7f8c8d"
_BAR = 48


def write_png(path: Path, points: Sequence[Point], needed: float, ceilings: Mapping[str, float], title: str) -> None:
    """The chart: the rate by workers, the rate that is needed, and ceilings that are within sight."""
    highest = 1.15 * max(points[-1][1], needed)
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(16)

    def at(workers: float, rate: float) -> tuple[float, float]:
        across = (workers - points[0][0]) / max(1, points[-1][0] - points[0][0])
        return _LEFT + across * (_RIGHT - _LEFT), _BOTTOM - rate / highest * (_BOTTOM - _TOP)

    for part in range(6):
        rate = highest * part / 5
        y = at(points[0][0], rate)[1]
        draw.line([(_LEFT, y), (_RIGHT, y)], fill=_GRID)
        draw.text((_LEFT - 8, y), f"{rate:,.0f}", fill=_TEXT, font=font, anchor="rm")
    for workers in sorted({points[round(place * (len(points) - 1) / 8)][0] for place in range(9)}):
        x = at(workers, 0)[0]
        draw.text((x, _BOTTOM + 8), str(workers), fill=_TEXT, font=font, anchor="ma")
    draw.text(((_LEFT + _RIGHT) / 2, _HEIGHT - 12), "workers of one core each", fill=_TEXT, font=font, anchor="ms")
    draw.text((_LEFT, 16), title, fill=_TEXT, font=font, anchor="la")
    for name, rate in ceilings.items():
        if rate <= highest:
            y = at(points[0][0], rate)[1]
            draw.line([(_LEFT, y), (_RIGHT, y)], fill=_CEILING, width=2)
            draw.text((_RIGHT, y - 4), f"{name} is full", fill=_CEILING, font=font, anchor="rs")
    draw.line([at(*point) for point in points], fill=_LINE, width=3)
    y = at(points[0][0], needed)[1]
    draw.line([(_LEFT, y), (_RIGHT, y)], fill=_NEEDED, width=2)
    draw.text((_LEFT + 8, y - 4), f"needed: {needed:,.1f} pictures/s", fill=_NEEDED, font=font, anchor="ls")
    image.save(path)


def lines(points: Sequence[Point], needed: float) -> Iterator[str]:
    """The same for a terminal: a bar for some numbers of workers; those that are enough are marked."""
    highest = max(rate for _, rate in points)
    for place in sorted({round(step * (len(points) - 1) / 11) for step in range(12)}):
        workers, rate = points[place]
        enough = " enough" if rate >= needed else ""
        yield f"{workers:>5} {'#' * max(1, round(_BAR * rate / highest)):<{_BAR}} {rate:,.0f}/s{enough}"
