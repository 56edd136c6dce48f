"""What bends mean: where each output pixel reads, said once more pixel by pixel or by a peer; see `references_geometry`."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import scipy.interpolate

from kernels.plan import PlannedStep
from tests.helpers.references_geometry import Levels, Pixels, Reference, read
from tests.helpers.references_noise import normal, word

Place = tuple[float, float]


def weakened(x: Levels, y: Levels, u: Levels, v: Levels) -> tuple[Levels, Levels]:
    """Places (u, v) drawn towards (x, y) until no two neighbours are read 0.6 further apart, or nearer, than they lie."""
    right, down = u - x, v - y
    steps = []
    for axis in (0, 1):
        if right.shape[axis] > 1:
            steps.append(np.hypot(np.diff(right, axis=axis), np.diff(down, axis=axis)).max())
    share = min(1.0, 0.6 / max(math.hypot(*steps), 1e-9))
    return x + share * right, y + share * down


def at(places: Callable[[Levels, Levels, PlannedStep], tuple[Any, Any]], bounded: bool = False) -> Reference:
    """The picture read at places(x, y, step) -> u, v of all pixels. bounded: weakened where it would fold."""

    def reference(pixels: Pixels, step: PlannedStep) -> Levels:
        y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]] + 0.5
        u, v = (np.broadcast_to(np.asarray(found, dtype=np.float64), x.shape) for found in places(x, y, step))
        if bounded:
            u, v = weakened(x, y, u, v)
        border, fill = getattr(step.params, "border", "replicate"), getattr(step.params, "fill", (0.0, 0.0, 0.0))
        return read(pixels.astype(np.float64), u, v, border, fill)

    return reference


def each(place: Callable[[float, float, PlannedStep], Place]) -> Callable[..., tuple[Any, Any]]:
    """Pixel by pixel."""

    def places(x: Levels, y: Levels, step: PlannedStep) -> tuple[Any, Any]:
        found = np.array([place(*both, step) for both in zip(x.ravel(), y.ravel(), strict=True)])
        return found[:, 0].reshape(x.shape), found[:, 1].reshape(x.shape)

    return places


def uniform(number: int, channel: int, step: PlannedStep) -> float:
    return ((word(number, channel, step.noise_seed) >> 9) + 0.5) / 2**23


def grid_distortion(x: Levels, y: Levels, step: PlannedStep) -> tuple[Any, Any]:
    steps, limit = step.fields["steps"], step.fields["limit"]
    found = []
    for channel, (along, side) in enumerate(((x, step.size_in.width), (y, step.size_in.height))):
        cells = [1 + limit * (2 * uniform(cell, channel, step) - 1) for cell in range(steps)]
        edges = [sum(cells[:cell]) / sum(cells) * side for cell in range(steps + 1)]
        found.append(np.interp(along, [cell * side / steps for cell in range(steps + 1)], edges))
    return found[0], found[1]


def by_knots(x: Levels, y: Levels, step: PlannedStep, across: Levels, down: Levels) -> tuple[Any, Any]:
    """Places shifted by what knots say, linearly between them along both axes."""
    height, width = step.size_in
    lines = [np.linspace(0, side, count) for side, count in zip((height, width), across.shape, strict=True)]
    right, below = (
        scipy.interpolate.RegularGridInterpolator(lines, knots)(np.stack([y, x], -1)) for knots in (across, down)
    )
    return x + right, y + below


def grid_elastic_deform(x: Levels, y: Levels, step: PlannedStep) -> tuple[Any, Any]:
    steps = step.fields["steps"]
    knots = np.zeros((2, steps + 1, steps + 1))
    for channel, side in enumerate((step.size_in.width, step.size_in.height)):
        most = step.fields["magnitude"] * side / steps
        for number, place in enumerate(np.ndindex(steps - 1, steps - 1)):
            knots[channel, place[0] + 1, place[1] + 1] = most * (2 * uniform(number, channel, step) - 1)
    return by_knots(x, y, step, knots[0], knots[1])


def remap(x: Levels, y: Levels, step: PlannedStep) -> tuple[Any, Any]:
    fields: Any = step.fields
    across = [[fields["strength"] * step.size_in.width * point[0] for point in row] for row in fields["grid"]]
    down = [[fields["strength"] * step.size_in.height * point[1] for point in row] for row in fields["grid"]]
    return by_knots(x, y, step, np.array(across), np.array(down))


def piecewise_affine(x: Levels, y: Levels, step: PlannedStep) -> tuple[Any, Any]:
    """Of each triangle: the plane through the shifts of its corners."""
    points, scale = step.fields["points"], step.fields["scale"]
    u, v = x.copy(), y.copy()
    sides = (step.size_in.width, step.size_in.height)

    def shift(row: int, column: int) -> list[float]:
        return [
            scale * side * normal(row * points + column, channel, step.noise_seed) for channel, side in enumerate(sides)
        ]

    across, down = x / sides[0] * (points - 1), y / sides[1] * (points - 1)
    for row, column in np.ndindex(points - 1, points - 1):
        inside = (np.minimum(down.astype(int), points - 2) == row) & (np.minimum(across.astype(int), points - 2) == column)
        above = across - column >= down - row
        for others, part in ((((0, 1), (1, 1)), inside & above), (((1, 0), (1, 1)), inside & ~above)):
            corners = [(row, column), *((row + a, column + b) for a, b in others)]
            system = np.array([[1, b, a] for a, b in corners], dtype=np.float64)
            planes = np.linalg.solve(system, np.array([shift(*corner) for corner in corners]))
            shifts = np.stack([np.ones(int(part.sum())), across[part], down[part]], axis=1) @ planes
            u[part] += shifts[:, 0]
            v[part] += shifts[:, 1]
    return u, v


def thin_plate_spline(x: Levels, y: Levels, step: PlannedStep) -> tuple[Any, Any]:
    points, scale = step.fields["points"], step.fields["scale"]
    height, width = step.size_in
    places = [(column / (points - 1), row / (points - 1)) for row in range(points) for column in range(points)]
    shifts = [[scale * (2 * uniform(number, channel, step) - 1) for channel in (0, 1)] for number in range(points**2)]
    spline = scipy.interpolate.RBFInterpolator(places, shifts, kernel="thin_plate_spline", degree=1)
    found = spline(np.stack([x.ravel() / width, y.ravel() / height], axis=1))
    return x + width * found[:, 0].reshape(x.shape), y + height * found[:, 1].reshape(x.shape)


def optical_distortion(x: Levels, y: Levels, step: PlannedStep) -> tuple[Any, Any]:
    height, width = step.size_in
    half = math.hypot(height, width) / 2
    # a camera of half the diagonal as focal length that looks through the middle; OpenCV's pixels are at whole places
    camera = np.array([[half, 0, width / 2 - 0.5], [0, half, height / 2 - 0.5], [0, 0, 1]])
    lens = np.array([step.fields["k"], 0, 0, 0, 0])
    u, v = cv2.initUndistortRectifyMap(camera, lens, None, camera, (width, height), cv2.CV_32FC1)
    return u.astype(np.float64) + 0.5, v.astype(np.float64) + 0.5


def fisheye(x: float, y: float, step: PlannedStep) -> Place:
    height, width = step.size_in
    place, half = complex(x - width / 2, y - height / 2), math.hypot(height, width) / 2
    view = math.radians(step.fields["degrees"]) / 2
    # a ray at an angle in proportion to its distance in the result, on a plane at distance 1 from the eye
    on_plane = math.tan(abs(place) / half * view) / math.tan(view) * half
    place = cmath.rect(on_plane, cmath.phase(place))
    return place.real + width / 2, place.imag + height / 2


def swirl(x: float, y: float, step: PlannedStep) -> Place:
    height, width = step.size_in
    fields: Any = step.fields
    middle = complex(fields["x"] * width, fields["y"] * height)
    distance, angle = cmath.polar(complex(x, y) - middle)
    share = distance / (fields["radius"] * min(height, width))
    # y points down: what is read lies clockwise of what is shown, so that the picture turns counter-clockwise
    turned = angle + (math.radians(fields["degrees"]) * (1 - share) ** 2 if share < 1 else 0.0)
    place = middle + cmath.rect(distance, turned)
    return place.real, place.imag


def water(x: float, y: float, step: PlannedStep) -> Place:
    fields: Any = step.fields
    shorter = min(step.size_in)
    length = fields["wavelength"] * shorter
    height = min(fields["amplitude"] * shorter, 0.6 * length / (2 * math.pi))
    return (
        x + height * math.sin(2 * math.pi * (y / length + fields["phase_x"])),
        y + height * math.sin(2 * math.pi * (x / length + fields["phase_y"])),
    )


def ripple(x: float, y: float, step: PlannedStep) -> Place:
    height, width = step.size_in
    fields: Any = step.fields
    middle = complex(fields["x"] * width, fields["y"] * height)
    distance, angle = cmath.polar(complex(x, y) - middle)
    waves = distance / (fields["wavelength"] * min(height, width))
    grown = 1 - math.exp(-(waves**2))
    highest = min(fields["amplitude"], 0.85 / (2 * math.pi + 0.86) * fields["wavelength"])
    pulled = highest * min(height, width) * grown * math.sin(2 * math.pi * (waves + fields["phase"]))
    place = middle + cmath.rect(distance + pulled, angle)
    return place.real, place.imag


def circle(step: PlannedStep) -> tuple[complex, float, float]:
    """Middle and radius of the circle, and 1 where its middle lies below the picture's, -1 above."""
    height, width = step.size_in
    sign = -1.0 if step.fields["degrees"] < 0 else 1.0
    radius = max(width / math.radians(max(abs(step.fields["degrees"]), 1e-4)), 0.7 * height)
    return complex(width / 2, height / 2 + sign * radius), radius, sign


def polar_warp(x: float, y: float, step: PlannedStep) -> Place:
    middle, radius, sign = circle(step)
    # the real axis from the middle of the circle to that of the picture
    out = (complex(x, y) - middle) / complex(0, -sign)
    return middle.real + sign * radius * cmath.phase(out), middle.imag - sign * abs(out)


def polar_unwarp(x: float, y: float, step: PlannedStep) -> Place:
    middle, radius, sign = circle(step)
    out = cmath.rect((middle.imag - y) * sign, (x - middle.real) / (sign * radius))
    place = middle + out * complex(0, -sign)
    return place.real, place.imag


REFERENCES: dict[str, Reference] = {
    "fisheye": at(each(fisheye)),
    "grid_distortion": at(grid_distortion),
    "grid_elastic_deform": at(grid_elastic_deform, bounded=True),
    "optical_distortion": at(optical_distortion),
    "piecewise_affine": at(piecewise_affine, bounded=True),
    "polar_unwarp": at(each(polar_unwarp)),
    "polar_warp": at(each(polar_warp)),
    "remap": at(remap, bounded=True),
    "ripple": at(each(ripple)),
    "swirl": at(each(swirl)),
    "thin_plate_spline": at(thin_plate_spline, bounded=True),
    "water": at(each(water)),
}
# read at float32 coordinates; a spline through 65 places a side instead of at every pixel
TOLERANCES = dict.fromkeys(REFERENCES, (0.5, 0.995))
