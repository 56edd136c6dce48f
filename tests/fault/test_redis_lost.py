"""Redis is emptied with ids waiting in lanes: the reconciler puts them back, the batch completes, every output once."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis import Redis

from service.settings import Settings
from tests.helpers.http import jpeg, submit
from tests.helpers.stack import running
from tests.helpers.truth import check_complete, item_states, rows

STEPS = [{"op": "vflip", "chance": 0.5}, {"op": "brightness", "factor": [0.5, 1.5]}]
PICTURES = {f"{number:03}.jpg": jpeg(48, 64, seed=number) for number in range(120)}


def waiting(redis: Redis) -> int:
    """Ids in all lanes."""
    lanes = cast(list[bytes], redis.keys("lane:*"))
    return sum(cast(int, redis.xlen(lane)) for lane in lanes)


@pytest.fixture
def redis(settings: Settings) -> Any:
    with Redis.from_url(settings.redis_url) as client:
        yield client


@pytest.mark.long
def test_flushed_before_anything_ran(settings: Settings, redis: Redis) -> None:
    with running(settings, workers=0) as stack:
        view = submit(stack.client, PICTURES, STEPS, variants=2, seed=5)
        stack.wait_for(lambda: waiting(redis) == len(PICTURES), what="the hand-off")
        redis.flushall()
        assert waiting(redis) == 0
        assert item_states(stack, view["id"]) == {"queued": len(PICTURES)}
        stack.wait_for(lambda: waiting(redis) > 0, timeout_s=15, what="the refill")
        stack.add_worker()
        check_complete(stack, stack.batch(view["id"]), PICTURES, 2)


def test_flushed_while_a_worker_serves(settings: Settings, redis: Redis) -> None:
    settings = settings.model_copy(update={"micro_batch_items": 8})
    with running(settings, failpoints="encoded=sleep:0.02") as stack:
        view = submit(stack.client, PICTURES, STEPS, variants=2, seed=5)
        stack.wait_for(lambda: item_states(stack, view["id"]).get("succeeded", 0) >= 5, what="the first results")
        lost = waiting(redis)
        redis.flushall()
        # the fault hit: ids were waiting, and none of their items was final
        assert lost > 0
        assert item_states(stack, view["id"]).get("queued", 0) > 0
        check_complete(stack, stack.batch(view["id"]), PICTURES, 2)
        assert stack.workers[0].exit_status() is None
        sql = "SELECT max(executions) AS most FROM items WHERE batch_id = %(id)s"
        assert rows(settings.database_url, sql, {"id": view["id"]})[0]["most"] <= 2


def test_submits_go_on_without_redis(settings: Settings, tmp_path: Any) -> None:
    """Nobody answers at all: pictures are still accepted, and run when Redis is back."""
    from service.system.embedded import valkey_server

    server = valkey_server(tmp_path / "other")
    child = server.start()
    try:
        with running(settings.model_copy(update={"redis_url": server.url})) as stack:
            child.kill()
            child.wait(10)
            view = submit(stack.client, PICTURES, STEPS, variants=2, seed=5)
            assert item_states(stack, view["id"]) == {"queued": len(PICTURES)}
            stack.wait_for(
                lambda: stack.client.get("/readyz").json()["status"] == "degraded", what="a report without Redis"
            )
            child = server.start()
            check_complete(stack, stack.batch(view["id"]), PICTURES, 2)
    finally:
        child.stop()
