"""The seed's API: its routes as its clients know them, and its operations on a real worker."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from uuid import UUID, uuid4

import httpx2
import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from service.app import create_app
from service.seed_ops import OPERATIONS
from service.settings import Settings
from tests.helpers.api import running_api
from tests.helpers.picture_files import exif, saved
from tests.helpers.pictures import make_image, make_photo
from tests.helpers.references_seed import (
    FIXED,
    Pixels,
    assert_even,
    assert_near,
    assert_noise,
    assert_rotated,
    cut_square,
    expected,
    zoomed_place,
)
from tests.helpers.stack import Stack, running

HEALTH, SIGN_UP, SIGN_IN = "/healthcheck-api/healthcheck", "/users-api/sign-up", "/users-api/sign-in"
UPLOAD, AUGMENT = "/image-api/upload", "/image-api/augment"
ANN = {"X-External-User-ID": "ann"}
BOB = {"X-External-User-ID": "bob"}
FLIP = {"arguments": {"processing": "flip", "axis": "x"}}


def opened(content: bytes) -> Pixels:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        return np.array(image.convert("RGB"))


@pytest.fixture
def seed_stack(settings: Settings) -> Iterator[Stack]:
    with running(settings.model_copy(update={"seed_api": True})) as started:
        yield started


@asynccontextmanager
async def seed_api(settings: Settings, **changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The API with the seed's routes in this process; no worker."""
    async with running_api(create_app(settings.model_copy(update={"seed_api": True, **changes}))) as client:
        yield client


class Seed:
    """A client of the seed."""

    def __init__(self, client: httpx2.Client, external_id: str) -> None:
        self.client, self.headers = client, {"X-External-User-ID": external_id}
        answer = client.post(SIGN_UP, headers=self.headers)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]

    def upload(self, pixels: Pixels, name: str = "photo.png") -> str:
        answer = self.client.post(UPLOAD, files={"image": (name, saved(pixels, "PNG"))}, headers=self.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["unprocessed_image_filename"] == name
        return str(answer.json()["unprocessed_image_id"])

    def ask(self, image_id: str, **arguments: Any) -> dict[str, Any]:
        body = {"arguments": arguments}
        answer = self.client.post(f"{AUGMENT}/{image_id}", json=body, headers=self.headers)
        assert answer.status_code == 201, answer.text
        view: dict[str, Any] = answer.json()
        assert view["unprocessed_image_id"] == image_id
        assert view["request_body"] == body
        return view

    def read(self, kind: str, image_id: str) -> httpx2.Response:
        return self.client.get(f"/image-api/{kind}-image/{image_id}/", headers=self.headers)

    def made(self, image_id: str, **arguments: Any) -> Pixels:
        answer = self.read("processed", self.ask(image_id, **arguments)["processed_image_id"])
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/png"
        return opened(answer.content)


def test_every_operation_on_a_real_worker(seed_stack: Stack) -> None:
    seed = Seed(seed_stack.client, "ann")
    photo, flat = make_photo("chelsea", 60, 84), np.full((240, 300, 3), (40, 90, 200), np.uint8)
    of_photo, of_flat = seed.upload(photo), seed.upload(flat, "flat.png")
    done = set()
    for arguments in FIXED:
        if arguments["processing"] not in done or len(arguments) == 3:
            assert_near(seed.made(of_photo, **arguments), expected(photo, arguments))
            done.add(arguments["processing"])
    for angle in (30, 90, 200):
        assert_rotated(photo, seed.made(of_photo, processing="rotate", angle=angle), angle)
    windows = {zoomed_place(photo, seed.made(of_photo, processing="zoom", amount=60), 60) for _ in range(5)}
    assert len(windows) > 1, "five windows at one place"
    squares = [cut_square(flat, seed.made(of_flat, processing="cutout", amount=10), 10) for _ in range(8)]
    assert len({(left, top) for left, top, _ in squares}) > 4
    assert_even(np.concatenate([colours.reshape(-1) for _, _, colours in squares]), 256)
    for processing in ("rainbow_noise", "salt_noise", "pepper_noise"):
        for amount in (5, 60):
            assert_noise(flat, seed.made(of_flat, processing=processing, amount=amount), processing, amount)
    assert done | {"rotate", "zoom", "cutout", "rainbow_noise", "salt_noise", "pepper_noise"} == set(OPERATIONS)


def test_a_user_and_all_that_is_theirs(seed_stack: Stack) -> None:
    ann, bob = Seed(seed_stack.client, "ann"), Seed(seed_stack.client, "bob")
    picture = make_image(24, 32)
    first, second = ann.upload(picture, "täglich.png"), ann.upload(picture, "täglich.png")
    assert first != second
    np.testing.assert_array_equal(opened(ann.read("unprocessed", first).content), picture)
    results = [ann.ask(first, processing="rainbow_noise", amount=50) for _ in range(2)]
    assert {result["processed_image_filename"] for result in results} == {"täglich-rainbow_noise.png"}
    contents = [ann.read("processed", result["processed_image_id"]).content for result in results]
    assert contents[0] != contents[1], "two calls drew the same numbers"

    for kind, image_id in (("unprocessed", first), ("processed", results[0]["processed_image_id"])):
        assert bob.read(kind, image_id).status_code == 404
        assert seed_stack.client.get(f"/image-api/{kind}-image/{image_id}", headers=ann.headers).status_code == 200
    assert seed_stack.client.post(f"{AUGMENT}/{first}", json=FLIP, headers=bob.headers).status_code == 404
    assert seed_stack.client.delete(f"/users-api/user/{ann.id}", headers=bob.headers).status_code == 403
    assert seed_stack.client.get("/v1/images").json()["images"] == []
    assert seed_stack.client.get("/v1/batches").json()["batches"] == []

    # a picture whose header is right is taken in; what is wrong with it is the answer of the call
    cut = {"image": ("cut.jpg", saved(make_photo("chelsea", 60, 84), "JPEG")[:-300])}
    cut_id = seed_stack.client.post(UPLOAD, files=cut, headers=ann.headers).json()["unprocessed_image_id"]
    answer = seed_stack.client.post(f"{AUGMENT}/{cut_id}", json=FLIP, headers=ann.headers)
    for refused in (answer, ann.read("unprocessed", cut_id)):
        assert (refused.status_code, refused.json()["code"]) == (422, "image_truncated")

    kept = bob.ask(bob.upload(picture), processing="invert")["processed_image_id"]
    store = Path(unquote(urlparse(seed_stack.settings.store_url).path))
    assert len(files(store, "outputs")) == 3
    assert seed_stack.client.delete(f"/users-api/user/{ann.id}", headers=ann.headers).status_code == 204
    assert ann.read("unprocessed", first).status_code == 404
    again = Seed(seed_stack.client, "ann")
    assert again.id != ann.id
    assert again.read("unprocessed", second).status_code == 404
    assert again.read("processed", results[0]["processed_image_id"]).status_code == 404
    seed_stack.wait_for(lambda: len(files(store, "outputs")) == 1, what="the removal of the deleted user's results")
    np.testing.assert_array_equal(opened(bob.read("processed", kept).content), 255 - picture)


def files(store: Path, kind: str) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file() and kind in path.parts]


async def test_signing_up_and_in(settings: Settings) -> None:
    async with seed_api(settings) as api:
        health = await api.get(HEALTH)
        assert (health.status_code, health.json()) == (200, {"status": "OK"})
        for path in (SIGN_UP, SIGN_IN):
            for headers in ({}, {"X-External-User-ID": ""}, {"X-External-User-ID": "  "}):
                assert (await api.post(path, headers=headers)).status_code == 401
        assert (await api.post(SIGN_IN, headers=ANN)).status_code == 404
        made = await api.post(SIGN_UP, headers=ANN)
        assert made.status_code == 201
        assert set(made.json()) == {"id", "external_id"}
        assert made.json()["external_id"] == "ann"
        UUID(made.json()["id"])
        assert (await api.post(SIGN_UP, headers=ANN)).status_code == 409
        known = await api.post(SIGN_IN, headers=ANN)
        assert (known.status_code, known.json()) == (200, made.json())
        assert (await api.post(SIGN_UP, headers={"X-External-User-ID": "a" * 256})).status_code == 422
        together = await asyncio.gather(*(api.post(SIGN_UP, headers=BOB) for _ in range(6)))
        assert sorted(answer.status_code for answer in together) == [201, 409, 409, 409, 409, 409]


async def test_who_may_delete_whom(settings: Settings) -> None:
    async with seed_api(settings) as api:
        ann = (await api.post(SIGN_UP, headers=ANN)).json()["id"]
        bob = (await api.post(SIGN_UP, headers=BOB)).json()["id"]
        path = "/users-api/user/"
        assert (await api.delete(path + ann)).status_code == 401
        assert (await api.delete(path + ann, headers={"X-External-User-ID": "eve"})).status_code == 404
        assert (await api.delete(path + str(uuid4()), headers=ANN)).status_code == 404
        assert (await api.delete(path + "no-id", headers=ANN)).status_code == 404
        assert (await api.delete(path + bob, headers=ANN)).status_code == 403
        assert (await api.delete(path + ann, headers=ANN)).status_code == 204
        assert (await api.delete(path + ann, headers=ANN)).status_code == 404
        assert (await api.post(SIGN_IN, headers=ANN)).status_code == 404
        assert (await api.post(SIGN_IN, headers=BOB)).status_code == 200


async def test_uploads_that_are_refused(settings: Settings) -> None:
    async with seed_api(settings, max_image_bytes=5000) as api:
        small = saved(make_image(8, 8), "PNG")
        assert (await api.post(UPLOAD, files={"image": ("a.png", small)})).status_code == 401
        assert (await api.post(UPLOAD, files={"image": ("a.png", small)}, headers=ANN)).status_code == 404
        await api.post(SIGN_UP, headers=ANN)
        for files_sent, status, code in (
            ({"file": ("a.png", small)}, 422, "validation_error"),
            ({"image": ("a.png", b"")}, 400, "empty_body"),
            ({"image": ("a.svg", b"<svg/>")}, 415, "unsupported_format"),
            ({"image": ("a.png", small[:20])}, 422, "image_truncated"),
            ({"image": ("a.png", small + bytes(5000))}, 413, "payload_too_large"),
        ):
            answer = await api.post(UPLOAD, files=files_sent, headers=ANN)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        unnamed = await api.post(UPLOAD, files={"image": ("../../a b.png", small), "note": ("n", b"x")}, headers=ANN)
        assert (unnamed.status_code, unnamed.json()["unprocessed_image_filename"]) == (201, "../../a b.png")


async def test_the_original_is_shown_upright_as_png(settings: Settings) -> None:
    async with seed_api(settings) as api:
        await api.post(SIGN_UP, headers=ANN)
        content = saved(make_image(10, 20), "TIFF", tiffinfo={274: 6})
        image_id = (await api.post(UPLOAD, files={"image": ("a.tif", content)}, headers=ANN)).json()["unprocessed_image_id"]
        shown = await api.get(f"/image-api/unprocessed-image/{image_id}/", headers=ANN)
        assert shown.headers["content-type"] == "image/png"
        assert shown.headers["x-content-type-options"] == "nosniff"
        np.testing.assert_array_equal(opened(shown.content), np.rot90(make_image(10, 20), -1))
        clear = make_image(6, 7, 4)
        other = await api.post(UPLOAD, files={"image": ("b.png", saved(clear, "PNG", exif=exif(1)))}, headers=ANN)
        shown = await api.get(f"/image-api/unprocessed-image/{other.json()['unprocessed_image_id']}/", headers=ANN)
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(shown.content))), clear)


async def test_calls_that_are_refused(settings: Settings) -> None:
    async with seed_api(settings) as api:
        await api.post(SIGN_UP, headers=ANN)
        small = {"image": ("a.png", saved(make_image(8, 8), "PNG"))}
        image_id = (await api.post(UPLOAD, files=small, headers=ANN)).json()["unprocessed_image_id"]
        path = f"{AUGMENT}/{image_id}"
        assert (await api.post(path, json=FLIP)).status_code == 401
        assert (await api.post(path, json=FLIP, headers=BOB)).status_code == 404
        assert (await api.post(f"{AUGMENT}/{uuid4()}", json=FLIP, headers=ANN)).status_code == 404
        assert (await api.post(path, content=b"{", headers=ANN)).status_code == 400
        for arguments in ({"processing": "sharpen"}, {"processing": "brighten", "amount": 101}, {"processing": "flip"}):
            answer = await api.post(path, json={"arguments": arguments}, headers=ANN)
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert (await api.get(f"/image-api/processed-image/{uuid4()}/", headers=ANN)).status_code == 404


async def test_without_workers_a_call_ends_too(settings: Settings) -> None:
    async with seed_api(settings, max_wait_s=0.3) as api:
        await api.post(SIGN_UP, headers=ANN)
        small = {"image": ("a.png", saved(make_image(8, 8), "PNG"))}
        image_id = (await api.post(UPLOAD, files=small, headers=ANN)).json()["unprocessed_image_id"]
        answer = await api.post(f"{AUGMENT}/{image_id}", json=FLIP, headers=ANN)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1


async def test_a_user_deleted_during_a_call(settings: Settings) -> None:
    async with seed_api(settings, max_wait_s=10) as api:
        ann = (await api.post(SIGN_UP, headers=ANN)).json()["id"]
        small = {"image": ("a.png", saved(make_image(8, 8), "PNG"))}
        image_id = (await api.post(UPLOAD, files=small, headers=ANN)).json()["unprocessed_image_id"]
        call = asyncio.create_task(api.post(f"{AUGMENT}/{image_id}", json=FLIP, headers=ANN))
        await asyncio.sleep(0.3)
        assert (await api.delete(f"/users-api/user/{ann}", headers=ANN)).status_code == 204
        assert (await call).status_code == 404


async def test_the_gateway_proves_itself(settings: Settings) -> None:
    async with seed_api(settings, seed_gateway_secret=SecretStr("between us")) as api:
        for headers in (ANN, {**ANN, "X-Gateway-Secret": "guessed"}):
            assert (await api.post(SIGN_UP, headers=headers)).status_code == 403
            assert (await api.get(f"/image-api/processed-image/{uuid4()}/", headers=headers)).status_code == 403
        assert (await api.post(SIGN_UP, headers={**ANN, "X-Gateway-Secret": "between us"})).status_code == 201


async def test_the_routes_are_off_unless_asked_for(settings: Settings) -> None:
    async with running_api(create_app(settings)) as api:
        assert (await api.get(HEALTH)).status_code == 404
        assert (await api.post(SIGN_UP, headers=ANN)).status_code == 404
        assert (await api.post(UPLOAD, files={"image": ("a.png", b"x")}, headers=ANN)).status_code == 404
