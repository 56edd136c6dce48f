"""A worker whose ledger knows earlier results: it copies them, and runs what cannot be copied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batching.errors import LedgerUnavailable
from batching.items import Done, Item
from batching.lanes import Lanes
from batching.ledger import Kept
from kernels.version import engine_version
from tests.helpers.worker import Rig


def keep(rig: Rig, items: list[Item], done: dict[int, Done], version: str) -> None:
    """Makes the results of items of the same keys the ledger's earlier ones."""
    rig.ledger.results = {
        (item.source_sha256, item.key, version): Kept(done[item.key].outputs, "where it was made") for item in items
    }


def outcome(rig: Rig, item: Item) -> Done:
    found = rig.ledger.outcome(item)
    assert isinstance(found, Done), found
    return found


def run(rig: Rig, items: list[Item]) -> dict[str, str]:
    """What the worker says of itself when the items are final."""
    said: dict[str, str] = {}

    async def scenario(lanes: Lanes) -> None:
        await rig.hand_off(lanes, items)
        await rig.until_final(items)
        await rig.until(lambda: rig.ledger.states().keys() == {"succeeded"})

    assert rig.run(scenario) == 0
    return said


def test_earlier_results_are_copied_and_what_cannot_be_is_run(rig: Rig) -> None:
    version = engine_version("cpu")
    first = rig.submit(6, variants=2)
    run(rig, first)
    done = {item.key: outcome(rig, item) for item in first}
    assert not any(one.cached for one in done.values())

    again = [replace(item, id=new.id, use_cache=True) for item, new in zip(first, rig.submit(6, variants=2), strict=True)]
    never = replace(again[5], use_cache=False)
    again = [*again[:5], never]
    rig.ledger.rows.clear()
    rig.ledger.add(again)
    keep(rig, again, done, version)
    del rig.ledger.results[again[0].source_sha256, again[0].key, version]  # not known
    lost = done[again[1].key].outputs[1].object_key
    content = rig.store.objects.pop(lost)  # known, and deleted meanwhile
    run(rig, again)
    outcomes = [outcome(rig, item) for item in again]
    assert [one.cached for one in outcomes] == [False, False, True, True, True, False]
    rig.store.objects[lost] = content
    for item, one in zip(again, outcomes, strict=True):
        assert rig.store.contents(one) == rig.store.contents(done[item.key])
        assert {output.object_key.split("/")[4][:36] for output in one.outputs} == {str(item.id)}
        assert one.engine_version == version
        assert (one.device == "where it was made") == one.cached


def test_another_engine_version_is_run(rig: Rig) -> None:
    first = rig.submit(1)
    run(rig, first)
    [again] = [replace(first[0], id=new.id, use_cache=True) for new in rig.submit(1)]
    rig.ledger.rows.clear()
    rig.ledger.add([again])
    keep(rig, [again], {first[0].key: Done(first[0], (), "cpu", "other")}, "other")
    run(rig, [again])
    assert not outcome(rig, again).cached


def test_a_ledger_that_cannot_say_keeps_nobody_waiting(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(item: Item, version: str) -> Kept | None:
        raise LedgerUnavailable("a test")

    monkeypatch.setattr(rig.ledger, "kept", away)
    items = rig.submit(2, use_cache=True)
    run(rig, items)
    assert not any(outcome(rig, item).cached for item in items)
