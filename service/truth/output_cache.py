"""The output cache: results of the same causes that the tenant has already, found by a digest on the row of their item.

What a result depends on is the picture, its labels, the recipe, seed, name and variant, and the engine that computes it.
The digest is over all of these but the variant, whose results are rows of the item. So an item that was finished lately,
with as many variants or more, answers for a new one, if it is whole: its objects are copied, and the copies are the new
item's own. Items that took partners from their batch have no digest: they depend on the others of it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from batching.items import Item, Stored
from batching.ledger import Kept
from kernels.partners import most_partners
from service.groups import Grouped
from service.truth.database import AsyncEngine, Row, statement
from service.truth.partitions import bounds

FORM = "augment output 1"
"""Of the digest; a change of what it is made of has another."""
MOST_ASKED = 256
MOST_FOUND = 3
"""Items of one digest that are looked at, the newest first: of some a result may have been deleted."""
SLACK_S = 60.0
"""How far the clocks of those who make ids may be ahead of ours."""

FIND = f"""
WITH asked AS MATERIALIZED (
  SELECT a.place, a.tenant, decode(a.key, 'hex') AS key, a.variants
  FROM unnest(CAST(:tenants AS text[]), CAST(:keys AS text[]), CAST(:variants AS int[]))
       WITH ORDINALITY AS a (tenant, key, variants, place)
)
SELECT a.place, found.id
FROM asked a CROSS JOIN LATERAL (
  SELECT i.id FROM items i JOIN batches b ON b.id = i.batch_id
  WHERE i.cache_key = a.key AND i.id BETWEEN :low AND :high AND i.tenant = a.tenant AND i.state = 'succeeded'
    AND b.deleted_at IS NULL AND b.variants >= a.variants
  ORDER BY i.cache_key, i.id DESC LIMIT {MOST_FOUND}
) found
ORDER BY a.place, found.id DESC
"""  # noqa: S608 - made of constants
"""One look into the index of each day. It is alone in its statement because it finds nothing most of the time."""

RESULTS = """
SELECT item_id, variant, object_key, bytes, sha256, width, height, format, draws, labels, device FROM outputs
WHERE item_id = ANY(CAST(:ids AS uuid[])) AND item_id BETWEEN :low AND :high AND variant < :most
ORDER BY item_id, variant
"""


@dataclass(frozen=True)
class _Asked:
    tenant: str
    key: str
    variants: int


class OutputCache:
    """Finds results of the last `days` days, for one event loop. All that is asked at a time is one statement."""

    def __init__(self, engine: AsyncEngine, days: float) -> None:
        self._engine, self._back_s = engine, days * 86_400
        self._asking: Grouped[_Asked, Kept | None] = Grouped(self._find, MOST_ASKED)

    async def find(self, item: Item, engine_version: str) -> Kept | None:
        """The results that an engine of this version would make of the item, all of them, or None. DatabaseUnavailable."""
        key = cache_key(item, engine_version)
        return await self._asking.ask(_Asked(item.tenant, key, item.variants)) if key else None

    async def _find(self, asked: Sequence[_Asked]) -> Sequence[Kept | None]:
        now_s = time.time()
        values = {
            "tenants": [one.tenant for one in asked],
            "keys": [one.key for one in asked],
            "variants": [one.variants for one in asked],
            "low": _id_at(now_s - self._back_s),
            "high": _id_at(now_s + SLACK_S),
        }
        candidates: dict[int, list[UUID]] = {}
        for row in await statement(self._engine, FIND, values):
            candidates.setdefault(row["place"] - 1, []).append(row["id"])
        if not candidates:
            return [None] * len(asked)
        results = await self._results([item for found in candidates.values() for item in found], asked)
        return [
            _whole([results.get(item, ()) for item in candidates.get(place, ())], one.variants)
            for place, one in enumerate(asked)
        ]

    async def _results(self, item_ids: list[UUID], asked: Sequence[_Asked]) -> dict[UUID, list[Row]]:
        values = {"ids": item_ids, "most": max(one.variants for one in asked), **bounds(item_ids)}
        results: dict[UUID, list[Row]] = {}
        for row in await statement(self._engine, RESULTS, values):
            results.setdefault(row["item_id"], []).append(row)
        return results


def _whole(found: Sequence[Sequence[Row]], variants: int) -> Kept | None:
    """The first of these results that are all there; they come by variant, and there is one of each at most."""
    for rows in found:
        wanted = [row for row in rows if row["variant"] < variants]
        if len(wanted) == variants:
            return Kept(tuple(_stored(row) for row in wanted), wanted[0]["device"])
    return None


def cache_key(item: Item, engine_version: str) -> str | None:
    """SHA-256, as hex digits, of what the item's results depend on; None: on others too, or it is made again to compare."""
    if item.company_of is not None or item.first_variant or not item.source_sha256 or most_partners(item.recipe):
        return None
    causes = [
        FORM,
        item.tenant,
        item.source_sha256,
        item.labels,
        item.recipe.digest,
        item.seed,
        item.name,
        item.key,
        engine_version,
    ]
    return hashlib.sha256(json.dumps(causes, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _stored(row: Row) -> Stored:
    return Stored(
        variant=row["variant"],
        object_key=row["object_key"],
        bytes=row["bytes"],
        sha256=row["sha256"],
        width=row["width"],
        height=row["height"],
        format=row["format"],
        draws=tuple(row["draws"]),
        labels=row["labels"],
    )


def _id_at(moment_s: float) -> UUID:
    return UUID(int=max(0, round(moment_s * 1000)) << 80)
