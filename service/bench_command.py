"""`augment bench`: what it takes. The measuring is in the package `benchmarks`, which is run as a program of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

bench_app = typer.Typer(help="What this machine does, measured.", no_args_is_help=True)


@bench_app.callback()
def bench_commands() -> None:
    """What this machine does, measured."""


@bench_app.command("kernels")
def bench_kernels(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement; all ways take turns in each.")] = 7,
    pictures: Annotated[int, typer.Option(min=1, help="Distinct pictures of a round.")] = 32,
    cores: Annotated[int, typer.Option(min=1, help="1: CPU time on one core; more: the clock's time on so many.")] = 1,
    all_ops: Annotated[bool, typer.Option("--all-ops", help="Every operation of the catalogue, too.")] = False,
    op: Annotated[list[str] | None, typer.Option(help="Only this operation; may be given several times.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """Pixels on the CPU: whole recipes and operations beside the codecs alone and other libraries."""
    words = ["--rounds", str(rounds), "--pictures", str(pictures), "--cores", str(cores)]
    words += ["--all-ops"] if all_ops else []
    words += [word for name in op or () for word in ("--op", name)]
    words += [] if json is None else ["--json", str(json)]
    _run("kernels", words)


def _run(suite: str, words: list[str]) -> None:
    """Runs a suite to its end and leaves with its exit status."""
    missing = [name for name in ("benchmarks", "skimage") if find_spec(name) is None]
    if missing:
        typer.echo(f"augment: the benchmarks need {missing[0]}, which is not installed (`make demo` installs it)", err=True)
        raise typer.Exit(2)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{suite}", *words], check=False)  # noqa: S603  # ours
    raise typer.Exit(done.returncode)
