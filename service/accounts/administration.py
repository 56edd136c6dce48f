"""What is done to accounts: by routes, and by the operator's commands, which need no service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from service.accounts import keys
from service.accounts.callers import DEFAULT_TENANT, TENANT_NAME
from service.accounts.roles import Role, Scope
from service.accounts.tokens import Tokens
from service.errors import Conflict, Forbidden, NotFound, ValidationError
from service.ids import new_id
from service.truth import account_queries
from service.truth.account_queries import ApiKey, Tenant
from service.truth.database import AsyncEngine
from service.uploads.json_text import check_text

MAX_KEYS = 1000
"""Keys of one tenant that are not revoked."""
MAX_NAME = 255


@dataclass(frozen=True)
class Issued:
    """A new key, and the only time that it is seen."""

    key: str
    row: ApiKey


async def create_tenant(engine: AsyncEngine, name: str, actor: str) -> Tenant:
    """A new tenant. ValidationError, Conflict."""
    if not TENANT_NAME.fullmatch(name):
        reason = "has up to 63 lower-case letters, digits, dots, dashes and underscores, and begins with a letter or digit"
        raise ValidationError(reason, "/name")
    made = await account_queries.create_tenant(engine, name, actor)
    if made is None:
        raise Conflict("there is a tenant of this name")
    return made


async def change_tenant(
    engine: AsyncEngine, name: str, actor: str, *, limits: Mapping[str, Any] | None = None, disabled: bool | None = None
) -> Tenant:
    """The tenant with other limits, disabled, or enabled again. NotFound, Conflict.

    Processes know it within 5 seconds.
    """
    if not TENANT_NAME.fullmatch(name):
        raise NotFound("tenant")
    if disabled and name == DEFAULT_TENANT:
        raise Conflict(f"the tenant `{DEFAULT_TENANT}` is the operator's own")
    changed = await account_queries.change_tenant(engine, name, actor, limits=limits, disabled=disabled)
    if changed is None:
        raise NotFound("tenant")
    return changed


async def issue_key(
    engine: AsyncEngine,
    tenant: str,
    actor: str,
    name: str,
    role: Role,
    expires_at: datetime | None = None,
    *,
    issuer_ends_s: float | None = None,
) -> Issued:
    """A new key of a tenant. ValidationError, Forbidden, NotFound, Conflict where it has too many.

    issuer_ends_s: when the credential that asks for it ends, where it does. The key ends then too, or before.
    """
    check_text(name, "/name")
    if not 1 <= len(name) <= MAX_NAME:
        raise ValidationError(f"has 1 to {MAX_NAME} characters", "/name", MAX_NAME)
    if issuer_ends_s is not None:
        expires_at = _outlived_by(issuer_ends_s, expires_at)
    if expires_at is not None:
        expires_at = _end(expires_at)
    key = keys.new_key()
    row = await account_queries.issue_key(
        engine,
        tenant,
        new_id(),
        actor,
        name=name,
        role=role,
        hint=keys.hint_of(key),
        sha256=keys.sha256_of(key),
        expires_at=expires_at,
        most=MAX_KEYS,
    )
    if row is None:
        if await account_queries.tenant(engine, tenant) is None:
            raise NotFound("tenant")
        raise Conflict(f"the tenant has {MAX_KEYS} keys; revoke some that are not used")
    return Issued(key, row)


def _outlived_by(issuer_ends_s: float, asked: datetime | None) -> datetime | None:
    """The end of a key that its issuer may ask for: its own where none is asked for. Forbidden.

    Otherwise whoever has a credential for some minutes could make one for good of it.
    """
    if asked is not None and asked.timestamp() > issuer_ends_s:
        raise Forbidden("a key may not end after the key or token that issues it")
    # that of a token may lie anywhere
    latest_s = (datetime.now(UTC) + timedelta(days=keys.LONGEST_LIFE_DAYS)).timestamp()
    return asked or datetime.fromtimestamp(min(issuer_ends_s, latest_s), UTC)


def _end(asked: datetime) -> datetime:
    """The end of a key in UTC. ValidationError."""
    now = datetime.now(UTC)
    if asked <= now:
        raise ValidationError("is over", "/expires_at")
    if asked > now + timedelta(days=keys.LONGEST_LIFE_DAYS):  # asked before it is put in UTC, where it may have no date
        raise ValidationError(f"is at most {keys.LONGEST_LIFE_DAYS} days from now", "/expires_at")
    return asked.astimezone(UTC)


async def issue_token(
    engine: AsyncEngine, tokens: Tokens, tenant: str, actor: str, key_id: UUID, scopes: frozenset[Scope], lifetime_s: int
) -> str:
    """A token for the owner of a key, written down before anybody has it. DatabaseUnavailable."""
    token_id = new_id()
    detail = {"scopes": sorted(scopes), "expires_in": lifetime_s}
    await account_queries.log_token(engine, tenant, actor, token_id, detail)
    return tokens.issue(tenant, scopes, key_id, lifetime_s, token_id)


async def revoke_key(engine: AsyncEngine, tenant: str | None, key_id: UUID, actor: str) -> None:
    """Revokes a key of the tenant, or of any where none is named. Again changes nothing. NotFound."""
    if not await account_queries.revoke_key(engine, tenant, key_id, actor):
        raise NotFound("key")
