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
    _run("kernels", words + _to_file(json))


@bench_app.command("codec")
def bench_codec(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measurement; all ways take turns in each.")] = 7,
    pictures: Annotated[int, typer.Option(min=1, help="Distinct pictures of a round.")] = 16,
    side: Annotated[list[int] | None, typer.Option(min=8, help="Pixels a side; may be given several times.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """Decoding and encoding of files, beside OpenCV, Pillow, torchvision and simplejpeg."""
    words = ["--rounds", str(rounds), "--pictures", str(pictures)]
    words += [word for number in side or () for word in ("--side", str(number))]
    _run("codec", words + _to_file(json))


@bench_app.command("service")
def bench_service(
    scenario: Annotated[
        list[str] | None, typer.Option(help="batches, single, interactive, mixed or open; may be given several times.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of all scenarios.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="How long each scenario is asked for, a round.")] = 10.0,
    clients: Annotated[int, typer.Option(min=1, help="Clients that send single pictures at once.")] = 32,
    batch: Annotated[int, typer.Option(min=1, help="Pictures of a batch.")] = 16,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second of the open load.")] = 100.0,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """A whole system under load through REST: rates, latencies, CPU time and memory of every process."""
    words = [word for name in scenario or () for word in ("--scenario", name)]
    words += ["--rounds", str(rounds), "--seconds", f"{seconds:g}", "--clients", str(clients)]
    words += ["--batch", str(batch), "--rate", f"{rate:g}"]
    _run("service", words + _to_file(json))


@bench_app.command("peers")
def bench_peers(
    only: Annotated[
        list[str] | None,
        typer.Option(help="ours, threads, inline, pool, litserve, ray, rq or rq-fork; may be given several times."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; all peers take turns in each.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="How long each scenario is asked for, a round.")] = 4.0,
    clients: Annotated[int, typer.Option(min=1, help="Clients that send single pictures at once.")] = 32,
    batch: Annotated[int, typer.Option(min=1, help="Pictures of a batch.")] = 16,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """The same pictures through FastAPI, LitServe, Ray Serve, RQ and this service: what each service costs."""
    words = [word for name in only or () for word in ("--only", name)]
    words += ["--rounds", str(rounds), "--seconds", f"{seconds:g}", "--clients", str(clients), "--batch", str(batch)]
    _run("peers", words + _to_file(json))


@bench_app.command("handoff")
def bench_handoff(
    depth: Annotated[list[int] | None, typer.Option(min=1, help="Items queued; may be given several times.")] = None,
    items: Annotated[int, typer.Option(min=100, help="Items served at each depth.")] = 20_000,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """Lanes, RQ, leases and finishes with nothing done to pixels: items a second by the depth of the queue."""
    words = [word for number in depth or () for word in ("--depth", str(number))]
    _run("handoff", [*words, "--items", str(items), *_to_file(json)])


@bench_app.command("scale")
def bench_scale(
    workers: Annotated[list[int] | None, typer.Option(min=1, help="Workers at once; may be given several times.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long each number of workers is fed.")] = 10.0,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """What an item costs API, Redis, PostgreSQL and reconciler, and which is full first with many workers."""
    words = [word for number in workers or () for word in ("--workers", str(number))]
    _run("scale", [*words, "--seconds", f"{seconds:g}", *_to_file(json)])


@bench_app.command("depth")
def bench_depth(
    pictures: Annotated[int, typer.Option(min=10, help="How many, all distinct.")] = 100_000,
    side: Annotated[int, typer.Option(min=8, help="Pixels a side.")] = 64,
    batches: Annotated[int, typer.Option(min=1, help="Batches of one group that they are sent in.")] = 10,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """A deep queue: whether memory, pace and counts stay right. Status 1 where a bound is not kept."""
    _run("depth", ["--pictures", str(pictures), "--side", str(side), "--batches", str(batches), *_to_file(json)])


@bench_app.command("overload")
def bench_overload(
    seconds: Annotated[float, typer.Option(min=1, help="How long the peak and the overload last.")] = 20.0,
    clients: Annotated[int, typer.Option(min=1, help="Clients of the peak.")] = 32,
    times: Annotated[float, typer.Option(min=1, help="What is offered, as a multiple of the peak.")] = 4.0,
    waiting: Annotated[int, typer.Option(min=100, help="Most unfinished pictures.")] = 3000,
    probes: Annotated[int, typer.Option(min=1, help="Refused batches, to compare Retry-After with the truth.")] = 3,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """More than the service can take: whether it refuses well and does the rest. Status 1 where a bound is not kept."""
    words = ["--seconds", f"{seconds:g}", "--clients", str(clients), "--times", f"{times:g}"]
    _run("overload", [*words, "--waiting", str(waiting), "--probes", str(probes), *_to_file(json)])


@bench_app.command("soak")
def bench_soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Pictures a second.")] = 100.0,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """Steady load for a long time: whether memory grows and answers stay as fast."""
    _run("soak", ["--minutes", f"{minutes:g}", "--rate", f"{rate:g}", *_to_file(json)])


@bench_app.command("capacity")
def bench_capacity(
    pictures: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 1_000_000,
    size: Annotated[str, typer.Option(help="Pixels of the pictures sent, as 480x640.")] = "512x512",
    recipe: Annotated[Path | None, typer.Option(help="A recipe file; without one, the reference pipeline.")] = None,
    variants: Annotated[int, typer.Option(min=1, help="Variants of each picture.")] = 1,
    within: Annotated[
        str | None, typer.Option(help="Time that there is, as 8h; without it, what this machine takes.")
    ] = None,
    machine: Annotated[Path | None, typer.Option(help="A profile that --save wrote, instead of measuring.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the measured profile here.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Write the chart here, as PNG.")] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Run three mixes, and say how far predictions are off.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """Workers, API processes, rows, bytes and network that a job needs, and what is full first."""
    words = ["--pictures", str(pictures), "--size", size, "--variants", str(variants)]
    given = {"--recipe": recipe, "--within": within, "--machine": machine, "--save": save, "--chart": chart}
    words += [word for name, value in given.items() if value is not None for word in (name, str(value))]
    _run("capacity", [*words, *(["--validate"] if validate else []), *_to_file(json)])


@bench_app.command("guard")
def bench_guard(
    plant: Annotated[float, typer.Option(min=0, help="Slow the hot path down by this part, to see that it is seen.")] = 0.0,
    record: Annotated[bool, typer.Option("--record", help="Write what is measured as what is expected.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file too, as JSON.")] = None,
) -> None:
    """The hot path against what was recorded, in OpenCV's time: status 1 on a regression."""
    words = ["--plant", f"{plant:g}", *(["--record"] if record else [])]
    _run("guard", words + _to_file(json))


def _to_file(json: Path | None) -> list[str]:
    return [] if json is None else ["--json", str(json)]


def _run(suite: str, words: list[str]) -> None:
    """Runs a suite to its end and leaves with its exit status."""
    missing = [name for name in ("benchmarks", "skimage") if find_spec(name) is None]
    if missing:
        typer.echo(f"augment: the benchmarks need {missing[0]}, which is not installed (`make demo` installs it)", err=True)
        raise typer.Exit(2)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{suite}", *words], check=False)  # noqa: S603  # ours
    raise typer.Exit(done.returncode)
