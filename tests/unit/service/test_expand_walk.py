"""Which files are taken, under which ids, and which of them must travel together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.expansion.walk import Found, Other, Unreadable, custom_id, walk


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def found_in(folder: Path, leave_out: Path | None = None) -> dict[str, Found]:
    seen = walk(folder, leave_out or folder / "no such folder")
    return {one.custom_id: one for one in seen if isinstance(one, Found)}


def test_takes_pictures_of_all_folders_and_leaves_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "dogs/rex.PNG", "dogs/old/b.tiff", "notes.txt", "dogs/labels.json", ".hidden.jpg", ".git/c.jpg")
    assert sorted(found_in(tmp_path)) == ["a.jpg", "dogs/old/b.tiff", "dogs/rex.PNG"]
    others = [one.relative for one in walk(tmp_path, tmp_path / "out") if isinstance(one, Other)]
    assert sorted(others) == ["dogs/labels.json", "notes.txt"]


def test_the_output_folder_is_not_walked_into(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "out/a/0.jpg")
    assert list(found_in(tmp_path, tmp_path / "out")) == ["a.jpg"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    put(photos, "a.jpg")
    (photos / "again").symlink_to(photos)
    (photos / "linked.jpg").symlink_to(photos / "a.jpg")
    assert sorted(found_in(photos)) == ["a.jpg", "linked.jpg"]


def test_a_broken_link_is_reported_not_lost(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (unreadable,) = [one for one in walk(tmp_path, tmp_path / "out") if isinstance(one, Unreadable)]
    assert (unreadable.custom_id, unreadable.reason) == ("gone.jpg", "No such file or directory")


def test_a_pipe_named_like_a_picture_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert found_in(tmp_path) == {}


@pytest.mark.parametrize(
    ("relative", "expected"),
    [
        ("dogs/rex.jpg", "dogs/rex.jpg"),
        ('say "hi".jpg', 'say "hi".jpg'),
        ("zażółć/猫.png", "zażółć/猫.png"),
        ("line\nend.jpg", "line~0Aend.jpg"),
        ("back\\slash.jpg", "back~5Cslash.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf~E9.jpg"),
        ("100%22.jpg", "100~2522.jpg"),
        ("100%.jpg", "100%.jpg"),
    ],
)
def test_ids_hold_only_what_survives_as_a_file_name_in_a_request(relative: str, expected: str) -> None:
    assert custom_id(relative) == expected


def test_pictures_that_share_an_output_name_travel_together(tmp_path: Path) -> None:
    put(tmp_path, "dogs/Rex.jpg", "dogs/rex.png", "Dogs/rex.gif", "dogs/rex2.jpg")
    found = found_in(tmp_path)
    together = {name: one.together for name, one in found.items()}
    assert together["dogs/Rex.jpg"] == together["dogs/rex.png"] == together["Dogs/rex.gif"]
    assert together["dogs/rex2.jpg"] != together["dogs/rex.png"]
