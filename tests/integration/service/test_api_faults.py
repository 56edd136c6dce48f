"""The API while a part it needs is away: what is acknowledged is kept, the rest is refused in words."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from batching.errors import StorageFull
from service.app import create_app
from service.ids import new_id
from service.settings import Settings
from service.truth.database import make_engine, statement
from service.truth.submissions import NewBatch, NewItem, Written, write
from tests.helpers.api import jpeg, running_api

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}
FILES = [("request", (None, json.dumps({"recipe": RECIPE}))), ("image", ("a.jpg", jpeg()))]


async def test_without_redis_submits_are_accepted(settings: Settings) -> None:
    without = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with running_api(create_app(without)) as api:
        answers = [await api.post("/v1/augment", files=FILES, headers={"Prefer": "wait=0.3"}) for _ in range(5)]
        ready = await api.get("/readyz")
        with_workers = await api.get("/readyz", params={"workers": 1})
        metrics = await api.get("/metrics")

    assert [answer.status_code for answer in answers] == [202] * 5
    assert (ready.status_code, ready.json()["status"], ready.json()["checks"]["redis"]) == (200, "degraded", "down")
    assert with_workers.status_code == 503
    assert metrics.status_code == 200
    assert 'augment_unfinished_items{priority="interactive",state="queued"} 5.0' in metrics.text


async def test_without_postgresql_nothing_is_acknowledged(settings: Settings) -> None:
    without = settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/nothing"})
    async with running_api(create_app(without)) as api:
        answer = await api.post("/v1/augment", files=FILES)
        ready = await api.get("/readyz")
        alive = await api.get("/livez")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "127.0.0.1" not in answer.text
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "down")
    assert alive.status_code == 200


async def test_a_store_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    app = create_app(settings)
    async with running_api(app) as api:

        def full(key: str, content: bytes) -> None:
            raise StorageFull

        app.state.parts.store.put = app.state.parts.store.put_at_once = full
        one = await api.post("/v1/augment", files=FILES)
        batch = await api.post(
            "/v1/batches", files=[FILES[0], ("images", ("a.jpg", jpeg())), ("images", ("b.jpg", jpeg(seed=1)))]
        )
        kept = (await api.get("/v1/batches")).json()["batches"]
        ready = await api.get("/readyz")

    for answer in (one, batch):
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
        assert int(answer.headers["retry-after"]) >= 1
    assert kept == []
    assert (ready.status_code, ready.json()["checks"]["store"]) == (503, "full")


@pytest.mark.parametrize(
    ("failpoint", "kept"), [("body_read", 0), ("object_put", 0), ("before_commit", 0), ("committed", 1)]
)
async def test_a_fault_at_any_step_of_a_submit(settings: Settings, failpoint: str, kept: int) -> None:
    headers = {"Idempotency-Key": "once"}
    async with running_api(create_app(settings.model_copy(update={"failpoints": f"{failpoint}=error"}))) as api:
        broken = await api.post("/v1/augment", files=FILES, headers=headers)
    async with running_api(create_app(settings)) as api:
        before = (await api.get("/v1/batches")).json()["batches"]
        again = await api.post("/v1/augment", files=FILES, headers=headers)
        after = (await api.get("/v1/batches")).json()["batches"]

    assert (broken.status_code, broken.json()["code"]) == (500, "internal")
    assert "Planted" not in broken.text
    assert len(before) == kept
    assert again.status_code == 202
    assert [batch["id"] for batch in after] == [again.json()["id"]]


async def test_one_bad_value_fails_its_own_submit_alone(settings: Settings) -> None:
    engine = make_engine(settings.database_url)
    try:
        good, bad, other = make_new("good"), make_new("\0 is no text"), make_new("other")
        first, second, third = await write(engine, [good, bad, other])
        [count] = await statement(engine, "SELECT count(*) AS batches FROM batches", {})
        again = await write(engine, [good, other])
    finally:
        await engine.dispose()

    assert isinstance(first, Written)
    assert isinstance(second, Exception)
    assert isinstance(third, Written)
    assert count["batches"] == 2
    assert again == [first, third]


async def test_a_caller_that_leaves_does_not_undo_the_others(settings: Settings) -> None:
    app = create_app(settings)
    async with running_api(app) as api:
        leaving = asyncio.create_task(api.post("/v1/augment", files=FILES))
        staying = asyncio.create_task(api.post("/v1/augment", files=FILES))
        await asyncio.sleep(0.005)
        leaving.cancel()
        answer = await staying
        await asyncio.gather(leaving, return_exceptions=True)

    assert answer.status_code == 202


def make_new(custom_id: str) -> NewBatch:
    item = NewItem(
        id=new_id(),
        custom_id=custom_id,
        name="a",
        item_key="0" * 16,
        image_id=None,
        source_key="k",
        source_sha256="0" * 64,
        width=1,
        height=1,
        labels=None,
        cost_pixels=2,
    )
    recipe = {"steps": [], "output": {"format": "jpeg", "quality": 90, "alpha": "drop"}, "profile": "fused"}
    return NewBatch(new_id(), "default", None, "bulk", recipe, "0" * 64, 1, 1, (item,))


async def test_while_workers_die_one_after_the_other_it_is_not_ready(settings: Settings) -> None:
    deaths = """
      INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason, worker, token)
      SELECT 't', :id, :id, 'leased', 'queued', 'lease_expired', 'w' || number, number
      FROM generate_series(1, :deaths) AS number
    """
    engine = make_engine(settings.database_url)
    try:
        async with running_api(create_app(settings)) as api:
            await statement(engine, deaths, {"id": new_id(), "deaths": 2})
            before = await api.get("/readyz")
            await statement(engine, deaths, {"id": new_id(), "deaths": 3})
            await asyncio.sleep(1.1)  # a report is kept for a second
            after = await api.get("/readyz")
    finally:
        await engine.dispose()
    assert (before.status_code, before.json()["checks"]["fleet"]) == (200, "ok")
    assert (after.status_code, after.json()["status"], after.json()["checks"]["fleet"]) == (503, "unavailable", "dying")
