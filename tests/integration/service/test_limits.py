"""Limits and the bill: what a tenant may use, what it is told, and that the counters agree with what is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from service import depth
from service.app import create_app
from service.errors import QuotaExceeded, RateLimited
from service.handoff import Breaker
from service.limits import Rates
from service.settings import Settings
from service.truth.database import AsyncEngine, make_engine, statement
from service.truth.ledger import SqlLedger
from tests.helpers.accounts import bearing, make_keys
from tests.helpers.api import jpeg, running_api
from tests.helpers.rows import make_done, make_failed, one

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}


@asynccontextmanager
async def limited(settings: Settings, **limits: Any) -> AsyncIterator[httpx2.AsyncClient]:
    patient = {"rate_timeout_s": 60.0, **limits}  # a busy machine may keep Redis from its 50 ms
    async with running_api(create_app(settings.model_copy(update=patient))) as api:
        yield api


def form(*seeds: int, **fields: Any) -> list[tuple[str, Any]]:
    request = ("request", (None, json.dumps({"recipe": RECIPE, **fields})))
    return [request, *(("images", (f"{seed}.jpg", jpeg(seed=seed))) for seed in seeds)]


def check_refused(answer: httpx2.Response, code: str, limit: int) -> float:
    """The answer is 429 with this code and limit; how long to wait."""
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (429, code, limit), answer.text
    return float(answer.headers["retry-after"])


async def test_requests_in_a_minute(settings: Settings) -> None:
    async with limited(settings, max_requests_per_minute=3) as api:
        answers = [await api.get("/v1/batches") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= check_refused(answers[-1], "rate_limited", 3) <= 60
        assert (await api.get("/livez")).status_code == 200
    async with limited(settings, max_requests_per_minute=3) as another:  # all processes count together
        assert (await another.get("/v1/batches")).status_code == 429


async def test_pictures_in_a_minute(settings: Settings) -> None:
    async with limited(settings, max_pictures_per_minute=3) as api:
        assert (await api.post("/v1/batches", files=form(1, 2))).status_code == 202
        assert 1 <= check_refused(await api.post("/v1/batches", files=form(3, 4)), "rate_limited", 3) <= 60
        assert (await api.post("/v1/batches", files=form(5))).status_code == 202
        check_refused(await api.post("/v1/batches", files=form(6, 7, 8, 9)), "quota_exceeded", 3)


async def test_a_repeated_submit_counts_once(settings: Settings) -> None:
    async with limited(settings, max_pictures_per_minute=1) as api:
        answers = [await api.post("/v1/batches", files=form(1), headers={"Idempotency-Key": "k"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202] * 3


async def test_pixels_of_a_day(settings: Settings) -> None:
    async with limited(settings, max_pixels_per_day=4000) as api:
        first = await api.post("/v1/batches", files=form(1, 2))
        assert first.status_code == 202
        wait_s = check_refused(await api.post("/v1/batches", files=form(3, 4, 5, 6)), "quota_exceeded", 4000)
        tomorrow = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        assert abs(wait_s - (tomorrow - datetime.now(UTC)).total_seconds()) < 5
    async with limited(settings, max_pixels_per_day=4000) as another:
        check_refused(await another.post("/v1/batches", files=form(3, 4, 5, 6)), "quota_exceeded", 4000)


async def test_refusals_say_what_was_asked_for_and_what_is_there(settings: Settings) -> None:
    async with limited(settings, max_pixels_per_day=4000) as api:
        refused = await api.post("/v1/batches", files=form(1, 2, 3))
        check_refused(refused, "quota_exceeded", 4000)
        assert f"0 pixels were submitted today and {3 * 2 * 32 * 24} more are asked for; at most 4000" in refused.text
    size = len(jpeg(seed=1))
    async with limited(settings, max_stored_bytes=size - 1) as api:
        refused = await api.post("/v1/images", content=jpeg(seed=1))
        check_refused(refused, "quota_exceeded", size - 1)
        assert f"0 bytes are stored and {size} more are asked for; at most {size - 1} may be" in refused.text
    async with limited(settings, max_stored_bytes=size) as api:
        assert (await api.post("/v1/images", content=jpeg(seed=1))).status_code == 201
        refused = await api.post("/v1/images", content=jpeg(seed=2))
        check_refused(refused, "quota_exceeded", size)
        assert f"{size} bytes are stored; at most {size} may be" in refused.text


async def test_a_picture_that_is_there_needs_no_room_and_one_that_is_refused_leaves_nothing(settings: Settings) -> None:
    limit = len(jpeg(seed=1)) + 1
    async with limited(settings, max_stored_bytes=limit) as api:
        first = await api.post("/v1/images", content=jpeg(seed=1))
        again = await api.post("/v1/images", content=jpeg(seed=1))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["id"] == again.json()["id"]
        check_refused(await api.post("/v1/images", content=jpeg(seed=2)), "quota_exceeded", limit)
        assert stored_files(settings) == 1
        assert (await api.post("/v1/images", content=b"no picture")).status_code == 429
    async with limited(settings, max_stored_bytes=3 * limit) as api:
        for _ in range(50):  # what is no picture is counted out again
            assert (await api.post("/v1/images", content=b"x" * 100)).status_code == 415
        assert (await api.post("/v1/images", content=jpeg(seed=2))).status_code == 201


async def failed(api: httpx2.AsyncClient, engine: AsyncEngine, *seeds: int) -> str:
    """The id of a batch of these pictures, all of which a worker gave up."""
    batch_id: str = (await api.post("/v1/batches", files=form(*seeds))).json()["id"]
    rows = await statement(engine, "SELECT id FROM items WHERE batch_id = :id ORDER BY position", {"id": batch_id})
    ledger = SqlLedger(engine, 30.0)
    await ledger.finish([make_failed(item) for item in await ledger.lease([row["id"] for row in rows], "w")])
    return batch_id


async def test_a_retry_counts_as_a_submit(settings: Settings, engine: AsyncEngine) -> None:
    used = "SELECT pictures, pixels FROM usage_days WHERE tenant = 'default'"
    async with limited(settings) as api:
        batch_id = await failed(api, engine, 1, 2)
        before = await one(engine, used)
        assert (await api.post(f"/v1/batches/{batch_id}/retry")).status_code == 202
        assert await one(engine, used) == {name: 2 * value for name, value in before.items()}
        again = await api.post(f"/v1/batches/{batch_id}/retry")
        assert (again.status_code, again.json()["code"]) == (409, "conflict"), "and that counts nothing"
        assert await one(engine, used) == {name: 2 * value for name, value in before.items()}
        other = await failed(api, engine, 3, 4)
    async with limited(settings, max_pictures_per_minute=1) as api:
        check_refused(await api.post(f"/v1/batches/{other}/retry"), "quota_exceeded", 1)
    quota = 3 * int(before["pixels"]) + 1  # what was used until here, and nothing of a picture
    async with limited(settings, max_pixels_per_day=quota) as api:
        check_refused(await api.post(f"/v1/batches/{other}/retry"), "quota_exceeded", quota)
        assert (await api.get(f"/v1/batches/{other}")).json()["counts"]["failed"] == 2
    async with limited(settings) as api:
        assert (await api.post(f"/v1/batches/{other}/retry")).status_code == 202
        assert await one(engine, used) == {"pictures": 8, "pixels": 4 * int(before["pixels"])}


async def test_bytes_stored(settings: Settings, database_url: str) -> None:
    size = len(jpeg(seed=1))
    limit = 2 * size + size // 2
    async with limited(settings, max_stored_bytes=limit) as api:
        image = await api.post("/v1/images", content=jpeg(seed=1))
        assert (image.status_code, (await api.post("/v1/images", content=jpeg(seed=1))).status_code) == (201, 200)
        batch = await api.post("/v1/batches", json={"recipe": RECIPE, "images": [{"image_id": image.json()["id"]}]})
        assert batch.status_code == 202  # what was uploaded before is not stored again
        assert (await api.post("/v1/batches", files=form(2))).status_code == 202
        check_refused(await api.post("/v1/batches", files=form(3)), "quota_exceeded", limit)
        check_refused(await api.post("/v1/images", content=jpeg(seed=4)), "quota_exceeded", limit)
        assert (await api.get("/v1/batches")).status_code == 200
        engine = make_engine(database_url, pool_size=1)
        await statement(engine, "DELETE FROM images", {})
        await engine.dispose()
        await asyncio.sleep(0.1)
        assert (await api.post("/v1/batches", files=form(3))).status_code == 202


async def test_nothing_is_read_or_stored_for_one_who_is_over(settings: Settings) -> None:
    class Body:
        read = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for _ in range(10):
                Body.read += 1
                yield b"x"

    async with limited(settings, max_stored_bytes=1) as api:
        await api.post("/v1/images", content=jpeg(seed=1))
        check_refused(await api.post("/v1/images", content=jpeg(seed=1)), "quota_exceeded", 1)
    async with limited(settings, max_stored_bytes=None) as api:
        assert (await api.post("/v1/images", content=jpeg(seed=1))).status_code == 201
    async with limited(settings, max_stored_bytes=1) as api:
        for path, kind in (
            ("images", "image/jpeg"),
            ("augment?recipe=light", "image/jpeg"),
            ("batches", "multipart/form-data"),
        ):
            answer = await api.post(f"/v1/{path}", content=Body(), headers={"content-type": kind})
            check_refused(answer, "quota_exceeded", 1)
        assert Body.read == 0


async def test_a_tenant_may_have_limits_of_its_own(settings: Settings) -> None:
    keys = {name: (await make_keys(settings.database_url, name, "admin"))["admin"] for name in ("small", "large")}
    demanding = {
        **settings.model_dump(),
        "host": "0.0.0.0",
        "api_key": "operator",
        "max_requests_per_minute": 3,
        "rate_timeout_s": 60.0,
    }
    async with running_api(create_app(Settings(**demanding))) as api:

        async def change(name: str, **limits: int | None) -> httpx2.Response:
            return await api.patch(f"/v1/tenants/{name}", json={"limits": limits}, headers=bearing("operator"))

        assert (await change("large", max_requests_per_minute=6)).json()["limits"] == {"max_requests_per_minute": 6}
        for name, most in (("small", 3), ("large", 6)):
            statuses = [(await api.get("/v1/usage", headers=bearing(keys[name]))).status_code for _ in range(8)]
            assert statuses == [200] * most + [429] * (8 - most)
    async with running_api(create_app(Settings(**{**demanding, "max_requests_per_minute": None}))) as api:
        assert (await change("small", max_pictures_per_minute=1, max_requests_per_minute=None)).status_code == 200
        check_refused(await api.post("/v1/batches", files=form(1, 2), headers=bearing(keys["small"])), "quota_exceeded", 1)
        assert (await change("large")).json()["limits"] == {}
        assert (await api.post("/v1/batches", files=form(1, 2), headers=bearing(keys["large"]))).status_code == 202
        for body in ({"limits": {"max_stored_bytes": 0}}, {"limits": {"speed": 1}}, {"disabled": 1}, {"name": "other"}):
            refused = await api.patch("/v1/tenants/small", json=body, headers=bearing("operator"))
            assert (refused.status_code, refused.json()["code"]) == (422, "validation_error"), body
        assert (await change("nobody", max_stored_bytes=1)).status_code == 404
        assert (await change("a%00b", max_stored_bytes=1)).status_code == 404


async def test_without_redis_nobody_is_refused(settings: Settings) -> None:
    async with limited(
        settings, redis_url="redis://127.0.0.1:1/0", max_requests_per_minute=1, max_pictures_per_minute=1
    ) as api:
        assert [(await api.get("/v1/batches")).status_code for _ in range(5)] == [200] * 5
        assert [(await api.post("/v1/batches", files=form(seed))).status_code for seed in range(3)] == [202] * 3


async def test_a_redis_that_hangs_costs_three_timeouts_and_then_nothing() -> None:
    connections = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    now_s = 0.0
    rates = Rates(f"redis://127.0.0.1:{port}/0", 0.05, Breaker(clock=lambda: now_s))
    for _ in range(200):
        await rates.take("acme", "requests", 1)
    first = connections
    assert 1 <= first <= 6  # three tries, each of which may connect again once
    now_s = 5.0
    for _ in range(200):
        await rates.take("acme", "requests", 1)
    assert connections <= first + 2
    await rates.close()
    server.close()


async def test_many_at_once_are_counted_exactly(redis_client: Redis, redis_url: str) -> None:
    one_process, another = Rates(redis_url, timeout_s=10.0), Rates(redis_url, timeout_s=10.0)
    calls = [rates.take("acme", "pictures", 50, 2) for rates in (one_process, another) for _ in range(40)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(result is None for result in results) == 25
    assert all(isinstance(result, RateLimited) for result in results if result is not None)
    await one_process.take("other", "pictures", 50, 50)
    await one_process.take("acme", "requests", 50, 50)
    with pytest.raises(QuotaExceeded):
        await one_process.take("acme", "pictures", 50, 51)
    await one_process.close()
    await another.close()


async def test_the_bill(settings: Settings, database_url: str) -> None:
    keys = await make_keys(database_url, "acme", "admin", "submit")
    engine = make_engine(database_url, pool_size=1)
    today = datetime.now(UTC).date()
    past = "INSERT INTO usage_days (tenant, day, requests, bytes_stored) VALUES ('acme', :day, :requests, :bytes)"
    for days, requests, size in ((40, 1, 111), (3, 7, 222)):
        await statement(engine, past, {"day": today - timedelta(days=days), "requests": requests, "bytes": size})
    async with limited(settings, require_auth=True) as api:
        mine = bearing(keys["admin"])
        batch = await api.post("/v1/batches", files=form(1, 2), headers=mine)
        assert batch.status_code == 202
        ledger = SqlLedger(engine, 30.0)
        ids = [row["id"] for row in await statement(engine, "SELECT id FROM items", {})]
        await ledger.finish([make_done(item) for item in await ledger.lease(ids, "w")])
        days = (await api.get("/v1/usage", headers=mine)).json()["days"]
        assert [day["day"] for day in days] == [str(today - timedelta(days=back)) for back in range(29, -1, -1)]
        assert [day["bytes_stored"] for day in days[:-1]] == [111] * 26 + [222] * 3
        pixels = (await one(engine, "SELECT sum(cost_pixels) AS pixels FROM items"))["pixels"]
        size = len(jpeg(seed=1)) + len(jpeg(seed=2)) + 6
        assert days[-1] == {
            "day": str(today),
            "requests": 2,
            "pictures": 2,
            "outputs": 2,
            "pixels": pixels,
            "bytes_stored": size,
        }
        assert pixels > 0
        few = (
            await api.get("/v1/usage", params={"from": str(today - timedelta(days=3)), "to": str(today)}, headers=mine)
        ).json()
        assert few["days"] == [*days[-4:-1], {**days[-1], "requests": 3}]
        for first, last in (
            ("2026-01-02", "2026-01-01"),
            ("2020-01-01", "2026-01-01"),
            ("x", "2026-01-01"),
            ("0001-01-01", ""),
        ):
            answer = await api.get("/v1/usage", params={"from": first, "to": last}, headers=mine)
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert (await api.get("/v1/usage", params={"to": "0001-01-01"}, headers=mine)).status_code == 200
        assert (await api.get("/v1/usage", headers=bearing(keys["submit"]))).status_code == 403
    await engine.dispose()


async def test_nothing_is_stored_of_a_picture_that_is_refused_for_what_waits(settings: Settings) -> None:
    """There is no worker: the first picture waits for ever, and the second would."""
    async with limited(settings, max_waiting_items=1) as api:
        check_refused(await api.post("/v1/batches", files=form(1, 2)), "quota_exceeded", 1)  # never, however long it waits
    async with limited(settings, max_interactive_items=1) as api:
        kept = {"Idempotency-Key": "first", "Content-Type": "image/jpeg"}
        first = await api.post("/v1/augment?recipe=light", content=jpeg(seed=1), headers=kept)
        assert first.status_code == 202
        stored = stored_files(settings)
        assert stored
        for body, headers in (
            ({"content": jpeg(seed=2)}, {"Content-Type": "image/jpeg"}),
            ({"files": {"request": (None, '{"recipe": "light"}'), "image": jpeg(seed=3)}}, {}),
        ):
            query = "?recipe=light" if "content" in body else ""
            answer = await api.post(f"/v1/augment{query}", headers=headers, **body)
            assert check_refused(answer, "rate_limited", 1) >= 1
        assert stored_files(settings) == stored
        read: list[bytes] = []
        answer = await api.post("/v1/augment?recipe=light", content=read_by(read), headers={"Content-Type": "image/jpeg"})
        assert check_refused(answer, "rate_limited", 1) >= 1
        assert not read, "what is known to be refused need not be read"
        bulk = {"request": (None, '{"recipe": "light", "priority": "bulk"}'), "image": jpeg(seed=6)}
        assert (await api.post("/v1/augment?recipe=light", files=bulk)).status_code == 202, (
            "the body says what is asked for"
        )
        again = await api.post("/v1/augment?recipe=light", content=jpeg(seed=1), headers=kept)
        assert again.json()["id"] == first.json()["id"], "what was sent before is answered however much waits"
        assert (await api.post("/v1/batches", files=form(4))).status_code == 202, "bulk work may wait longer"
    async with limited(settings, max_waiting_items=2, max_interactive_items=1) as api:
        assert check_refused(await api.post("/v1/batches", files=form(5)), "rate_limited", 2) >= 1


async def test_no_more_arrive_at_once_than_may_be_unfinished(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no worker: what is accepted stays unfinished, and of the others nothing is stored.

    By one reading of what there is: where a slow machine takes another in between, it lacks what was admitted just before.
    """
    monkeypatch.setattr(depth, "FRESH_S", 60.0)
    monkeypatch.setattr(depth, "EXACT_S", 60.0)
    async with limited(settings, max_interactive_items=4) as api:
        headers = {"Content-Type": "image/jpeg"}
        ways = (api.post("/v1/augment?recipe=light", content=jpeg(seed=seed), headers=headers) for seed in range(12))
        answers = await asyncio.gather(*ways)
        accepted = [answer for answer in answers if answer.status_code == 202]
        assert len(accepted) == 4
        for answer in answers:
            assert answer.status_code == 202 or check_refused(answer, "rate_limited", 4) >= 1
        assert "arrive at once" in "".join(answer.text for answer in answers)
        assert stored_files(settings) == 4


async def read_by(read: list[bytes]) -> AsyncIterator[bytes]:
    """A picture as a body that tells `read` when somebody reads it."""
    read.append(jpeg(seed=7))
    yield read[-1]


def stored_files(settings: Settings) -> int:
    return sum(path.is_file() for path in Path(settings.store_url.removeprefix("file://")).rglob("*"))
