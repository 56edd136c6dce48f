"""Through REST: what a tenant has been answered before is answered from its own results, and the answer says so."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from service.repair.orphans import remove_orphans
from service.settings import Settings
from service.store import open_store
from service.truth.database import make_engine
from tests.helpers.accounts import bearing, make_keys
from tests.helpers.http import Json, jpeg, outputs, submit
from tests.helpers.stack import Stack, running
from tests.helpers.truth import check_complete, rows

STEPS: list[Json] = [{"op": "rotate"}, {"op": "color_jitter"}, {"op": "gaussian_noise"}]
PICTURE = jpeg(60, 50, seed=3)


@pytest.fixture(scope="module")
def stack(shared_settings: Settings) -> Iterator[Stack]:
    """One system for all tests here, with the cache, and with keys, for tenants must be told apart."""
    settings = shared_settings.model_copy(update={"output_cache": True, "require_auth": True})
    with running(settings) as started:
        started.client.headers.update(bearing(key_of(started, "acme")))
        yield started


def key_of(stack: Stack, tenant: str) -> str:
    return asyncio.run(make_keys(stack.settings.database_url, tenant, "submit"))["submit"]


def augment(stack: Stack, headers: dict[str, str] | None = None, **fields: object) -> httpx2.Response:
    """The answer for one picture, waited for."""
    request = {"recipe": {"steps": STEPS}, "custom_id": "cat", **fields}
    files = [("request", (None, json.dumps(request))), ("image", ("cat.jpg", PICTURE))]
    answer = stack.client.post("/v1/augment", files=files, headers={"Prefer": "wait=50", **(headers or {})})
    assert answer.status_code == 200, answer.text
    return answer


def is_hit(answer: httpx2.Response) -> bool:
    return answer.headers.get("cache-status") == "augment; hit"


def view(stack: Stack, answer: httpx2.Response) -> Json:
    found: Json = stack.client.get(f"/v1/outputs/{answer.headers['x-output-id']}").json()
    return found


def stored(settings: Settings) -> dict[str, Path]:
    """Objects that are results, by key."""
    folder = Path(settings.store_url.removeprefix("file://"))
    return {str(path.relative_to(folder)): path for path in folder.glob("*/outputs/**/*") if path.is_file()}


def test_the_same_request_is_answered_from_what_there_is(stack: Stack) -> None:
    first, again = augment(stack, seed=1), augment(stack, seed=1)
    assert not is_hit(first)
    assert is_hit(again)
    assert again.content == first.content
    one, two = view(stack, first), view(stack, again)
    assert (one["cached"], two["cached"]) == (False, True)
    own = {"id", "item_id", "created_at", "url", "cached"}
    assert {name: value for name, value in one.items() if name not in own} == {
        name: value for name, value in two.items() if name not in own
    }
    assert one["item_id"] != two["item_id"]
    check_complete(stack, stack.batch(again.headers["x-batch-id"]), ["cat"], 1)


@pytest.mark.parametrize(
    "fields",
    [{"seed": 3}, {"custom_id": "dog"}, {"output": {"format": "png"}}, {"recipe": {"steps": STEPS[:2]}}],
    ids=lambda fields: next(iter(fields)),
)
def test_another_request_is_computed(stack: Stack, fields: Json) -> None:
    augment(stack, seed=2)
    assert not is_hit(augment(stack, **{"seed": 2, **fields}))


def test_a_caller_may_want_it_anew(stack: Stack) -> None:
    first = augment(stack, seed=4)
    anew = augment(stack, {"Cache-Control": "max-age=0, No-Cache"}, seed=4)
    assert not is_hit(anew)
    assert anew.content == first.content
    assert is_hit(augment(stack, seed=4))


def test_a_seed_that_the_service_drew_can_be_asked_for(stack: Stack) -> None:
    first = augment(stack)
    assert not is_hit(first)
    again = augment(stack, seed=int(first.headers["x-seed"]))
    assert is_hit(again)
    assert again.content == first.content


def test_another_tenant_is_never_answered_from_it(stack: Stack) -> None:
    first = augment(stack, seed=5)
    theirs = augment(stack, bearing(key_of(stack, "globex")), seed=5)
    assert not is_hit(theirs)
    assert theirs.content == first.content
    assert is_hit(augment(stack, seed=5))


def test_results_live_and_die_alone(stack: Stack) -> None:
    """The first one's batch is deleted, rows and bytes: the copy stays, and answers for nothing."""
    first = augment(stack, seed=6)
    copy = augment(stack, seed=6)
    gone = first.headers["x-batch-id"]
    assert stack.client.delete(f"/v1/batches/{gone}").status_code == 204
    anew = augment(stack, seed=6)
    assert not is_hit(anew)
    assert anew.content == first.content
    left = "SELECT id FROM batches WHERE id = %(id)s"
    stack.wait_for(lambda: not rows(stack.settings.database_url, left, {"id": gone}), 20, "the batch to be removed")
    read = stack.client.get(copy.headers["content-location"])
    assert (read.status_code, read.content) == (200, first.content)


def test_a_replay_is_computed(stack: Stack) -> None:
    augment(stack, seed=7)
    copy = augment(stack, seed=7)
    assert is_hit(copy)
    before = cached_items(stack)
    replayed = stack.client.post(f"/v1/outputs/{copy.headers['x-output-id']}/replay", headers={"Prefer": "wait=50"})
    assert replayed.json()["identical"] is True
    assert cached_items(stack) == before


def cached_items(stack: Stack) -> int:
    sql = "SELECT count(*) AS n FROM state_log WHERE reason = 'cached'"
    return int(rows(stack.settings.database_url, sql)[0]["n"])


def test_a_worker_is_killed_between_copy_and_commit(stack: Stack) -> None:
    """Every item reaches one end, with results of its own; the copies that nobody committed are collected, no others."""
    pictures = {f"{number}.jpg": jpeg(40, 30, seed=number) for number in range(6)}
    computed = stack.batch(submit(stack.client, pictures, STEPS, variants=2, seed=8)["id"])
    stack.stop_workers()
    failing = stack.add_worker(failpoints="stored=kill")
    before = stored(stack.settings)
    again = submit(stack.client, pictures, STEPS, variants=2, seed=8)
    stack.wait_for(lambda: failing.exit_status() is not None, 120, "the worker's death")
    assert failing.exit_status() == -signal.SIGKILL
    copies = stored(stack.settings).keys() - before.keys()
    assert copies  # the fault hit: there are bytes that no row names
    assert not outputs(stack.client, again["id"])
    stack.add_worker()
    made = check_complete(stack, stack.batch(again["id"], 120), pictures, 2)
    assert all(output["cached"] for output in made)
    assert {(one["custom_id"], one["variant"], one["sha256"]) for one in made} == {
        (one["custom_id"], one["variant"], one["sha256"]) for one in outputs(stack.client, computed["id"])
    }
    collected = asyncio.run(collect(stack.settings))
    assert collected == len(copies)
    assert not copies & stored(stack.settings).keys()
    check_complete(stack, stack.batch(again["id"], 120), pictures, 2)
    check_complete(stack, stack.batch(computed["id"]), pictures, 2)


async def collect(settings: Settings) -> int:
    """Removes the results that no row names, whatever their age; says how many there were."""
    engine, store = make_engine(settings.database_url, pool_size=1), open_store(settings)
    try:
        page = [found async for found in store.objects("acme/outputs")]
        return await remove_orphans(engine, store, page, datetime.now(UTC) + timedelta(hours=1))
    finally:
        await engine.dispose()
