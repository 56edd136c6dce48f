"""`augment accounts`: what it takes. The work is in a module that is imported only when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from service.accounts.keys import LONGEST_LIFE_DAYS
from service.accounts.roles import Role

accounts_app = typer.Typer(
    help="Tenants and their API keys, straight in the database: for the operator.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Name of a tenant.")]
Data = Annotated[
    Path | None, typer.Option(help="Folder of a running `augment up`, without DATABASE_URL.", show_default="augment-data")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@accounts_app.command("create")
def create_tenant(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Make a tenant, and its first key, which may issue others."""
    from service.accounts.terminal import create_tenant as run

    run(name, data, as_json=as_json)


@accounts_app.command("list")
def list_tenants(data: Data = None, as_json: Json = False) -> None:
    """List all tenants, with the limits that are their own."""
    from service.accounts.terminal import list_tenants as run

    run(data, as_json=as_json)


@accounts_app.command("disable")
def disable_tenant(name: Name, data: Data = None) -> None:
    """Let a tenant in no more; what it has sent is finished and kept."""
    from service.accounts.terminal import change_tenant as run

    run(name, data, disabled=True)


@accounts_app.command("enable")
def enable_tenant(name: Name, data: Data = None) -> None:
    """Let a tenant in again."""
    from service.accounts.terminal import change_tenant as run

    run(name, data, disabled=False)


@accounts_app.command("limits")
def set_limits(
    name: Name,
    limits: Annotated[
        list[str] | None, typer.Argument(help="All that it has of its own, as max_stored_bytes=1000.")
    ] = None,
    data: Data = None,
) -> None:
    """Give a tenant limits of its own; what is not named is as the settings say."""
    from service.accounts.terminal import set_limits as run

    run(name, limits or (), data)


@accounts_app.command("issue")
def issue_key(
    tenant: Name,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "command line",
    role: Annotated[Role, typer.Option(help="What it may do.")] = "submit",
    days: Annotated[
        int | None, typer.Option(min=1, max=LONGEST_LIFE_DAYS, help="Days until it ends; never where this is not given.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Issue a key. It is printed this once, alone on standard output, and kept nowhere."""
    from service.accounts.terminal import issue_key as run

    run(tenant, name, role, days, data, as_json=as_json)


@accounts_app.command("keys")
def list_keys(tenant: Name, data: Data = None, as_json: Json = False) -> None:
    """List the keys of a tenant, newest first; of each only its beginning is known."""
    from service.accounts.terminal import list_keys as run

    run(tenant, data, as_json=as_json)


@accounts_app.command("revoke")
def revoke_key(
    key_id: Annotated[UUID, typer.Argument(help="Id of the key, as `augment accounts keys` shows it.")], data: Data = None
) -> None:
    """Revoke a key and the tokens issued for it; it takes 5 seconds at most."""
    from service.accounts.terminal import revoke_key as run

    run(key_id, data)


@accounts_app.command("audit")
def list_changes(tenant: Name, data: Data = None, as_json: Json = False) -> None:
    """List what was done to a tenant's account, newest first."""
    from service.accounts.terminal import list_changes as run

    run(tenant, data, as_json=as_json)
