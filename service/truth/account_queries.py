"""Tenants, their API keys, and the log of what was done to them: each change and its line in the log are one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.accounts.roles import Role
from service.truth.database import AsyncEngine, as_json, fetch, statement, transaction

_TENANT = "name, limits, created_at, disabled_at"
_END = "CASE WHEN expires_at > '9999-12-31 00:00Z' THEN timestamptz '9999-12-31 00:00Z' ELSE expires_at END AS expires_at"
"""PostgreSQL has years that Python has not: keys that were issued with such an end are shown with the last one there is."""
_KEY = f"id, tenant, name, role, hint, created_at, {_END}, revoked_at, last_used_at"
_LOG = "INSERT INTO account_log (tenant, actor, action, subject, detail)"

_CREATE_TENANT = f"""
WITH made AS (
  INSERT INTO tenants (name) VALUES (:name) ON CONFLICT (name) DO NOTHING RETURNING {_TENANT}
), logged AS ({_LOG} SELECT name, :actor, 'create_tenant', name, '{{}}' FROM made)
SELECT * FROM made
"""  # noqa: S608 - made of constants
_CHANGE_TENANT = f"""
WITH changed AS (
  UPDATE tenants SET limits = coalesce(CAST(:limits AS jsonb), limits),
    disabled_at = CASE CAST(:disabled AS boolean) WHEN true THEN coalesce(disabled_at, now()) WHEN false THEN NULL
                  ELSE disabled_at END
  WHERE name = :name RETURNING {_TENANT}
), logged AS ({_LOG} SELECT name, :actor, 'change_tenant', name, CAST(:detail AS jsonb) FROM changed)
SELECT * FROM changed
"""  # noqa: S608 - made of constants
_FIND_TENANT = f"SELECT {_TENANT} FROM tenants WHERE name = :name"  # noqa: S608 - made of constants
_LIST_TENANTS = f"SELECT {_TENANT} FROM tenants WHERE name > :after ORDER BY name LIMIT :limit"  # noqa: S608 - made of constants

_ISSUE = f"""
WITH owner AS MATERIALIZED (SELECT name FROM tenants WHERE name = :tenant FOR NO KEY UPDATE
), made AS (
  INSERT INTO api_keys (id, tenant, name, role, hint, sha256, expires_at)
  SELECT :id, owner.name, :name, :role, :hint, :sha256, CAST(:expires_at AS timestamptz) FROM owner
  WHERE (SELECT count(*) FROM api_keys WHERE tenant = :tenant AND revoked_at IS NULL) < :most
  ON CONFLICT (id) DO NOTHING RETURNING {_KEY}
), logged AS (
  {_LOG} SELECT tenant, :actor, 'issue_key', CAST(id AS text), jsonb_build_object('name', name, 'role', role) FROM made
)
SELECT * FROM made UNION ALL SELECT {_KEY} FROM api_keys WHERE id = :id AND tenant = :tenant
"""  # noqa: S608 - made of constants
"""The last part answers a statement that is run again after its answer was lost."""
_REVOKE = f"""
WITH found AS MATERIALIZED (
  SELECT id, tenant, name, revoked_at FROM api_keys WHERE id = :id AND tenant = coalesce(:tenant, tenant) FOR NO KEY UPDATE
), moved AS (
  UPDATE api_keys k SET revoked_at = now() FROM found f WHERE k.id = f.id AND f.revoked_at IS NULL
  RETURNING k.id, k.tenant, k.name
), logged AS (
  {_LOG} SELECT tenant, :actor, 'revoke_key', CAST(id AS text), jsonb_build_object('name', name) FROM moved
)
SELECT id FROM found
"""  # noqa: S608 - made of constants
_LOG_TOKEN = f"{_LOG} VALUES (:tenant, :actor, 'issue_token', :subject, CAST(:detail AS jsonb))"
_LIST_KEYS = f"""
SELECT {_KEY} FROM api_keys WHERE tenant = :tenant AND (CAST(:before AS uuid) IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit
"""  # noqa: S608 - made of constants

_USABLE = """
SELECT k.id, k.tenant, k.role, extract(epoch FROM k.expires_at)::float8 AS expires_at_s, k.last_used_at
FROM api_keys k JOIN tenants t ON t.name = k.tenant
WHERE k.revoked_at IS NULL AND t.disabled_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""
_BY_SHA256 = f"""
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)
), found AS MATERIALIZED ({_USABLE} AND k.sha256 = :sha256
), used AS (
  UPDATE api_keys k SET last_used_at = now() FROM found f, quick
  WHERE k.id = f.id AND (f.last_used_at IS NULL OR f.last_used_at < now() - interval '1 minute')
)
SELECT id, tenant, role, expires_at_s FROM found
"""  # noqa: S608 - made of constants
"""The time of use is written once a minute at most, and does not wait for the disk."""
_BY_ID = f"SELECT id, tenant, role, expires_at_s FROM ({_USABLE} AND k.id = :id AND k.tenant = :tenant) AS found"  # noqa: S608 - made of constants

_AUDIT = """
SELECT id, actor, action, subject, detail, at FROM account_log
WHERE tenant = :tenant AND (CAST(:before AS bigint) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit
"""


@dataclass(frozen=True)
class Tenant:
    """A tenant as its row says."""

    name: str
    limits: Mapping[str, Any]
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True)
class ApiKey:
    """An API key as its row says; what it is kept as never leaves the database."""

    id: UUID
    tenant: str
    name: str
    role: Role
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class Usable:
    """A key that may be used now: not revoked, not expired, and its tenant is not disabled."""

    id: UUID
    tenant: str
    role: Role
    expires_at_s: float | None


@dataclass(frozen=True)
class Change:
    """One line of the log of account changes."""

    id: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    at: datetime


async def create_tenant(engine: AsyncEngine, name: str, actor: str) -> Tenant | None:
    """The new tenant; None: there is one of this name."""
    rows = await statement(engine, _CREATE_TENANT, {"name": name, "actor": actor})
    return Tenant(**rows[0]) if rows else None


async def change_tenant(
    engine: AsyncEngine, name: str, actor: str, *, limits: Mapping[str, int] | None = None, disabled: bool | None = None
) -> Tenant | None:
    """The tenant with other limits, or disabled or enabled again; None: there is none."""
    detail = {key: value for key, value in {"limits": limits, "disabled": disabled}.items() if value is not None}
    values = {
        "name": name,
        "actor": actor,
        "limits": None if limits is None else _json(limits),
        "disabled": disabled,
        "detail": _json(detail),
    }
    rows = await statement(engine, _CHANGE_TENANT, values)
    return Tenant(**rows[0]) if rows else None


async def tenant(engine: AsyncEngine, name: str) -> Tenant | None:
    """The tenant of this name, disabled or not."""
    rows = await statement(engine, _FIND_TENANT, {"name": name})
    return Tenant(**rows[0]) if rows else None


async def tenants(engine: AsyncEngine, after: str, limit: int) -> Sequence[Tenant]:
    """All tenants by name, from the one behind `after` on."""
    return [Tenant(**row) for row in await statement(engine, _LIST_TENANTS, {"after": after, "limit": limit})]


async def issue_key(
    engine: AsyncEngine,
    tenant: str,
    key_id: UUID,
    actor: str,
    *,
    name: str,
    role: Role,
    hint: str,
    sha256: str,
    expires_at: datetime | None,
    most: int,
) -> ApiKey | None:
    """Writes a key; None: there is no such tenant, or it has `most` already. Those of one tenant are written in turn."""
    values = {
        "tenant": tenant,
        "id": key_id,
        "actor": actor,
        "name": name,
        "role": role,
        "hint": hint,
        "sha256": sha256,
        "expires_at": expires_at,
        "most": most,
    }
    rows = await statement(engine, _ISSUE, values)
    return ApiKey(**rows[0]) if rows else None


async def revoke_key(engine: AsyncEngine, tenant: str | None, key_id: UUID, actor: str) -> bool:
    """Revokes a key of `tenant`, or of any where the operator names none; False: there is none. Again changes nothing."""
    return bool(await statement(engine, _REVOKE, {"tenant": tenant, "id": key_id, "actor": actor}))


async def log_token(engine: AsyncEngine, tenant: str, actor: str, token_id: UUID, detail: Mapping[str, Any]) -> None:
    """Notes that a token was issued. Not tried again by itself: it would be noted twice. DatabaseUnavailable."""
    values = {"tenant": tenant, "actor": actor, "subject": str(token_id), "detail": _json(detail)}
    async with transaction(engine) as connection:
        await fetch(connection, _LOG_TOKEN, values)


async def keys(engine: AsyncEngine, tenant: str, before: UUID | None, limit: int) -> Sequence[ApiKey]:
    """The tenant's keys from the newest on, revoked ones too, those made before `before`."""
    rows = await statement(engine, _LIST_KEYS, {"tenant": tenant, "before": before, "limit": limit})
    return [ApiKey(**row) for row in rows]


async def usable_by_sha256(engine: AsyncEngine, sha256: str) -> Usable | None:
    """The key that is kept as this, where it may be used; notes that it was."""
    rows = await statement(engine, _BY_SHA256, {"sha256": sha256})
    return Usable(**rows[0]) if rows else None


async def usable_by_id(engine: AsyncEngine, tenant: str, key_id: UUID) -> Usable | None:
    """The tenant's key of this id, where it may be used."""
    rows = await statement(engine, _BY_ID, {"tenant": tenant, "id": key_id})
    return Usable(**rows[0]) if rows else None


async def audit(engine: AsyncEngine, tenant: str, before: int | None, limit: int) -> Sequence[Change]:
    """What was done to the tenant's account, newest first, lines before `before`."""
    rows = await statement(engine, _AUDIT, {"tenant": tenant, "before": before, "limit": limit})
    return [Change(**row) for row in rows]


def _json(document: Mapping[str, Any]) -> str:
    return as_json(document)
