"""Labels of several pictures become those of one: each follows its layer, and what a later layer covers is lost.

Between steps that mix, labels follow their chain as ever (`label_moves`), so the share that is left of one is counted anew
from each such step on. A label that is covered in part keeps its whole outline.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

from kernels import label_moves
from kernels.chain import Link
from kernels.errors import LabelInvalid
from kernels.label_covers import Cover, Mask, is_hidden, is_left, with_mask
from kernels.label_rules import LabelRules
from kernels.labels import (
    Boxes,
    ClassName,
    Corners,
    Dropped,
    Keypoints,
    LabelKind,
    Labels,
    Polygon,
    corners,
    read_mask,
    write_mask,
)
from kernels.labels import written as written_box
from kernels.mixing import Guest, Mixture, cut_objects, opacity
from kernels.op import Classes, Covering, Layer, Likened, Region
from kernels.partners import Partner
from kernels.stages import Chain, Stage
from kernels.tensors import Size

MOST = 10_000
"""Labels of one kind that a picture may have."""
Found = TypeVar("Found")


class Origin(NamedTuple):
    """Where a label came in: the name of the partner (None: the picture itself), and its place among those of its kind."""

    partner: str | None
    place: int


@dataclass(frozen=True)
class _Trail:
    """Labels on their way, with the origin of each, and what was lost so far."""

    labels: Labels
    boxes: tuple[Origin, ...]
    polygons: tuple[Origin, ...]
    keypoints: tuple[Origin, ...]
    dropped: tuple[Dropped, ...] = ()


def followed(
    labels: Labels | None, cut: Sequence[Stage], size_in: Size, size_out: Size, rules: LabelRules
) -> Labels | None:
    """The labels of a picture after all stages; None where neither it nor any partner has some. LabelInvalid: too many."""
    # what only looks like another picture has lost and gained nothing
    cut = [stage for stage in cut if not (isinstance(stage, Mixture) and isinstance(stage.step.op.kind, Likened))]
    mixtures = [stage for stage in cut if isinstance(stage, Mixture)]
    if not mixtures:
        return None if labels is None else label_moves.moved(labels, _links(cut), size_in, size_out, rules)
    guests = [stage.guests.known(partner) for stage in mixtures for partner in stage.step.partners]
    if labels is None and all(guest.labels is None for guest in guests):
        return None
    before = LabelRules(min_visible=rules.min_visible, min_side=0.0)
    trail, size = _trail(labels or Labels(), None), size_in
    for mixes, stages in itertools.groupby(cut, lambda stage: isinstance(stage, Mixture)):
        part = list(stages)
        if mixes:
            for stage in part:
                assert isinstance(stage, Mixture)
                trail, size = _mixed(trail, stage, before), stage.step.size_out
        elif links := _links(part):
            trail, size = _moved(trail, links, size, links[-1].size_out, before), links[-1].size_out
    # sides and areas are measured once, at the end
    trail = _moved(trail, (), size, size, rules)
    return trail.labels.model_copy(update={"dropped": trail.dropped})


def _links(cut: Sequence[Stage]) -> tuple[Link, ...]:
    return tuple(link for stage in cut if isinstance(stage, Chain) for link in stage.links)


def _trail(labels: Labels, partner: str | None) -> _Trail:
    boxes = 0 if labels.boxes is None else len(labels.boxes.values)
    counts = (boxes, len(labels.polygons), len(labels.keypoints))
    found = [tuple(Origin(partner, place) for place in range(count)) for count in counts]
    return _Trail(labels, found[0], found[1], found[2])


def _moved(trail: _Trail, links: Sequence[Link], size_in: Size, size_out: Size, rules: LabelRules) -> _Trail:
    return _without(trail, label_moves.moved(trail.labels, links, size_in, size_out, rules))


def _without(trail: _Trail, left: Labels) -> _Trail:
    """The trail with the labels that are left of it; what `left` says to have dropped is told by its origin."""
    origins = {"box": trail.boxes, "polygon": trail.polygons, "keypoints": trail.keypoints}
    told = tuple(_told(lost, origins[lost.kind][lost.index]) for lost in left.dropped)
    gone = {(lost.kind, lost.index) for lost in left.dropped}
    kept = {
        kind: tuple(origin for index, origin in enumerate(its) if (kind, index) not in gone)
        for kind, its in origins.items()
    }
    return _Trail(left, kept["box"], kept["polygon"], kept["keypoints"], trail.dropped + told)


def _told(lost: Dropped, origin: Origin) -> Dropped:
    return lost.model_copy(update={"partner": origin.partner, "index": origin.place})


def _mixed(trail: _Trail, mixture: Mixture, rules: LabelRules) -> _Trail:
    """The trail of the canvas: its own labels, then those of each partner, less what is covered."""
    size = mixture.step.size_out
    if isinstance(mixture.step.op.kind, Covering):
        return _covered(_moved(trail, (), size, size, rules), mixture, rules)
    pieces: list[_Trail] = []
    laid: list[_Trail] = []
    mask: Mask | None = None
    for partner, layer, link in mixture.placed():
        guest = Guest(mixture.step.size_in, trail.labels) if partner is None else mixture.guests.known(partner)
        shown = opacity(mixture, partner, layer, link) if _is_shown(layer) else None
        if partner is None:
            own = replace(trail, labels=_in_pixels(trail.labels, guest.size))
        else:
            own = _chosen(_trail(_in_pixels(guest.labels or Labels(), guest.size), partner.name), mixture, partner, layer)
        placed = _moved(own, (link,), guest.size, layer.region.size if _is_shown(layer) else link.size_out, rules)
        placed = _shifted(placed, layer.region) if _is_shown(layer) else _emptied(placed)
        mask = with_mask(mask, placed.labels.mask, layer, shown, size)
        if partner is None:
            pieces.append(placed)
            if len(pieces) == mixture.pieces:
                laid = [_gathered(pieces, trail.dropped) if len(pieces) > 1 else placed]
            continue
        if shown is not None and not (isinstance(shown, float) and shown < 1.0):
            cover = Cover(layer.region, None if isinstance(shown, float) else shown)
            laid = [_hidden(beneath, cover, rules.min_visible) for beneath in laid]
        laid.append(placed)
    return _joined(laid, trail.labels.boxes, mask, size)


def _gathered(pieces: Sequence[_Trail], before: tuple[Dropped, ...]) -> _Trail:
    """The labels of the pieces of one picture: a box or outline may be in several, keypoints of an object meet again.

    Lost is only what no piece has a part of. before: what was lost before the picture was cut.
    """
    objects: dict[Origin, Keypoints] = {}
    for piece in pieces:
        for origin, one in zip(piece.keypoints, piece.labels.keypoints, strict=True):
            known = objects.get(origin, one)
            points = tuple(max(pair, key=lambda point: point[2]) for pair in zip(known.points, one.points, strict=True))
            objects[origin] = one.model_copy(update={"points": points})
    joined = _joined(pieces, None, None, Size(1, 1))
    known_lost = {_name(one) for one in before}
    still = {
        *(("box", *origin) for origin in joined.boxes),
        *(("polygon", *origin) for origin in joined.polygons),
        *(("keypoints", *origin) for origin in objects),
    }
    present = still | known_lost
    lost: dict[tuple[str, str | None, int], Dropped] = {}
    for gone in joined.dropped:
        name = _name(gone)
        # where a piece has had too little of it, that is why; the other pieces had none at all
        if name not in present and (name not in lost or lost[name].reason == "outside"):
            lost[name] = gone
    labels = joined.labels.model_copy(update={"keypoints": tuple(objects.values())})
    return replace(joined, labels=labels, keypoints=tuple(objects), dropped=(*before, *lost.values()))


def _name(lost: Dropped) -> tuple[str, str | None, int]:
    return lost.kind, lost.partner, lost.index


def _is_shown(layer: Layer) -> bool:
    left, top, right, bottom = layer.region
    return right > left and bottom > top


def _in_pixels(labels: Labels, size: Size) -> Labels:
    """The same with boxes as left, top, right, bottom."""
    if labels.boxes is None or labels.boxes.format == "xyxy":
        return labels
    values = tuple(corners(value, labels.boxes.format, size) for value in labels.boxes.values)
    return labels.model_copy(update={"boxes": Boxes(format="xyxy", values=values, classes=labels.boxes.classes)})


def _chosen(trail: _Trail, mixture: Mixture, partner: Partner, layer: Layer) -> _Trail:
    """Of a cut-out the labels of the objects that are shown; the n-th of each kind are one object where all are as many."""
    if layer.cutout is None or isinstance(layer.cutout, np.ndarray):
        return trail
    if isinstance(layer.cutout, Classes):
        # nothing says which classes of a mask a box or an outline belongs to
        return _trail(Labels(mask=trail.labels.mask), partner.name)
    objects = cut_objects(mixture, partner, layer.cutout)
    labels = trail.labels
    count = len(trail.polygons or trail.boxes)

    def some(found: Sequence[Found]) -> tuple[Found, ...]:
        return tuple(found[index] for index in objects) if len(found) == count else ()

    boxes = labels.boxes
    if boxes is not None:
        classes = None if boxes.classes is None else some(boxes.classes)
        boxes = Boxes(format=boxes.format, values=some(boxes.values), classes=classes)
    return replace(
        trail,
        labels=labels.model_copy(
            update={"boxes": boxes, "polygons": some(labels.polygons), "keypoints": some(labels.keypoints)}
        ),
        boxes=some(trail.boxes),
        polygons=some(trail.polygons),
        keypoints=some(trail.keypoints),
    )


def _covered(trail: _Trail, mixture: Mixture, rules: LabelRules) -> _Trail:
    """The trail less the objects that are painted over, and less what is hidden with them of others."""
    size, hidden = mixture.step.size_in, mixture.step.fields["hidden"]
    if not hidden.any():
        return trail
    own, pixels = trail.labels.boxes, replace(trail, labels=_in_pixels(trail.labels, size))
    cover = Cover(Region(0, 0, size.width, size.height), hidden.astype(np.float32))
    left = _hidden(_bereft(pixels, frozenset(mixture.step.fields["objects"])), cover, rules.min_visible)
    mask: Mask | None = None
    if left.labels.mask is not None:
        mask = read_mask(left.labels.mask)
        mask[hidden] = 0
    return _joined([left], own, mask, size)


def _bereft(trail: _Trail, objects: frozenset[int]) -> _Trail:
    """The trail without some objects; the n-th of each kind are one object where all are of the same classes in order."""
    labels, boxes = trail.labels, trail.labels.boxes
    names: dict[LabelKind, list[ClassName | None]] = {
        "box": [] if boxes is None else [*(boxes.classes or (None,) * len(boxes.values))],
        "polygon": [one.category for one in labels.polygons],
        "keypoints": [one.category for one in labels.keypoints],
    }
    outlined = names["polygon"] or names["box"]

    def left(kind: LabelKind, found: Sequence[Found]) -> tuple[Found, ...]:
        gone = objects if names[kind] == outlined else ()
        return tuple(one for place, one in enumerate(found) if place not in gone)

    if boxes is not None:
        classes = None if boxes.classes is None else left("box", boxes.classes)
        boxes = Boxes(format=boxes.format, values=left("box", boxes.values), classes=classes)
    lost = [
        Dropped(kind=kind, index=place, reason="covered")
        for kind in names
        if names[kind] == outlined
        for place in sorted(objects)
    ]
    polygons, keypoints = left("polygon", labels.polygons), left("keypoints", labels.keypoints)
    kept = Labels(boxes=boxes, polygons=polygons, keypoints=keypoints, mask=labels.mask, dropped=tuple(lost))
    return _without(trail, kept)


def _shifted(trail: _Trail, region: Region) -> _Trail:
    """From the pixels of a region to those of its canvas."""
    left, top = region.left, region.top
    labels, boxes = trail.labels, trail.labels.boxes
    if boxes is not None:
        values = tuple((a + left, b + top, c + left, d + top) for a, b, c, d in boxes.values)
        boxes = Boxes(format="xyxy", values=values, classes=boxes.classes)
    polygons = tuple(
        polygon.model_copy(update={"points": tuple((x + left, y + top) for x, y in polygon.points)})
        for polygon in labels.polygons
    )
    keypoints = tuple(
        one.model_copy(
            update={"points": tuple((x + left, y + top, seen) if seen > 0 else (x, y, seen) for x, y, seen in one.points)}
        )
        for one in labels.keypoints
    )
    moved = labels.model_copy(update={"boxes": boxes, "polygons": polygons, "keypoints": keypoints})
    return replace(trail, labels=moved)


def _emptied(trail: _Trail) -> _Trail:
    """All of a picture that shows nowhere is lost."""
    kinds = (("box", trail.boxes), ("polygon", trail.polygons), ("keypoints", trail.keypoints))
    lost = [
        Dropped.model_validate({"kind": kind, "index": index, "reason": "outside"})
        for kind, origins in kinds
        for index in range(len(origins))
    ]
    return _without(trail, Labels(dropped=tuple(lost)))


def _hidden(trail: _Trail, cover: Cover, least: float) -> _Trail:
    """The trail less the labels of which a layer covers too much; covered points are gone."""
    labels, lost = trail.labels, []
    boxes, polygons, keypoints = labels.boxes, list(labels.polygons), list(labels.keypoints)
    if boxes is not None:
        outlines = [np.array([(a, b), (c, b), (c, d), (a, d)]) for a, b, c, d in boxes.values]
        stays = [is_left(outline, cover, least) for outline in outlines]
        seen = [index for index, stay in enumerate(stays) if stay]
        lost += [Dropped(kind="box", index=index, reason="covered") for index, stay in enumerate(stays) if not stay]
        classes = None if boxes.classes is None else tuple(boxes.classes[index] for index in seen)
        boxes = Boxes(format="xyxy", values=tuple(boxes.values[index] for index in seen), classes=classes)
    kept: list[Polygon] = []
    for index, polygon in enumerate(polygons):
        if is_left(np.array(polygon.points, dtype=np.float64), cover, least):
            kept.append(polygon)
        else:
            lost.append(Dropped(kind="polygon", index=index, reason="covered"))
    left: list[Keypoints] = []
    for index, one in enumerate(keypoints):
        points = tuple((0.0, 0.0, 0.0) if is_hidden(x, y, cover) else (x, y, seen) for x, y, seen in one.points)
        # an object none of whose points was there has nothing to lose
        if any(seen > 0 for _, _, seen in points) or not any(seen > 0 for _, _, seen in one.points):
            left.append(one.model_copy(update={"points": points}))
        else:
            lost.append(Dropped(kind="keypoints", index=index, reason="covered"))
    rest = Labels(boxes=boxes, polygons=tuple(kept), keypoints=tuple(left), mask=labels.mask, dropped=tuple(lost))
    return _without(trail, rest)


def _joined(laid: Sequence[_Trail], own: Boxes | None, mask: Mask | None, size: Size) -> _Trail:
    """All layers' labels as one list of each kind; boxes in the format of the picture's own, else xyxy."""
    having = [trail.labels.boxes for trail in laid if trail.labels.boxes is not None]
    boxes = None
    if having:
        form = "xyxy" if own is None else own.format
        values: list[Corners] = [written_box(value, form, size) for one in having for value in one.values]
        _check_count("boxes", len(values))
        classes: tuple[ClassName, ...] | None = None
        if any(one.classes is not None for one in having):
            classes = tuple(name for one in having for name in (one.classes or ("",) * len(one.values)))
        boxes = Boxes(format=form, values=tuple(values), classes=classes)
    polygons = tuple(polygon for trail in laid for polygon in trail.labels.polygons)
    keypoints = tuple(one for trail in laid for one in trail.labels.keypoints)
    _check_count("polygons", len(polygons))
    _check_count("keypoints", len(keypoints))
    written = None if mask is None else write_mask(mask)
    return _Trail(
        Labels(boxes=boxes, polygons=polygons, keypoints=keypoints, mask=written),
        tuple(origin for trail in laid for origin in trail.boxes),
        tuple(origin for trail in laid for origin in trail.polygons),
        tuple(origin for trail in laid for origin in trail.keypoints),
        tuple(lost for trail in laid for lost in trail.dropped),
    )


def _check_count(kind: str, count: int) -> None:
    if count > MOST:
        raise LabelInvalid(f"the picture and its partners have {count} {kind} together; at most {MOST} are allowed")
