"""Names of outputs: unique without case, safe on every file system, the same in any order."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.names import output_names, output_path

NAMES = st.lists(st.text(st.sampled_from("aA.b/\\01-~é\u0301 :\0jpg"), min_size=1, max_size=12), unique=True, max_size=12)


@pytest.mark.parametrize(
    ("custom_ids", "names"),
    [
        ([], []),
        (["cat.jpg"], ["cat"]),
        (["photos/cat.jpg", "photos/dog.png"], ["photos/cat", "photos/dog"]),
        (["a/cat.jpg", "b/cat.jpg"], ["a/cat", "b/cat"]),
        (["cat.jpg", "cat.png"], ["cat.jpg", "cat.png"]),
        (["cat.jpg", "CAT.JPG"], ["cat.jpg-77af778b", "CAT.JPG-b2f3aa88"]),
        (["../../etc/passwd", "/abs/a.jpg"], ["etc/passwd", "abs/a"]),
        (["C:\\dir\\a.jpg"], ["C_/dir/a"]),
        (["aux.jpg", "a.", "b ", ".."], ["_aux", "a", "b", "_"]),
        (["manifest.jsonl.png"], ["manifest_jsonl"]),
        (["a\u202egpj.exe"], ["a_gpj"]),
        (["q.png", "q/0.jpg.png"], ["q.png-62ca9248", "q/0.jpg"]),
        (["q.png", "q/0.JPG/b.png"], ["q.png-62ca9248", "q/0.JPG/b"]),
        (["x/1.jpg", "x/1.png"], ["x/1.jpg", "x/1.png"]),
    ],
)
def test_names(custom_ids: list[str], names: list[str]) -> None:
    found = output_names(custom_ids)

    if any("-" in name for name in names):
        assert [name.rpartition("-")[0] or name for name in found] == [name.rpartition("-")[0] or name for name in names]
    else:
        assert found == names


@given(NAMES)
def test_no_two_are_equal_and_none_climbs_out(custom_ids: list[str]) -> None:
    names = output_names(custom_ids)

    files = [
        unicodedata.normalize("NFC", output_path(name, variant, "jpeg").casefold()) for name in names for variant in (0, 1)
    ]
    assert len(set(files)) == len(files)
    assert "manifest.jsonl" not in {name.partition("/")[0].casefold() for name in names}
    for file in files:
        # no file is where another one needs a folder
        assert not any(other.startswith(f"{file}/") for other in files)
        assert not file.startswith("/")
        assert not {"", ".", ".."} & set(file.split("/"))
        assert not set('<>:"|?*\\\0\n') & set(file)


@given(NAMES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(custom_ids: list[str], chance: random.Random) -> None:
    named = dict(zip(custom_ids, output_names(custom_ids), strict=True))
    chance.shuffle(custom_ids)

    assert dict(zip(custom_ids, output_names(custom_ids), strict=True)) == named


def test_long_names_fit_every_file_system() -> None:
    [deep, long] = output_names(["/".join(["folder"] * 500) + "/a.jpg", "猫" * 1000 + ".jpg"])

    for name in (deep, long):
        assert len(name.encode()) <= 1024
        assert all(0 < len(segment.encode()) <= 255 for segment in name.split("/"))
