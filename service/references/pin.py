"""Pictures that were accepted by their address become pictures of ours: fetched, checked, stored and noted, once."""

from __future__ import annotations

import asyncio
import hashlib

from batching.items import Item
from batching.ledger import Store
from kernels.codec import Probe, probe
from kernels.tensors import Size
from service.object_keys import Owner
from service.recipes import RecipeBook
from service.references.addresses import Allowed
from service.references.fetch import Fetcher, Resolve
from service.settings import Settings
from service.truth.database import AsyncEngine, statement
from service.uploads.intake import limits

PIN = """
WITH pinned AS (
  UPDATE items SET source_key = :key, source_sha256 = :sha256, source_bytes = :bytes, width = :width, height = :height,
    cost_pixels = :cost_pixels
  WHERE id = :id AND token = :token AND state = 'leased' AND source_key = ''
  RETURNING tenant
)
SELECT meter(tenant, 0, 0, 0, CAST(:bytes AS bigint)) FROM pinned
"""
"""What comes with a new row is metered by a trigger; these bytes come later."""


class References:
    """Pins pictures, for one event loop."""

    def __init__(self, engine: AsyncEngine, store: Store, settings: Settings, resolve: Resolve | None = None) -> None:
        self._engine, self._store, self._limits = engine, store, limits(settings)
        self._fetcher = Fetcher(allowed(settings), settings.max_image_bytes, settings.url_timeout_s, resolve)
        self._recipes = RecipeBook(settings.max_variants, settings.max_output_pixels)

    async def pin(self, item: Item) -> None:
        """Fetches the picture and notes in the item's row where it is now and what it is, if the item is still leased.

        SourceUrlForbidden, SourceUnreachable, the errors of `probe`, WorkTooLarge, RecipeInvalid; those of store and
        database, after which it may be tried again.
        """
        content = await self._fetcher.fetch(item.source_url)
        sha256, found = await asyncio.to_thread(self._looked_at, content)
        cost_pixels = self._recipes.cost_pixels(item.recipe, Size(found.height, found.width), item.variants)
        key = Owner(item.tenant, "sources", item.batch_id).key(sha256)
        await self._store.put(key, content)
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
        await statement(self._engine, PIN, values)

    def _looked_at(self, content: bytes) -> tuple[str, Probe]:
        return hashlib.sha256(content).hexdigest(), probe(content, self._limits)


def allowed(settings: Settings) -> Allowed:
    """What the settings allow."""
    return Allowed(frozenset(settings.url_ports), settings.url_networks)
