"""What each operation that moves pixels means: its map said in its own words, and read slowly in float64 by scipy.

A reference takes (H, W, 3) uint8 pixels and the planned step, and gives the levels 0..255 that the result should have.
Each states where an *input* point goes; the way back is found from three or four points of it, by solving equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from kernels.op import Field
from kernels.plan import PlannedStep

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float64]
Reference = Callable[[Pixels, PlannedStep], Levels]
Forward = Callable[[float, float], tuple[float, float]]

SCIPY_BORDERS = {"constant": "grid-constant", "replicate": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}
# float32 coordinates, and a horizon or fold that falls on one side of a pixel or the other
TOLERANCES = dict.fromkeys(
    ("affine", "elastic", "perspective", "random_resized_crop", "resize", "rotate", "shear", "translate", "zoom"),
    (0.5, 0.995),
)


def homography(forward: Forward, height: int, width: int) -> Levels:
    """The matrix of a map, from where it takes the corners: eight equations."""
    equations, values = [], []
    for x, y in ((0, 0), (width, 0), (width, height), (0, height)):
        u, v = forward(x, y)
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = np.linalg.solve(np.array(equations, dtype=np.float64), np.array(values, dtype=np.float64))
    return np.append(solved, 1.0).reshape(3, 3)


class Boxes(NamedTuple):
    """Boxes of a source: weights of its rows and columns, and how many there are from one to the next."""

    rows: tuple[float, ...] = (1.0,)
    columns: tuple[float, ...] = (1.0,)
    down: int = 1
    across: int = 1


PIXELS = Boxes()
CLOSE = {
    1.55: [1],
    1.72: [7, 1],
    1.9: [3, 1],
    2.4: [1, 1],
    2.51: [1, 3, 1],
    2.91: [1, 2, 1],
    3.32: [1, 1, 1],
    3.74: [1, 2, 2, 1],
    4.25: [1, 1, 1, 1],
}
"""Boxes one pixel apart, by up to how many source pixels in an output pixel each is nearest to the truth."""


def boxes(back: Forward, x: float, y: float, height: int, width: int) -> Boxes:
    """The boxes that make a pixel of the output as soft as its square is, about the output's middle (x, y).

    An interval's variance is its square / 12, and reading between boxes adds that of two intervals as long as they are
    apart. A whole number of source pixels is averaged as it is, those beyond four where output pixels begin on multiples of
    it.
    """
    along, down = (np.subtract(back(x + u, y + v), back(x - u, y - v)) for u, v in ((0.5, 0.0), (0.0, 0.5)))
    # one source pixel to the right, or down, is so much of an output pixel
    to_output = np.linalg.pinv(np.stack([along, down], axis=1))
    start, sides = back(0.0, 0.0), []
    for axis, side in ((0, width), (1, height)):
        fit = 1 / max(float(np.hypot(*to_output[:, axis])), 1e-9)
        apart = max(int(fit / 2.12 + 1e-6), 1)
        needed = fit**2 / 12 - apart**2 / 6
        if apart == 1:
            weights = np.array(next(weights for most, weights in CLOSE.items() if fit <= most))
        else:
            weights = np.ones(int(np.sqrt(12 * max(needed, 0.0)) + 1e-6 + 0.75))
        whole = round(fit)
        is_straight = abs(along[1]) < 1e-9 and abs(down[0]) < 1e-9
        if is_straight and 1 < whole <= side and abs(fit - whole) < 1e-4:
            step = whole if whole > 4 else 1
            begun = start[axis] / step
            if abs(begun - round(begun)) < 1e-4:
                weights, apart = np.ones(whole), step
        if len(weights) > side:
            weights = np.ones(side)
        sides.append((tuple(weights / weights.sum()), min(apart, side)))
    return Boxes(sides[1][0], sides[0][0], sides[1][1], sides[0][1])


def middle(weights: tuple[float, ...]) -> float:
    """The mean place of pixels that are weighted so, from where the first begins."""
    return float(np.average(np.arange(len(weights)) + 0.5, weights=weights))


def averaged(levels: Levels, of: Boxes, border: str) -> tuple[Levels, int, int]:
    """Weighted means of boxes, and the row and column where the first begins: all that hold something of the picture.

    Where its edge pixels go on without end, some that hold nothing else too: they are what is seen from there on.
    """
    starts, small = [], levels
    for axis, weights, apart in ((0, of.rows, of.down), (1, of.columns, of.across)):
        side, more = levels.shape[axis], len(weights)
        first, beyond = 0 if border == "wrap" else -more // apart - 1, apart if border == "replicate" else 0
        begin = [k * apart for k in range(first, side + 1) if -beyond < k * apart + more and k * apart < side + beyond]
        if border == "wrap":
            begin = [start for start in begin if start >= 0]
        ring = [(0, 0)] * 3
        ring[axis] = (more + beyond, 2 * more + beyond)
        # numpy's names: "symmetric" shows the outermost pixel twice, as `reflect` here does
        mode = {"constant": "constant", "replicate": "edge", "reflect": "symmetric", "wrap": "wrap"}[border]
        around = np.moveaxis(np.pad(small, ring, mode=mode), axis, 0)  # type: ignore[call-overload]  # a mode by name
        means = [np.tensordot(weights, around[more + beyond + start :][:more], 1) for start in begin]
        small = np.moveaxis(np.stack(means), 0, axis)
        starts.append(begin[0])
    return small, starts[0], starts[1]


def read(levels: Levels, x: Levels, y: Levels, border: str, fill: tuple[float, ...], of: Boxes = PIXELS) -> Levels:
    """Levels at points in continuous coordinates, bilinear between the centres of pixels or boxes."""
    colour = 255 * np.array(fill) if border == "constant" else np.zeros(3)
    height, width = levels.shape[:2]
    if of != PIXELS and border in ("reflect", "wrap"):
        x, y = (fold(values, side, border) for values, side in ((x, width), (y, height)))
    small, top, left = levels - colour, 0, 0
    if of != PIXELS:
        small, top, left = averaged(small, of, border)
    places = np.stack([(y - top - middle(of.rows)) / of.down, (x - left - middle(of.columns)) / of.across])
    # places were folded: boxes are not mirrored again
    mode = "nearest" if of != PIXELS and border == "reflect" else SCIPY_BORDERS[border]
    channels = [scipy.ndimage.map_coordinates(small[..., c], places, order=1, mode=mode, prefilter=False) for c in range(3)]
    shown: Levels = np.stack(channels, axis=-1) + colour
    return shown


def fold(values: Levels, side: int, border: str) -> Levels:
    if border == "wrap":
        return values % side
    return side - np.abs(values % (2 * side) - side)


def by_map(pixels: Pixels, step: PlannedStep, forward: Forward) -> Levels:
    """The picture under a straight-line-keeping map."""
    height, width = pixels.shape[:2]
    rows, columns = step.size_out
    matrix = homography(forward, height, width)
    back = np.linalg.inv(matrix)
    y, x = np.mgrid[0:rows, 0:columns] + 0.5
    w = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    behind = w <= 1e-9
    w = np.where(behind, 1.0, w)
    u = np.where(behind, -1e6, (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / w)
    v = np.where(behind, -1e6, (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / w)

    def backward(x: float, y: float) -> tuple[float, float]:
        place = back @ (x, y, 1.0)
        return place[0] / place[2], place[1] / place[2]

    is_seen = (back @ (columns / 2, rows / 2, 1.0))[2] > 1e-9
    of = boxes(backward, columns / 2, rows / 2, height, width) if is_seen else PIXELS
    border, fill = getattr(step.params, "border", "replicate"), getattr(step.params, "fill", (0.0, 0.0, 0.0))
    return read(pixels.astype(np.float64), u, v, border, fill, of)


def rotate(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    turn = math.radians(step.fields["degrees"])

    def forward(x: float, y: float) -> tuple[float, float]:
        # as on paper, y up: a point at angle a goes to a + turn
        right, up = x - width / 2, height / 2 - y
        far, angle = math.hypot(right, up), math.atan2(up, right) + turn
        return width / 2 + far * math.cos(angle), height / 2 - far * math.sin(angle)

    return by_map(pixels, step, forward)


def translate(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    right = step.fields["x"] * width + step.fields["x_pixels"]
    down = step.fields["y"] * height + step.fields["y_pixels"]
    return by_map(pixels, step, lambda x, y: (x + right, y + down))


def shear(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    lean_x, lean_y = (math.tan(math.radians(step.fields[name])) for name in ("x", "y"))
    return by_map(pixels, step, lambda x, y: (x + lean_x * (y - height / 2), y + lean_y * (x - width / 2)))


def affine(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    turn = math.radians(fields["degrees"])
    lean_x, lean_y = (math.tan(math.radians(fields[name])) for name in ("shear_x", "shear_y"))

    def forward(x: float, y: float) -> tuple[float, float]:
        right, down = x - width / 2, y - height / 2
        right, down = right + lean_x * down, down + lean_y * right
        right, down = fields["scale"] * right, fields["scale"] * down
        right, down = (
            math.cos(turn) * right + math.sin(turn) * down,
            -math.sin(turn) * right + math.cos(turn) * down,
        )
        return (
            width / 2 + right + fields["translate_x"] * width,
            height / 2 + down + fields["translate_y"] * height,
        )

    return by_map(pixels, step, forward)


def perspective(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    inset = {name: fields["distortion"] / 2 * fields[name] for name in fields if name != "distortion"}
    corners = {
        (0, 0): (inset["top_left_x"] * width, inset["top_left_y"] * height),
        (width, 0): ((1 - inset["top_right_x"]) * width, inset["top_right_y"] * height),
        (width, height): ((1 - inset["bottom_right_x"]) * width, (1 - inset["bottom_right_y"]) * height),
        (0, height): (inset["bottom_left_x"] * width, (1 - inset["bottom_left_y"]) * height),
    }
    matrix = homography(lambda x, y: corners[int(x), int(y)], height, width)

    def forward(x: float, y: float) -> tuple[float, float]:
        u, v, w = matrix @ (x, y, 1.0)
        return u / w, v / w

    return by_map(pixels, step, forward)


def zoom(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    factor = step.fields["factor"]
    # the enlarged picture minus the window leaves so many whole places
    free_x, free_y = int(width * (factor - 1)), int(height * (factor - 1))
    left, top = min(int(step.fields["x"] * (free_x + 1)), free_x), min(int(step.fields["y"] * (free_y + 1)), free_y)
    return by_map(pixels, step, lambda x, y: (x * factor - left, y * factor - top))


def resize(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    rows, columns = step.fields["size"]
    return by_map(pixels, step, lambda x, y: (x * columns / width, y * rows / height))


def random_resized_crop(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    fields: Any = step.fields
    rows, columns = fields["size"]
    wide = math.sqrt(fields["scale"] * width * height * fields["ratio"])
    high = wide / fields["ratio"]
    if wide > width:
        wide, high = width, width / fields["ratio"]
    if high > height:
        wide, high = height * fields["ratio"], height
    left, top = fields["x"] * (width - wide), fields["y"] * (height - high)
    return by_map(pixels, step, lambda x, y: ((x - left) * columns / wide, (y - top) * rows / high))


def elastic(pixels: Pixels, step: PlannedStep) -> Levels:
    """The field is the operation's own; tests of its own say what the field must be."""
    kind = step.op.kind
    assert isinstance(kind, Field)
    shift = kind.displacement(step.size_in, step.noise_seed, **step.fields).double().numpy()
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]] + 0.5
    border = getattr(step.params, "border", "replicate")
    return read(pixels.astype(np.float64), x + shift[0], y + shift[1], border, (0.0, 0.0, 0.0))


# ------------------------------------------------------------------------------------------------ exact
def hflip(pixels: Pixels, step: PlannedStep) -> Levels:
    return pixels[:, ::-1].astype(np.float64)


def vflip(pixels: Pixels, step: PlannedStep) -> Levels:
    return pixels[::-1].astype(np.float64)


def framed(pixels: Pixels, left: int, top: int, right: int, bottom: int, step: PlannedStep) -> Levels:
    """The picture with so many pixels more on each side, or less where the number is negative."""
    mode = {"constant": "constant", "replicate": "edge", "reflect": "symmetric", "wrap": "wrap"}[step.params.border]  # type: ignore[attr-defined]  # every caller has Warp fields
    fill = 255 * np.array(getattr(step.params, "fill", (0.0, 0.0, 0.0)))
    height, width = pixels.shape[:2]
    cut = pixels[max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)].astype(np.float64)
    around = ((max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)))
    if mode == "constant":
        return np.stack([np.pad(cut[..., c], around, mode=mode, constant_values=fill[c]) for c in range(3)], axis=-1)
    whole = np.pad(pixels.astype(np.float64), (*around, (0, 0)), mode=mode)  # type: ignore[call-overload]  # a mode by name
    return whole[max(-top, 0) : whole.shape[0] - max(-bottom, 0), max(-left, 0) : whole.shape[1] - max(-right, 0)]


def pad(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    return framed(pixels, fields["left"], fields["top"], fields["right"], fields["bottom"], step)


def center_crop(pixels: Pixels, step: PlannedStep) -> Levels:
    rows, columns = step.fields["size"]
    left, top = -((pixels.shape[1] - columns) // 2), -((pixels.shape[0] - rows) // 2)
    return framed(pixels, left, top, columns - pixels.shape[1] - left, rows - pixels.shape[0] - top, step)


def random_crop(pixels: Pixels, step: PlannedStep) -> Levels:
    around = []
    for free, fraction in (
        (pixels.shape[1] - step.fields["size"][1], step.fields["x"]),
        (pixels.shape[0] - step.fields["size"][0], step.fields["y"]),
    ):
        place = min(int(fraction * (abs(free) + 1)), abs(free))
        around.append(-place if free >= 0 else place)
    left, top = around
    rows, columns = step.fields["size"]
    return framed(pixels, left, top, columns - pixels.shape[1] - left, rows - pixels.shape[0] - top, step)


REFERENCES: dict[str, Reference] = {
    "affine": affine,
    "center_crop": center_crop,
    "elastic": elastic,
    "hflip": hflip,
    "pad": pad,
    "perspective": perspective,
    "random_crop": random_crop,
    "random_resized_crop": random_resized_crop,
    "resize": resize,
    "rotate": rotate,
    "shear": shear,
    "translate": translate,
    "vflip": vflip,
    "zoom": zoom,
}
