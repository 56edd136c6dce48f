"""`augment replay` at work in a terminal: its progress, what changed, its summary, its exit status."""

from __future__ import annotations

import json
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.client import Client
from service.client.errors import ClientError
from service.expansion.sidecars import LabelForm, Labelling
from service.replaying.lines import Line, ManifestInvalid, Verdict, count_lines, read_lines
from service.replaying.served import replay_served

DIFFERS, NOT_STARTED, STOPPED, INTERRUPTED = 1, 2, 3, 130
SHOWN = 20
"""Most results that are told of one by one; the counts are of all."""
_PATIENCE_S = 300.0
_LINE_EVERY_S = 2.0

Replaying = Callable[[Line], Verdict]


@dataclass(frozen=True)
class Asked:
    """The command line, as it was written."""

    manifest: Path
    source: Path | None
    recipe: Path | None
    labels: LabelForm
    masks: str
    in_flight: int


@dataclass
class Summary:
    """What has been replayed so far."""

    began_s: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    """How many results each thing differs of, identical ones too: a library may change and the bytes stay."""
    told: list[Verdict] = field(default_factory=list)
    """The first that are not identical."""

    def add(self, verdict: Verdict) -> None:
        self.counts[verdict.status] += 1
        self.changed.update(verdict.changed.keys())
        if verdict.status != "identical" and len(self.told) < SHOWN:
            self.told.append(verdict)

    @property
    def results(self) -> int:
        return self.counts.total()

    @property
    def rate(self) -> float:
        """Results a second."""
        return self.results / max(1e-9, time.monotonic() - self.began_s)

    @property
    def status(self) -> int:
        return DIFFERS if self.counts["different"] or self.counts["failed"] else 0

    def document(self) -> dict[str, JsonValue]:
        """As JSON."""
        told: list[JsonValue] = [
            {
                "custom_id": one.custom_id,
                "variant": one.variant,
                "status": one.status,
                "changed": {name: {"was": was, "now": now} for name, (was, now) in one.changed.items()},
                "detail": one.detail,
            }
            for one in self.told
        ]
        return {
            "results": self.results,
            **{status: self.counts[status] for status in ("identical", "different", "gone", "failed")},
            "changed": dict(self.changed),
            "elapsed_s": round(time.monotonic() - self.began_s, 3),
            "results_per_s": round(self.rate, 2),
            "not_identical": told,
        }


def run(asked: Asked, url: str, *, as_json: bool) -> None:
    """The whole command. Leaves with the exit status where anything differs."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        total = count_lines(asked.manifest)
        summary = Summary()
        verdicts = _here(asked, asked.source, console) if asked.source else _served(asked, url, console)
        _show(verdicts, summary, total, console, quiet=as_json)
    except OSError as error:
        _leave(console, f"{error.filename}: {error.strerror}", NOT_STARTED)
    except ManifestInvalid as error:
        _leave(console, str(error), NOT_STARTED)
    except ClientError as error:
        _leave(console, f"{error}", STOPPED)
    except KeyboardInterrupt:
        _leave(console, "stopped", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(summary.document()))
    else:
        _print(summary, console)
    raise typer.Exit(summary.status)


def _served(asked: Asked, url: str, console: Console) -> Iterator[Verdict]:
    with Client(url, os.environ.get("AUGMENT_API_KEY"), patience_s=_PATIENCE_S) as client:
        if not client.ready():
            _leave(console, f"no augmentation service answers at {url}; name one with --url, or use --source", STOPPED)
        with ThreadPoolExecutor(asked.in_flight, "replay") as threads:
            yield from _in_order(threads, asked, lambda line: replay_served(client, line))


def _here(asked: Asked, source: Path, console: Console) -> Iterator[Verdict]:
    import torch

    from service.replaying.local import Folder, Recipes, replay_here

    if not source.is_dir():
        _leave(console, f"{source} is not a folder", NOT_STARTED)
    folder = Folder(source, Labelling(asked.labels, asked.masks))
    recipes = Recipes(asked.recipe)
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores, "replay", initializer=torch.set_num_threads, initargs=(1,)) as threads:
        yield from _in_order(threads, asked, lambda line: replay_here(folder, line, recipes.of(line)))


def _in_order(threads: ThreadPoolExecutor, asked: Asked, replaying: Replaying) -> Iterator[Verdict]:
    """Verdicts in the order of the manifest, of which only the next few lines are read."""
    ahead: deque[Future[Verdict]] = deque()
    try:
        for line in read_lines(asked.manifest):
            ahead.append(threads.submit(replaying, line))
            if len(ahead) > 2 * asked.in_flight:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()


def _show(verdicts: Iterable[Verdict], summary: Summary, total: int, console: Console, *, quiet: bool) -> None:
    """Adds up the verdicts as they come: with a bar on a terminal, and a line now and then elsewhere."""
    if console.is_terminal and not quiet:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("results · {task.fields[facts]}"), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("", total=total, facts="starting")
            for verdict in verdicts:
                summary.add(verdict)
                bar.update(task, completed=summary.results, facts=_facts(summary))
        return
    next_s = time.monotonic() + _LINE_EVERY_S
    for verdict in verdicts:
        summary.add(verdict)
        if not quiet and time.monotonic() >= next_s:
            next_s = time.monotonic() + _LINE_EVERY_S
            console.print(f"{summary.results}/{total} results · {_facts(summary)}")


def _print(summary: Summary, console: Console) -> None:
    for verdict in summary.told:
        console.print(verdict.text(), markup=False)
    if (more := summary.results - summary.counts["identical"] - len(summary.told)) > 0:
        console.print(f"... and {more} more")
    elapsed_s = time.monotonic() - summary.began_s
    console.print(f"{summary.results} results · {_facts(summary)} · {elapsed_s:.1f} s")


def _facts(summary: Summary) -> str:
    counts = summary.counts
    found = [f"{counts[name]} {name}" for name in ("identical", "different", "gone", "failed") if counts[name]]
    return " · ".join([*found, f"{summary.rate:.1f} results/s"])


def _leave(console: Console, message: str, status: int) -> NoReturn:
    console.print(message, style="red" if status != INTERRUPTED else None, markup=False)
    raise typer.Exit(status)
