"""Labels: what is accepted, what is refused, and that they go where the pixels go."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kernels.errors import LabelInvalid
from kernels.labels import Labels, corners, read_mask, write_mask, written
from kernels.op import Field, Places
from kernels.ops import OPS
from kernels.params import Warp
from kernels.tensors import Size
from tests.helpers.pictures import Steps, made, made_labels

SIZE = Size(240, 320)
MOVING = [op for op in OPS.values() if isinstance(op.kind, Places | Field)]
# mirrored and wrapped surroundings would show a shape several times
PLAIN = {"border": "constant", "fill": [0, 0, 0]}
EXAMPLES = [
    pytest.param([example.model_dump() | (PLAIN if isinstance(example, Warp) else {})], id=f"{op.name}-{place}")
    for op in MOVING
    for place, example in enumerate(op.examples)
]
CHAINS = [
    pytest.param(
        [
            {"op": "random_resized_crop", "size": [200, 260], "scale": 0.6},
            {"op": "hflip"},
            {"op": "rotate", "degrees": 25},
            {"op": "elastic", "alpha": 0.04, **PLAIN},
            {"op": "perspective", "distortion": 0.3},
        ],
        id="many",
    ),
    pytest.param(
        [{"op": "rotate", "degrees": 40}, {"op": "invert"}, {"op": "invert"}, {"op": "rotate", "degrees": -40}], id="split"
    ),
]
OUTLINE = [(90, 60), (250, 80), (210, 200), (140, 190)]


def png(classes: NDArray[Any], mode: str | None = None) -> str:
    buffer = io.BytesIO()
    image = Image.fromarray(classes)
    if mode == "P":
        image = image.convert("L").convert("P")
        image.putpalette([value for level in range(256) for value in (level, 255 - level, 7)])
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def painted(outline: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A white shape on black, its edge softened by area."""
    large = np.zeros((SIZE.height * 8, SIZE.width * 8), dtype=np.uint8)
    cv2.fillPoly(large, [np.rint(outline * 8 - 0.5).astype(np.int32)], 255)
    small = cv2.resize(large, (SIZE.width, SIZE.height), interpolation=cv2.INTER_AREA)
    return np.repeat(small[..., None], 3, axis=2)


# ------------------------------------------------------------------------------------------------ with the pixels
@pytest.mark.parametrize("steps", [*EXAMPLES, *CHAINS])
def test_outlines_and_boxes_go_where_the_pixels_go(steps: Steps) -> None:
    outline = np.array(OUTLINE, dtype=float)
    left, top, right, bottom = [*outline.min(axis=0), *outline.max(axis=0)]
    labels = {
        "boxes": {"values": [[left, top, right, bottom]], "classes": ["shape"]},
        "polygons": [{"points": OUTLINE, "class": 3}],
    }
    moved = made_labels(SIZE, labels, steps)
    seen = made(painted(outline), steps, labels=labels)
    shape = seen[..., 0] > 127
    if "polygons" not in moved:
        assert shape.mean() < 0.05
        return
    (polygon,) = moved["polygons"]
    assert polygon["class"] == 3
    drawn = np.zeros(tuple(8 * side for side in shape.shape), dtype=np.uint8)
    cv2.fillPoly(drawn, [np.rint(np.array(polygon["points"]) * 8 - 0.5).astype(np.int32)], 1)
    covered = cv2.resize(drawn.astype(np.float32), shape.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    assert (covered & shape).sum() / (covered | shape).sum() > 0.97
    (box,) = moved["boxes"]["values"]
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    # the box was upright around the shape before: it holds the shape still
    assert box[0] <= columns[0] + 1.5
    assert box[1] <= rows[0] + 1.5
    assert box[2] >= columns[-1] - 0.5
    assert box[3] >= rows[-1] - 0.5
    height, width = shape.shape
    assert box == [max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)]


@pytest.mark.parametrize("steps", [*EXAMPLES, *CHAINS])
def test_boxes_are_tight_around_what_was_in_them(steps: Steps) -> None:
    filled = np.array([(90, 60), (250, 60), (250, 200), (90, 200)], dtype=float)
    labels = {"boxes": {"values": [[90, 60, 250, 200]]}}
    moved = made_labels(SIZE, labels, steps)
    shape = made(painted(filled), steps, labels=labels)[..., 0] > 127
    if not moved["boxes"]["values"]:
        assert shape.mean() < 0.05
        return
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    # a corner as sharp as 45 degrees fills half a pixel only one and a half pixels in
    assert np.abs(np.array(moved["boxes"]["values"][0]) - found).max() <= 2.0


@pytest.mark.parametrize("steps", [*EXAMPLES, *CHAINS])
def test_keypoints_go_where_the_pixels_go(steps: Steps) -> None:
    for x, y in ((120.5, 100.5), (201.0, 140.0)):
        ys, xs = np.mgrid[0 : SIZE.height, 0 : SIZE.width] + 0.5
        dot = np.rint(255 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 12)).astype(np.uint8)
        labels = {"keypoints": [{"points": [[x, y, 2]], "class": "tip"}]}
        light = made(np.repeat(dot[..., None], 3, axis=2), steps, labels=labels)[..., 0].astype(float)
        moved = made_labels(SIZE, labels, steps)
        edge = max(light[0].max(), light[-1].max(), light[:, 0].max(), light[:, -1].max())
        if edge > 0 or light.sum() < 0.2 * dot.sum():
            continue  # cut off or shrunk: its middle says nothing
        rows, columns = np.mgrid[0 : light.shape[0], 0 : light.shape[1]] + 0.5
        middle = [(light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()]
        assert moved["keypoints"][0]["points"][0] == pytest.approx([*middle, 2], abs=0.6)


def test_exact_steps_move_labels_exactly() -> None:
    labels = {"boxes": {"values": [[10, 20, 100, 200]]}, "keypoints": [{"points": [[10, 20, 1], [0.5, 0.25, 2]]}]}
    steps = [
        {"op": "hflip"},
        {"op": "center_crop", "size": [220, 300]},
        {"op": "pad", "left": 1, "top": 2, "right": 3, "bottom": 4},
    ]
    moved = made_labels(SIZE, labels, steps)
    assert moved["boxes"]["values"] == [[220 - 10 + 1, 10 + 2, 310 - 10 + 1 - 0, 190 + 2]]
    assert moved["keypoints"][0]["points"] == [[301, 12, 1], [0, 0, 0]]


def test_pixel_steps_move_no_label() -> None:
    labels = {"boxes": {"format": "yolo", "values": [[0.5, 0.5, 0.25, 0.3]]}, "mask": png(np.eye(240, 320, dtype=np.uint8))}
    assert made_labels(SIZE, labels, [{"op": "invert"}, {"op": "gaussian_blur"}]) == labels


# ------------------------------------------------------------------------------------------------ clipped and dropped
def test_what_leaves_is_clipped_at_every_step() -> None:
    box = {"boxes": {"values": [[0, 0, 100, 240]]}}
    there_and_back = [
        {"op": "translate", "x": 0, "y": 0, "x_pixels": -60},
        {"op": "translate", "x": 0, "y": 0, "x_pixels": 60},
    ]
    assert made_labels(SIZE, box, there_and_back)["boxes"]["values"] == [[60, 0, 100, 240]]


def test_lost_labels_leave_a_reason() -> None:
    labels = {
        "boxes": {
            "values": [[0, 0, 50, 50], [40, 0, 65, 50], [100, 100, 200, 200], [70, 5, 70.4, 80]],
            "classes": ["a", "b", "c", "d"],
        },
        "polygons": [{"points": [[0, 0], [20, 0], [0, 20]]}, {"points": [[100, 0], [200, 0], [150, 90]], "class": "kept"}],
        "keypoints": [{"points": [[5, 5, 2], [10, 10, 1]]}, {"points": [[5, 5, 2], [100, 10, 1]]}],
    }
    moved = made_labels(SIZE, labels, [{"op": "translate", "x": 0, "y": 0, "x_pixels": -63}])
    assert moved["boxes"] == {"format": "xyxy", "values": [[37, 100, 137, 200]], "classes": ["c"]}
    assert [polygon["class"] for polygon in moved["polygons"]] == ["kept"]
    assert moved["keypoints"] == [{"points": [[0, 0, 0], [37, 10, 1]]}]
    assert moved["dropped"] == [
        {"kind": "box", "index": 0, "reason": "outside"},
        {"kind": "box", "index": 1, "reason": "low_visibility"},
        {"kind": "box", "index": 3, "reason": "too_small"},
        {"kind": "polygon", "index": 0, "reason": "outside"},
        {"kind": "keypoints", "index": 0, "reason": "outside"},
    ]


def test_a_wrapped_box_keeps_its_largest_piece() -> None:
    steps = [{"op": "translate", "x": 0, "y": 0, "x_pixels": 300, "border": "wrap"}]
    moved = made_labels(SIZE, {"boxes": {"values": [[0, 0, 100, 50]]}, "keypoints": [{"points": [[100, 7, 1]]}]}, steps)
    assert moved["boxes"]["values"] == [[0, 0, 80, 50]]
    assert moved["keypoints"][0]["points"] == [[80, 7, 1]]


def test_what_hangs_over_the_picture_is_clipped_and_does_not_count_as_lost() -> None:
    labels = {"boxes": {"values": [[-1000, 10, 20, 30], [400, 10, 500, 30]]}}
    moved = made_labels(SIZE, labels, [{"op": "vflip"}])
    assert moved["boxes"]["values"] == [[0, 210, 20, 230]]
    assert moved["dropped"] == [{"kind": "box", "index": 1, "reason": "outside"}]


# ------------------------------------------------------------------------------------------------ formats
@pytest.mark.parametrize("form", ["xyxy", "xywh", "cxcywh", "yolo"])
def test_boxes_come_back_in_their_format(form: str) -> None:
    box = written((30, 40, 130, 100), form, SIZE)  # type: ignore[arg-type]  # the format as a test parameter
    assert corners(box, form, SIZE) == pytest.approx((30, 40, 130, 100))  # type: ignore[arg-type]  # as above
    moved = made_labels(SIZE, {"boxes": {"format": form, "values": [box]}}, [{"op": "resize", "size": [120, 640]}])
    assert moved["boxes"]["format"] == form
    found = corners(tuple(moved["boxes"]["values"][0]), form, Size(120, 640))  # type: ignore[arg-type]  # as above
    assert found == pytest.approx((60, 20, 260, 50), abs=1e-3)


@pytest.mark.parametrize(("dtype", "mode"), [(np.uint8, None), (np.uint8, "P"), (np.uint16, None)])
def test_masks_keep_their_class_numbers(dtype: type, mode: str | None) -> None:
    classes = np.zeros(SIZE, dtype=dtype)
    classes[50:100, 60:200] = 3
    classes[120:200, 10:50] = 255 if dtype is np.uint8 else 40_000
    moved = read_mask(made_labels(SIZE, {"mask": png(classes, mode)}, [{"op": "hflip"}])["mask"])
    assert np.array_equal(moved, classes[:, ::-1])
    assert moved.dtype == dtype
    turned = read_mask(made_labels(SIZE, {"mask": png(classes, mode)}, [{"op": "rotate", "degrees": 20}])["mask"])
    assert set(np.unique(turned)) == set(np.unique(classes))


def test_masks_written_are_read_again() -> None:
    classes = np.random.default_rng(0).integers(0, 65536, (9, 7), dtype=np.uint16)
    assert np.array_equal(read_mask(write_mask(classes)), classes)


def test_a_document_survives_parse() -> None:
    document = {
        "boxes": {"format": "xywh", "values": [[1.0, 2.0, 3.0, 4.5]], "classes": [4]},
        "polygons": [{"points": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], "class": "x"}],
        "keypoints": [{"points": [[1.0, 2.0, 2.0]]}],
        "mask": png(np.zeros(SIZE, dtype=np.uint8)),
    }
    assert Labels.parse(document, SIZE).document() == document
    assert Labels.parse({}, SIZE).document() == {}


# ------------------------------------------------------------------------------------------------ refused
COLOURS = png(np.zeros((240, 320, 3), dtype=np.uint8))
WRONG: dict[str, tuple[Mapping[str, Any], str]] = {
    "unknown field": ({"box": []}, "/labels/box"),
    "box of three": ({"boxes": {"values": [[1, 2, 3]]}}, "/labels/boxes/values/0/3"),
    "not a number": ({"boxes": {"values": [[1, 2, 3, "4"]]}}, "/labels/boxes/values/0/3"),
    "nan": ({"boxes": {"values": [[1, 2, 3, float("nan")]]}}, "/labels/boxes/values/0/3"),
    "true": ({"boxes": {"values": [[1, 2, 3, True]]}}, "/labels/boxes/values/0/3"),
    "corners swapped": ({"boxes": {"values": [[0, 0, 1, 1], [5, 0, 4, 9]]}}, "/labels/boxes/values/1"),
    "negative width": ({"boxes": {"format": "xywh", "values": [[5, 0, -4, 9]]}}, "/labels/boxes/values/0"),
    "pixels as yolo": ({"boxes": {"format": "yolo", "values": [[50, 50, 20, 20]]}}, "/labels/boxes/values/0"),
    "unknown format": ({"boxes": {"format": "ltrb", "values": []}}, "/labels/boxes/format"),
    "too few classes": ({"boxes": {"values": [[0, 0, 1, 1]], "classes": []}}, "/labels/boxes/classes"),
    "polygon of two": ({"polygons": [{"points": [[0, 0], [1, 1]]}]}, "/labels/polygons/0/points"),
    "keypoint of two": ({"keypoints": [{"points": [[0, 0]]}]}, "/labels/keypoints/0/points/0/2"),
    "mask not base64": ({"mask": "%%%"}, "/labels/mask"),
    "mask not a png": ({"mask": base64.b64encode(b"GIF89a").decode()}, "/labels/mask"),
    "mask cut short": ({"mask": base64.b64encode(base64.b64decode(COLOURS)[:60]).decode()}, "/labels/mask"),
    "mask of another size": ({"mask": png(np.zeros((240, 319), dtype=np.uint8))}, "/labels/mask"),
    "mask in colours": ({"mask": COLOURS}, "/labels/mask"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_labels_are_refused_at_their_place(name: str) -> None:
    document, pointer = WRONG[name]
    with pytest.raises(LabelInvalid) as caught:
        Labels.parse(document, SIZE, "/labels")
    assert caught.value.pointer == pointer
    assert caught.value.code == "label_invalid"


@pytest.mark.parametrize("value", [None, 3, "boxes", [1]])
def test_labels_are_an_object(value: object) -> None:
    with pytest.raises(LabelInvalid):
        Labels.parse(value, SIZE)
