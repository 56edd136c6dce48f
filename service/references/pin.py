"""Pictures that were accepted by their address become pictures of ours: fetched, checked, stored and noted, once."""

from __future__ import annotations

import asyncio
import hashlib

from batching.errors import ResourceExhausted
from batching.items import Item
from batching.ledger import Store
from kernels.codec import Probe, probe
from kernels.tensors import Size
from service.accounts.allowance import Allowance
from service.depth import Load, over_quota
from service.object_keys import Owner
from service.recipes import RecipeBook
from service.references.addresses import Allowed
from service.references.fetch import Fetcher, Resolve
from service.settings import Settings
from service.truth import usage_queries
from service.truth.database import AsyncEngine, statement
from service.uploads.intake import limits

PIN = """
WITH found AS MATERIALIZED (
  SELECT id, cost_pixels, created_at FROM items
  WHERE id = :id AND token = :token AND state = 'leased' AND source_key = '' FOR NO KEY UPDATE
), pinned AS (
  UPDATE items i SET source_key = :key, source_sha256 = :sha256, source_bytes = :bytes, width = :width, height = :height,
    cost_pixels = :cost_pixels
  FROM found f WHERE i.id = f.id
  RETURNING i.tenant, CAST(:cost_pixels AS bigint) - f.cost_pixels AS more_pixels,
    CAST(f.created_at AT TIME ZONE 'UTC' AS date) = CAST(now() AT TIME ZONE 'UTC' AS date) AS today
)
SELECT meter(tenant, 0, 0, CASE WHEN today THEN more_pixels ELSE greatest(more_pixels, 0) END, CAST(:bytes AS bigint))
FROM pinned
"""
"""What comes with a new row is metered by a trigger, its pixels as they were estimated; these bytes, and what the estimate
was off by, come later. What an earlier day was charged too much is not taken off today's pixels, which may be none."""


class References:
    """Pins pictures, for one event loop."""

    def __init__(self, engine: AsyncEngine, store: Store, settings: Settings, resolve: Resolve | None = None) -> None:
        self._engine, self._store, self._limits = engine, store, limits(settings)
        self._fetcher = Fetcher(allowed(settings), settings.max_image_bytes, settings.url_timeout_s, resolve)
        self._recipes = RecipeBook(settings.max_variants, settings.max_output_pixels)
        self._usual, self._in_turn = Allowance.of(settings), asyncio.Lock()

    async def pin(self, item: Item) -> None:
        """Fetches the picture and notes in the item's row where it is now and what it is, if the item is still leased.

        SourceUrlForbidden, SourceUnreachable, the errors of `probe`, WorkTooLarge, RecipeInvalid, ResourceExhausted (it is
        more than its tenant's quotas have left); those of store and database, after which it may be tried again.
        """
        content = await self._fetcher.fetch(item.source_url)
        sha256, found = await asyncio.to_thread(self._looked_at, content)
        cost_pixels = self._recipes.cost_pixels(item.recipe, Size(found.height, found.width), item.variants)
        key = Owner(item.tenant, "sources", item.batch_id).key(sha256)
        values = {
            "key": key,
            "sha256": sha256,
            "bytes": len(content),
            "width": found.width,
            "height": found.height,
            "cost_pixels": cost_pixels,
            "id": item.id,
            "token": item.token,
        }
        allowance, _ = await self._level(item.tenant)
        if allowance.max_pixels_per_day is None and allowance.max_stored_bytes is None:
            await self._keep(content, values)
            return
        asked = Load(pixels=cost_pixels - item.cost_pixels, bytes=len(content))
        async with self._in_turn:  # all that are fetched at once would otherwise see the same room
            allowance, level = await self._level(item.tenant)
            if refusal := over_quota(allowance, level.pixels_today, level.bytes_stored, asked):
                raise ResourceExhausted(refusal.message)
            await self._keep(content, values)

    async def _level(self, tenant: str) -> tuple[Allowance, usage_queries.Level]:
        level = await usage_queries.level(self._engine, tenant)
        return self._usual.with_own(level.limits), level

    async def _keep(self, content: bytes, values: dict[str, object]) -> None:
        await self._store.put(str(values["key"]), content)
        await statement(self._engine, PIN, values)

    def _looked_at(self, content: bytes) -> tuple[str, Probe]:
        return hashlib.sha256(content).hexdigest(), probe(content, self._limits)


def allowed(settings: Settings) -> Allowed:
    """What the settings allow."""
    return Allowed(frozenset(settings.url_ports), settings.url_networks)
