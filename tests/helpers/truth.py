"""What PostgreSQL and the store say when everything is over: asked beside the API, to check what it told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from service.truth.tables import ITEM_MOVES
from tests.helpers.http import Json, outputs
from tests.helpers.stack import Stack

Row = dict[str, Any]


def rows(url: str, sql: str, values: Mapping[str, object] | None = None) -> list[Row]:
    """The rows of one statement, with `%(name)s` parameters."""
    with psycopg.connect(
        url.replace("postgresql+psycopg", "postgresql", 1), autocommit=True, row_factory=dict_row
    ) as connection:
        return connection.execute(sql.encode(), values).fetchall()


def item_states(stack: Stack, batch_id: str) -> dict[str, int]:
    """How many items of a batch are in each state."""
    sql = "SELECT state, count(*) AS items FROM items WHERE batch_id = %(id)s GROUP BY state"
    return {row["state"]: row["items"] for row in rows(stack.settings.database_url, sql, {"id": batch_id})}


def check_complete(stack: Stack, view: Json, names: Iterable[str], variants: int) -> list[Json]:
    """Counts exact, every output once and readable, every move of an item a legal one; the outputs."""
    wanted = {(name, variant) for name in names for variant in range(variants)}
    pictures = len(wanted) // variants
    assert view["state"] == "completed"
    assert view["counts"] == {"total": pictures, "succeeded": pictures, "failed": 0, "cancelled": 0}
    assert view["outputs"] == {"total": len(wanted), "done": len(wanted)}
    made = outputs(stack.client, view["id"])
    assert len(made) == len(wanted)
    assert {(output["custom_id"], output["variant"]) for output in made} == wanted
    for output in made:
        content = stack.client.get(f"/v1/outputs/{output['id']}/content").content
        assert hashlib.sha256(content).hexdigest() == output["sha256"]
        assert len(content) == output["bytes"]
    check_log(stack, view["id"])
    return made


def check_log(stack: Stack, batch_id: str) -> None:
    """Every item's moves follow each other and are listed as legal."""
    sql = "SELECT item_id, from_state, to_state FROM state_log WHERE batch_id = %(id)s AND item_id IS NOT NULL ORDER BY id"
    now: dict[object, str] = {}
    for row in rows(stack.settings.database_url, sql, {"id": batch_id}):
        before = row["from_state"]
        if before is not None:
            assert now.get(row["item_id"], "queued") == before, row
            assert row["to_state"] in ITEM_MOVES[before], row
        now[row["item_id"]] = row["to_state"]
    assert set(now.values()) <= {"succeeded", "failed", "cancelled"}


def contents(made: Iterable[Json]) -> dict[tuple[str, int], str]:
    """What identifies the bytes of each output."""
    return {(output["custom_id"], output["variant"]): output["sha256"] for output in made}
