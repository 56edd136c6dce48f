"""Whatever is wrong with a request: the documented problem, never a 5xx, and nothing is kept of it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from service.app import create_app
from service.settings import Settings
from tests.helpers.api import form, jpeg, picture, running_api

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(shared_settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    small = shared_settings.model_copy(update={"max_json_bytes": 20_000, "max_image_bytes": 50_000, "max_batch_items": 5})
    async with running_api(create_app(small)) as client:
        yield client


def check_problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= problem.keys()
    for private in ("Traceback", "site-packages", "/tmp", "psycopg", "sqlalchemy", "PIL"):
        assert private not in answer.text
    return problem


async def nothing_was_kept(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/v1/batches")).json() == {"batches": [], "next": None}


@pytest.mark.parametrize(
    ("request_object", "code", "pointer"),
    [
        ({}, "validation_error", "/recipe"),
        ([], "validation_error", ""),
        ({"recipe": RECIPE, "colour": 1}, "validation_error", "/colour"),
        ({"recipe": RECIPE, "seed": -1}, "validation_error", "/seed"),
        ({"recipe": RECIPE, "seed": 2**53}, "validation_error", "/seed"),
        ({"recipe": RECIPE, "seed": 1.5}, "validation_error", "/seed"),
        ({"recipe": RECIPE, "seed": "7"}, "validation_error", "/seed"),
        ({"recipe": RECIPE, "variants": 0}, "validation_error", "/variants"),
        ({"recipe": RECIPE, "variants": 65}, "validation_error", "/variants"),
        ({"recipe": RECIPE, "variants": 10**9}, "validation_error", "/variants"),
        ({"recipe": RECIPE, "priority": "now"}, "validation_error", "/priority"),
        ({"recipe": RECIPE, "custom_id": ""}, "validation_error", "/custom_id"),
        ({"recipe": RECIPE, "custom_id": "a\0b"}, "validation_error", "/custom_id"),
        ({"recipe": RECIPE, "custom_id": "x" * 5000}, "validation_error", "/custom_id"),
        ({"recipe": RECIPE, "labels": []}, "validation_error", "/labels"),
        ({"recipe": RECIPE, "labels": {"boxes": 1}}, "label_invalid", "/labels/boxes"),
        ({"recipe": "strong@"}, "recipe_invalid", "/recipe"),
        ({"recipe": None}, "recipe_invalid", "/recipe"),
        ({"recipe": {"steps": {}}}, "recipe_invalid", "/recipe/steps"),
        ({"recipe": {"steps": [{"op": "solarise"}]}}, "unknown_op", "/recipe/steps/0/op"),
        (
            {"recipe": {"steps": [{"op": "solarize"}, {"op": "rotate", "degrees": 500}]}},
            "recipe_invalid",
            "/recipe/steps/1/degrees",
        ),
        ({"recipe": {"steps": [{"op": "rotate", "angle": 5}]}}, "recipe_invalid", "/recipe/steps/0/angle"),
        ({"recipe": {"steps": [{"op": "hflip", "chance": "0.5"}]}}, "recipe_invalid", "/recipe/steps/0/chance"),
        ({"recipe": {"steps": [{"op": "rotate", "fill": [True, 0, 0]}]}}, "recipe_invalid", "/recipe/steps/0/fill/0"),
        ({"recipe": RECIPE, "output": {"format": "gif"}}, "recipe_invalid", "/output/format"),
        ({"recipe": RECIPE, "output": {"quality": 0}}, "recipe_invalid", "/output/quality"),
        ({"recipe": {"steps": [{"op": "resize", "size": [16384, 3000]}]}, "variants": 64}, "work_too_large", None),
        (
            {"recipe": {"steps": [{"op": "hflip"}, {"op": "gaussian_blur", "sigma": 32}], "profile": "kornia"}},
            "recipe_invalid",
            "/recipe/steps/1",
        ),
    ],
)
async def test_a_wrong_field_is_named(api: httpx2.AsyncClient, request_object: Any, code: str, pointer: str | None) -> None:
    answer = await api.post("/v1/augment", files=form(request_object, ("a.jpg", jpeg()), field="image"))

    problem = check_problem(answer, 422, code)
    assert problem.get("pointer") == pointer
    await nothing_was_kept(api)


@pytest.mark.parametrize(
    ("text", "status", "code", "pointer"),
    [
        (b"{", 400, "bad_request", None),
        (b"\xff\xfe", 400, "bad_request", None),
        (b"[" * 10_000, 400, "bad_request", None),
        (b'{"recipe": {"steps": []}, "seed": ' + b"9" * 5000 + b"}", 400, "bad_request", None),
        (b"", 400, "empty_body", None),
        (b'{"recipe": {"steps": []}, "recipe": {"steps": []}}', 422, "validation_error", "/recipe"),
        (b'{"recipe": {"steps": [{"op": "hflip", "op": "vflip"}]}}', 422, "validation_error", "/recipe/steps/0/op"),
        (b'{"recipe": {"steps": [{"op": "rotate", "degrees": NaN}]}}', 422, "recipe_invalid", "/recipe/steps/0/degrees"),
        (
            b'{"recipe": {"steps": [{"op": "rotate", "degrees": [0, 1e999]}]}}',
            422,
            "recipe_invalid",
            "/recipe/steps/0/degrees/1",
        ),
        (
            b'{"recipe": {"steps": [{"op": "rotate", "degrees": 1' + b"0" * 400 + b"}]}}",
            422,
            "recipe_invalid",
            "/recipe/steps/0/degrees",
        ),
        (b'{"recipe": {"steps": []}, "seed": -Infinity}', 422, "validation_error", "/seed"),
        (b'{"recipe": {"steps": []}, "custom_id": "\\ud800"}', 422, "validation_error", "/custom_id"),
        (b'{"recipe": {"steps": []}, "seed": ' + b"[" * 64 + b"]" * 64 + b"}", 400, "bad_request", None),
        (b" " * 20_001, 413, "payload_too_large", None),
    ],
)
async def test_odd_json(api: httpx2.AsyncClient, text: bytes, status: int, code: str, pointer: str | None) -> None:
    for answer in (
        await api.post("/v1/augment", files=form(text, ("a.jpg", jpeg()), field="image")),
        await api.post("/v1/batches", files=form(text, ("a.jpg", jpeg()))),
        await api.post("/v1/batches", content=text, headers={"content-type": "application/json"}),
    ):
        assert check_problem(answer, status, code).get("pointer") == pointer
    await nothing_was_kept(api)


@pytest.mark.parametrize("brackets", range(930, 960, 3))
async def test_json_as_deep_as_python_reads_it(api: httpx2.AsyncClient, brackets: int) -> None:
    text = b'{"recipe": {}, "seed": ' + b"[" * brackets + b'"\\ud83d\\ude00"' + b"]" * brackets + b"}"
    check_problem(await api.post("/v1/augment", files=form(text, ("a.jpg", jpeg()), field="image")), 400, "bad_request")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"just text", 415, "unsupported_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_format"),
        (b"\x7fELF" + b"\0" * 200, 415, "unsupported_format"),
        (picture(form="PPM"), 415, "unsupported_format"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, 422, "image_unreadable"),
        (b"\xff" * 50_001, 413, "payload_too_large"),
        (picture(1, 1, form="PNG").replace(b"\0\0\0\x01\0\0\0\x01", b"\0\0\xff\xff\0\0\xff\xff"), 422, None),
    ],
)
async def test_what_is_no_picture(api: httpx2.AsyncClient, content: bytes, status: int, code: str | None) -> None:
    by_part = await api.post("/v1/augment", files=form({"recipe": RECIPE}, ("a.jpg", content), field="image"))
    by_body = await api.post("/v1/augment", params={"request": json.dumps({"recipe": RECIPE})}, content=content)
    uploaded = await api.post("/v1/images", content=content, headers={"content-type": "image/jpeg"})

    for answer in (by_part, by_body, uploaded):
        check_problem(answer, status, code or answer.json()["code"])
    await nothing_was_kept(api)
    assert (await api.get("/v1/images")).json()["images"] == []


@pytest.mark.parametrize("side", [0, "5", 5.0, 16_385, 10**4000])
async def test_a_size_to_plan_for_is_a_pictures(api: httpx2.AsyncClient, side: Any) -> None:
    answer = await api.post("/v1/recipes/validate", json={"recipe": RECIPE, "size": [5, side]})
    assert check_problem(answer, 422, "validation_error")["pointer"] == "/size/1"


async def test_bodies_that_are_not_what_they_say(api: httpx2.AsyncClient) -> None:
    async def post(content: bytes, content_type: str, path: str = "/v1/batches") -> httpx2.Response:
        return await api.post(path, content=content, headers={"content-type": content_type})

    half = b'--b\r\nContent-Disposition: form-data; name="request"\r\n\r\n{'
    check_problem(await post(half, "multipart/form-data; boundary=b"), 400, "bad_request")
    check_problem(await post(b"rubbish", "multipart/form-data; boundary=b"), 400, "bad_request")
    check_problem(await post(b"", "multipart/form-data; boundary=b"), 400, "empty_body")
    check_problem(await post(b"x", "multipart/form-data"), 400, "bad_request")
    check_problem(await post(b"", "application/json"), 400, "empty_body")
    check_problem(await post(b"x", "text/plain"), 400, "bad_request")
    check_problem(await post(b"x", "image/jpeg", "/v1/augment"), 422, "validation_error")
    check_problem(await post(b"", "image/jpeg", "/v1/augment"), 400, "empty_body")
    check_problem(await api.post("/v1/augment"), 400, "empty_body")
    check_problem(await post(b"x", "image/jpeg", "/v1/augment?recipe=nope"), 404, "not_found")
    check_problem(await post(b"x", "image/jpeg", "/v1/augment?recipie=strong"), 422, "validation_error")
    await nothing_was_kept(api)


async def test_parts_that_are_missing_double_or_unknown(api: httpx2.AsyncClient) -> None:
    asked, one = ("request", (None, json.dumps({"recipe": RECIPE}))), ("image", ("a.jpg", jpeg()))
    for files in ([asked], [one], [asked, one, one], [asked, asked, one], [asked, one, ("more", ("b", b"x"))]):
        check_problem(await api.post("/v1/augment", files=files), 400, "bad_request")

    several = ("images", ("a.jpg", jpeg()))
    for files in ([asked], [several], [several, asked], [asked, asked, several], [asked, ("image", ("a.jpg", jpeg()))]):
        check_problem(await api.post("/v1/batches", files=files), 400, "bad_request")
    await nothing_was_kept(api)


async def test_two_pictures_of_one_name(api: httpx2.AsyncClient) -> None:
    files = form({"recipe": RECIPE}, ("a.jpg", jpeg(seed=1)), ("a.jpg", jpeg(seed=2)))

    assert check_problem(await api.post("/v1/batches", files=files), 422, "duplicate_custom_id")["item"] == "a.jpg"
    await nothing_was_kept(api)


async def test_more_pictures_than_a_batch_holds(api: httpx2.AsyncClient) -> None:
    files = form({"recipe": RECIPE}, *((f"{number}.jpg", jpeg(seed=number)) for number in range(6)))

    assert check_problem(await api.post("/v1/batches", files=files), 413, "too_many_items")["limit"] == 5
    await nothing_was_kept(api)


async def test_a_picture_too_large_for_a_batch(api: httpx2.AsyncClient) -> None:
    files = form({"recipe": RECIPE}, ("a.jpg", jpeg()), ("big.jpg", b"\xff" * 50_001))

    problem = check_problem(await api.post("/v1/batches", files=files), 413, "payload_too_large")
    assert (problem["item"], problem["limit"]) == ("big.jpg", 50_000)
    await nothing_was_kept(api)


async def test_a_packed_body_is_measured_unpacked(api: httpx2.AsyncClient) -> None:
    headers = {"content-type": "image/jpeg", "content-encoding": "gzip"}

    bomb = await api.post("/v1/images", content=gzip.compress(bytes(10_000_000)), headers=headers)
    fine = await api.post("/v1/images", content=gzip.compress(jpeg()), headers=headers)
    broken = await api.post("/v1/images", content=b"no gzip", headers=headers)
    cut = await api.post("/v1/images", content=gzip.compress(jpeg())[:-9], headers=headers)
    unknown = await api.post("/v1/images", content=jpeg(), headers=headers | {"content-encoding": "br"})

    check_problem(bomb, 413, "payload_too_large")
    assert fine.status_code == 201
    assert (await api.delete(fine.headers["location"])).status_code == 204
    for answer in (broken, cut, unknown):
        check_problem(answer, 400, "bad_request")


async def test_pictures_by_reference_that_are_not_there(api: httpx2.AsyncClient) -> None:
    absent = "01900000-0000-7000-8000-000000000000"

    async def batch(**fields: Any) -> httpx2.Response:
        return await api.post("/v1/batches", json={"recipe": RECIPE, **fields})

    check_problem(await batch(images=[{"image_id": absent}]), 404, "not_found")
    check_problem(await batch(images=[{"image_id": "1"}]), 422, "validation_error")
    check_problem(await batch(images=[{}]), 422, "validation_error")
    check_problem(await batch(images=[{"url": "http://127.0.0.1/a.jpg"}]), 422, "source_url_forbidden")
    check_problem(await batch(source="s3://bucket/prefix"), 422, "source_url_forbidden")
    check_problem(await batch(images=[]), 400, "bad_request")
    check_problem(await batch(images=[{"image_id": absent}] * 6), 413, "too_many_items")
    check_problem(await api.post("/v1/augment", json={"recipe": RECIPE, "image_id": absent}), 404, "not_found")
    await nothing_was_kept(api)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/batches/not-an-id", 404, "not_found"),
        ("GET", "/v1/batches/01900000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/batches/01900000-0000-7000-8000-000000000000/items", 404, "not_found"),
        ("GET", "/v1/batches/01900000-0000-7000-8000-000000000000/outputs", 404, "not_found"),
        ("GET", "/v1/batches/01900000-0000-7000-8000-000000000000/events", 404, "not_found"),
        ("GET", "/v1/batches/01900000-0000-7000-8000-000000000000/archive", 404, "not_found"),
        ("POST", "/v1/batches/01900000-0000-7000-8000-000000000000/cancel", 404, "not_found"),
        ("POST", "/v1/batches/01900000-0000-7000-8000-000000000000/retry", 404, "not_found"),
        ("DELETE", "/v1/batches/01900000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/outputs/01900000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/outputs/01900000-0000-7000-8000-000000000000/content", 404, "not_found"),
        ("DELETE", "/v1/outputs/01900000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/images/01900000-0000-7000-8000-000000000000", 404, "not_found"),
        ("DELETE", "/v1/images/01900000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/ops/rotat", 404, "not_found"),
        ("PUT", "/v1/batches", 405, "method_not_allowed"),
        ("GET", "/v1/batches?state=lost", 422, "validation_error"),
        ("GET", "/v1/batches?limit=0", 422, "validation_error"),
        ("GET", "/v1/batches?cursor=%00", 422, "validation_error"),
        ("GET", "/v1/batches?cursor=AAAA", 422, "validation_error"),
        ("GET", "/v1/batches?group=a%00b", 422, "validation_error"),
        ("GET", "/v1/images?cursor=!", 422, "validation_error"),
    ],
)
async def test_paths_and_parameters(api: httpx2.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    check_problem(await api.request(method, path), status, code)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/batches", "GET, POST"),
        ("/v1/images/01900000-0000-7000-8000-000000000000", "DELETE, GET"),
        ("/v1/outputs/01900000-0000-7000-8000-000000000000/content", "GET, HEAD"),
    ],
)
async def test_another_method_is_told_all_that_there_are(api: httpx2.AsyncClient, path: str, methods: str) -> None:
    answer = await api.request("PATCH", path)
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == methods


async def test_slow_bodies_are_given_up(shared_settings: Settings) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"\xff\xd8\xff"
        await asyncio.sleep(5)
        yield b"\xff"

    impatient = shared_settings.model_copy(update={"body_timeout_s": 0.2})
    async with running_api(create_app(impatient)) as api:
        answer = await api.post("/v1/images", content=slow(), headers={"content-type": "image/jpeg"})

    check_problem(answer, 408, "request_timeout")


async def test_a_key_is_asked_for_where_one_is_set(shared_settings: Settings) -> None:
    guarded = Settings(**{**shared_settings.model_dump(), "host": "0.0.0.0", "api_key": "s3cret"})
    async with running_api(create_app(guarded)) as api:
        for headers in ({}, {"x-api-key": "wrong"}, {"authorization": "Bearer"}, {"authorization": "Basic s3cret"}):
            answer = await api.get("/v1/batches", headers=headers)
            check_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await api.get("/metrics")).status_code == 401
        for headers in ({"x-api-key": "s3cret"}, {"authorization": "Bearer s3cret"}, {"authorization": "bearer s3cret"}):
            assert (await api.get("/v1/batches", headers=headers)).status_code == 200
        assert (await api.get("/livez")).status_code == 200


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 201), ("none", 201)])
async def test_pages_of_other_sites_cannot_use_a_service_without_a_key(
    api: httpx2.AsyncClient, site: str, status: int
) -> None:
    answer = await api.post("/v1/images", content=jpeg(seed=abs(hash(site)) % 1000), headers={"sec-fetch-site": site})

    if status == 403:
        check_problem(answer, 403, "forbidden")
    else:
        assert answer.status_code == 201
        assert (await api.delete(answer.headers["location"])).status_code == 204
