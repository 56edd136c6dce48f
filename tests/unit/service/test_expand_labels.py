"""Label files beside pictures: which are whose, what a YOLO line means, and where results' files lie."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kernels.errors import InputError, LabelInvalid
from kernels.labels import Labels
from kernels.tensors import Size
from service.expansion.sidecars import Finder, LabelForm, Labelling, Sidecars, mask_path, text_path
from service.expansion.walk import Found, Other, walk
from service.expansion.yolo import read_yolo, smallest_rectangle, write_yolo

SIZE = Size(100, 200)


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("0 0.5 0.5 0.1 0.1\n")
    return folder


def found(folder: Path, labelling: Labelling = Labelling()) -> dict[str, Sidecars]:  # noqa: B008  # frozen
    return {one.relative: one.sidecars for one in walk(folder, folder / "out", labelling) if isinstance(one, Found)}


# ------------------------------------------------------------------------------------------------ whose
def test_texts_and_masks_beside_pictures_are_theirs_and_no_pictures(tmp_path: Path) -> None:
    touched(
        tmp_path, "a.jpg", "a.txt", "a_mask.png", "b.png", "b.mask.png", "c_mask.png", "classes.txt", "data.yaml", "d/e.jpg"
    )
    assert {name: (one.text, one.mask, one.trouble) for name, one in found(tmp_path).items()} == {
        "a.jpg": (str(tmp_path / "a.txt"), str(tmp_path / "a_mask.png"), None),
        "b.png": (None, str(tmp_path / "b.mask.png"), None),
        "c_mask.png": (None, None, None),
        "d/e.jpg": (None, None, None),
    }
    others = {one.relative for one in walk(tmp_path, tmp_path / "out") if isinstance(one, Other)}
    assert others == {"classes.txt", "data.yaml"}
    assert all(one == Sidecars() for one in found(tmp_path, Labelling("none", "none")).values())


def test_labels_in_a_sibling_folder(tmp_path: Path) -> None:
    touched(tmp_path, "images/train/a.jpg", "labels/train/a.txt")
    assert found(tmp_path)["images/train/a.jpg"].text == str(tmp_path / "labels/train/a.txt")
    assert found(tmp_path / "images")["train/a.jpg"].text == str(tmp_path / "labels/train/a.txt")


def test_masks_in_a_folder_of_their_own(tmp_path: Path) -> None:
    touched(tmp_path, "in/d/a.jpg", "in/masks/d/a.png")
    masks = found(tmp_path / "in", Labelling(masks=str(tmp_path / "in" / "masks")))
    assert {name: one.mask for name, one in masks.items()} == {"d/a.jpg": str(tmp_path / "in/masks/d/a.png")}


@pytest.mark.parametrize(
    "names",
    [
        ("a.jpg", "a.png", "a.txt"),
        ("images/a.jpg", "images/a.txt", "labels/a.txt"),
        ("a.jpg", "a_mask.png", "a.mask.png"),
        ("images/a.jpg", "labels/a.jpg", "labels/a.txt"),
    ],
)
def test_what_may_be_two_things_is_said(tmp_path: Path, names: tuple[str, ...]) -> None:
    touched(tmp_path, *names)
    assert all(one.trouble for one in found(tmp_path).values())


def test_a_changed_label_file_is_a_change_of_the_picture(tmp_path: Path) -> None:
    touched(tmp_path, "a.jpg", "a.txt")
    before = Finder(str(tmp_path), Labelling()).of("a.jpg")
    (tmp_path / "a.txt").write_text("")
    assert Finder(str(tmp_path), Labelling()).of("a.jpg") != before


@pytest.mark.parametrize(
    ("text", "source", "picture", "expected"),
    [
        ("/p/a.txt", "/p/a.jpg", "a/0.jpg", "a/0.txt"),
        ("/p/images/a.txt", "/p/images/a.jpg", "images/a/0.jpg", "images/a/0.txt"),
        ("/p/labels/x/a.txt", "/p/images/x/a.jpg", "images/x/a/0.jpg", "labels/x/a/0.txt"),
        ("/p/labels/a.txt", "/p/images/a.jpg", "a/0.jpg", "a/0.txt"),
        ("/p/labels/images.txt", "/p/images/images.jpg", "images/0.jpg", "images/0.txt"),
    ],
)
def test_labels_of_results_lie_as_those_of_their_sources_did(text: str, source: str, picture: str, expected: str) -> None:
    assert text_path(picture, Sidecars(text), source) == expected
    assert mask_path(picture, Sidecars(mask="/p/a.mask.png")) == picture.replace(".jpg", ".mask.png")
    assert mask_path(picture, Sidecars(mask="/m/a.png")) == picture.replace(".jpg", "_mask.png")


# ------------------------------------------------------------------------------------------------ lines
FILES: list[tuple[LabelForm, str]] = [
    ("auto", "0 0.5 0.5 0.25 0.5\n3 0.1 0.2 0.05 0.1\n"),
    ("auto", "0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.3 0.1 0.3 0.3\n"),
    ("yolo-obb", "7 0.1 0.1 0.3 0.15 0.25 0.3 0.05 0.25\n"),
    ("yolo-pose", "0 0.5 0.5 0.25 0.5 0.4 0.4 2 0.6 0.6 1\n"),
    ("auto", ""),
]


@pytest.mark.parametrize(("form", "text"), FILES)
def test_a_file_comes_back_as_it_was(form: LabelForm, text: str) -> None:
    labels = Labels.parse(read_yolo(text.encode(), form, SIZE), SIZE).document()
    assert write_yolo(labels, form, SIZE) == text


def test_outlines_are_in_pixels_and_lines_may_end_anyhow() -> None:
    labels = read_yolo(b"\xef\xbb\xbf1.0 0.1 0.1 0.3 0.1 0.3 0.3\r\n\r\n  2\t.5 .5 1 1  ", "auto", SIZE)
    assert labels["polygons"] == [{"class": 1, "points": [(20, 10), (60, 10), (60, 30)]}]
    assert labels["boxes"] == {"format": "yolo", "values": [[0.5, 0.5, 1, 1]], "classes": [2]}


@pytest.mark.parametrize(
    ("form", "line", "code", "said"),
    [
        ("auto", "a cat on a mat", "label_invalid", "--labels none"),
        ("auto", "0 0.5 0.5 0.1", "label_invalid", "4 numbers"),
        ("auto", "0 0.5 0.5 0.1 0.1 0.9", "label_invalid", "6 numbers"),
        ("auto", "0 50 50 20 20", "label_invalid", "fractions"),
        ("auto", "-1 0.5 0.5 0.1 0.1", "label_invalid", "class number"),
        ("auto", "0.5 0.5 0.5 0.1 0.1", "label_invalid", "class number"),
        ("auto", "0 0.5 nan 0.1 0.1", "label_invalid", "finite"),
        ("auto", "0 0.5 0.5 0.2 0.2 0.4 0.4 2", "label_invalid", "yolo-pose"),
        ("auto", "0 0.5 0.5 0.2 0.2 0.4 0.4 2 0.5 0.5 1", "label_ambiguous", "yolo-pose"),
        ("yolo-pose", "0 0.5 0.5 0.2 0.2", "label_invalid", "keypoints"),
        ("yolo-obb", "0 0.5 0.5 0.2 0.2", "label_invalid", "oriented"),
    ],
)
def test_other_lines_are_refused_by_number(form: LabelForm, line: str, code: str, said: str) -> None:
    with pytest.raises(InputError, match="line 2") as caught:
        read_yolo(f"0 0.5 0.5 0.1 0.1\n{line}\n".encode() if form == "auto" else f"\n{line}\n".encode(), form, SIZE)
    assert caught.value.code == code
    assert said in caught.value.message


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(LabelInvalid, match="UTF-8"):
        read_yolo(b"\xff\xfe0", "auto", SIZE)


def test_lost_boxes_take_their_keypoints_along_and_lost_points_are_zeros() -> None:
    labels = {
        "boxes": {"format": "yolo", "values": [[0.5, 0.5, 0.1, 0.1], [0.2, 0.2, 0.1, 0.1]], "classes": [1, 2]},
        "keypoints": [{"points": [[20, 10, 2]], "class": 0}, {"points": [[40, 20, 1]], "class": 1}],
        "dropped": [
            {"kind": "box", "index": 0, "reason": "outside"},
            {"kind": "keypoints", "index": 2, "reason": "outside"},
        ],
    }
    assert write_yolo(labels, "yolo-pose", SIZE) == "1 0.5 0.5 0.1 0.1 0.2 0.2 1\n2 0.2 0.2 0.1 0.1 0 0 0\n"


def test_a_cut_oriented_box_gets_four_corners_again() -> None:
    cut = [(0.0, 35.0), (10.0, 20.0), (40.0, 40.0), (20.0, 70.0), (0.0, 170 / 3)]
    found = np.array(smallest_rectangle(cut))
    assert len(found) == 4
    wanted = np.array([(-10.0, 50.0), (10.0, 20.0), (40.0, 40.0), (20.0, 70.0)])
    assert np.abs(found[:, None] - wanted[None]).sum(axis=2).min(axis=0).max() < 1.5
    text = write_yolo({"boxes": {"values": []}, "polygons": [{"points": cut, "class": 5}]}, "yolo-obb", SIZE)
    assert len(text.split()) == 9


def test_masks_are_read_as_they_are(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full(SIZE, 9, dtype=np.uint8)).save(buffer, "PNG")
    assert Labels.parse({"mask": base64.b64encode(buffer.getvalue()).decode()}, SIZE).mask
