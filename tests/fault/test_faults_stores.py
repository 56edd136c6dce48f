"""Faults F9, F11, F12 and F20: disks fill, the store breaks, more comes than may wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.faults.canary import canary
from tests.helpers.faults.checker import Expected, custom_id
from tests.helpers.faults.disks import fill, small_disk
from tests.helpers.faults.history import numbers_of, submit
from tests.helpers.faults.objects import Objects
from tests.helpers.faults.system import System, trial

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def objects() -> Iterator[Objects]:
    """An object store that can be broken."""
    made = Objects()
    yield made
    made.close()


@pytest.fixture(scope="module")
def broken_store(tmp_path_factory: pytest.TempPathFactory, objects: Objects, compiled_kernels: None) -> Iterator[System]:
    """A system on that store."""
    with pytest.MonkeyPatch.context() as patch:
        for name, text in objects.environment.items():
            patch.setenv(name, text)
        made = System(tmp_path_factory.mktemp("s3"), objects=objects, store_url="s3://pictures", store_fsync=False)
        try:
            yield made
        finally:
            made.close()


PLANS = {
    "errors": {"error": 0.3},
    "cut short": {"cut_short": 0.3},
    "slow and silent": {"slow": 0.2, "hang": 0.05},
}


@pytest.mark.parametrize(
    "plan", ["errors", *(pytest.param(plan, marks=pytest.mark.long) for plan in PLANS if plan != "errors")]
)
def test_f11_the_object_store_breaks(broken_store: System, objects: Objects, plan: str, attempt: int) -> None:
    broken_store.start()
    with trial(broken_store, "F11", f"object store: {plan}", recover_s=120) as run:
        objects.hits.clear()
        objects.break_down(attempt, **PLANS[plan])
        try:
            began_at = time.time()
            run.load(batches=3).join(120)
            broken_store.wait_for(lambda: broken_store.count("state IN ('queued', 'leased')") == 0, 120, "every item's end")
        finally:
            objects.break_down(0)
        run.hit(objects.hits.total() > 5, "hardly anything broke", began_at)


@pytest.mark.long
def test_f11_the_object_store_lies(broken_store: System, objects: Objects, attempt: int) -> None:
    """It says yes and keeps half: the picture is refused when it is read, in words, and nothing wrong comes of it."""
    broken_store.start()
    with trial(broken_store, "F11", "object store: keeps half of a source") as run:
        broken_store.pause_workers()
        objects.hits.clear()
        objects.break_down(attempt, lies=0.3)
        run.load(batches=2).join(60)
        objects.break_down(0)
        run.hit(objects.hits["lies"], "it told the truth")
        run.history.expected = [replace(wanted, codes=wanted.codes | {"source_missing"}) for wanted in run.history.expected]
        rows = broken_store.rows("SELECT custom_id, source_key FROM items WHERE state = 'queued'")
        whole = {row["custom_id"] for row in rows if objects.kept[row["source_key"]][-4:] == b"\xaeB`\x82"}
        run.history.expected = [
            replace(wanted, codes=frozenset()) if custom_id(wanted.number) in whole else wanted
            for wanted in run.history.expected
        ]
        broken_store.resume_workers()


def test_f9_the_disk_of_postgresql_is_full(
    tmp_path_factory: pytest.TempPathFactory, compiled_kernels: None, attempt: int
) -> None:
    folder = tmp_path_factory.mktemp("full")
    with small_disk(folder / "system", 220) as disk:
        made = System(disk, store_url=(folder / "store").as_uri())
        try:
            made.store = folder / "store"
            made.start()
            with trial(made, "F9", "PostgreSQL's disk is full", recover_s=120) as run:
                load = run.load(batches=2)
                load.join(60)
                filled = fill(disk)
                more = run.load(batches=60)
                made.wait_for(lambda: run.history.refused + run.history.unanswered > 2, 60, "refusals")
                statuses = {call.status for call in run.history.calls}
                run.hit(statuses & {503, 507}, f"all was accepted: {statuses}")
                assert statuses <= {202, 503, 507, None}
                filled.unlink()
                if made.postgres.exit_status() is not None:
                    made.restart_postgres()
                run.released()
                made.wait_for(lambda: more.acked > 24 or not more.alive, 60, "submits that go on")
                more.stop()
        finally:
            made.close()


def test_f12_the_disk_of_the_store_is_full(
    tmp_path_factory: pytest.TempPathFactory, compiled_kernels: None, attempt: int
) -> None:
    folder = tmp_path_factory.mktemp("store")
    with small_disk(folder / "store", 8) as disk:
        made = System(folder, disk_reserve_bytes=0)
        try:
            made.start()
            with trial(made, "F12", "the store's disk is full") as run:
                run.load(batches=2).join(60)
                filled = fill(disk)
                load = run.load(batches=2)
                made.wait_for(lambda: run.history.refused > 2, 60, "refusals")
                last = run.history.calls[-1]
                run.hit((last.status, last.code) == (507, "storage_full"), f"the answer was {last}")
                assert int(last.retry_after or 0) >= 1
                filled.unlink()
                run.released()
                load.join(60)
        finally:
            made.close()


def test_f12_a_reserve_is_kept_for_what_was_accepted(
    tmp_path_factory: pytest.TempPathFactory, compiled_kernels: None, attempt: int
) -> None:
    """With less room than that nothing more is accepted nor stored, and what was accepted before is finished in it."""
    folder = tmp_path_factory.mktemp("reserve")
    with small_disk(folder / "store", 24) as disk:
        made = System(folder, disk_reserve_bytes=8 * 2**20)
        try:
            made.start()
            with trial(made, "F12", "the store's disk is down to its reserve") as run:
                made.pause_workers()
                run.load(batches=2).join(60)
                filled = fill(disk, leave_bytes=4 * 2**20)
                stored = sources(disk)
                load = run.load(batches=2)
                made.wait_for(lambda: run.history.refused > 2, 60, "refusals")
                refused = [call for call in run.history.calls if call.status != 202]
                run.hit(
                    {(call.status, call.code) for call in refused} == {(507, "storage_full")}, f"answers: {refused[:3]}"
                )
                assert all(int(call.retry_after or 0) >= 1 for call in refused)
                made.wait_for(lambda: made.client.get("/readyz").json()["checks"]["store"] == "full", 10, "readiness")
                assert sources(disk) == stored
                made.resume_workers()
                made.wait_for(lambda: made.count("state IN ('queued', 'leased')") == 0, 60, "every item's end")
                filled.unlink()
                run.released()
                load.join(60)
        finally:
            made.close()


def sources(store: Path) -> set[Path]:
    """Pictures that were sent."""
    return set(store.glob("**/sources/**/*"))


def test_f20_more_comes_than_may_wait(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F20", "ten clients, room for 60 pictures") as run:
        system.kill(system.api)
        system.start_api(max_waiting_items=60)
        system.wait_for(system.answers, what="the API")
        lock = threading.Lock()

        def client() -> None:
            for _ in range(6):
                numbers = numbers_of(12)
                pictures = {custom_id(number): canary(number) for number in numbers}
                call = submit(system.client, f"flood-{numbers[0]}", pictures, 2)
                with lock:
                    run.history.calls.append(call)
                    if call.status == 202 and call.batch_id:
                        run.history.expected += [Expected(call.batch_id, number, 2) for number in numbers]

        threads = [threading.Thread(target=client) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        refused = [call for call in run.history.calls if call.status == 429]
        run.hit(refused, "nothing was refused")
        assert {call.status for call in run.history.calls} == {202, 429}
        assert all(call.code == "rate_limited" and int(call.retry_after or 0) >= 1 for call in refused)
    system.kill(system.api)


def test_small_disks_are_small(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        file = fill(disk)
        assert 0 < file.stat().st_size <= 2**20
        with pytest.raises(OSError, match="No space"):
            (disk / "more").write_bytes(bytes(2**16))
