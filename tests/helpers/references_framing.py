"""What crops, pads, sizes and turns of the canvas mean: their maps said in their own words; see `references_geometry`."""

from __future__ import annotations

import math
from typing import Any

from kernels.plan import PlannedStep
from tests.helpers import references_geometry
from tests.helpers.references_geometry import Forward, Levels, Pixels, Reference

# resampled at float32 coordinates
TOLERANCES = dict.fromkeys(
    (
        "crop_and_pad",
        "letterbox",
        "longest_max_size",
        "random_resize",
        "random_scale",
        "rotate_expand",
        "safe_rotate",
        "scale",
        "scale_jitter",
        "shift_scale_rotate",
        "smallest_max_size",
    ),
    (0.5, 0.995),
)


def by(map_of: Any) -> Reference:
    """The reference of a map: map_of(width, height, columns, rows, fields) -> where an input point goes."""

    def reference(pixels: Pixels, step: PlannedStep) -> Levels:
        height, width = pixels.shape[:2]
        rows, columns = step.size_out
        forward: Forward = map_of(width, height, columns, rows, step.fields)
        return references_geometry.by_map(pixels, step, forward)  # looked up: tests of labels take the map from there

    return reference


def transpose(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    assert (columns, rows) == (height, width)
    return lambda x, y: (y, x)


def rot90(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    return {
        0: lambda x, y: (x, y),
        1: lambda x, y: (y, width - x),
        2: lambda x, y: (width - x, height - y),
        3: lambda x, y: (height - y, x),
    }[fields["turns"]]


def d4(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    return {
        "e": lambda x, y: (x, y),
        "r90": lambda x, y: (y, width - x),
        "r180": lambda x, y: (width - x, height - y),
        "r270": lambda x, y: (height - y, x),
        "h": lambda x, y: (width - x, y),
        "v": lambda x, y: (x, height - y),
        "t": lambda x, y: (y, x),
        "hvt": lambda x, y: (height - y, width - x),
    }[fields["element"]]


def turned(degrees: float, x: float, y: float) -> tuple[float, float]:
    """A point turned about the origin, y pointing down, counter-clockwise as one sees it."""
    place = complex(x, -y) * complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    return place.real, -place.imag


def box_of(degrees: float, width: float, height: float) -> tuple[float, float]:
    places = [turned(degrees, x, y) for x in (0, width) for y in (0, height)]
    (left, right), (top, bottom) = ((min(along), max(along)) for along in zip(*places, strict=True))
    return right - left, bottom - top


def rotate_expand(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    wide, high = box_of(fields["degrees"], width, height)
    assert (columns, rows) == (math.ceil(wide - 1e-6), math.ceil(high - 1e-6))

    def forward(x: float, y: float) -> tuple[float, float]:
        right, down = turned(fields["degrees"], x - width / 2, y - height / 2)
        return columns / 2 + right, rows / 2 + down

    return forward


def safe_rotate(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    wide, high = box_of(fields["degrees"], width, height)
    scale = min(width / wide, height / high)

    def forward(x: float, y: float) -> tuple[float, float]:
        right, down = turned(fields["degrees"], x - width / 2, y - height / 2)
        return width / 2 + scale * right, height / 2 + scale * down

    return forward


def scale(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    return lambda x, y: (
        width / 2 + fields["x"] * (x - width / 2),
        height / 2 + fields["y"] * (y - height / 2),
    )


def shift_scale_rotate(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    def forward(x: float, y: float) -> tuple[float, float]:
        right, down = turned(fields["degrees"], x - width / 2, y - height / 2)
        return (
            width / 2 + fields["scale"] * right + fields["shift_x"] * width,
            height / 2 + fields["scale"] * down + fields["shift_y"] * height,
        )

    return forward


def stretched(factor_of: Any) -> Any:
    """The whole picture, brought to sides `factor_of(width, height, fields)` times as long, rounded."""

    def map_of(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
        factor = factor_of(width, height, fields)
        assert (columns, rows) == (max(round(width * factor), 1), max(round(height * factor), 1))
        return lambda x, y: (x * columns / width, y * rows / height)

    return map_of


def shortest(width: int, height: int, fields: Any) -> float:
    factor = fields["shorter"] / min(width, height)
    return factor if factor * max(width, height) <= fields["longest"] else fields["longest"] / max(width, height)


def beside(position: str, width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """Where the top left corner of a picture lies on a canvas."""
    across = {"left": 0, "right": columns - width}.get(position.rsplit("_", maxsplit=1)[-1], (columns - width) // 2)
    down = {"top": 0, "bottom": rows - height}.get(position.split("_", maxsplit=1)[0], (rows - height) // 2)
    return across, down


def pad_if_needed(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    assert (rows, columns) == (max(height, fields["size"][0]), max(width, fields["size"][1]))
    left, top = beside(fields["position"], width, height, columns, rows)
    return lambda x, y: (x + left, y + top)


def pad_to_multiple(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    assert columns % fields["multiple"] == rows % fields["multiple"] == 0
    assert columns - width < fields["multiple"] > rows - height
    left, top = beside(fields["position"], width, height, columns, rows)
    return lambda x, y: (x + left, y + top)


def letterbox(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    factor = min(columns / width, rows / height)
    if not fields["scaleup"]:
        factor = min(factor, 1.0)
    wide, high = max(round(width * factor), 1), max(round(height * factor), 1)
    left, top = beside(fields["position"], wide, high, columns, rows)
    return lambda x, y: (x * wide / width + left, y * high / height + top)


def crop(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    return lambda x, y: (x - fields["left"], y - fields["top"])


def crop_and_pad(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    left, right = int(fields["left"] * width), int(fields["right"] * width)
    top, bottom = int(fields["top"] * height), int(fields["bottom"] * height)
    wide, high = left + width + right, top + height + bottom
    assert (columns, rows) == ((width, height) if fields["keep_size"] else (wide, high))
    return lambda x, y: ((x + left) * columns / wide, (y + top) * rows / high)


def random_crop_from_borders(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    assert columns == width - int(fields["left"] * width) - int(fields["right"] * width)
    assert rows == height - int(fields["top"] * height) - int(fields["bottom"] * height)
    return lambda x, y: (x - int(fields["left"] * width), y - int(fields["top"] * height))


def somewhere(fraction: float, free: int) -> int:
    """One of the |free| + 1 whole places between two that lie `free` apart."""
    place = min(int(fraction * (abs(free) + 1)), abs(free))
    return place if free > 0 else -place


def zoom_out(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    left, top = somewhere(fields["x"], columns - width), somewhere(fields["y"], rows - height)
    return lambda x, y: (x + left, y + top)


def scale_jitter(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    factor = min(columns / width, rows / height) * fields["scale"]
    wide, high = max(round(width * factor), 1), max(round(height * factor), 1)
    left, top = somewhere(fields["x"], columns - wide), somewhere(fields["y"], rows - high)
    return lambda x, y: (x * wide / width + left, y * high / height + top)


def multi_crop(width: int, height: int, columns: int, rows: int, fields: Any) -> Forward:
    left, top = beside(fields["place"].replace("_flipped", ""), columns, rows, width, height)
    if fields["place"].endswith("_flipped"):
        return lambda x, y: (columns - (x - left), y - top)
    return lambda x, y: (x - left, y - top)


MAPS = {
    "crop": crop,
    "crop_and_pad": crop_and_pad,
    "d4": d4,
    "letterbox": letterbox,
    "longest_max_size": stretched(lambda width, height, fields: fields["max_size"] / max(width, height)),
    "multi_crop": multi_crop,
    "pad_if_needed": pad_if_needed,
    "pad_to_multiple": pad_to_multiple,
    "random_crop_from_borders": random_crop_from_borders,
    "random_resize": stretched(shortest),
    "random_scale": stretched(lambda width, height, fields: fields["factor"]),
    "rot90": rot90,
    "rotate_expand": rotate_expand,
    "safe_rotate": safe_rotate,
    "scale": scale,
    "scale_jitter": scale_jitter,
    "shift_scale_rotate": shift_scale_rotate,
    "smallest_max_size": stretched(lambda width, height, fields: fields["max_size"] / min(width, height)),
    "transpose": transpose,
    "zoom_out": zoom_out,
}
REFERENCES: dict[str, Reference] = {name: by(map_of) for name, map_of in MAPS.items()}
