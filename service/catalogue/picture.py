"""What an operation does, as a strip of pictures: the original, an example, and draws of its usual fields."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from kernels import rng
from kernels.codec import decode
from kernels.coverage import coverage
from kernels.labels import Labels, write_mask
from kernels.op import Op
from kernels.params import Params, drawn_fields
from kernels.partners import Partner, Pool, most_partners
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Recipe
from kernels.run import run_reference
from kernels.tensors import Picture, Size
from service.catalogue.facts import brief, label_behaviour, usual, written

TILE = (240, 160)
"""Width and height of one picture of a strip: two thirds of the sample's."""
TILES = 5
"""Pictures of a strip, at most."""
_GAP = 6
_SEED = 2067
"""Its three draws are spread: the first numbers are 0.11, 0.59 and 0.97 of their ranges."""
_LINE = 2
_LANCZOS = Image.Resampling.LANCZOS
_QUALITY = 75
_EYES = ((105.0, 66.0, 168.0, 118.0), (234.0, 86.0, 276.0, 132.0))
_NOSE = ((186.0, 182.0), (232.0, 184.0), (222.0, 200.0), (208.0, 212.0), (196.0, 200.0))
_FACE = ((96.0, 52.0), (288.0, 78.0), (281.0, 140.0), (88.0, 116.0))
_CUP = (
    *((105, 40), (118, 20), (160, 11), (215, 15), (240, 35), (262, 55), (285, 95), (288, 140), (270, 185)),
    *((235, 215), (180, 230), (130, 225), (80, 195), (52, 150), (47, 110), (60, 70), (85, 48)),
)
LABELS: Mapping[str, Any] = {
    "boxes": {"values": _EYES, "classes": ["eye", "eye"]},
    "polygons": [{"points": _NOSE, "class": "nose"}, {"points": _FACE, "class": "an oriented box"}],
    "keypoints": [{"points": [[140, 92, 2], [257, 107, 2], [210, 196, 2]], "class": "eyes and nose"}],
}
"""Labels of the sample: a box for each eye, an outline, an oriented box, three points."""


@dataclass(frozen=True)
class Tile:
    """One picture of a strip."""

    role: str
    """original, partner, example or draw."""
    says: str
    """The fields that made it, or the numbers that were drawn."""
    picture: Image.Image


def tiles(op: Op) -> tuple[Tile, ...]:
    """The sample, the first example, and draws of the usual fields; a draw that shows nothing new is left out.

    An operation that mixes pictures has the other one in the place of a draw. Where labels move, or are looked at, those of
    the sample are drawn on it. What is shown is computed by the reference: nothing has to be compiled first, and every
    machine shows the same.
    """
    always = {"chance": 1.0}
    first, drawn = op.examples[0].model_copy(update=always), usual(op).model_copy(update=always)
    before = [Tile("original", "", _tile(_pictures()["sample"], op))]
    if most_partners(Recipe(steps=(first,))):
        before.append(Tile("partner", "", _tile(_pictures()["other"], op)))
    [example], draws = _made(first, 1), _made(drawn, TILES - 1 - len(before))
    made = [Tile("example", _said(_fields(op.examples[0]), example[0]), _tile(example[1], op))]
    for plan, picture in draws:
        image = _tile(picture, op)
        if not any(_same(image, other.picture) for other in made):
            made.append(Tile("draw", _said(_numbers(op, plan), plan), image))
    return (*before, *made)


def strip(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures side by side, each in the middle of its place. RGBA: nothing is between them."""
    width, height = TILE
    sheet = Image.new("RGBA", (len(pictures) * (width + _GAP) - _GAP, height), (0, 0, 0, 0))
    for place, picture in enumerate(pictures):
        left = place * (width + _GAP) + (width - picture.width) // 2
        sheet.paste(picture, (left, (height - picture.height) // 2))
    return sheet


def illustrated(op: Op) -> Image.Image:
    """The operation's strip."""
    return strip([tile.picture for tile in tiles(op)])


def as_webp(picture: Image.Image) -> bytes:
    """The file that the gallery shows and the service sends."""
    target = io.BytesIO()
    picture.save(target, format="WEBP", quality=_QUALITY, method=4)
    return target.getvalue()


def with_labels(picture: Image.Image, labels: Labels, scale: float = 1.0, line: int = 3) -> Image.Image:
    """A picture that was scaled, with boxes in yellow, outlines in blue and points in red; upright boxes must be xyxy."""
    image = picture.copy()
    pen = ImageDraw.Draw(image)
    radius = line + 2
    for box in labels.boxes.values if labels.boxes else ():
        pen.rectangle([scale * side for side in box], outline=(255, 220, 0), width=line)
    for polygon in labels.polygons:
        points = [(scale * x, scale * y) for x, y in polygon.points]
        pen.line([*points, *points[:2]], fill=(40, 150, 255), width=line, joint="curve")
    for found in labels.keypoints:
        for x, y in ((scale * x, scale * y) for x, y, seen in found.points if seen):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 40, 40), outline=(255, 255, 255))
    return image


@cache
def sample() -> Image.Image:
    """A photograph that may be used freely (its licence lies beside it), 360 x 240."""
    return _read("chelsea.jpg")


@cache
def other_sample() -> Image.Image:
    """A second photograph that may be used freely, 360 x 240: what operations that mix pictures mix in."""
    return _read("coffee.jpg")


def _read(name: str) -> Image.Image:
    return Image.fromarray(decode(files("service.catalogue").joinpath("sample", name).read_bytes()))


@cache
def _pictures() -> Mapping[str, Picture]:
    """The samples by key, with their labels."""
    cup = {"polygons": [{"points": _CUP, "class": "cup"}], "mask": _cup_mask()}
    return {"sample": _labelled(sample(), LABELS), "other": _labelled(other_sample(), cup)}


def _cup_mask() -> str:
    """A class mask of the other sample: 1 on the cup."""
    width, height = other_sample().size
    return write_mask((coverage(np.array(_CUP, dtype=np.float64), Size(height, width)) > 0.5).astype(np.uint8))


def _labelled(image: Image.Image, labels: Mapping[str, Any]) -> Picture:
    return Picture(np.array(image), Labels.parse(labels, Size(image.height, image.width)))


def _made(step: Params, variants: int) -> list[tuple[Plan, Picture]]:
    """The sample after one step, once for each variant."""
    own = _pictures()["sample"]
    keys = {rng.item_key(key): key for key in _pictures()}

    def find(partner: Partner) -> Picture:
        return _pictures()[keys[partner.key]]

    wanted = [Variant(rng.item_key("sample"), variant, own.size, own.labels) for variant in range(variants)]
    planned = plans(Recipe(steps=(step,)), _SEED, wanted, Pool(tuple(_pictures())), find)
    made = run_reference(planned, [own] * variants, [find] * variants)
    return list(zip(planned, made, strict=True))


def _tile(picture: Picture, op: Op) -> Image.Image:
    """At the sample's scale, or smaller where it would not fit; with labels where they move."""
    width, height = TILE
    image = Image.fromarray(picture.pixels.numpy())
    scale = min(width / sample().width, width / image.width, height / image.height)
    shrunk = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), _LANCZOS)
    if (label_behaviour(op) == "stay" and op.aim is None) or picture.labels is None:
        return shrunk
    return with_labels(shrunk, picture.labels, scale, _LINE)


def _same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


def _fields(params: Params) -> str:
    return ", ".join(f"{name}: {brief(value)}" for name, value in written(params).items() if name not in ("op", "steps"))


def _said(fields: str, plan: Plan) -> str:
    """Fields and, where the step made others of itself, what these were."""
    own, *inside = plan.draws
    applied = {told["step"]: told["op"] for told in inside if told["applied"]}
    in_order = [number for number in own.get("taken", applied) if number in applied]
    names = [*(applied[number] for number in in_order), *(told["op"] for told in own.get("members", ()))]
    return "; ".join(filter(None, (fields, ", ".join(names))))


def _numbers(op: Op, plan: Plan) -> str:
    """What was drawn, but for fields whose ends leave nothing to draw."""
    given = usual(op)
    open_ends = {name for name, _ in drawn_fields(op.params) if len(set(getattr(given, name))) > 1}
    drawn: Mapping[str, Any] = plan.draws[0]["draws"]
    return ", ".join(
        f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in drawn.items()
        if name in open_ends
    )
