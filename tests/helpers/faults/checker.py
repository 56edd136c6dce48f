"""The checker: what clients were promised against what PostgreSQL, the store and Redis hold in the end.

I1  every acknowledged item has exactly one final state
I2  one row at most for each (item, variant); exactly the asked set where the item succeeded, none where it did not
I3  each row's object exists, its hash is the row's, it decodes, and it carries its own item's number
I4  rows and objects of an item are its batch's tenant's
I5  moves of items are legal, each from where the last one led; tries stay within their budgets
I6  objects without a row are gone after the time in which they are collected
I7  at rest there are no temporary files of processes that live, no leases and no entries in lanes
I8  counts agree: total = succeeded + failed + cancelled, and as many items are in these states
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from service.truth.tables import ITEM_MOVES
from tests.helpers.faults.canary import number_of

Row = Mapping[str, Any]
Kind = Literal["lost", "duplicated", "wrong content", "other"]
FINAL = ("succeeded", "failed", "cancelled")
KINDS: tuple[Kind, ...] = ("lost", "duplicated", "wrong content", "other")


@dataclass(frozen=True)
class Expected:
    """One acknowledged item: what its client knows of it."""

    batch_id: str
    number: int
    """What its canary carries, and its custom_id says."""
    variants: int
    codes: frozenset[str] = frozenset()
    """Codes that it is to fail with; empty: it is to succeed."""


@dataclass(frozen=True)
class Facts:
    """What is there in the end."""

    batches: Sequence[Row]
    items: Sequence[Row]
    outputs: Sequence[Row]
    moves: Sequence[Row]
    """Of items, in order."""
    objects: Mapping[str, bytes]
    """Every object under `{tenant}/outputs/`, and of others at least the keys."""
    ages_s: Mapping[str, float] = field(default_factory=dict)
    """Of objects."""
    temporary: Sequence[str] = ()
    entries: int = 0
    """In lanes, waiting or taken."""


@dataclass(frozen=True)
class Violation:
    """One breach of an invariant."""

    invariant: str
    kind: Kind
    what: str


@dataclass(frozen=True)
class Budgets:
    """Most tries of an item."""

    executions: int = 5
    crashes: int = 3


def check(
    expected: Sequence[Expected],
    facts: Facts,
    budgets: Budgets = Budgets(),
    collected_after_s: float | None = None,  # frozen
) -> list[Violation]:
    """Every breach. collected_after_s: how long an object without a row may be there; None: for ever."""
    found: list[Violation] = []

    def breach(invariant: str, kind: Kind, what: str) -> None:
        found.append(Violation(invariant, kind, what))

    items = {(str(row["batch_id"]), row["custom_id"]): row for row in facts.items}
    outputs: dict[str, list[Row]] = defaultdict(list)
    for row in facts.outputs:
        outputs[str(row["item_id"])].append(row)
    _acknowledged(expected, items, outputs, breach)
    _contents(facts, breach)
    _tenants(facts, breach)
    _moves(facts, budgets, breach)
    _orphans(facts, collected_after_s, breach)
    for name in facts.temporary:
        breach("I7", "other", f"temporary file {name}")
    for row in facts.items:
        if row["state"] == "leased" or row["lease_until"] is not None:
            breach("I7", "other", f"item {row['id']} is leased")
    if facts.entries:
        breach("I7", "other", f"{facts.entries} entries are left in lanes")
    _counts(facts, breach)
    return found


def custom_id(number: int) -> str:
    """The name of a canary."""
    return f"{number:012x}.png"


def _acknowledged(
    expected: Sequence[Expected], items: Mapping[tuple[str, str], Row], outputs: Mapping[str, Sequence[Row]], breach: Any
) -> None:
    for wanted in expected:
        name = f"{custom_id(wanted.number)} of batch {wanted.batch_id}"
        row = items.get((wanted.batch_id, custom_id(wanted.number)))
        if row is None:
            breach("I1", "lost", f"{name} is nowhere")
            continue
        if row["state"] not in FINAL:
            breach("I1", "lost", f"{name} is {row['state']}")
            continue
        if wanted.codes and row["error_code"] not in wanted.codes:
            breach("I1", "other", f"{name} ended as {row['state']} {row['error_code']}, not as {sorted(wanted.codes)}")
        if not wanted.codes and row["state"] != "succeeded":
            breach("I1", "lost", f"{name} ended as {row['state']} {row['error_code']}")
        counted = Counter(output["variant"] for output in outputs.get(str(row["id"]), ()))
        for variant, times in counted.items():
            if times > 1:
                breach("I2", "duplicated", f"{name} has {times} results of variant {variant}")
        asked = set(range(wanted.variants)) if row["state"] == "succeeded" else set()
        for variant in sorted(asked - set(counted)):
            breach("I2", "lost", f"{name} has no result of variant {variant}")
        for variant in sorted(set(counted) - asked):
            breach("I2", "duplicated", f"{name} has a result of variant {variant}, that nobody asked for")


def _contents(facts: Facts, breach: Any) -> None:
    names = {str(row["id"]): row["custom_id"] for row in facts.items}
    for row in facts.outputs:
        name = f"result {row['variant']} of {names.get(str(row['item_id']), 'an item that is not there')}"
        content = facts.objects.get(row["object_key"])
        if content is None:
            breach("I3", "lost", f"{name} has no object")
            continue
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            breach("I3", "wrong content", f"{name} has other bytes than its row says")
            continue
        try:
            number = number_of(content)
        except OSError as error:
            breach("I3", "wrong content", f"{name} cannot be decoded: {error}")
            continue
        if number is None or custom_id(number) != names.get(str(row["item_id"])):
            breach("I3", "wrong content", f"{name} shows {'nothing' if number is None else custom_id(number)}")


def _tenants(facts: Facts, breach: Any) -> None:
    tenants = {str(row["id"]): row["tenant"] for row in facts.batches}
    for row in (*facts.items, *facts.outputs):
        tenant = tenants.get(str(row["batch_id"]))
        if row["tenant"] != tenant:
            breach("I4", "other", f"row {row['id']} is {row['tenant']}'s, its batch {tenant}'s")
        for key in (row.get("object_key"), row.get("source_key")):
            if key and not key.startswith(f"{tenant}/"):
                breach("I4", "other", f"row {row['id']} of {tenant} has the object {key}")


def _moves(facts: Facts, budgets: Budgets, breach: Any) -> None:
    now: dict[str, str] = {}
    for move in facts.moves:
        item, before, after = str(move["item_id"]), move["from_state"], move["to_state"]
        if now.get(item, "queued") != before:
            breach("I5", "other", f"item {item} left {before} when it was {now.get(item, 'queued')}")
        if after not in ITEM_MOVES.get(before, ()):
            breach("I5", "other", f"item {item} went from {before} to {after}")
        now[item] = after
    for row in facts.items:
        if now.get(str(row["id"]), "queued") != row["state"]:
            breach("I5", "other", f"item {row['id']} is {row['state']}, its log ends with {now.get(str(row['id']))}")
        if row["executions"] > budgets.executions or row["crashes"] > budgets.crashes:
            breach("I5", "other", f"item {row['id']} had {row['executions']} executions and {row['crashes']} crashes")


def _orphans(facts: Facts, collected_after_s: float | None, breach: Any) -> None:
    if collected_after_s is None:
        return
    known = {row["object_key"] for row in facts.outputs} | {row["source_key"] for row in facts.items}
    for key in set(facts.objects) - known:
        if facts.ages_s.get(key, 0.0) > collected_after_s:
            breach("I6", "other", f"object {key} belongs to no row")


def _counts(facts: Facts, breach: Any) -> None:
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for row in facts.items:
        states[str(row["batch_id"])][row["state"]] += 1
    for row in facts.batches:
        said = {state: row[state] for state in FINAL}
        real = {state: states[str(row["id"])][state] for state in FINAL}
        if said != real or sum(said.values()) != row["total"]:
            breach("I8", "other", f"batch {row['id']} of {row['total']} says {said}, and has {real}")
