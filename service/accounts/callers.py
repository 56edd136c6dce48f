"""Who calls: what a key or a token stands for, remembered for a few seconds so that a request asks nobody."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from service.accounts import keys
from service.accounts.roles import OF_A_TENANT, ROLES, Scope
from service.accounts.tokens import Claims, Tokens
from service.errors import Unauthorized
from service.fresh import Fresh
from service.truth import account_queries
from service.truth.account_queries import Tenant
from service.truth.database import AsyncEngine, DatabaseUnavailable

DEFAULT_TENANT = "default"
"""Who an open service works for, and the configured key."""
FRESH_S = 5.0
"""How long a revoked key, its tokens, and a disabled tenant may still be let in."""
_KEPT = 20_000
_MAX_CREDENTIAL = 8192
_TOKEN_DOTS = 2
TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""Tenants of the seed's users have a colon in their names, so that no account can be one."""


@dataclass(frozen=True)
class Caller:
    """Who sent a request."""

    tenant: str
    scopes: frozenset[Scope]
    actor: str
    """As the log of account changes names it."""
    key_id: UUID | None = None
    by_token: bool = False
    expires_at_s: float | None = None


ANYONE = Caller(DEFAULT_TENANT, ROLES["operator"], "anyone on this machine")
CONFIGURED = Caller(DEFAULT_TENANT, ROLES["operator"], "AUGMENT_API_KEY")


class Callers:
    """Knows callers by what they show. What is not known is asked for each time, so nothing strange fills the memory."""

    def __init__(
        self,
        engine: AsyncEngine,
        tokens: Tokens,
        configured_key: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """configured_key: of the operator; stands for the default tenant and everything."""
        self._engine, self._tokens = engine, tokens
        self._configured = None if configured_key is None else _digest(configured_key)
        self._by_credential: Fresh[str, Caller] = Fresh(self._look_up, FRESH_S, _KEPT, clock)
        self._tenants: Fresh[str, Tenant | None] = Fresh(self._tenant, FRESH_S, _KEPT, clock)

    async def known(self, credential: str) -> Caller:
        """Whom an API key or a token stands for. Unauthorized, DatabaseUnavailable."""
        if len(credential) > _MAX_CREDENTIAL:
            raise Unauthorized
        if self._configured and secrets.compare_digest(_digest(credential), self._configured):
            return CONFIGURED
        caller = await self._by_credential.get(credential)
        if caller.expires_at_s is not None and caller.expires_at_s <= time.time():
            raise Unauthorized("the key or token has expired")
        return caller

    async def tenant(self, name: str, within_s: float) -> Tenant | None:
        """A tenant, at most `FRESH_S` old; as it was last seen, where the database does not say so in time."""
        if (known := self._tenants.fresh(name)) is not None:
            return known[0]
        try:
            async with asyncio.timeout(within_s):
                return await self._tenants.get(name)
        except (TimeoutError, DatabaseUnavailable):
            return self._tenants.last(name)

    async def _look_up(self, credential: str) -> Caller:
        if keys.is_key(credential):
            found = await account_queries.usable_by_sha256(self._engine, keys.sha256_of(credential))
            if found is None:
                raise Unauthorized
            return Caller(found.tenant, ROLES[found.role], f"key {found.id}", found.id, expires_at_s=found.expires_at_s)
        if credential.count(".") == _TOKEN_DOTS:
            return await self._bearer(self._tokens.verify(credential))
        raise Unauthorized

    async def _bearer(self, claims: Claims) -> Caller:
        """A token is worth no more than the key that it was issued for, or the tenant that it names, are now.

        Both are read from the database, past what is remembered, or two delays would add up.
        """
        if not TENANT_NAME.fullmatch(claims.tenant):
            raise Unauthorized("the token names no tenant that can be used")
        if claims.key_id is not None:
            found = await account_queries.usable_by_id(self._engine, claims.tenant, claims.key_id)
            if found is None:
                raise Unauthorized("the key of this token can no longer be used")
            scopes, actor = claims.scopes & ROLES[found.role], f"token of key {found.id}"
        else:
            tenant = await account_queries.tenant(self._engine, claims.tenant)
            if tenant is None or tenant.disabled_at is not None:
                raise Unauthorized("the token names no tenant that can be used")
            scopes, actor = claims.scopes & OF_A_TENANT, f"token of {claims.subject[:200]!a}"
        return Caller(claims.tenant, scopes, actor, claims.key_id, by_token=True, expires_at_s=claims.expires_at_s)

    async def _tenant(self, name: str) -> Tenant | None:
        return await account_queries.tenant(self._engine, name)


def _digest(credential: str) -> bytes:
    return hashlib.sha256(credential.encode("utf-8", "surrogateescape")).digest()
