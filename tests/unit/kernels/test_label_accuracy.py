"""Where labels end up, against maps worked out here: 0.01 px under matrices, 1 px under fields, on every step and chain."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
from PIL import Image

from kernels.labels import BoxFormat, corners, read_mask, written
from kernels.op import Field
from kernels.plan import Plan, PlannedStep
from kernels.tensors import Size
from tests.helpers import references_framing, references_geometry
from tests.helpers.pictures import Steps, made, made_labels, make_plan
from tests.helpers.recipes import MOVING, any_step

SIZE = Size(120, 160)
Point = tuple[float, float]
EXAMPLES = [
    pytest.param([example.model_dump()], id=f"{op.name}-{place}")
    for op in MOVING
    for place, example in enumerate(op.examples)
]
MAPS = references_geometry.REFERENCES | references_framing.REFERENCES
FORMATS: tuple[BoxFormat, ...] = ("xyxy", "xywh", "cxcywh", "yolo")


class _Found(Exception):
    """Carries a reference's map out of it."""


def place_of(step: PlannedStep, point: Point, monkeypatch: pytest.MonkeyPatch) -> Point:
    """Where an input point of a step goes, by the step's reference."""
    x, y = point
    (height, width), (rows, columns) = step.size_in, step.size_out
    fields: Any = step.fields
    if isinstance(step.op.kind, Field):
        return _against(_shift(step), point)
    match step.op.name:
        case "hflip":
            return width - x, y
        case "vflip":
            return x, height - y
        case "pad":
            return x + fields["left"], y + fields["top"]
        case "center_crop":
            return x - (width - columns) // 2, y - (height - rows) // 2
        case "random_crop":
            shifts = [
                -min(int(fields[axis] * (abs(free) + 1)), abs(free)) * (1 if free >= 0 else -1)
                for axis, free in (("x", width - columns), ("y", height - rows))
            ]
            return x + shifts[0], y + shifts[1]

    def caught(pixels: Any, step: PlannedStep, forward: Callable[[float, float], Point]) -> Any:
        raise _Found(forward(x, y))

    monkeypatch.setattr(references_geometry, "by_map", caught)
    with pytest.raises(_Found) as found:
        MAPS[step.op.name](np.zeros((height, width, 3), np.uint8), step)
    place: Point = found.value.args[0]
    return place


_KNOWN: dict[int, tuple[PlannedStep, Any]] = {}
"""The field of each step that was asked for, which stays alive here: points by the dozen ask for the same."""


def _shift(step: PlannedStep) -> Any:
    if id(step) not in _KNOWN:
        kind = step.op.kind
        assert isinstance(kind, Field)
        _KNOWN[id(step)] = step, kind.displacement(step.size_in, step.noise_seed, **step.fields).double().numpy()
    return _KNOWN[id(step)][1]


def _against(shift: Any, point: Point) -> Point:
    """The output point that shows an input point, by a solver: output p shows input p + shift(p)."""

    def off(place: Any) -> Any:
        at = np.array([[place[1] - 0.5], [place[0] - 0.5]])
        moved = [scipy.ndimage.map_coordinates(plane, at, order=1, mode="nearest")[0] for plane in shift]
        return [place[0] + moved[0] - point[0], place[1] + moved[1] - point[1]]

    # from the pixel that is nearest: a field may bend so much that the way from the point itself leads nowhere
    y, x = np.mgrid[0 : shift.shape[1], 0 : shift.shape[2]] + 0.5
    row, column = np.unravel_index(np.hypot(x + shift[0] - point[0], y + shift[1] - point[1]).argmin(), x.shape)
    inside = 0 < row < shift.shape[1] - 1 and 0 < column < shift.shape[2] - 1
    start = (column + 0.5, row + 0.5) if inside else point
    solved = scipy.optimize.least_squares(off, start, xtol=1e-12, ftol=1e-12).x
    return float(solved[0]), float(solved[1])


def expected(plan: Plan, point: Point, monkeypatch: pytest.MonkeyPatch) -> Point | None:
    """Where a point ends, or None when it leaves a canvas on the way or comes too close to its edge to tell."""
    for step in plan.steps:
        x, y = point = place_of(step, point, monkeypatch)
        rows, columns = step.size_out
        if getattr(step.params, "border", "") == "wrap":
            x, y = point = x % columns, y % rows
        if not (1e-3 < x < columns - 1e-3 and 1e-3 < y < rows - 1e-3):
            return None
    return point


def chains(count: int) -> list[list[dict[str, Any]]]:
    """Steps with all their numbers drawn, on their own and one after another, with every border."""
    rng = random.Random(11)
    return [[any_step(rng, rng.choice(MOVING)) | {"chance": 1.0} for _ in range(rng.randint(1, 4))] for _ in range(count)]


@pytest.mark.parametrize("steps", [*EXAMPLES, *chains(60)])
def test_points_and_corners_go_where_the_maps_say(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    points = [(float(x), float(y)) for x, y in rng.uniform((0, 0), (SIZE.width, SIZE.height), (12, 2))]
    plan = make_plan(steps, SIZE)
    tolerance = 1.0 if any(isinstance(step.op.kind, Field) for step in plan.steps) else 0.01
    labels = {"keypoints": [{"points": [[*point, 2]]} for point in points]}
    result = made_labels(SIZE, labels, steps)
    lost = {one["index"] for one in result.get("dropped", [])}
    kept = iter(result.get("keypoints", []))
    places = [None if number in lost else tuple(next(kept)["points"][0][:2]) for number in range(len(points))]
    for point, found in zip(points, places, strict=True):
        wanted = expected(plan, point, monkeypatch)
        if wanted is not None:
            assert found == pytest.approx(wanted, abs=tolerance)
    # a small oriented box around each point: its corners, where all of them stay
    rings = [[(x - 4, y - 3), (x + 3, y - 4), (x + 4, y + 3), (x - 3, y + 4)] for x, y in points]
    rules = {"min_visible": 0, "min_side": 0}
    boxes = made_labels(
        SIZE, {"polygons": [{"points": ring, "class": n} for n, ring in enumerate(rings)]}, steps, rules=rules
    )
    for polygon in boxes.get("polygons", []):
        ring = rings[polygon["class"]]
        inside = all(0 < x < SIZE.width and 0 < y < SIZE.height for x, y in ring)
        corners_wanted = [expected(plan, corner, monkeypatch) for corner in ring] if inside else [None]
        wraps = any(getattr(step.params, "border", "") == "wrap" for step in plan.steps)
        if None in corners_wanted or wraps:
            continue
        for corner in corners_wanted:
            off = min(np.hypot(x - corner[0], y - corner[1]) for x, y in polygon["points"])  # type: ignore[index]  # None is out
            assert off <= tolerance


CONSTANT_CHAINS: list[list[dict[str, Any]]] = [
    [{"op": "rotate", "degrees": 25}, {"op": "perspective", "distortion": 0.3}, {"op": "elastic", "border": "constant"}],
    [{"op": "random_resized_crop", "size": [90, 140], "scale": 0.7}, {"op": "hflip"}, {"op": "shear", "x": 15}],
]


@pytest.mark.parametrize("steps", [[{"op": "elastic", "alpha": 0.1}], [{"op": "rotate", "degrees": 20}, {"op": "elastic"}]])
def test_markers_are_seen_where_fields_put_their_keypoints(steps: Steps) -> None:
    y, x = np.mgrid[0 : SIZE.height, 0 : SIZE.width] + 0.5
    for point in ((60.0, 50.0), (90.5, 70.25)):
        light = np.rint(255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 8)).astype(np.uint8)
        seen = made(np.repeat(light[..., None], 3, axis=2), steps)[..., 0].astype(float)
        middle = ((seen * x).sum() / seen.sum(), (seen * y).sum() / seen.sum())
        found = made_labels(SIZE, {"keypoints": [{"points": [[*point, 1]]}]}, steps)["keypoints"][0]["points"][0]
        assert np.hypot(found[0] - middle[0], found[1] - middle[1]) <= 1.0


def test_outlines_get_more_points_where_an_edge_cut_them_before_a_field() -> None:
    """A cut leaves long straight sides, which the field bends too."""
    steps = [{"op": "zoom", "factor": 1.5}, {"op": "elastic", "alpha": 0.1, "sigma": 0.1, "border": "constant"}]
    whole = [[-50, -50], [400, -50], [400, 300], [-50, 300]]
    (polygon,) = made_labels(SIZE, {"polygons": [{"points": whole}]}, steps)["polygons"]
    seen = made(np.full((*SIZE, 3), 255, dtype=np.uint8), steps)[..., 0] > 127
    assert len(polygon["points"]) > 40
    drawn = np.zeros(tuple(8 * side for side in SIZE), dtype=np.uint8)
    cv2.fillPoly(drawn, [np.rint(np.array(polygon["points"]) * 8 - 0.5).astype(np.int32)], 1)
    covered = cv2.resize(drawn.astype(np.float32), (SIZE.width, SIZE.height), interpolation=cv2.INTER_AREA) > 0.5
    assert (covered & seen).sum() / (covered | seen).sum() > 0.995


@pytest.mark.parametrize("steps", [*EXAMPLES, *CONSTANT_CHAINS])
def test_masks_agree_with_outlines_drawn_after_the_move(steps: Steps) -> None:
    # surroundings that mirror or repeat the picture would show a shape several times in the mask
    plain = [{**step, **({"border": "constant"} if "border" in step else {})} for step in steps]
    ring = np.array([(30, 25), (125, 35), (110, 100), (60, 95)], dtype=float)
    classes = np.zeros(SIZE, dtype=np.uint8)
    cv2.fillPoly(classes, [np.rint(ring * 256 - 128).astype(np.int32)], 9, shift=8)
    buffer = io.BytesIO()
    Image.fromarray(classes).save(buffer, "PNG")
    labels = {"mask": base64.b64encode(buffer.getvalue()).decode(), "polygons": [{"points": ring.tolist()}]}
    result = made_labels(SIZE, labels, plain, rules={"min_visible": 0})
    mask = read_mask(result["mask"]) == 9
    if "polygons" not in result or mask.sum() < 1500:
        return  # next to nothing is left, and its edge is all there is to compare
    drawn = np.zeros(mask.shape, dtype=np.uint8)
    outline = np.array(result["polygons"][0]["points"])
    cv2.fillPoly(drawn, [np.rint(outline * 256 - 128).astype(np.int32)], 1, shift=8)
    assert (mask & (drawn > 0)).sum() / (mask | (drawn > 0)).sum() > 0.95


@pytest.mark.parametrize("form", FORMATS)
def test_formats_come_back_within_their_rounding(form: BoxFormat) -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        (left, right), (top, bottom) = np.sort(rng.uniform(0, 160, 2)), np.sort(rng.uniform(0, 120, 2))
        there = written((left, top, right, bottom), form, SIZE)
        assert corners(there, form, SIZE) == pytest.approx((left, top, right, bottom), abs=2e-4)
        assert written(corners(there, form, SIZE), form, SIZE) == pytest.approx(there, abs=1e-4)
