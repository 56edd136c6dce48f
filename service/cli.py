"""The command line: `augment up` and the processes of a deployment; the commands for people are mounted from their modules.

Imports of what a command needs are inside it: `augment --help` and the launcher load neither torch nor a server.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.accounts.command import accounts_app
from service.bench_command import bench_app
from service.catalogue.command import ops_app, recipe_app
from service.expansion.command import expand_command
from service.replaying.command import replay_command
from service.settings import Settings, SettingsInvalid, load
from service.system.cannot_start import CannotStart

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Image augmentation as a service: send pictures and a recipe, get varied pictures back.",
    epilog="Settings come from AUGMENT_* variables, DATABASE_URL and REDIS_URL; options win over them.",
)

app.command("expand")(expand_command)
app.command("replay")(replay_command)
app.add_typer(ops_app, name="ops")
app.add_typer(recipe_app, name="recipe")
app.add_typer(bench_app, name="bench")
app.add_typer(accounts_app, name="accounts")

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.", show_default="8000")]
Data = Annotated[Path | None, typer.Option(help="Folder for everything that is kept.", show_default="augment-data")]
Workers = Annotated[int | None, typer.Option(help="Worker processes.", show_default="1")]
Device = Annotated[str | None, typer.Option(help="What pixels run on: auto, cpu or cuda.", show_default="auto")]


@app.command()
def up(host: Host = None, port: Port = None, data: Data = None, workers: Workers = None, device: Device = None) -> None:
    """Run the whole system here until Ctrl-C, on embedded PostgreSQL and Valkey unless DATABASE_URL or REDIS_URL is set."""
    from service.system.up import up as run

    run(load(host=host, port=port, data=data, workers=workers, device=device))


@app.command()
def api(host: Host = None, port: Port = None, fd: Annotated[int | None, typer.Option(hidden=True)] = None) -> None:
    """Run one API process against the configured servers."""
    settings = _with_servers(load(host=host, port=port))
    from service.system.api_main import serve

    serve(settings, fd)


@app.command()
def worker(workers: Workers = None, device: Device = None) -> None:
    """Run worker processes against the configured servers, and keep them running."""
    settings = _with_servers(load(workers=workers, device=device))
    from service.system.up import keep_workers

    keep_workers(settings)


@app.command()
def reconciler() -> None:
    """Run the process that repairs what crashes leave; a second one stands by."""
    settings = _with_servers(load())
    from service.repair.reconciler import main as run

    run(settings)


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema."""
    settings = load()
    if not settings.database_url:
        raise SettingsInvalid(["DATABASE_URL is required"])
    from service.truth.migrations import migrate as run

    typer.echo(f"the database is at revision {run(settings.database_url)}")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document for machines.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only this section; may be given several times.")] = None,
) -> None:
    """Say what this machine has of what the system needs; the exit status is 1 where something is missing."""
    settings = load()
    from service.system.doctor import Finding, findings, sections

    known = sections(settings, os.environ)
    if unknown := [name for name in only or () if name not in known]:
        raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(known)}", param_hint="--only")
    found: list[Finding] = []
    for finding in findings(settings, os.environ, only or ()):
        found.append(finding)
        if not as_json:
            mark, color = {"ok": ("ok     ", "green"), "warning": ("warning", "yellow"), "problem": ("PROBLEM", "red")}[
                finding.verdict
            ]
            typer.echo(f"{typer.style(mark, fg=color)}  {finding.topic:<24}{finding.detail}")
    broken = any(finding.verdict == "problem" for finding in found)
    if as_json:
        typer.echo(json.dumps({"ok": not broken, "findings": [asdict(finding) for finding in found]}, indent=2))
    raise typer.Exit(1 if broken else 0)


def main() -> None:
    """The console script: errors that people can mend are one message and exit status 2, without a traceback."""
    try:
        app()
    except CannotStart as error:
        first, *rest = str(error).splitlines()
        typer.echo("\n  ".join([f"augment: {first}", *rest]), err=True)
        sys.exit(2)


def _with_servers(settings: Settings) -> Settings:
    """The settings, which must name the servers. Errors: SettingsInvalid."""
    missing = [
        name for name, url in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url)) if not url
    ]
    if missing:
        raise SettingsInvalid([f"{name} is required (only `augment up` starts its own server)" for name in missing])
    return settings
