"""The ledger in SQL: lease, renew, finish and hand back, each one statement, so each happens whole or not at all.

A lease's token is chosen before the statement that takes the lease. So a statement whose answer was lost is simply run
again: it finds the rows that it had moved by their token, and reports them as it would have.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from batching.errors import Internal, Poison, SourceUrlForbidden
from batching.items import Done, Failed, Item, Outcome
from batching.ledger import Finish, Kept, Member
from kernels.errors import AugmentationError
from kernels.recipe import Recipe
from service.ids import new_id
from service.truth.database import AsyncEngine, DatabaseUnavailable, DataRefused, Row, as_json, statement
from service.truth.fleet import DYING
from service.truth.moves import COUNTED
from service.truth.output_cache import OutputCache, cache_key
from service.truth.partitions import bounds, bounds_of

log = logging.getLogger(__name__)

LEASES_A_BLOCK = 2**20
"""Tokens counted here for each number of the database's sequence."""
RECIPES_KEPT = 256
UNANSWERED_KEPT = 256
MAX_DETAIL = 2000

LEASE = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)
), found AS MATERIALIZED (
  SELECT i.id, i.state AS from_state FROM items i JOIN batches b ON b.id = i.batch_id CROSS JOIN quick
  WHERE i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high
    AND ((i.state = 'queued' AND b.state IN ('queued', 'running') AND b.cancel_requested_at IS NULL
          AND b.deleted_at IS NULL AND (b.expires_at IS NULL OR b.expires_at > now()))
         OR (i.state = 'leased' AND i.token = :token))
  ORDER BY i.id FOR NO KEY UPDATE OF i
), moved AS (
  UPDATE items i
  SET state = 'leased', token = :token, worker = :worker, lease_until = now() + make_interval(secs => :lease_s),
      executions = i.executions + CASE i.state WHEN 'queued' THEN 1 ELSE 0 END,
      started_at = coalesce(i.started_at, now())
  WHERE i.id = ANY(ARRAY(SELECT id FROM found)) AND i.id BETWEEN :low AND :high
  RETURNING i.*, (SELECT f.from_state FROM found f WHERE f.id = i.id) AS from_state
), opening AS MATERIALIZED (
  SELECT id FROM batches WHERE id = ANY(ARRAY(SELECT DISTINCT batch_id FROM moved)) AND state = 'queued'
  ORDER BY id FOR NO KEY UPDATE
), opened AS (
  UPDATE batches b SET state = 'running', started_at = coalesce(b.started_at, now())
  WHERE b.id = ANY(ARRAY(SELECT id FROM opening)) RETURNING b.id, b.tenant
), logged AS (
  INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason, worker, token)
  SELECT tenant, batch_id, id, 'queued', 'leased', 'lease', worker, token FROM moved WHERE from_state = 'queued'
  UNION ALL SELECT tenant, id, NULL, 'queued', 'running', 'first_lease', NULL, NULL FROM opened
)
SELECT m.id, m.batch_id, m.tenant, m.priority, m.day, m.token, m.source_key, m.source_sha256, m.custom_id, m.item_key,
       m.labels, CASE m.source_key WHEN '' THEN m.source_url END AS source_url, m.cost_pixels, m.executions, m.suspect,
       m.crashes, b.seed, b.variants, b.first_variant, b.replay_of, b.use_cache, b.recipe_digest,
       CASE row_number() OVER (PARTITION BY b.recipe_digest ORDER BY m.id) WHEN 1 THEN CAST(b.recipe AS text) END AS recipe
FROM moved m JOIN batches b ON b.id = m.batch_id
ORDER BY b.recipe_digest, m.id
"""
"""One row for each item that is ours; the recipe only in the first row of those that share it.

It does not wait for the disk: a lease that a crash of the database takes back is a stale token, which writes nothing.
Rows are looked up by `ANY`, never joined, here and below: planned before there are any rows, a join reads everything
between `low` and `high`, which is the whole batch, once for each row.
"""

RENEW = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)
), ours AS MATERIALIZED (
  SELECT i.id FROM items i JOIN unnest(CAST(:ids AS uuid[]), CAST(:tokens AS bigint[])) AS g (id, token) USING (id, token)
  CROSS JOIN quick
  WHERE i.state = 'leased' AND i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high
  ORDER BY i.id FOR NO KEY UPDATE OF i
)
UPDATE items i SET lease_until = now() + make_interval(secs => :lease_s)
WHERE i.id = ANY(ARRAY(SELECT id FROM ours)) AND i.id BETWEEN :low AND :high RETURNING i.id
"""

HAND_BACK = """
WITH ours AS MATERIALIZED (
  SELECT i.id, i.token, i.worker FROM items i
  JOIN unnest(CAST(:ids AS uuid[]), CAST(:tokens AS bigint[])) AS g (id, token) USING (id, token)
  WHERE i.state = 'leased' AND i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high
  ORDER BY i.id FOR NO KEY UPDATE OF i
), given AS (
  SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:crashes AS int[])) AS g (id, crashes)
), moved AS (
  UPDATE items i
  SET state = 'queued', token = NULL, worker = NULL, lease_until = NULL, executions = greatest(i.executions - 1, 0),
      crashes = (SELECT g.crashes FROM given g WHERE g.id = i.id), queued_at = now(), handed_off_at = now()
  WHERE i.id = ANY(ARRAY(SELECT id FROM ours)) AND i.id BETWEEN :low AND :high
  RETURNING i.id, i.tenant, i.batch_id
)
INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason, worker, token)
SELECT m.tenant, m.batch_id, id, 'leased', 'queued', 'hand_back', o.worker, o.token FROM moved m JOIN ours o USING (id)
"""
"""`handed_off_at` is set anew, for the worker puts the ids back on their lanes; where it does not, the reconciler does."""

CHARGE = f"""
WITH {DYING}
UPDATE items i SET crashes = CASE WHEN f.dying THEN :crashes ELSE :crashes + 1 END
FROM fleet f WHERE i.id = :id AND i.token = :token AND i.state = 'leased'
RETURNING i.crashes
"""  # noqa: S608 - made of constants
"""The number before is given, so the statement may run twice."""

GIVE_UP = """
WITH ours AS MATERIALIZED (
  SELECT id, token, worker FROM items WHERE id = :id AND token = :token AND state = 'leased' FOR NO KEY UPDATE
), moved AS (
  UPDATE items i
  SET state = 'queued', suspect = true, crashes = :crashes, token = NULL, worker = NULL, lease_until = NULL,
      handed_off_at = NULL, epoch = NULL
  FROM ours o WHERE i.id = o.id
  RETURNING i.id, i.tenant, i.batch_id, o.worker, o.token
)
INSERT INTO state_log (tenant, batch_id, item_id, from_state, to_state, reason, worker, token)
SELECT tenant, batch_id, id, 'leased', 'queued', CAST(:reason AS text), worker, token FROM moved
"""
"""`handed_off_at` is empty: the reconciler's next pass is pause enough for what died just now."""

FINISH = f"""
WITH given AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS g
    (id uuid, token bigint, crashes int, state text, code text, detail text, device text, engine_version text,
     cache_key text, cached boolean)
), held AS MATERIALIZED (
  SELECT i.id, i.batch_id, i.tenant, i.state AS from_state, i.worker, i.token,
         g.crashes, g.state AS to_state, g.code, g.detail, g.device, g.engine_version, g.cache_key,
         coalesce(g.cached, false) AS cached
  FROM items i JOIN given g USING (id, token)
  WHERE i.state IN ('leased', 'succeeded', 'failed') AND i.id = ANY(CAST(:ids AS uuid[])) AND i.id BETWEEN :low AND :high
  ORDER BY i.id FOR NO KEY UPDATE OF i
), written AS (
  INSERT INTO outputs (id, tenant, batch_id, item_id, variant, object_key, width, height, bytes, sha256, format,
                       draws, labels, device, engine_version, token, cached)
  SELECT o.id, h.tenant, h.batch_id, h.id, o.variant, o.object_key, o.width, o.height, o.bytes, o.sha256, o.format,
         o.draws, CASE jsonb_typeof(o.labels) WHEN 'object' THEN o.labels END, h.device, h.engine_version, h.token,
         h.cached
  FROM jsonb_to_recordset(CAST(:outputs AS jsonb)) AS o
    (id uuid, item_id uuid, variant int, object_key text, width int, height int, bytes bigint, sha256 text, format text,
     draws jsonb, labels jsonb)
  JOIN held h ON h.id = o.item_id
  WHERE h.from_state = 'leased'
  ON CONFLICT (item_id, variant) DO NOTHING
  RETURNING item_id
), moved AS (
  UPDATE items i
  SET (state, crashes, error_code, error_detail, cache_key)
        = (SELECT h.to_state, h.crashes, h.code, h.detail, decode(h.cache_key, 'hex') FROM held h WHERE h.id = i.id),
      lease_until = NULL, finished_at = now()
  WHERE i.id = ANY(ARRAY(SELECT id FROM held WHERE from_state = 'leased')) AND i.id BETWEEN :low AND :high
  RETURNING i.id, i.batch_id, i.tenant, 'leased' AS from_state, i.state AS to_state,
            (SELECT coalesce(h.code, CASE WHEN h.cached THEN 'cached' ELSE 'finish' END) FROM held h WHERE h.id = i.id)
              AS reason, i.worker, i.token,
            (SELECT count(*) FROM written w WHERE w.item_id = i.id) AS outputs
), {COUNTED}
SELECT 'ours' AS kind, id FROM held
UNION ALL
SELECT 'closed', id FROM batch WHERE from_state <> to_state
UNION ALL
SELECT 'closed', b.id FROM batches b
WHERE b.finished_at IS NOT NULL AND b.id IN (SELECT batch_id FROM held WHERE from_state <> 'leased')
"""  # noqa: S608 - made of constants
"""The last part answers a statement that is run again after its answer was lost."""


MEMBERS = """
SELECT custom_id AS name, source_key, source_sha256, CAST(width AS bigint) * height AS pixels,
       CAST(labels AS text) AS labels
FROM items WHERE batch_id = :batch AND id BETWEEN :low AND :high AND source_key <> ''
"""
"""Without those that were refused when they were sent, whose bytes were not kept: fixed from then on."""


class SqlLedger:
    """`batching.ledger.Ledger` over PostgreSQL, for one event loop. Errors of every method: DatabaseUnavailable."""

    def __init__(
        self,
        engine: AsyncEngine,
        lease_s: float,
        pin: Callable[[Item], Awaitable[None]] | None = None,
        cache: OutputCache | None = None,
    ) -> None:
        """pin: how pictures are fetched by their addresses; without, none are. cache: without, nothing is kept for it."""
        self._engine, self._lease_s, self._pin, self._cache = engine, lease_s, pin, cache
        self._recipes: dict[str, Recipe] = {}
        self._tokens: itertools.chain[int] | None = None
        self._unanswered: dict[tuple[UUID, ...], int] = {}
        """Tokens of leases that may have been taken: whoever asks for the same items again gets them by the same token."""

    async def lease(self, item_ids: Sequence[UUID], worker: str) -> list[Item]:
        """What of `item_ids` was queued and is now ours for `lease_s`; an item whose recipe no longer parses is failed."""
        if not item_ids:
            return []
        asked = tuple(item_ids)
        token = self._unanswered.pop(asked, None)
        if token is None:
            token = await self._token()
        values = {"ids": list(asked), "worker": worker, "token": token, "lease_s": self._lease_s, **bounds(asked)}
        items: list[Item] = []
        unreadable: list[Outcome] = []
        recipe: Recipe | AugmentationError = Recipe()
        try:
            rows = await statement(self._engine, LEASE, values)
        except DatabaseUnavailable:
            if len(self._unanswered) < UNANSWERED_KEPT:
                self._unanswered[asked] = token
            raise
        for row in rows:
            if row["recipe"] is not None:
                recipe = self._recipe(row["recipe_digest"], row["recipe"])
            if isinstance(recipe, AugmentationError):
                unreadable.append(Failed(_item(row, Recipe()), recipe.code, recipe.message))
            else:
                items.append(_item(row, recipe))
        if unreadable:
            await self.finish(unreadable)
        return items

    async def renew(self, items: Sequence[Item]) -> frozenset[UUID]:
        """Extends what is still ours to `lease_s` from now on the database clock."""
        if not items:
            return frozenset()
        rows = await statement(self._engine, RENEW, {**_held(items), "lease_s": self._lease_s})
        return frozenset(row["id"] for row in rows)

    async def hand_back(self, items: Sequence[Item]) -> None:
        """Returns what is still ours to the queue, uncharged."""
        if items:
            crashes = [item.crashes - item.charged for item in items]
            await statement(self._engine, HAND_BACK, {**_held(items), "crashes": crashes})

    async def charge(self, item: Item) -> Item | None:
        """The item with one more crash, written before it is run; without it while the fleet is dying."""
        values = {"id": item.id, "token": item.token, "crashes": item.crashes}
        rows = await statement(self._engine, CHARGE, values)
        if not rows:
            return None
        if rows[0]["crashes"] == item.crashes:
            log.error("many workers died in the last minute: the death of a picture's process is not charged to it")
        return replace(item, crashes=rows[0]["crashes"], charged=rows[0]["crashes"] > item.crashes)

    async def give_up(self, item: Item, reason: str) -> None:
        """Returns a suspect that is still ours to the queue, with its crashes."""
        values = {"id": item.id, "token": item.token, "crashes": item.crashes, "reason": reason}
        await statement(self._engine, GIVE_UP, values)

    async def pin(self, item: Item) -> None:
        """Makes the picture at `item.source_url` a stored one. SourceUrlForbidden where addresses are not fetched."""
        if self._pin is None:
            raise SourceUrlForbidden
        await self._pin(item)

    async def kept(self, item: Item, engine_version: str) -> Kept | None:
        """Results of the same causes, from the output cache; None without one."""
        return await self._cache.find(item, engine_version) if self._cache else None

    async def members(self, batch_id: UUID) -> Sequence[Member]:
        """Every picture of a batch that was not refused when it was sent."""
        return [Member(**row) for row in await statement(self._engine, MEMBERS, {"batch": batch_id, **bounds_of(batch_id)})]

    async def finish(self, outcomes: Sequence[Outcome]) -> Finish:
        """Writes outcomes. What PostgreSQL refuses of one (a number that is none, say) fails that one as `internal`."""
        if not outcomes:
            return Finish(frozenset(), frozenset())
        try:
            return await self._finish(outcomes)
        except DataRefused as error:
            if len(outcomes) > 1:
                return _joined([await self.finish([outcome]) for outcome in outcomes])
            log.error("the outcome of item %s cannot be recorded: %s", outcomes[0].item.id, error)
            return await self._finish([Failed(outcomes[0].item, Internal.code, Internal().message)])

    async def _finish(self, outcomes: Sequence[Outcome]) -> Finish:
        ids = [outcome.item.id for outcome in outcomes]
        values = {
            "ids": ids,
            "items": as_json([_final(outcome) | self._for_cache(outcome) for outcome in outcomes]),
            "outputs": as_json([row for outcome in outcomes if isinstance(outcome, Done) for row in _outputs(outcome)]),
            **bounds(ids),
        }
        rows = await statement(self._engine, FINISH, values)
        ours = {row["id"] for row in rows if row["kind"] == "ours"}
        return Finish(
            fenced=frozenset(outcome.item.id for outcome in outcomes) - ours,
            completed_batches=frozenset(row["id"] for row in rows if row["kind"] == "closed"),
        )

    def _for_cache(self, outcome: Outcome) -> dict[str, Any]:
        """What a row says of the cache. Copies answer for nothing: the cache is as old as what was computed."""
        if self._cache is None or not isinstance(outcome, Done):
            return {}
        return {"cached": True} if outcome.cached else {"cache_key": cache_key(outcome.item, outcome.engine_version)}

    async def _token(self) -> int:
        """A token that no lease has had: a number of the sequence, and a count within it."""
        token = next(self._tokens, None) if self._tokens else None
        if token is None:
            [row] = await statement(self._engine, "SELECT nextval('lease_token') AS block", {})
            block = itertools.islice(itertools.count(row["block"] * LEASES_A_BLOCK), LEASES_A_BLOCK)
            self._tokens = itertools.chain(block)
            token = next(self._tokens)
        return token

    def _recipe(self, digest: str, document: str) -> Recipe | AugmentationError:
        known = self._recipes.get(digest)
        if known is None:
            try:
                known = Recipe.parse(json.loads(document))
            except AugmentationError as error:
                return error
            if len(self._recipes) >= RECIPES_KEPT:
                del self._recipes[next(iter(self._recipes))]
            self._recipes[digest] = known
        return known


def _item(row: Row, recipe: Recipe) -> Item:
    return Item(
        id=row["id"],
        batch_id=row["batch_id"],
        tenant=row["tenant"],
        priority=row["priority"],
        day=row["day"],
        token=row["token"],
        source_key=row["source_key"],
        source_sha256=row["source_sha256"],
        name=row["custom_id"],
        key=int(row["item_key"], 16),
        seed=row["seed"],
        variants=row["variants"],
        recipe=recipe,
        labels=row["labels"],
        cost_pixels=row["cost_pixels"],
        executions=row["executions"],
        source_url=row["source_url"] or "",
        first_variant=row["first_variant"],
        company_of=row["replay_of"],
        use_cache=row["use_cache"],
        suspect=row["suspect"],
        crashes=row["crashes"],
    )


def _held(items: Sequence[Item]) -> dict[str, object]:
    ids = [item.id for item in items]
    return {"ids": ids, "tokens": [item.token for item in items], **bounds(ids)}


def _final(outcome: Outcome) -> dict[str, Any]:
    item = outcome.item
    # what was charged beforehand is taken back, unless it came to that
    died = isinstance(outcome, Failed) and outcome.code == Poison.code
    crashes = item.crashes - (item.charged and not died)
    final: dict[str, Any] = {"id": item.id, "token": item.token, "crashes": crashes}
    if isinstance(outcome, Done):
        return final | {"state": "succeeded", "device": outcome.device, "engine_version": outcome.engine_version}
    return final | {"state": "failed", "code": outcome.code, "detail": _storable(outcome.detail)}


def _outputs(done: Done) -> Iterable[dict[str, Any]]:
    for output in done.outputs:
        yield {
            "id": new_id(done.item.id),
            "item_id": done.item.id,
            "variant": output.variant,
            "object_key": output.object_key,
            "width": output.width,
            "height": output.height,
            "bytes": output.bytes,
            "sha256": output.sha256,
            "format": output.format,
            "draws": output.draws,
            "labels": output.labels,
        }


def _storable(text: str) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogate, and not too long."""
    return text[:MAX_DETAIL].replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _joined(parts: Sequence[Finish]) -> Finish:
    return Finish(
        fenced=frozenset().union(*(part.fenced for part in parts)),
        completed_batches=frozenset().union(*(part.completed_batches for part in parts)),
    )
