"""The threads of an expansion: each takes one chunk at a time from its submit to its outputs on disk."""

from __future__ import annotations

import os
import shutil
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue

from service.client import Client
from service.client.errors import CutOff, Invalid, NotFound, PictureChanged
from service.client.views import Batch
from service.expansion.collect import ArchiveDamaged, Fetched, append, fetch, place
from service.expansion.labelled import read_labels
from service.expansion.sidecars import LabelForm
from service.expansion.state import Chunk, State
from service.expansion.tally import Tally
from service.names import MANIFEST

_TRIES = 5
_POLL_S = 1.0
_LABEL_BYTES = 6 * 2**20
"""Most bytes of label files of a batch: with what JSON and base64 add, they fit into a request."""
_ALL_LABEL_BYTES = 48 * 2**20
"""The same for all variants together, which come home at once."""
_REFUSED_FOR_ONE = frozenset({"payload_too_large", "too_many_items", "work_too_large", "duplicate_custom_id", "empty_body"})
"""Codes that a whole batch may get because of one of its pictures: smaller batches find out which."""


class ExpandError(Exception):
    """An expansion cannot begin or go on; the message says what to do."""


@dataclass(frozen=True)
class Sending:
    """What every batch of the run is sent with."""

    photos: Path
    out: Path
    recipe: dict[str, JsonValue]
    variants: int
    seed: int
    group: str
    in_flight: int
    batch_pictures: int
    labels: LabelForm = "auto"
    recipe_name: str | None = None
    """NAME@VERSION of a stored recipe that `recipe` is, but for its output."""


class _Stopped(Exception):
    """Another thread has failed."""


class Run:
    """Works on chunks, unfinished ones of earlier runs first, until none is left or one cannot be worked on."""

    def __init__(self, sending: Sending, client: Client, tally: Tally, state: State) -> None:
        self._sending, self._client, self._tally, self._state = sending, client, tally, state
        self._named = sending.recipe_name
        self._open = state.open_chunks()
        self._open_lock, self._commit_lock = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._error: BaseException | None = None

    def until_done(self, show: Callable[[], None]) -> None:
        # daemons: on Ctrl-C nothing waits for them, and whatever they were at is resumed as after a crash
        threads = [
            threading.Thread(target=self._work, name=f"expand-{n}", daemon=True) for n in range(self._sending.in_flight)
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.1)
                    show()
        finally:
            self._stop.set()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                chunk = self._next()
                if chunk is None:
                    return
                self._bring_home(chunk)
        except _Stopped:
            return
        except BaseException as error:  # kept for the thread that waits for us, which raises it
            self._error = self._error or error
            self._stop.set()

    def _next(self) -> Chunk | None:
        with self._open_lock:
            if self._open:
                return self._state.chunk(self._open.pop(0))
            return self._state.plan(self._sending.batch_pictures, label_room(self._sending.variants))

    def _bring_home(self, chunk: Chunk) -> None:
        last: Exception | None = None
        for _ in range(_TRIES):
            sent = chunk if chunk.batch_id else self._submit(chunk)
            if sent is None or sent.batch_id is None:
                return
            try:
                self._collect(sent, sent.batch_id)
                return
            except NotFound:  # the service has lost or deleted the batch: send it as a new one
                chunk = self._state.begin_again(sent)
            except (ArchiveDamaged, CutOff, tarfile.TarError) as error:
                if self._stop.wait(_POLL_S):
                    raise _Stopped from error
                chunk, last = sent, error
        raise ExpandError(f"batch {chunk.batch_id} could not be fetched: {last}")

    # sending

    def _submit(self, chunk: Chunk) -> Chunk | None:
        """The chunk with its batch; None when nothing of it is left to send or others stand in its place."""
        while chunk.pictures:
            labels, refused = read_labels(chunk.pictures, self._sending.photos, self._sending.labels)
            if refused:
                for picture, (code, detail) in refused:
                    self._state.fail(picture, code, detail)
                self._tally.finished(chunk.id, 0, len(refused))
                chunk = self._state.begin_again(chunk)
                continue
            try:
                batch = self._client.submit_batch(
                    {picture.custom_id: self._sending.photos / picture.relative for picture in chunk.pictures},
                    self._named or self._sending.recipe,
                    variants=self._sending.variants,
                    seed=self._sending.seed,
                    output=self._output() if self._named else None,
                    group=self._sending.group,
                    labels=labels or None,
                    idempotency_key=chunk.key,
                )
            except OSError as error:
                chunk = self._without(
                    chunk, self._of_path(chunk, error.filename), "unreadable_file", error.strerror or str(error)
                )
            except PictureChanged:
                chunk = self._state.begin_again(chunk)
            except NotFound as problem:
                if self._named is None or problem.pointer != "/recipe":
                    raise
                self._named = None  # deleted meanwhile: what it was is known here
                chunk = self._state.begin_again(chunk)
            except Invalid as problem:
                if problem.code == "idempotency_key_reused":  # a file has changed since a run that was cut short
                    chunk = self._state.begin_again(chunk)
                elif any(picture.custom_id == problem.item for picture in chunk.pictures):
                    chunk = self._without(chunk, problem.item, problem.code, problem.detail)
                elif problem.code not in _REFUSED_FOR_ONE and not _is_alone(chunk, problem):
                    raise
                elif len(chunk.pictures) == 1:
                    chunk = self._without(chunk, chunk.pictures[0].custom_id, problem.code, problem.detail)
                else:
                    parts = self._state.split(chunk)
                    with self._open_lock:
                        self._open.extend(parts)
                    return None
            else:
                self._state.submitted(chunk, batch.id)
                return self._state.chunk(chunk.id)
        self._state.finish(chunk, {}, {}, self._state.manifest_bytes)
        return None

    def _output(self) -> Mapping[str, JsonValue]:
        output = self._sending.recipe["output"]
        assert isinstance(output, dict), "recipes have one, written out"
        return output

    def _without(self, chunk: Chunk, custom_id: str | None, code: str, detail: str) -> Chunk:
        for picture in chunk.pictures:
            if picture.custom_id == custom_id:
                self._state.fail(picture, code, detail)
                self._tally.finished(chunk.id, 0, 1)
        return self._state.begin_again(chunk)

    def _of_path(self, chunk: Chunk, path: object) -> str | None:
        for picture in chunk.pictures:
            if os.fspath(self._sending.photos / picture.relative) == path:
                return picture.custom_id
        raise ExpandError(f"cannot read {path}")

    # bringing home

    def _collect(self, chunk: Chunk, batch_id: UUID) -> None:
        batch = self._client.wait(batch_id, progress=lambda view: self._progressed(chunk, view), every_s=_POLL_S)
        failures = self._failures(batch) if batch.counts.failed + batch.counts.cancelled else {}
        incoming = self._sending.out / ".augment" / "incoming" / str(chunk.id)
        fetched = self._whole(fetch(self._client, batch_id, chunk, incoming)) if batch.outputs.done else []
        shared: dict[str, JsonValue] = {"recipe": self._sending.recipe, "output": {**self._output()}}
        with self._commit_lock:
            begin = self._state.manifest_bytes
            folders, lines, labels = place(
                fetched, chunk, self._sending.out, self._state, shared, self._sending.photos, self._sending.labels
            )
            for picture in chunk.pictures:
                if picture.custom_id not in folders:
                    failures.setdefault(picture.custom_id, _lost(batch))
            end = append(self._sending.out / MANIFEST, begin, lines)
            self._state.finish(chunk, folders, failures, end, labels)
        shutil.rmtree(incoming, ignore_errors=True)
        self._tally.finished(chunk.id, len(folders), len(failures))
        self._tally.labelled(*labels)

    def _whole(self, fetched: list[Fetched]) -> list[Fetched]:
        """Without pictures that have lost a variant: what is kept of a picture is all of it."""
        variants = Counter(one.output.custom_id for one in fetched)
        return [one for one in fetched if variants[one.output.custom_id] == self._sending.variants]

    def _progressed(self, chunk: Chunk, batch: Batch) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._tally.running(chunk.id, batch.counts.succeeded, batch.counts.failed + batch.counts.cancelled)

    def _failures(self, batch: Batch) -> dict[str, tuple[str, str]]:
        found = {}
        for state in ("failed", "cancelled"):
            for item in self._client.items(batch.id, state=state):
                code, detail = (item.error.code, item.error.detail) if item.error else (state, f"it was {state}")
                found[item.custom_id] = (code, detail)
        return found


def label_room(variants: int) -> int:
    """Most bytes of labels that one batch is sent with."""
    return min(_LABEL_BYTES, _ALL_LABEL_BYTES // variants)


def _is_alone(chunk: Chunk, problem: Invalid) -> bool:
    """Whether a recipe that mixes pictures was refused because all others of the chunk had failed before."""
    return problem.code == "recipe_invalid" and len(chunk.pictures) == 1


def _lost(batch: Batch) -> tuple[str, str]:
    if batch.state == "completed":
        return "gone", "its results were deleted from the service before they were fetched"
    return batch.state, f"its batch was {batch.state} before it was run"
