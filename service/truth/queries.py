"""What the API reads of batches, items, outputs and images, and the statements behind it."""

# ruff: noqa: S608  # what is put together here are constants of this file; values are always parameters
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from batching.items import Priority
from service.truth.database import AsyncEngine, Row, statement
from service.truth.partitions import bounds, bounds_of, of_output

SHOWN = "b.deleted_at IS NULL AND b.replay_of IS NULL"
"""Batches that exist for their owner."""
WITHIN = "o.item_id BETWEEN :low AND :high"
"""Only the partitions that can have them: see `partitions`."""
OF_ITEM = """CROSS JOIN LATERAL (SELECT n.custom_id, n.name, n.position FROM items n
        WHERE n.id = o.item_id AND n.id BETWEEN :low AND :high LIMIT 1) i"""
"""Each item by its id: a join, planned once and before there are rows, would read all between `low` and `high` for each."""
FINAL_BATCH = ("completed", "cancelled", "expired")
BATCH_COLUMNS = """b.id, b.state, b.priority, b.recipe, b.recipe_digest, b.recipe_name, b.seed, b.variants, b.total,
    b.succeeded, b.failed, b.cancelled, b.outputs_done, b.generation, b.created_at, b.started_at, b.finished_at"""
OUTPUT_COLUMNS = """o.id, o.batch_id, o.item_id, i.custom_id, i.name, o.variant, o.width, o.height, o.bytes, o.sha256,
    o.format, o.draws, o.labels, o.device, o.engine_version, o.cached, o.created_at, o.object_key, i.position, b.seed,
    b.recipe_digest, b.recipe_name"""


@dataclass(frozen=True)
class Batch:
    """A batch as its row says."""

    id: UUID
    state: str
    priority: Priority
    recipe: Mapping[str, Any]
    recipe_digest: str
    recipe_name: str | None
    seed: int
    variants: int
    total: int
    succeeded: int
    failed: int
    cancelled: int
    outputs_done: int
    generation: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def final(self) -> bool:
        return self.state in FINAL_BATCH


@dataclass(frozen=True)
class Output:
    """A result as its row says, with what its item and batch add."""

    id: UUID
    batch_id: UUID
    item_id: UUID
    custom_id: str
    name: str
    variant: int
    width: int
    height: int
    bytes: int
    sha256: str
    format: str
    draws: Sequence[Mapping[str, Any]]
    labels: Mapping[str, Any] | None
    device: str
    engine_version: str
    cached: bool
    created_at: datetime
    object_key: str
    position: int
    seed: int
    recipe_digest: str
    recipe_name: str | None


@dataclass(frozen=True)
class Result:
    """What an answer needs of the one result of an item."""

    id: UUID
    sha256: str
    format: str
    object_key: str
    cached: bool


@dataclass(frozen=True)
class ItemRow:
    """An item as its row says."""

    id: UUID
    position: int
    custom_id: str
    state: str
    executions: int
    width: int | None
    height: int | None
    error_code: str | None
    error_detail: str | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Picture:
    """What a row of an uploaded picture is made of."""

    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    object_key: str


@dataclass(frozen=True)
class Image:
    """An uploaded picture as its row says."""

    id: UUID
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    filename: str
    object_key: str
    created_at: datetime


ITEM_COLUMNS = "id, position, custom_id, state, executions, width, height, error_code, error_detail, finished_at"
IMAGE_COLUMNS = "id, sha256, bytes, format, width, height, filename, object_key, created_at"


async def batch(engine: AsyncEngine, tenant: str, batch_id: UUID) -> Batch | None:
    """The tenant's batch, or None: absent, deleted or another's."""
    rows = await statement(
        engine,
        f"SELECT {BATCH_COLUMNS} FROM batches b WHERE b.id = :id AND b.tenant = :tenant AND {SHOWN}",
        {"id": batch_id, "tenant": tenant},
    )
    return Batch(**rows[0]) if rows else None


async def batches(
    engine: AsyncEngine, tenant: str, state: str | None, group: str | None, before: UUID | None, limit: int
) -> list[Batch]:
    """Batches from the newest on, those made before `before`."""
    conditions = ["b.tenant = :tenant", SHOWN]
    conditions += ["b.state = :state"] if state else []
    conditions += ['b."group" = :group'] if group else []
    conditions += ["b.id < :before"] if before else []
    rows = await statement(
        engine,
        f"SELECT {BATCH_COLUMNS} FROM batches b WHERE {' AND '.join(conditions)} ORDER BY b.id DESC LIMIT :limit",
        _without_none(tenant=tenant, state=state, group=group, before=before, limit=limit),
    )
    return [Batch(**row) for row in rows]


async def items(
    engine: AsyncEngine, tenant: str, batch_id: UUID, state: str | None, after: int, limit: int
) -> list[ItemRow]:
    """Items of a batch in the order they were sent, from the one behind position `after` on."""
    rows = await statement(
        engine,
        f"""SELECT {ITEM_COLUMNS} FROM items WHERE batch_id = :batch AND id BETWEEN :low AND :high AND tenant = :tenant
            AND position > :after {"AND state = :state" if state else ""} ORDER BY position LIMIT :limit""",
        _without_none(batch=batch_id, tenant=tenant, state=state, after=after, limit=limit, **bounds_of(batch_id)),
    )
    return [ItemRow(**row) for row in rows]


async def failed_items(
    engine: AsyncEngine, tenant: str, batch_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[ItemRow]:
    """Failed items of a batch in the order they ended, from the one behind `after` (end, id) on."""
    rows = await statement(
        engine,
        f"""SELECT {ITEM_COLUMNS} FROM items WHERE batch_id = :batch AND id BETWEEN :low AND :high AND tenant = :tenant
            AND state = 'failed' {"AND (finished_at, id) > (:at, :id)" if after else ""}
            ORDER BY finished_at, id LIMIT :limit""",
        _without_none(
            batch=batch_id,
            tenant=tenant,
            at=after[0] if after else None,
            id=after[1] if after else None,
            limit=limit,
            **bounds_of(batch_id),
        ),
    )
    return [ItemRow(**row) for row in rows]


async def outputs_of(engine: AsyncEngine, tenant: str, item_ids: Sequence[UUID]) -> list[Output]:
    """Outputs of some items, by item and variant."""
    if not item_ids:
        return []
    rows = await statement(
        engine,
        f"""SELECT {OUTPUT_COLUMNS} FROM outputs o {OF_ITEM} JOIN batches b ON b.id = o.batch_id
            WHERE o.item_id = ANY(:ids) AND {WITHIN} AND o.tenant = :tenant ORDER BY o.item_id, o.variant""",
        {"ids": list(item_ids), "tenant": tenant, **bounds(item_ids)},
    )
    return [_output(row) for row in rows]


async def first_results(engine: AsyncEngine, asked: Sequence[tuple[str, UUID]]) -> list[Result | None]:
    """Variant 0 of each (tenant, item) that was asked for, in order; None: there is none, or it is another tenant's."""
    item_ids = [item_id for _, item_id in asked]
    rows = await statement(
        engine,
        """SELECT o.tenant, o.item_id, o.id, o.sha256, o.format, o.object_key, o.cached FROM outputs o
           WHERE o.item_id = ANY(:ids) AND o.item_id BETWEEN :low AND :high AND o.variant = 0""",
        {"ids": item_ids, **bounds(item_ids)},
    )
    found = {(row["tenant"], row["item_id"]): row for row in rows}
    return [
        Result(row["id"], row["sha256"], row["format"], row["object_key"], row["cached"])
        if (row := found.get(one))
        else None
        for one in asked
    ]


async def outputs_page(
    engine: AsyncEngine, tenant: str, batch_id: UUID, after: tuple[UUID, int] | None, limit: int
) -> list[Output]:
    """Outputs of a batch by item and variant, from the one behind `after` on. Item ids sort as the items were sent."""
    rows = await statement(
        engine,
        f"""SELECT {OUTPUT_COLUMNS} FROM outputs o {OF_ITEM} JOIN batches b ON b.id = o.batch_id
            WHERE o.batch_id = :batch AND {WITHIN} AND o.tenant = :tenant
            {"AND (o.item_id, o.variant) > (:item, :variant)" if after else ""}
            ORDER BY o.item_id, o.variant LIMIT :limit""",
        _without_none(
            batch=batch_id,
            tenant=tenant,
            item=after[0] if after else None,
            variant=after[1] if after else None,
            limit=limit,
            **bounds_of(batch_id),
        ),
    )
    return [_output(row) for row in rows]


async def output(engine: AsyncEngine, tenant: str, output_id: UUID) -> Output | None:
    """The tenant's output, or None: absent, deleted or another's."""
    find = f"""SELECT {OUTPUT_COLUMNS} FROM outputs o {OF_ITEM} JOIN batches b ON b.id = o.batch_id
        WHERE o.id = :id AND {WITHIN} AND o.tenant = :tenant AND {SHOWN}"""
    values = {"id": output_id, "tenant": tenant}
    rows = await of_output(lambda within: statement(engine, find, {**values, **within}), output_id)
    return _output(rows[0]) if rows else None


async def image(engine: AsyncEngine, tenant: str, image_id: UUID) -> Image | None:
    """The tenant's uploaded picture, or None: absent, deleted or another's."""
    found = await images_by_id(engine, tenant, [image_id])
    return found.get(image_id)


async def image_of(engine: AsyncEngine, tenant: str, sha256: str) -> Image | None:
    """The tenant's uploaded picture of these bytes, or None."""
    rows = await statement(
        engine,
        f"SELECT {IMAGE_COLUMNS} FROM images WHERE tenant = :tenant AND sha256 = :sha256 AND deleted_at IS NULL",
        {"tenant": tenant, "sha256": sha256},
    )
    return Image(**rows[0]) if rows else None


async def images_by_id(engine: AsyncEngine, tenant: str, image_ids: Sequence[UUID]) -> dict[UUID, Image]:
    """Those of the asked pictures that the tenant has."""
    rows = await statement(
        engine,
        f"SELECT {IMAGE_COLUMNS} FROM images WHERE id = ANY(:ids) AND tenant = :tenant AND deleted_at IS NULL",
        {"ids": list(image_ids), "tenant": tenant},
    )
    return {row["id"]: Image(**row) for row in rows}


async def images(engine: AsyncEngine, tenant: str, before: UUID | None, limit: int) -> list[Image]:
    """Uploaded pictures from the newest on, those made before `before`."""
    rows = await statement(
        engine,
        f"""SELECT {IMAGE_COLUMNS} FROM images WHERE tenant = :tenant AND deleted_at IS NULL
            {"AND id < :before" if before else ""} ORDER BY id DESC LIMIT :limit""",
        _without_none(tenant=tenant, before=before, limit=limit),
    )
    return [Image(**row) for row in rows]


async def keep_image(
    engine: AsyncEngine, tenant: str, image_id: UUID, picture: Picture, filename: str
) -> tuple[Image, bool]:
    """The row of these bytes, made under `image_id` where the tenant has none yet; and whether it was made."""
    values = {
        "id": image_id,
        "tenant": tenant,
        "sha256": picture.sha256,
        "bytes": picture.bytes,
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "filename": filename,
        "object_key": picture.object_key,
    }
    columns = ", ".join(values)
    insert = f"""INSERT INTO images ({columns}) VALUES ({", ".join(f":{name}" for name in values)})
        ON CONFLICT (tenant, sha256) WHERE deleted_at IS NULL DO NOTHING RETURNING {IMAGE_COLUMNS}"""
    while True:
        if rows := await statement(engine, insert, values):
            return Image(**rows[0]), True
        if there := await image_of(engine, tenant, picture.sha256):
            # a statement that was run again finds the row that it made itself
            return there, there.id == image_id


async def hide_image(engine: AsyncEngine, tenant: str, image_id: UUID) -> bool:
    """Hides an uploaded picture; False: there is none."""
    hide = (
        """UPDATE images SET deleted_at = now() WHERE id = :id AND tenant = :tenant AND deleted_at IS NULL RETURNING id"""
    )
    return bool(await statement(engine, hide, {"id": image_id, "tenant": tenant}))


async def remove_output(engine: AsyncEngine, tenant: str, output_id: UUID) -> str | None:
    """Removes the row of a result, and says where its bytes are; None: there is none."""
    remove = f"""DELETE FROM outputs o USING batches b
        WHERE o.id = :id AND o.item_id BETWEEN :low AND :high AND o.tenant = :tenant AND b.id = o.batch_id AND {SHOWN}
        RETURNING o.object_key"""
    values = {"id": output_id, "tenant": tenant}
    rows = await of_output(lambda within: statement(engine, remove, {**values, **within}), output_id)
    return rows[0]["object_key"] if rows else None


async def states(engine: AsyncEngine, batch_ids: Sequence[UUID]) -> dict[UUID, tuple[str, int, int]]:
    """State, final items and outputs done of some batches: enough to see that one has changed."""
    rows = await statement(
        engine,
        """SELECT id, state, succeeded + failed + cancelled AS final, outputs_done FROM batches WHERE id = ANY(:ids)""",
        {"ids": list(batch_ids)},
    )
    return {row["id"]: (row["state"], row["final"], row["outputs_done"]) for row in rows}


async def unfinished(engine: AsyncEngine) -> dict[tuple[str, str], int]:
    """Items that are not final by priority and state, of all tenants; the open batches' counts, never a scan of items."""
    rows = await statement(
        engine,
        """SELECT priority, 'queued' AS state, sum(total - succeeded - failed - cancelled) AS items FROM batches
           WHERE state IN ('queued', 'running') GROUP BY priority
           UNION ALL SELECT priority, 'leased', count(*) FROM items WHERE state = 'leased' GROUP BY priority""",
        {},
    )
    counts = {(row["priority"], row["state"]): int(row["items"]) for row in rows}
    for (priority, state), leased in list(counts.items()):
        if state == "leased" and (priority, "queued") in counts:
            counts[priority, "queued"] = max(0, counts[priority, "queued"] - leased)
    return counts


async def writable(engine: AsyncEngine) -> None:
    """Returns when PostgreSQL took a transaction that writes. DatabaseUnavailable."""
    await statement(engine, "SELECT pg_current_xact_id()::text AS id", {})


def _without_none(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _output(row: Row) -> Output:
    return Output(**row)
