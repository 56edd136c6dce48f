"""`augment accounts`: runs what the operator asks for in the database, and prints what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from service.accounts import administration
from service.accounts.roles import Role
from service.accounts.wire import TenantLimits, change_view, issued_view, key_view, tenant_view
from service.errors import NotFound, ServiceError
from service.schemas import checked
from service.settings import load
from service.system.cannot_start import CannotStart
from service.system.embedded import embedded_database
from service.truth import account_queries
from service.truth.database import AsyncEngine, DatabaseUnavailable, make_engine

_ACTOR = "command line"
_MOST = 1000
Value = TypeVar("Value")


class CommandFailed(CannotStart):
    """What was asked for cannot be done; the message says why."""


def create_tenant(name: str, data: Path | None, *, as_json: bool) -> None:
    """Makes a tenant and a key of the role admin."""

    async def run(engine: AsyncEngine) -> administration.Issued:
        made = await administration.create_tenant(engine, name, _ACTOR)
        return await administration.issue_key(engine, made.name, _ACTOR, "first", "admin")

    _print_key(_done(data, run), as_json=as_json)


def list_tenants(data: Path | None, *, as_json: bool) -> None:
    """All tenants."""
    found = [tenant_view(row) for row in _done(data, lambda engine: account_queries.tenants(engine, "", _MOST))]
    _print(("name", "limits", "created_at", "disabled_at"), found, as_json=as_json)


def change_tenant(name: str, data: Path | None, *, disabled: bool) -> None:
    """Disables a tenant, or enables it again."""
    _done(data, lambda engine: administration.change_tenant(engine, name, _ACTOR, disabled=disabled))
    typer.echo(f"{name} is {'disabled' if disabled else 'enabled'}")


def set_limits(name: str, given: Sequence[str], data: Path | None) -> None:
    """Replaces the limits of a tenant."""
    pairs = {key: int(value) if value.isdecimal() else value for key, _, value in (text.partition("=") for text in given)}

    async def run(engine: AsyncEngine) -> account_queries.Tenant:
        return await administration.change_tenant(engine, name, _ACTOR, limits=checked(TenantLimits, pairs).own())

    typer.echo(f"{name}: {json.dumps(_done(data, run).limits)}")


def issue_key(tenant: str, name: str, role: Role, days: int | None, data: Path | None, *, as_json: bool) -> None:
    """Issues a key of a tenant."""
    end = None if days is None else datetime.now(UTC) + timedelta(days=days)
    issued = _done(data, lambda engine: administration.issue_key(engine, tenant, _ACTOR, name, role, end))
    _print_key(issued, as_json=as_json)


def list_keys(tenant: str, data: Path | None, *, as_json: bool) -> None:
    """The keys of a tenant."""

    async def run(engine: AsyncEngine) -> Sequence[account_queries.ApiKey]:
        await _known(engine, tenant)
        return await account_queries.keys(engine, tenant, None, _MOST)

    found = [key_view(row) for row in _done(data, run)]
    _print(("id", "hint", "name", "role", "last_used_at", "expires_at", "revoked_at"), found, as_json=as_json)


def revoke_key(key_id: UUID, data: Path | None) -> None:
    """Revokes a key of any tenant."""
    _done(data, lambda engine: administration.revoke_key(engine, None, key_id, _ACTOR))
    typer.echo(f"{key_id} is revoked")


def list_changes(tenant: str, data: Path | None, *, as_json: bool) -> None:
    """The log of a tenant's account."""

    async def run(engine: AsyncEngine) -> Sequence[account_queries.Change]:
        await _known(engine, tenant)
        return await account_queries.audit(engine, tenant, None, _MOST)

    found = [change_view(row) for row in _done(data, run)]
    _print(("at", "actor", "action", "subject", "detail"), found, as_json=as_json)


async def _known(engine: AsyncEngine, tenant: str) -> None:
    if await account_queries.tenant(engine, tenant) is None:
        raise NotFound("tenant")


def _done(data: Path | None, run: Callable[[AsyncEngine], Awaitable[Value]]) -> Value:
    """What `run` returns, of the database that the settings name, or that of the embedded server in `data`."""
    settings = load(data=data)
    url = settings.database_url or embedded_database(settings.data)

    async def with_engine() -> Value:
        engine = make_engine(url, application_name="augment-accounts", pool_size=1)
        try:
            return await run(engine)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(with_engine())
    except DatabaseUnavailable as error:
        raise CommandFailed(f"the database does not answer: {str(error).splitlines()[0]}") from None
    except ServiceError as error:
        raise CommandFailed(error.message) from None


def _print_key(issued: administration.Issued, *, as_json: bool) -> None:
    if as_json:
        typer.echo(issued_view(issued).model_dump_json())
        return
    row = issued.row
    end = f"until {row.expires_at:%Y-%m-%d}" if row.expires_at else "until it is revoked"
    typer.echo(f"key {row.id} of {row.tenant}, role {row.role}, {end}; it is not shown again:", err=True)
    typer.echo(issued.key)


def _print(columns: Sequence[str], found: Sequence[BaseModel], *, as_json: bool) -> None:
    rows = [one.model_dump(mode="json") for one in found]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table(*(name.removesuffix("_at") for name in columns), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in columns))
    Console(highlight=False, markup=False).print(table)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, dict) else str(value)
