"""A worker is killed with items leased and outputs incomplete: the batch completes, with the bytes that it always gives."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from service.settings import Settings
from tests.helpers.http import jpeg, submit
from tests.helpers.stack import Stack, running
from tests.helpers.truth import check_complete, contents, item_states, rows

STEPS = [
    {"op": "hflip", "chance": 0.5},
    {"op": "mixup", "chance": 0.5},
    {"op": "rotate", "degrees": [-20, 20]},
    {"op": "gaussian_noise"},
]
PICTURES = {f"{number:02}.jpg": jpeg(seed=number) for number in range(40)}
VARIANTS = 3


@pytest.fixture(scope="module")
def empty_system(shared_settings: Settings) -> Iterator[Stack]:
    """One system for all tests here, whose workers come and go."""
    with running(shared_settings, workers=0) as started:
        yield started


@pytest.fixture
def stack(empty_system: Stack) -> Iterator[Stack]:
    """The system, without a worker before and after the test."""
    yield empty_system
    empty_system.stop_workers()


def restarted_leases(stack: Stack, batch_id: str) -> int:
    """Items whose lease ran out."""
    sql = "SELECT count(*) AS items FROM state_log WHERE batch_id = %(id)s AND reason = 'lease_expired'"
    return int(rows(stack.settings.database_url, sql, {"id": batch_id})[0]["items"])


def test_killed_from_outside(stack: Stack) -> None:
    first = stack.add_worker(failpoints="encoded=sleep:0.05")
    view = submit(stack.client, PICTURES, STEPS, variants=VARIANTS, seed=5)
    stack.wait_for(lambda: item_states(stack, view["id"]).get("succeeded", 0) >= 3, what="the first results")
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait(10) == -signal.SIGKILL
    # the fault hit: it held items, and outputs were missing
    states = item_states(stack, view["id"])
    assert states.get("leased", 0) > 0
    assert states.get("succeeded", 0) < len(PICTURES)
    stack.add_worker()
    made = check_complete(stack, stack.batch(view["id"]), PICTURES, VARIANTS)
    assert restarted_leases(stack, view["id"]) == states["leased"]
    again = submit(stack.client, PICTURES, STEPS, variants=VARIANTS, seed=5)
    assert contents(made) == contents(check_complete(stack, stack.batch(again["id"]), PICTURES, VARIANTS))
