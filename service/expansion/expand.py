"""Expanding a folder of pictures: planned on disk, sent in bounded batches, brought home under stable names, resumable."""

from __future__ import annotations

import fcntl
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import JsonValue

from kernels.errors import RecipeInvalid
from kernels.partners import check_company, most_partners
from kernels.recipe import Recipe
from kernels.rng import MAX_SEED
from service.client import Client
from service.expansion.collect import FAILURES
from service.expansion.run import ExpandError, Run, Sending, label_room
from service.expansion.sidecars import LOOKED_FOR, Labelling
from service.expansion.state import State
from service.expansion.tally import Tally
from service.expansion.walk import Found, Other, Unreadable, walk
from service.names import MANIFEST

_WALK_STEP = 2000


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    photos: Path
    out: Path
    recipe: Recipe
    variants: int
    seed: int | None = None
    """None: the seed of the run that is resumed, or a random one."""
    in_flight: int = 4
    """Batches that are sent, run or fetched at the same time."""
    batch_pictures: int = 256
    """Most pictures of one batch; 64 MiB of files limit it too."""
    retry_failed: bool = False
    """Whether pictures that failed in an earlier run are sent again, although their files have not changed."""
    labelling: Labelling = LOOKED_FOR
    """Which label files go with the pictures."""
    recipe_name: str | None = None
    """NAME@VERSION of a stored recipe that `recipe` is, but for its output: batches are sent with it."""


@dataclass(frozen=True)
class Summary:
    """What an expansion came to, earlier runs into the same folder included."""

    pictures: int
    done: int
    failed: int
    done_before: int
    other_files: int
    outputs: int
    seed: int
    recipe_digest: str
    elapsed_s: float
    pictures_per_s: float
    labels: int
    labels_dropped: int
    out: str
    manifest: str
    failures: str | None


def expand(order: Order, client: Client, tally: Tally, show: Callable[[], None]) -> Summary:
    """Every variant of every picture in `order.out`, as far as the pictures allow. `show` is called 10 times a second.

    Errors: ExpandError, Unreachable, ApiProblem; whatever was reached is kept, and the same call goes on from there.
    """
    order.out.mkdir(parents=True, exist_ok=True)
    with _claimed(order.out) as folder:
        state = State(folder)
        try:
            return _expand(order, client, tally, show, state)
        finally:
            state.close()


def _expand(order: Order, client: Client, tally: Tally, show: Callable[[], None], state: State) -> Summary:
    settings = _begin(order, state)
    other_files = _take_in(order, state, tally, show)
    if order.retry_failed:
        state.retry_failed()
    before = state.totals()
    tally.begin(before.all, before.done, before.failed)
    if most_partners(order.recipe):
        _plan_all(order, state, before.all)
    tally.labelled(*state.labels)
    recipe, seed, named = settings["recipe"], settings["seed"], settings.get("recipe_name")
    assert isinstance(recipe, dict), "as it was written"
    assert isinstance(seed, int), "as it was written"
    assert named is None or isinstance(named, str), "as it was written"
    sending = Sending(
        order.photos.resolve(),
        order.out,
        recipe,
        order.variants,
        seed,
        state.group,
        order.in_flight,
        order.batch_pictures,
        order.labelling.text,
        named,
    )
    try:
        Run(sending, client, tally, state).until_done(show)
    finally:
        failed = _write_failures(order.out, state)
    after, reading = state.totals(), tally.reading()
    made = after.done + after.failed - before.done - before.failed
    return Summary(
        pictures=after.all,
        done=after.done,
        failed=after.failed,
        done_before=before.done,
        other_files=other_files,
        outputs=after.done * order.variants,
        seed=seed,
        recipe_digest=order.recipe.digest,
        elapsed_s=round(reading.elapsed_s, 3),
        pictures_per_s=round(made / reading.elapsed_s, 2) if made else 0.0,
        labels=state.labels[0],
        labels_dropped=state.labels[1],
        out=str(order.out),
        manifest=str(order.out / MANIFEST),
        failures=str(order.out / FAILURES) if failed else None,
    )


@contextmanager
def _claimed(out: Path) -> Iterator[Path]:
    """OUT/.augment, for this process alone. Folders that hold something else are refused, not mixed with results."""
    folder = out / ".augment"
    if not folder.exists() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise ExpandError(f"{out} is not empty and was not made by `augment expand`; choose a new folder")
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExpandError(f"another `augment expand` is working on {out}") from None
        yield folder


def _begin(order: Order, state: State) -> Mapping[str, JsonValue]:
    asked: dict[str, JsonValue] = {
        "photos": str(order.photos.resolve()),
        "recipe": order.recipe.document(),
        "variants": order.variants,
        "seed": order.seed,
        "labels": order.labelling.text,
        "masks": order.labelling.masks,
    }
    if most_partners(order.recipe):
        asked["batch_pictures"] = order.batch_pictures
    begun = state.settings()
    if begun is None:
        asked["seed"] = random.randint(0, MAX_SEED) if order.seed is None else order.seed
        asked["recipe_name"] = order.recipe_name  # of a run that goes on it is what it was: only the content must agree
        state.begin(asked)
        return asked
    changed = [name for name in asked if asked[name] != begun.get(name) and not (name == "seed" and order.seed is None)]
    if changed:
        said = "; ".join(f"{name} was {_brief(begun.get(name))}, now {_brief(asked[name])}" for name in changed)
        raise ExpandError(f"{order.out} was begun with other settings ({said}); use them again, or choose a new folder")
    return begun


def _plan_all(order: Order, state: State, pictures: int) -> None:
    """Every chunk at once, and none of a single picture: where pictures are mixed, results depend on who is in a batch.

    So a run that is cut short goes on with the same batches, whatever has been added to the folder.
    """
    try:
        check_company(order.recipe, pictures)
    except RecipeInvalid as error:
        raise ExpandError(f"{order.photos} has {pictures} picture(s): {error.reason}") from None
    while state.plan(order.batch_pictures, label_room(order.variants), least=2):
        pass


def _brief(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _take_in(order: Order, state: State, tally: Tally, show: Callable[[], None]) -> int:
    """Reads the folder into the state; how many files were left out because their names are not those of pictures."""
    other_files = 0
    seen = walk(order.photos, order.out, order.labelling)
    while step := list(islice(seen, _WALK_STEP)):
        pictures = [one for one in step if isinstance(one, Found | Unreadable)]
        other_files += sum(isinstance(one, Other) for one in step)
        state.add(pictures)
        tally.found(len(pictures))
        show()
    return other_files


def _write_failures(out: Path, state: State) -> int:
    """failures.jsonl as it is now, or none when nothing failed; how many failed."""
    count, temporary = 0, out / ".augment" / FAILURES
    with temporary.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        for failure in state.failures():
            count += 1
            line = {
                "custom_id": failure.custom_id,
                "source": failure.relative,
                "code": failure.code,
                "detail": failure.detail,
            }
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    if count:
        os.replace(temporary, out / FAILURES)
    else:
        temporary.unlink()
        (out / FAILURES).unlink(missing_ok=True)
    return count
