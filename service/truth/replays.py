"""What a replay reads: the result that is to be made again with all its causes, and what has come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.truth.database import AsyncEngine, statement
from service.truth.partitions import bounds_of, of_output
from service.truth.queries import FINAL_BATCH, SHOWN, WITHIN

FORGOTTEN_S = 900.0
"""A replay older than this is nobody's: the process that waited for it has ended. Longer than a request may wait."""

_MADE = "o.sha256, o.draws, o.labels, o.device, o.engine_version"
_ORIGIN = f"""
SELECT {_MADE}, o.variant, i.batch_id, i.custom_id, i.name, i.item_key, i.image_id, i.source_key, i.source_sha256, i.width,
       i.height, i.labels AS source_labels, i.cost_pixels / b.variants AS cost_pixels, b.recipe, b.recipe_digest,
       b.recipe_name, b.seed
FROM outputs o CROSS JOIN LATERAL (SELECT * FROM items n WHERE n.id = o.item_id AND n.id BETWEEN :low AND :high LIMIT 1) i
JOIN batches b ON b.id = o.batch_id
WHERE o.id = :id AND {WITHIN} AND o.tenant = :tenant AND {SHOWN}
"""  # noqa: S608 - made of constants
_OUTCOME = f"""
SELECT b.state, i.error_code, i.error_detail, {_MADE}
FROM batches b
CROSS JOIN LATERAL (SELECT * FROM items n WHERE n.batch_id = b.id AND n.id BETWEEN :low AND :high
                    ORDER BY n.position LIMIT 1) i
LEFT JOIN LATERAL (SELECT * FROM outputs r WHERE r.item_id = i.id AND r.item_id BETWEEN :low AND :high LIMIT 1) o ON true
WHERE b.id = :id
"""  # noqa: S608 - made of constants
_FORGET = f"""
UPDATE batches SET deleted_at = now(),
  cancel_requested_at = CASE WHEN state IN {FINAL_BATCH} THEN cancel_requested_at
                             ELSE coalesce(cancel_requested_at, now()) END
WHERE replay_of IS NOT NULL AND deleted_at IS NULL AND created_at < now() - make_interval(secs => :age_s) RETURNING id
"""  # noqa: S608 - made of constants


@dataclass(frozen=True)
class Made:
    """What is compared: a result's bytes, what its row says of them, and what made it."""

    sha256: str
    draws: Sequence[Mapping[str, Any]]
    labels: Mapping[str, Any] | None
    device: str
    engine_version: str


@dataclass(frozen=True)
class Origin:
    """A result, and its causes."""

    made: Made
    variant: int
    batch_id: UUID
    custom_id: str
    name: str
    item_key: str
    image_id: UUID | None
    source_key: str
    source_sha256: str
    width: int | None
    height: int | None
    source_labels: Mapping[str, Any] | None
    cost_pixels: int
    recipe: Mapping[str, Any]
    recipe_digest: str
    recipe_name: str | None
    seed: int


@dataclass(frozen=True)
class Outcome:
    """How far a replay is."""

    final: bool
    made: Made | None
    error_code: str | None
    error_detail: str | None


async def origin(engine: AsyncEngine, tenant: str, output_id: UUID) -> Origin | None:
    """The tenant's result with its causes, or None: absent, deleted or another's."""
    values = {"id": output_id, "tenant": tenant}
    rows = await of_output(lambda within: statement(engine, _ORIGIN, {**values, **within}), output_id)
    if not rows:
        return None
    row = dict(rows[0])
    made = Made(**{name: row.pop(name) for name in Made.__dataclass_fields__})
    return Origin(made=made, **row)


async def outcome(engine: AsyncEngine, batch_id: UUID) -> Outcome:
    """What has become of a replay's only picture."""
    [row] = await statement(engine, _OUTCOME, {"id": batch_id, **bounds_of(batch_id)})
    made = None if row["sha256"] is None else Made(**{name: row[name] for name in Made.__dataclass_fields__})
    return Outcome(row["state"] in FINAL_BATCH, made, row["error_code"], row["error_detail"])


async def forget(engine: AsyncEngine, age_s: float = FORGOTTEN_S) -> int:
    """Hides replays that nobody waits for any more, so that they are removed; says how many."""
    return len(await statement(engine, _FORGET, {"age_s": age_s}))
