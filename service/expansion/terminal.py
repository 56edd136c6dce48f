"""`augment expand` at work in a terminal: its progress, its summary, its exit status."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from kernels.errors import RecipeInvalid
from kernels.recipe import Output, Recipe
from kernels.rng import MAX_SEED
from service.client import Client
from service.client.errors import ApiProblem, ClientError, NotFound, Unreachable
from service.client.views import StoredRecipe
from service.expansion.expand import Order, Summary, expand
from service.expansion.recipe_file import RecipeFileInvalid, load_recipe
from service.expansion.run import ExpandError
from service.expansion.sidecars import LabelForm, Labelling
from service.expansion.tally import Reading, Tally

SOME_FAILED, NOT_STARTED, STOPPED, INTERRUPTED = 1, 2, 3, 130
_PATIENCE_S = 300.0
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})(?:@([0-9]{1,9}))?")
"""Names of stored recipes that no file has: a dot is that of a file's suffix."""
_LINE_EVERY_S = 2.0


@dataclass(frozen=True)
class Asked:
    """The command line, as it was written."""

    photos: Path
    recipe: Path
    out: Path
    variants: int
    seed: int | None
    format: str | None
    quality: int | None
    in_flight: int
    batch_pictures: int
    retry_failed: bool
    labels: LabelForm
    masks: str


def run(asked: Asked, url: str, *, as_json: bool) -> None:
    """The whole command. Leaves with the exit status where anything failed."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    client = Client(url, os.environ.get("AUGMENT_API_KEY"), patience_s=_PATIENCE_S)
    order = _order(asked, console, client)
    if not client.ready():
        _leave(console, _no_service(url), STOPPED)
    try:
        with client:
            summary = run_with_progress(order, client, console, quiet=as_json)
    except ExpandError as error:
        _leave(console, str(error), NOT_STARTED)
    except Unreachable as error:
        _leave(console, f"{error}. What is done is kept; run the same command to go on.", STOPPED)
    except ApiProblem as error:
        _leave(console, f"the service refused: {error}", STOPPED)
    except (ClientError, OSError) as error:
        _leave(console, f"{error}. What is done is kept; run the same command to go on.", STOPPED)
    except KeyboardInterrupt:
        _leave(console, "stopped. What is done is kept; run the same command to go on.", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(summary)))
    else:
        print_summary(summary, console)
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def run_with_progress(order: Order, client: Client, console: Console, *, quiet: bool) -> Summary:
    """The expansion, with a bar on a terminal and a line now and then elsewhere."""
    tally = Tally()
    if quiet:
        return expand(order, client, tally, lambda: None)
    if not console.is_terminal:
        lines = _Lines(console, tally)
        return expand(order, client, tally, lines.show)
    with _bar(console) as bar:
        task = bar.add_task("", total=None, facts="reading the folder")

        def show() -> None:
            now = tally.reading()
            bar.update(task, total=now.total or None, completed=now.finished, facts=_facts(now))

        return expand(order, client, tally, show)


def print_summary(summary: Summary, console: Console) -> None:
    console.print(
        f"{summary.done} of {summary.pictures} pictures, {summary.outputs} results in {summary.out}"
        f" · {summary.elapsed_s:.1f} s · {summary.pictures_per_s:.1f} pictures/s · seed {summary.seed}"
    )
    if summary.done_before:
        console.print(f"{summary.done_before} of them were finished before")
    if summary.other_files:
        console.print(f"{summary.other_files} files left out: their names are not those of pictures")
    if summary.labels or summary.labels_dropped:
        console.print(f"{summary.labels} labels moved with them, {summary.labels_dropped} dropped (why: in the manifest)")
    if summary.failures:
        console.print(f"[red]{summary.failed} pictures failed[/red]; each with its reason in {summary.failures}")


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    with Progress(BarColumn(), MofNCompleteColumn(), TextColumn("pictures · {task.fields[facts]}"), console=console) as bar:
        yield bar


class _Lines:
    """Progress where there is no terminal: a line every two seconds, none while nothing has changed."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console, self._tally = console, tally
        self._next_s, self._last = time.monotonic() + _LINE_EVERY_S, -1

    def show(self) -> None:
        now = self._tally.reading()
        if time.monotonic() < self._next_s or not now.total or now.finished == self._last:
            return
        self._next_s, self._last = time.monotonic() + _LINE_EVERY_S, now.finished
        self._console.print(f"{now.finished}/{now.total} pictures · {_facts(now)}")


def _facts(now: Reading) -> str:
    if not now.total:
        return f"reading the folder: {now.found} pictures"
    labels = f" · {now.labels} labels, {now.labels_dropped} dropped" if now.labels or now.labels_dropped else ""
    left = f"{_clock(now.left_s)} left" if now.left_s is not None else "starting"
    return f"{now.rate:.1f} pictures/s · {left} · {now.failed} failed{labels}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _order(asked: Asked, console: Console, client: Client) -> Order:
    if not asked.photos.is_dir():
        _leave(console, f"{asked.photos} is not a folder", NOT_STARTED)
    if asked.seed is not None and asked.seed > MAX_SEED:
        _leave(console, f"--seed is at most {MAX_SEED}", NOT_STARTED)
    recipe, recipe_name = _recipe(asked, console, client)
    return Order(
        asked.photos,
        asked.out,
        recipe,
        asked.variants,
        asked.seed,
        asked.in_flight,
        asked.batch_pictures,
        asked.retry_failed,
        Labelling(asked.labels, _masks(asked.masks, console)),
        recipe_name,
    )


def _named(recipe: Path, console: Console, client: Client) -> StoredRecipe | None:
    """The service's recipe of this name, as the version that it is now; None: it is a file."""
    asked = _NAME.fullmatch(str(recipe))
    if recipe.exists() or asked is None:
        return None
    if not client.ready():
        _leave(console, f"there is no file {recipe}, and no service answers that may know a recipe of this name", STOPPED)
    try:
        return client.recipe(asked[1], int(asked[2]) if asked[2] else None)
    except NotFound:
        _leave(console, f"there is neither a file nor a recipe called {recipe}; see `augment recipe list`", NOT_STARTED)


def _masks(masks: str, console: Console) -> str:
    if masks in ("auto", "none"):
        return masks
    if not Path(masks).is_dir():
        _leave(console, f"--masks is auto, none or a folder; {masks} is no folder", NOT_STARTED)
    return str(Path(masks).resolve())


def _recipe(asked: Asked, console: Console, client: Client) -> tuple[Recipe, str | None]:
    """The recipe of the file, or of that name, its output replaced where the command line says so; and NAME@VERSION."""
    try:
        stored = _named(asked.recipe, console, client)
        recipe = Recipe.parse(stored.recipe) if stored else load_recipe(asked.recipe)
        replaced = {"format": asked.format, "quality": asked.quality}
        output = {name: value for name, value in replaced.items() if value is not None}
        form = Output.model_validate({**recipe.output.model_dump(), **output})
        return Recipe.parse(recipe.with_output(form).document()), f"{stored.name}@{stored.version}" if stored else None
    except RecipeFileInvalid as error:
        _leave(console, str(error), NOT_STARTED)
    except RecipeInvalid as error:
        _leave(console, f"--format: {error.reason}", NOT_STARTED)


def _no_service(url: str) -> str:
    return (
        f"no augmentation service answers at {url}.\n"
        "Start one in another terminal with `augment up`, or name a running one with --url (or AUGMENT_URL)."
    )


def _leave(console: Console, message: str, status: int) -> NoReturn:
    console.print(message, style="red" if status != INTERRUPTED else None, markup=False)
    raise typer.Exit(status)
