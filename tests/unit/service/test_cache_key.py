"""The digest of the output cache: the same for the same causes, another one for each that differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from batching.items import Item
from kernels.recipe import Recipe
from service.truth.output_cache import cache_key
from tests.helpers.ledger import make_item

LABELS = {"boxes": {"values": [[1, 2, 3, 4]], "classes": ["cat"]}}
STEPS = [{"op": "rotate"}, {"op": "same_draws", "steps": [{"op": "hflip"}]}]


def item(**changes: Any) -> Item:
    return replace(make_item(b"picture", recipe=Recipe.parse({"steps": STEPS}), labels=LABELS), **changes)


def test_what_does_not_change_results_does_not_change_it() -> None:
    """Batch, place, lease, priority and the number of variants; and in which order the labels' fields came."""
    other = item(
        batch_id=uuid4(),
        id=uuid4(),
        token=9,
        priority="interactive",
        variants=5,
        executions=3,
        suspect=True,
        source_key="elsewhere",
        recipe=Recipe.parse({"steps": STEPS}),
        labels={"boxes": {"classes": ["cat"], "values": [[1, 2, 3, 4]]}},
    )
    key = cache_key(other, "v1")
    assert key is not None
    assert key == cache_key(item(), "v1")
    assert len(bytes.fromhex(key)) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "other"},
        {"source_sha256": "1" * 64},
        {"labels": None},
        {"labels": {"boxes": {"values": [[1, 2, 3, 5]], "classes": ["cat"]}}},
        {"recipe": Recipe.parse({"steps": STEPS, "output": {"format": "png"}})},
        {"recipe": Recipe.parse({"steps": STEPS, "profile": "kornia"})},
        {"recipe": Recipe.parse({"steps": STEPS[:1]})},
        {"seed": 8},
        {"name": "other", "key": 2},
        {"name": "other"},
    ],
    ids="-".join,
)
def test_each_cause_changes_it(change: dict[str, Any]) -> None:
    assert cache_key(item(**change), "v1") not in (None, cache_key(item(), "v1"))


def test_the_engine_version_is_a_cause() -> None:
    assert cache_key(item(), "1a2b-cpu-avx512") != cache_key(item(), "1a2b-cpu-avx2")


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": Recipe.parse({"steps": [{"op": "mixup"}]})},
        {"recipe": Recipe.parse({"steps": [{"op": "one_of", "steps": [{"op": "hflip"}, {"op": "mosaic"}]}]})},
        {"company_of": uuid4()},
        {"first_variant": 3},
        {"source_sha256": ""},
    ],
    ids=["mixes", "may-mix", "replay", "one-variant-of-a-replay", "not-fetched-yet"],
)
def test_what_depends_on_others_or_is_a_replay_has_none(change: dict[str, Any]) -> None:
    assert cache_key(item(**change), "v1") is None
