"""Tenants and keys for tests, made as the operator makes them."""

from __future__ import annotations

from service.accounts import administration
from service.accounts.roles import ROLES, Role
from service.truth import account_queries
from service.truth.database import make_engine


async def make_keys(url: str, tenant: str, *roles: Role) -> dict[Role, str]:
    """A key of each role, all of them where none is named, of a tenant that is made where it is not there."""
    engine = make_engine(url, pool_size=1)
    try:
        await account_queries.create_tenant(engine, tenant, "a test")
        issued = {role: await administration.issue_key(engine, tenant, "a test", role, role) for role in roles or ROLES}
        return {role: one.key for role, one in issued.items()}
    finally:
        await engine.dispose()


def bearing(credential: str) -> dict[str, str]:
    """The headers of a request with a key or token."""
    return {"Authorization": f"Bearer {credential}"}
