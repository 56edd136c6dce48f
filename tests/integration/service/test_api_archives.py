"""Archives sent to the API: each is a batch of the pictures in it, or refused."""

from __future__ import annotations

import tarfile
from typing import Any

import httpx2
import pytest

from tests.helpers.api import custom_ids, form, jpeg, picture
from tests.helpers.archives import (
    encrypted_zip,
    nameless_zip,
    overlapping_zip,
    tar_link,
    tar_of,
    tar_with,
    zip_link,
    zip_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARCHIVED = {"one/a.jpg": jpeg(seed=1), "one/b.png": picture(seed=2, form="PNG"), "two/a.jpg": jpeg(seed=3)}
RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}


@pytest.mark.parametrize(
    "content", [zip_of(ARCHIVED), tar_of(ARCHIVED), tar_of(ARCHIVED, "w:gz")], ids=["zip", "tar", "tar.gz"]
)
async def test_archives_are_batches(api: httpx2.AsyncClient, content: bytes) -> None:
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("photos", content), field="archive"))

    assert await custom_ids(api, answer) == list(ARCHIVED)
    assert answer.json()["counts"]["failed"] == 0


async def test_folders_and_litter_in_archives_are_no_pictures(api: httpx2.AsyncClient) -> None:
    members = {"d/": b"", "d/a.jpg": jpeg(), "__MACOSX/d/._a.jpg": b"x", ".DS_Store": b"x", "d/notes.txt": b"hello"}
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("a.zip", zip_of(members)), field="archive"))

    assert await custom_ids(api, answer) == ["d/a.jpg", "d/notes.txt"]
    assert answer.json()["counts"]["failed"] == 1


async def test_names_of_a_zip_in_the_old_code_page(api: httpx2.AsyncClient) -> None:
    made = zip_of({f"K_se/{number}/_______.jpg": jpeg(seed=number) for number in range(3)})
    content = made.replace(b"K_se", b"K\x84se").replace(b"_______", b"\xe1\x94\xe1\x94\xe1\x94\xe1")
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("a.zip", content), field="archive"))

    assert await custom_ids(api, answer) == [f"Käse/{number}/ßößößöß.jpg" for number in range(3)]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"no archive", 422, "archive_corrupt"),
        (zip_of(ARCHIVED)[:-30], 422, "archive_corrupt"),
        (tar_of(ARCHIVED)[:1200], 422, "archive_corrupt"),
        (tar_of(ARCHIVED)[:1024], 422, "archive_corrupt"),
        (tar_of({"a.jpg": jpeg()})[: 512 + -(-len(jpeg()) // 512) * 512], 422, "archive_corrupt"),
        (tar_of(ARCHIVED, "w:gz")[:-20], 422, "archive_corrupt"),
        (tar_of(ARCHIVED, "w:gz")[:-8] + b"\0" * 8, 422, "archive_corrupt"),
        (zip_of({"a.jpg": jpeg()})[:40] + b"\xff" * 20 + zip_of({"a.jpg": jpeg()})[60:], 422, "archive_corrupt"),
        (nameless_zip(jpeg()), 422, "archive_corrupt"),
        (zip_of({"../../a.jpg": jpeg()}), 422, "archive_unsafe_path"),
        (zip_of({"/etc/a.jpg": jpeg()}), 422, "archive_unsafe_path"),
        (zip_of({"C:\\a.jpg": jpeg()}), 422, "archive_unsafe_path"),
        (zip_of({"..\\a.jpg": jpeg()}), 422, "archive_unsafe_path"),
        (zip_link("a.jpg", "/etc/passwd"), 422, "archive_unsafe_path"),
        (tar_of({"x/../../a.jpg": jpeg()}), 422, "archive_unsafe_path"),
        (tar_of({"/a.jpg": jpeg()}), 422, "archive_unsafe_path"),
        (tar_link("a.jpg", "/etc/passwd", tarfile.SYMTYPE), 422, "archive_unsafe_path"),
        (tar_link("a.jpg", "b.jpg", tarfile.LNKTYPE), 422, "archive_unsafe_path"),
        (tar_link("a.jpg", "", tarfile.CHRTYPE), 422, "archive_unsafe_path"),
        (tar_link("a.jpg", "", tarfile.FIFOTYPE), 422, "archive_unsafe_path"),
        (encrypted_zip("a.jpg"), 422, "archive_encrypted"),
        (zip_of({"inner.zip": zip_of(ARCHIVED)}), 422, "archive_ratio"),
        (zip_of({"a.bmp": bytes(20_000_000)}), 422, "archive_ratio"),
        (tar_of({"a.bmp": bytes(20_000_000)}, "w:gz"), 422, "archive_ratio"),
        (tar_of({"skipped/.DS_Store": bytes(60_000_000)}, "w:gz"), 422, "archive_ratio"),
        (overlapping_zip(jpeg(), 50), 422, "archive_ratio"),
        (zip_of({"a.jpg": jpeg(), "A/../a.jpg": jpeg()}), 422, "archive_unsafe_path"),
        (tar_with([(tarfile.TarInfo("a.jpg"), jpeg()), (tarfile.TarInfo("a.jpg"), jpeg())]), 422, "duplicate_custom_id"),
        (zip_of({f"{n}.jpg": b"x" for n in range(10_001)}), 413, "too_many_items"),
    ],
)
async def test_archives_that_are_refused(api: httpx2.AsyncClient, content: bytes, status: int, code: str) -> None:
    before = (await api.get("/v1/batches", params={"limit": 1})).json()
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("a", content), field="archive"))

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.get("/v1/batches", params={"limit": 1})).json() == before
