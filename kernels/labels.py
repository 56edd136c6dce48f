"""Labels: boxes, polygons, keypoints and a class mask that belong to a picture, as callers write them.

x runs to the right and y down, in pixels from the picture's top left corner, so a pixel's centre is at + 0.5.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import ConfigDict, Field, ValidationError

from kernels.documents import Document, at_most
from kernels.errors import LabelInvalid
from kernels.tensors import Size

Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e6, le=1e6)]
ClassName = Annotated[int, Field(strict=True)] | Annotated[str, Field(strict=True, max_length=255)]
Reason = Literal["outside", "low_visibility", "too_small", "low_area", "covered"]
LabelKind = Literal["box", "polygon", "keypoints"]
BoxFormat = Literal["xyxy", "xywh", "cxcywh", "yolo"]
Corners = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""
ClassMask = NDArray[np.uint8] | NDArray[np.uint16]

MOST = 10_000
"""Labels of one kind that a picture may have, and points of one of them."""
_OVER = 1e-3
"""How far beyond 0..1 a yolo number may lie: files carry rounded decimals."""
_CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True)


class Boxes(Document):
    """Upright boxes, all in one format.

    xyxy: left, top, right, bottom; xywh: left, top, width, height; cxcywh: centre, width, height; yolo: the same as
    fractions of the picture's sides. All but yolo in pixels.
    """

    model_config = _CONFIG

    format: BoxFormat = "xyxy"
    """How each box is written; results are written the same way."""
    values: Annotated[tuple[tuple[Number, Number, Number, Number], ...], at_most(MOST)] = ()
    """Four numbers for each box."""
    classes: Annotated[tuple[ClassName, ...], at_most(MOST)] | None = None
    """One class for each box."""


class Polygon(Document):
    """An outline, closed from its last point to its first; one of four points is an oriented box.

    Matrices keep its corners; where a picture's edge cuts it or a field bends it, it becomes the outline of what is left.
    """

    model_config = _CONFIG

    points: Annotated[tuple[tuple[Number, Number], ...], at_most(MOST, at_least=3)]
    """x and y of each corner."""
    category: ClassName | None = Field(default=None, alias="class")
    """Class of the object."""


class Keypoints(Document):
    """Points of one object, in a fixed order. A point with visibility 0 is not there, and is written 0, 0, 0.

    So is a point that leaves the picture; an object is dropped when it has lost all of its points.
    """

    model_config = _CONFIG

    points: Annotated[tuple[tuple[Number, Number, Number], ...], at_most(MOST, at_least=1)]
    """x, y and visibility of each point."""
    category: ClassName | None = Field(default=None, alias="class")
    """Class of the object."""


class Dropped(Document):
    """A label that a result no longer has: its kind, its place in the list it came in, and why. See `LabelRules`."""

    model_config = _CONFIG

    kind: LabelKind
    """What was dropped."""
    index: Annotated[int, Field(ge=0)]
    """Its place among the labels of its kind as they came in."""
    reason: Reason
    """outside: no part of it is left; low_visibility, too_small, low_area: less is left than the recipe's `min_visible`,
    `min_side` or `min_area` asks for; covered: another picture leaves less of it to be seen than `min_visible`. The first
    that holds is named."""
    partner: str | None = None
    """The other picture it came with, by its custom_id, else its key as 16 hex digits; absent: the picture's own."""


class Labels(Document):
    """All labels of one picture. Build one with `Labels.parse`, which checks them against their picture."""

    model_config = _CONFIG

    boxes: Boxes | None = None
    """Upright boxes."""
    polygons: Annotated[tuple[Polygon, ...], at_most(MOST)] = ()
    """Outlines."""
    keypoints: Annotated[tuple[Keypoints, ...], at_most(MOST)] = ()
    """Points of objects."""
    mask: str | None = None
    """A picture of class numbers, as large as the picture: PNG (8 or 16 bits, grey or palette) in base64."""
    dropped: tuple[Dropped, ...] = ()
    """What a result has lost; not read on the way in."""

    @classmethod
    def parse(cls, value: object, size: Size, pointer: str = "") -> Labels:
        """The labels in a decoded JSON document, for a picture of `size`. LabelInvalid carries a JSON pointer."""
        if isinstance(value, dict):
            value = {name: member for name, member in value.items() if name != "dropped"}
        try:
            labels = cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = "".join(f"/{part}" for part in first["loc"] if part not in ("int", "str"))
            raise LabelInvalid(first["msg"], pointer + place[:200]) from None
        if labels.boxes is not None:
            _check_boxes(labels.boxes, f"{pointer}/boxes")
        if labels.mask is not None:
            _check_mask(labels.mask, size, f"{pointer}/mask")
        return labels

    def document(self) -> dict[str, Any]:
        """The labels as plain JSON, without what is absent."""
        document: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        if self.boxes is not None:
            document["boxes"] = self.boxes.model_dump(mode="json", exclude_none=True)
        return document

    @property
    def count(self) -> int:
        """How many boxes, polygons, keypoint objects and masks there are."""
        boxes = 0 if self.boxes is None else len(self.boxes.values)
        return boxes + len(self.polygons) + len(self.keypoints) + (self.mask is not None)


def corners(box: Corners, written: BoxFormat, size: Size) -> Corners:
    """A box as left, top, right, bottom in pixels."""
    a, b, c, d = box
    match written:
        case "xyxy":
            return a, b, c, d
        case "xywh":
            return a, b, a + c, b + d
        case "cxcywh":
            return a - c / 2, b - d / 2, a + c / 2, b + d / 2
        case "yolo":
            height, width = size
            return (a - c / 2) * width, (b - d / 2) * height, (a + c / 2) * width, (b + d / 2) * height


def written(box: Corners, form: BoxFormat, size: Size) -> Corners:
    """Left, top, right, bottom in pixels as a box of the given format, rounded to what a label file carries."""
    left, top, right, bottom = box
    height, width = size
    match form:
        case "xyxy":
            numbers, digits = (left, top, right, bottom), 4
        case "xywh":
            numbers, digits = (left, top, right - left, bottom - top), 4
        case "cxcywh":
            numbers, digits = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top), 4
        case "yolo":
            across, down = (left + right) / 2 / width, (top + bottom) / 2 / height
            numbers, digits = (across, down, (right - left) / width, (bottom - top) / height), 8
    a, b, c, d = (round(number, digits) + 0.0 for number in numbers)
    return a, b, c, d


def read_mask(mask: str) -> ClassMask:
    """Class numbers (H, W) of a mask that `Labels.parse` has checked."""
    with Image.open(io.BytesIO(base64.b64decode(mask))) as image:
        classes = np.asarray(image)
    if classes.dtype.itemsize > 1:
        return classes.astype(np.uint16)
    return classes.astype(np.uint8)


def write_mask(classes: NDArray[np.generic]) -> str:
    """Class numbers (H, W), uint8 or uint16, as a grey PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(classes).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _check_boxes(boxes: Boxes, pointer: str) -> None:
    if boxes.classes is not None and len(boxes.classes) != len(boxes.values):
        raise LabelInvalid(f"{len(boxes.classes)} classes for {len(boxes.values)} boxes", f"{pointer}/classes")
    for index, (a, b, c, d) in enumerate(boxes.values):
        if boxes.format == "xyxy" and (c < a or d < b):
            raise LabelInvalid(
                "xyxy is left, top, right, bottom: right or bottom is the smaller one", f"{pointer}/values/{index}"
            )
        if boxes.format != "xyxy" and (c < 0 or d < 0):
            raise LabelInvalid("a box has a width and height of 0 or more", f"{pointer}/values/{index}")
        if boxes.format == "yolo" and not all(-_OVER <= number <= 1 + _OVER for number in (a, b, c, d)):
            raise LabelInvalid("yolo numbers are fractions of the picture's sides, 0 to 1", f"{pointer}/values/{index}")


def _check_mask(mask: str, size: Size, pointer: str) -> None:
    try:
        content = base64.b64decode(mask, validate=True)
    except (binascii.Error, ValueError):
        raise LabelInvalid("is not base64", pointer) from None
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise LabelInvalid("is not a PNG", pointer)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.size != (size.width, size.height):
                found = f"{image.size[0]} x {image.size[1]}"
                raise LabelInvalid(f"is {found}, its picture {size.width} x {size.height}", pointer)
            if image.mode not in ("1", "L", "P", "I;16", "I"):
                raise LabelInvalid(f"holds colours ({image.mode}); class numbers are grey or palette places", pointer)
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LabelInvalid("cannot be read as a PNG", pointer) from error
