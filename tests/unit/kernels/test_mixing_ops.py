"""What operations that mix pictures, or pieces of one, mean: their pixels beside their references, and their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kernels.label_covers import with_mask
from kernels.labels import Labels, read_mask, write_mask
from kernels.matrices import IDENTITY
from kernels.mixing import Guests, Mixture
from kernels.op import Layer, Region
from kernels.ops import OPS, grid_shuffle
from kernels.run import run
from kernels.tensors import Picture, Size
from tests.helpers.pictures import Steps, company, made, made_labels, make_image, make_photo, make_picture, make_plan

CPU = torch.device("cpu")
PHOTO = make_photo("chelsea", 90, 120)


def mixed(step: dict[str, Any], labels: dict[str, Any] | None = None, pixels: Any = PHOTO) -> Picture:
    planned = make_plan([step], pixels.shape[:2])
    return run([planned], [make_picture(pixels, labels)], CPU, [company])[0]


def partner_of(step: dict[str, Any], pixels: Any = PHOTO) -> Picture:
    return company(make_plan([step], pixels.shape[:2]).steps[0].partners[0])


LOOKS = [
    {"op": "fda", "beta": 0.05},
    {"op": "histogram_matching", "strength": 1},
    {"op": "pixel_distribution_adaptation", "method": "covariance", "strength": 1},
    {"op": "pixel_distribution_adaptation", "method": "standard", "strength": 1},
]


@pytest.mark.parametrize("step", LOOKS, ids=lambda step: step["op"])
def test_a_borrowed_look_leaves_labels_and_transparency(step: dict[str, Any]) -> None:
    labels = {"boxes": {"values": [[5, 6, 50, 60]]}, "keypoints": [{"points": [[10, 10, 2]]}]}
    result = mixed(step, labels)
    assert result.labels is not None
    assert result.labels.document() == Labels.parse(labels, Size(90, 120)).document()
    assert mixed(step).labels is None, "the partner's are not taken"
    assert not OPS[step["op"]].moves_labels
    clear = np.dstack([PHOTO, make_image(90, 120)[..., :1]])
    assert np.array_equal(mixed(step, pixels=clear).pixels[..., 3].numpy(), clear[..., 3])


@pytest.mark.parametrize("step", LOOKS, ids=lambda step: step["op"])
def test_a_borrowed_look_has_the_partners_mean_colour(step: dict[str, Any]) -> None:
    result, other = (picture.pixels.float().mean(dim=(0, 1)) for picture in (mixed(step), partner_of(step)))
    own = torch.from_numpy(PHOTO).float().mean(dim=(0, 1))
    assert (result - other).abs().max() < 12
    assert (own - other).abs().max() > 25


@pytest.mark.parametrize("step", LOOKS[1:], ids=lambda step: step["op"])
def test_no_strength_changes_nothing(step: dict[str, Any]) -> None:
    assert np.array_equal(mixed({**step, "strength": 0}).pixels.numpy(), PHOTO)


def test_looks_fuse_with_what_stands_around_them() -> None:
    steps: Steps = [{"op": "hflip"}, LOOKS[1], {"op": "rotate", "degrees": 90}]
    labels = {"keypoints": [{"points": [[10.5, 20.5, 2]]}]}
    planned = make_plan(steps, (90, 120))
    moved = run([planned], [make_picture(PHOTO, labels)], CPU, [company])[0].labels
    assert moved is not None
    plain = made_labels((90, 120), labels, [steps[0], steps[2]])
    assert moved.document() == plain


def test_patches_are_of_one_picture_or_the_other() -> None:
    step = {"op": "patchmix", "share": 0.5, "patch": 30, "fit": "stretch"}
    black = np.zeros((90, 120, 3), np.uint8)
    other = np.abs(mixed({**step, "share": 1}, pixels=black).pixels.numpy().astype(int))
    result = mixed(step, pixels=black).pixels.numpy()
    kinds = set()
    for y in range(0, 90, 30):
        for x in range(0, 120, 30):
            patch, its = result[y : y + 30, x : x + 30], other[y : y + 30, x : x + 30]
            kinds.add("own" if not patch.any() else "other")
            assert not patch.any() or np.array_equal(patch, its)
    assert kinds == {"own", "other"}


def test_labels_under_patches_are_lost_and_the_others_stay() -> None:
    boxes = [[x + 2.0, y + 2.0, x + 28.0, y + 28.0] for y in (0, 30, 60) for x in (0, 30, 60, 90)]
    step = {"op": "patchmix", "share": 0.5, "patch": 30}
    result = mixed(step, {"boxes": {"values": boxes}}, np.zeros((90, 120, 3), np.uint8))
    assert result.labels is not None
    assert result.labels.boxes is not None
    pixels = result.pixels.numpy()
    kept = [box for box in result.labels.boxes.values if list(box) in boxes]
    assert 0 < len(kept) < 12
    for left, top, right, bottom in kept:
        assert not pixels[int(top) : int(bottom), int(left) : int(right)].any(), "what is kept is not covered"
    covered = [one for one in result.labels.dropped if one.reason == "covered" and one.partner is None]
    assert len(covered) == 12 - len(kept)


def test_an_overlay_brings_its_labels_and_covers_others() -> None:
    step = {"op": "overlay", "size": 0.5, "x": 0, "y": 0}
    own = {"boxes": {"values": [[1, 1, 20, 20], [90, 60, 110, 80]], "classes": ["hidden", "seen"]}}
    result = mixed(step, own)
    assert result.labels is not None
    assert result.labels.boxes is not None
    names = result.labels.boxes.classes or ()
    assert "hidden" not in names
    assert "seen" in names
    assert len(names) >= 2, "the partner's objects are there"
    for left, top, right, bottom in result.labels.boxes.values[1:]:
        assert 0 <= left < right <= 61
        assert 0 <= top < bottom <= 46


def test_gradients_hide_what_they_hide_most_of() -> None:
    boxes = {"boxes": {"values": [[2, 30, 12, 50], [108, 30, 118, 50]], "classes": ["left", "right"]}}
    step = {"op": "alpha_blend", "pattern": "left_to_right", "opacity": 1}
    planned = make_plan([step], (90, 120), rules={"min_visible": 0.5})
    result = run([planned], [make_picture(PHOTO, boxes)], CPU, [company])[0].labels
    assert result is not None
    assert result.boxes is not None
    names = result.boxes.classes or ()
    assert "left" in names
    assert "right" not in names


def test_transplanted_classes_bring_pixels_and_mask() -> None:
    step = {"op": "transplantation", "share": 1, "fit": "stretch"}
    own = np.full((90, 120), 7, np.uint8)
    black = np.zeros((90, 120, 3), np.uint8)
    result = mixed(step, {"mask": write_mask(own), "boxes": {"values": [[2, 84, 30, 89]]}}, black)
    assert result.labels is not None
    assert result.labels.mask is not None
    assert result.labels.boxes is not None
    assert len(result.labels.boxes.values) == 1, "the partner's boxes stay behind"
    mask = read_mask(result.labels.mask)
    assert set(np.unique(mask)) == {1, 2, 7}
    assert not result.pixels.numpy()[mask == 7].any(), "no other pixel is the partner's"
    assert result.pixels.numpy()[mask != 7].any()
    none = mixed({**step, "share": 0}, {"mask": write_mask(own)}, black)
    assert none.labels is not None
    assert none.labels.mask is not None
    assert set(np.unique(read_mask(none.labels.mask))) == {7}


# ------------------------------------------------------------------------------------------------ pieces of one picture
def test_cells_change_places_and_nothing_is_lost() -> None:
    pixels = make_image(61, 83)
    result = made(pixels, [{"op": "grid_shuffle", "cells": 4}])
    assert not np.array_equal(result, pixels)
    for kind in (pixels, result):
        assert np.array_equal(kind[:, 80:], pixels[:, 80:]), "what is left over stays"
    own, moved = (sorted(map(tuple, kind.reshape(-1, 3).tolist())) for kind in (pixels, result))
    assert own == moved


def test_shuffled_keypoints_and_masks_go_with_their_cells() -> None:
    pixels = make_image(60, 80)
    points = [[x + 0.5, y + 0.5, 2] for y in range(2, 60, 7) for x in range(3, 80, 9)]
    classes = pixels[..., 0]
    step = {"op": "grid_shuffle", "cells": 4}
    picture = make_picture(pixels, {"keypoints": [{"points": points}], "mask": write_mask(classes)})
    result = run([make_plan([step], (60, 80))], [picture], CPU)[0]
    assert result.labels is not None
    assert result.labels.mask is not None
    assert np.array_equal(read_mask(result.labels.mask), result.pixels.numpy()[..., 0])
    (found,) = result.labels.keypoints
    for (x, y, _), (u, v, seen) in zip(points, found.points, strict=True):
        assert seen == 2
        assert np.array_equal(result.pixels.numpy()[int(v), int(u)], pixels[int(y), int(x)])


def test_shuffled_boxes_come_in_pieces_that_show_what_they_showed() -> None:
    # white inside a box, black outside: what the pieces enclose must be white, and all that is white must be enclosed
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:50, 8:70] = 255
    step = {"op": "grid_shuffle", "cells": 3}
    labels = {
        "boxes": {"values": [[8, 10, 70, 50]], "classes": ["one"]},
        "polygons": [{"points": [[1, 1], [5, 1], [5, 5]]}],
    }
    planned = make_plan([step], (60, 80), rules={"min_visible": 0})
    result = run([planned], [make_picture(pixels, labels)], CPU)[0]
    assert result.labels is not None
    assert result.labels.boxes is not None
    inside = np.zeros((60, 80), bool)
    for left, top, right, bottom in result.labels.boxes.values:
        inside[round(top) : round(bottom), round(left) : round(right)] = True
    assert np.array_equal(inside, result.pixels.numpy()[..., 0] == 255)
    assert set(result.labels.boxes.classes or ()) == {"one"}
    assert len(result.labels.polygons) == 1
    assert result.labels.dropped == (), "what one piece lacks another has"


def test_what_no_piece_has_enough_of_is_lost_once() -> None:
    labels = {"boxes": {"values": [[10, 10, 70, 50]]}}
    step = {"op": "grid_shuffle", "cells": 10}
    planned = make_plan([step], (60, 80), rules={"min_visible": 0.5})
    result = run([planned], [make_picture(make_image(60, 80), labels)], CPU)[0]
    assert result.labels is not None
    (lost,) = result.labels.dropped
    assert (lost.kind, lost.index, lost.reason, lost.partner) == ("box", 0, "low_visibility", None)


def test_shuffling_needs_no_company() -> None:
    plan = make_plan([{"op": "grid_shuffle", "cells": 2}], (40, 40))
    assert plan.steps[0].partners == ()
    assert "partners" not in plan.draws[0]
    mixture = Mixture(plan.steps[0], Guests(company, 3))
    assert mixture.pieces == grid_shuffle.pieces(2) == 6
    regions = [layer.region for _, layer, _ in mixture.placed()]
    assert sum(region.size.pixels for region in regions) == 1600, "the pieces cover the canvas and do not overlap"


def test_a_layers_own_shares_decide_about_its_mask() -> None:
    shares = np.array([[0.0, 0.4], [0.6, 1.0]], np.float32)
    layer = Layer(IDENTITY, Region(0, 0, 2, 2), cutout=shares)
    found = with_mask(np.full((2, 2), 1, np.uint8), write_mask(np.full((2, 2), 5, np.uint8)), layer, shares, Size(2, 2))
    assert found is not None
    assert found.tolist() == [[1, 1], [5, 5]]
