"""Submitting through the API: what is accepted is kept, once, under the names it came with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.parts import Parts
from service.settings import Settings
from service.truth.database import statement
from tests.helpers.api import custom_ids, form, jpeg, picture, running_api

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}


async def rows(app: FastAPI, sql: str, **values: object) -> list[dict[str, Any]]:
    parts: Parts = app.state.parts
    return [dict(row) for row in await statement(parts.engine, sql, values)]


async def test_defaults(api: httpx2.AsyncClient) -> None:
    answer = await api.post("/v1/augment", files=form({"recipe": RECIPE}, ("cat.jpg", jpeg()), field="image"))

    view = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == view["links"]["self"] == f"/v1/batches/{view['id']}"
    assert 0 <= view["seed"] < 2**53
    assert (view["variants"], view["priority"], view["output"]["format"]) == (1, "interactive", "jpeg")
    assert view["counts"] == {"total": 1, "succeeded": 0, "failed": 0, "cancelled": 0}
    assert (await api.get(answer.headers["location"])).json() == view
    batch = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("cat.jpg", jpeg())))
    assert batch.json()["priority"] == "bulk"


async def test_the_request_is_what_counts(api: httpx2.AsyncClient) -> None:
    asked = {
        "recipe": {**RECIPE, "output": {"format": "png"}},
        "output": {"format": "webp", "quality": 80},
        "seed": 5,
        "variants": 3,
        "priority": "interactive",
        "group": "mine",
    }
    answer = await api.post("/v1/batches", files=form(asked, ("cat.jpg", jpeg())))

    view = answer.json()
    assert (view["seed"], view["variants"], view["priority"]) == (5, 3, "interactive")
    assert view["output"] == {"format": "webp", "quality": 80, "alpha": "drop"}
    assert view["outputs"] == {"total": 3, "done": 0}
    listed = (await api.get("/v1/batches", params={"group": "mine"})).json()["batches"]
    assert listed == [view]
    assert (await api.get("/v1/batches", params={"group": "yours"})).json()["batches"] == []
    plain = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("cat.jpg", jpeg())))
    assert plain.json()["recipe_digest"] != view["recipe_digest"]


async def test_names_come_from_files_or_content(api: httpx2.AsyncClient) -> None:
    uploaded = (await api.post("/v1/images", params={"filename": "up.jpg"}, content=jpeg(seed=50))).json()
    nameless = (await api.post("/v1/images", content=jpeg(seed=51))).json()
    raw = await api.post("/v1/augment", params={"request": json.dumps({"recipe": RECIPE})}, content=jpeg(seed=51))
    entries = [
        {"image_id": uploaded["id"]},
        {"image_id": nameless["id"]},
        {"image_id": uploaded["id"], "custom_id": "again"},
    ]
    listed = await api.post("/v1/batches", json={"recipe": RECIPE, "images": entries})

    assert await custom_ids(api, raw) == [nameless["sha256"]]
    assert await custom_ids(api, listed) == ["up.jpg", nameless["sha256"], "again"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a\r\nSet-Cookie: b.jpg",
        'quo"te.jpg',
        "x" * 4000 + ".jpg",
        "\u202egpj.exe",
        "naïve 猫.jpg",
        " ",
    ],
)
async def test_hostile_names_are_only_data(api: httpx2.AsyncClient, app: FastAPI, name: str) -> None:
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, (name, jpeg())))

    assert await custom_ids(api, answer) == [name]
    [item] = await rows(app, "SELECT name FROM items WHERE batch_id = :id", id=answer.json()["id"])
    assert not item["name"].startswith(("/", ".."))
    assert not set('\\\r\n"\u202e') & set(item["name"])
    assert all(len(part.encode()) <= 255 for part in item["name"].split("/"))


async def test_names_that_are_no_text_are_written_as_escapes(api: httpx2.AsyncClient) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    body = part % (b"request", b"", json.dumps({"recipe": RECIPE}).encode())
    body += part % (b"images", b'; filename="a\0b.jpg"', jpeg())
    body += part % (b"images", b'; filename="\xff\xfe.jpg"', jpeg())
    answer = await api.post(
        "/v1/batches", content=body + b"--b--\r\n", headers={"content-type": "multipart/form-data; boundary=b"}
    )

    assert await custom_ids(api, answer) == ["a\\x00b.jpg", "\\xff\\xfe.jpg"]


async def test_a_batch_whose_pictures_all_fail_is_completed_at_once(api: httpx2.AsyncClient, app: FastAPI) -> None:
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("a.jpg", b"text"), ("b.jpg", b"more")))

    view = answer.json()
    assert (answer.status_code, view["state"], view["counts"]["failed"]) == (202, "completed", 2)
    assert view["finished_at"] is not None
    assert (await api.get(view["links"]["self"], headers={"Prefer": "wait=5"})).json() == view
    moves = await rows(app, "SELECT from_state, to_state FROM state_log WHERE batch_id = :id ORDER BY id", id=view["id"])
    assert [(move["from_state"], move["to_state"]) for move in moves] == [
        (None, "queued"),
        ("queued", "failed"),
        ("queued", "failed"),
        ("queued", "completed"),
    ]


async def test_bytes_are_stored_before_the_answer(api: httpx2.AsyncClient, app: FastAPI) -> None:
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, *((f"{n}.jpg", jpeg(seed=n)) for n in range(30))))

    parts: Parts = app.state.parts
    items = await rows(
        app, "SELECT source_key, cost_pixels, width, height FROM items WHERE batch_id = :id", id=answer.json()["id"]
    )
    assert [await parts.store.get(item["source_key"]) for item in items] == [jpeg(seed=n) for n in range(30)]
    assert {(item["width"], item["height"], item["cost_pixels"]) for item in items} == {(32, 24, 2 * 32 * 24)}


async def test_the_same_key_gives_the_first_batch_again(api: httpx2.AsyncClient) -> None:
    async def post(seed: int, key: str, name: str = "a.jpg") -> httpx2.Response:
        files = form({"recipe": RECIPE, "seed": 1}, (name, jpeg(seed=seed)))
        return await api.post("/v1/batches", files=files, headers={"Idempotency-Key": key})

    first, again = await post(1, "k1"), await post(1, "k1")
    other_picture, other_name, other_key = await post(2, "k1"), await post(1, "k1", "b.jpg"), await post(1, "k2")

    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert other_picture.status_code == other_name.status_code == 422
    assert other_picture.json()["code"] == "idempotency_key_reused"
    assert other_key.json()["id"] != first.json()["id"]
    for odd in ("", "x" * 256):
        assert (await post(1, odd)).status_code == 400


async def test_a_deleted_batch_does_not_come_back_by_its_key(api: httpx2.AsyncClient) -> None:
    async def post() -> httpx2.Response:
        files = form({"recipe": RECIPE}, ("a.jpg", jpeg()))
        return await api.post("/v1/augment", files=[files[0], ("image", files[1][1])], headers={"Idempotency-Key": "gone"})

    first = await post()
    await api.delete(first.headers["location"])

    assert ((await post()).status_code, (await post()).json()["code"]) == (410, "gone")


async def test_many_at_once_with_one_key_make_one_batch(api: httpx2.AsyncClient, shared_settings: Settings) -> None:
    async def post(client: httpx2.AsyncClient) -> httpx2.Response:
        files = form({"recipe": RECIPE}, ("a.jpg", jpeg()))
        return await client.post("/v1/batches", files=files, headers={"Idempotency-Key": "raced"})

    async with running_api(create_app(shared_settings)) as other:
        answers = await asyncio.gather(*(post(client) for _ in range(10) for client in (api, other)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_progress"}


async def test_many_small_submits_share_transactions(api: httpx2.AsyncClient, app: FastAPI) -> None:
    def count(name: str) -> float:
        return float(app.state.metrics.registry.get_sample_value(f"augment_commit_group_batches_{name}"))

    batches, groups = count("sum"), count("count")
    answers = await asyncio.gather(
        *(
            api.post(
                "/v1/augment", params={"request": json.dumps({"recipe": RECIPE, "custom_id": str(n)})}, content=jpeg(seed=n)
            )
            for n in range(40)
        )
    )

    assert {answer.status_code for answer in answers} == {202}
    assert count("sum") - batches == 40
    assert count("count") - groups < 40
    assert [await custom_ids(api, answer) for answer in answers] == [[str(n)] for n in range(40)]


async def test_a_tenant_has_only_so_much_unfinished(shared_settings: Settings) -> None:
    # no worker runs here, so what the tests before submitted is unfinished still
    limited = shared_settings.model_copy(update={"max_waiting_items": 1})
    async with running_api(create_app(limited)) as api:
        one = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("a.jpg", jpeg())))

    assert (one.status_code, one.json()["code"], one.json()["limit"]) == (429, "rate_limited", 1)
    assert int(one.headers["retry-after"]) >= 1


async def test_uploads_are_kept_once(api: httpx2.AsyncClient) -> None:
    content = picture(40, 30, seed=77, form="PNG")
    first = await api.post("/v1/images", content=content, headers={"content-type": "image/jpeg"})
    again = await api.post("/v1/images", files={"image": ("dog.png", content, "image/png")})

    view = first.json()
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == view == (await api.get(first.headers["location"])).json()
    assert (view["format"], view["width"], view["height"], view["bytes"]) == ("png", 40, 30, len(content))
    bytes_again = await api.get(view["url"])
    assert bytes_again.content == content
    assert bytes_again.headers["content-type"] == "image/png"
    assert bytes_again.headers["content-disposition"].startswith("attachment")
    listed = (await api.get("/v1/images", params={"limit": 1})).json()
    assert listed["images"] == [view]
    older = (await api.get("/v1/images", params={"limit": 1, "cursor": listed["next"]})).json()
    assert older["images"] != [view]

    assert (await api.delete(first.headers["location"])).status_code == 204
    assert (await api.get(first.headers["location"])).status_code == 404
    third = await api.post("/v1/images", content=content, headers={"content-type": "image/png"})
    assert (third.status_code, third.json()["id"] != view["id"]) == (201, True)


async def test_labels_of_a_batch_go_to_their_pictures(api: httpx2.AsyncClient) -> None:
    box = {"boxes": {"format": "xyxy", "values": [[1, 2, 10, 20]], "classes": ["cat"]}}
    pictures = [("a.jpg", jpeg()), ("b.jpg", jpeg(seed=1))]

    fine = await api.post("/v1/batches", files=form({"recipe": RECIPE, "labels": {"b.jpg": box}}, *pictures))
    unknown = await api.post("/v1/batches", files=form({"recipe": RECIPE, "labels": {"c/d.jpg": box}}, *pictures))
    wrong = await api.post(
        "/v1/batches", files=form({"recipe": RECIPE, "labels": {"a.jpg": {"boxes": {"values": [[1]]}}}}, *pictures)
    )

    assert fine.status_code == 202
    assert (unknown.json()["code"], unknown.json()["pointer"]) == ("label_invalid", "/labels/c~1d.jpg")
    assert wrong.json()["code"] == "label_invalid"
    assert wrong.json()["pointer"].startswith("/labels/a.jpg/boxes")
    assert wrong.json()["item"] == "a.jpg"


async def test_keys_of_pictures_carry_the_day_and_the_batch_or_image(api: httpx2.AsyncClient, app: FastAPI) -> None:
    content = jpeg(seed=91)
    sent = [
        (await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("cat.jpg", content)))).json()["id"] for _ in "ab"
    ]
    found = await rows(app, "SELECT batch_id, source_key, day FROM items WHERE batch_id = ANY(:ids)", ids=sent)
    for row in found:
        assert f"/sources/{row['day']}/" in row["source_key"]
        assert row["source_key"].rpartition("/")[2].startswith(f"{row['batch_id']}-")
    assert len({row["source_key"] for row in found}) == 2

    first, again = [await api.post("/v1/images", content=content, headers={"content-type": "image/jpeg"}) for _ in "ab"]
    assert (first.status_code, again.status_code, first.json()["id"]) == (201, 200, again.json()["id"])
    parts: Parts = app.state.parts
    tenant = found[0]["source_key"].partition("/")[0]
    stored = [one.key async for one in parts.store.objects(f"{tenant}/images")]
    assert len([key for key in stored if key.endswith(hashlib.sha256(content).hexdigest())]) == 1


async def test_a_body_that_is_as_old_as_what_is_collected_is_refused(
    api: httpx2.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Parts = app.state.parts
    began_ms = round((time.time() - parts.settings.orphan_s / 2 - 60) * 1000)
    old = UUID(int=began_ms << 80 | 0x7 << 76 | 0b10 << 62)
    monkeypatch.setattr("service.routes.batches.new_id", lambda: old)
    answer = await api.post("/v1/batches", files=form({"recipe": RECIPE}, ("cat.jpg", jpeg())))
    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert await rows(app, "SELECT id FROM batches WHERE id = :id", id=old) == []
