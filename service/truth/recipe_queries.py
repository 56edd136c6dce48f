"""Stored recipes: a name has versions 1, 2, ..., and what a version holds never changes.

A name that was deleted keeps one row without content, whose digest is @ and its version: it remembers the last number, so
that none is given a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.truth.database import AsyncEngine, as_json, statement

_HELD = "digest NOT LIKE '@%'"
_COLUMNS = "id, name, version, recipe, digest, created_at"
_FIND = f"SELECT {_COLUMNS} FROM recipes WHERE tenant = :tenant AND name = :name AND {_HELD}"  # noqa: S608 - made of constants
_VERSION = f"{_FIND} AND version = :version"
_NEWEST = f"{_FIND} ORDER BY version DESC LIMIT 1"
_SAME = f"{_FIND} AND digest = :digest"
_KEEP = f"""
WITH sent AS (SELECT CAST(:tenant AS varchar) AS tenant, CAST(:name AS varchar) AS name, CAST(:digest AS varchar) AS digest)
INSERT INTO recipes (id, tenant, name, version, recipe, digest)
SELECT :id, sent.tenant, sent.name,
       1 + coalesce((SELECT max(version) FROM recipes r WHERE r.tenant = sent.tenant AND r.name = sent.name), 0),
       CAST(:recipe AS jsonb), sent.digest
FROM sent WHERE NOT EXISTS (
    SELECT FROM recipes r WHERE r.tenant = sent.tenant AND r.name = sent.name AND r.digest = sent.digest
) AND :most > (SELECT count(*) FROM recipes r WHERE r.tenant = sent.tenant AND r.{_HELD})
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""  # noqa: S608 - made of constants
_LIST = f"""
SELECT DISTINCT ON (name) {_COLUMNS} FROM recipes WHERE tenant = :tenant AND name > :after AND {_HELD}
ORDER BY name, version DESC LIMIT :limit
"""  # noqa: S608 - made of constants
_COUNT = f"SELECT count(*) AS count FROM recipes WHERE tenant = :tenant AND {_HELD}"  # noqa: S608 - made of constants
_DELETE = f"""
WITH own AS (SELECT id, version, digest FROM recipes WHERE tenant = :tenant AND name = :name FOR UPDATE),
     last AS (SELECT id FROM own ORDER BY version DESC LIMIT 1),
     gone AS (DELETE FROM recipes USING own WHERE recipes.id = own.id AND own.id NOT IN (SELECT id FROM last)),
     kept AS (UPDATE recipes SET recipe = 'null', digest = '@' || version FROM last WHERE recipes.id = last.id)
SELECT count(*) AS count FROM own WHERE {_HELD}
"""  # noqa: S608 - made of constants


@dataclass(frozen=True)
class Stored:
    """One version of a named recipe, as its row says."""

    id: UUID
    name: str
    version: int
    recipe: Mapping[str, Any]
    digest: str
    created_at: datetime


async def keep(
    engine: AsyncEngine, tenant: str, recipe_id: UUID, name: str, recipe: Mapping[str, Any], digest: str, most: int
) -> tuple[Stored, bool] | None:
    """The version of `name` with this content, made as the next one where there is none; and whether it was made.

    Of two that are sent at one moment, the unique constraints let one through; the other looks again. None: the tenant has
    `most` versions already; what comes at one moment may go beyond by its number.
    """
    values = {"id": recipe_id, "tenant": tenant, "name": name, "digest": digest, "most": most}
    values["recipe"] = as_json(recipe)
    while True:
        if rows := await statement(engine, _KEEP, values):
            return Stored(**rows[0]), True
        if rows := await statement(engine, _SAME, {"tenant": tenant, "name": name, "digest": digest}):
            # a statement that was run again finds the row that it made itself
            return Stored(**rows[0]), rows[0]["id"] == recipe_id
        if (await statement(engine, _COUNT, {"tenant": tenant}))[0]["count"] >= most:
            return None


async def delete(engine: AsyncEngine, tenant: str, name: str) -> bool:
    """Takes all versions of a name away but the last one's number; False: there was none."""
    rows = await statement(engine, _DELETE, {"tenant": tenant, "name": name})
    return bool(rows[0]["count"])


async def find(engine: AsyncEngine, tenant: str, name: str, version: int | None) -> Stored | None:
    """A version of the tenant's recipe, the newest where none is named; None: absent, or another tenant's."""
    values = {"tenant": tenant, "name": name}
    if version is None:
        rows = await statement(engine, _NEWEST, values)
    else:
        rows = await statement(engine, _VERSION, {**values, "version": version})
    return Stored(**rows[0]) if rows else None


async def newest(engine: AsyncEngine, tenant: str, after: str, limit: int) -> Sequence[Stored]:
    """The newest version of each of the tenant's recipes by name, from the one behind `after` on."""
    rows = await statement(engine, _LIST, {"tenant": tenant, "after": after, "limit": limit})
    return [Stored(**row) for row in rows]
