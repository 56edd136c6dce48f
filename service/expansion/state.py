"""What `augment expand` knows after a crash: the run's settings, every picture and every chunk, on disk before it acts.

One SQLite file, OUT/.augment/state.sqlite3; a statement that returned is on the disk. A chunk's Idempotency-Key is written
before the chunk is sent, its batch id when the service has answered, and `done` only when its outputs lie in OUT.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue

from service.expansion.sidecars import NO_SIDECARS, Sidecars
from service.expansion.walk import Found, Unreadable

CHUNK_BYTES = 64 * 2**20
LabelCounts = tuple[int, int]
"""Labels that were written, and labels that were dropped."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    settings TEXT NOT NULL, "group" TEXT NOT NULL, manifest_bytes INTEGER NOT NULL,
    labels INTEGER NOT NULL DEFAULT 0, labels_dropped INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, batch_id TEXT, done INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS pictures (
    id INTEGER PRIMARY KEY, custom_id TEXT NOT NULL UNIQUE, relative BLOB NOT NULL, together TEXT NOT NULL,
    bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, chunk INTEGER REFERENCES chunks (id),
    state TEXT NOT NULL, folder TEXT UNIQUE, code TEXT, detail TEXT,
    sidecars TEXT NOT NULL DEFAULT '[]', label_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS pictures_waiting ON pictures (together, custom_id) WHERE chunk IS NULL AND state = 'waiting';
CREATE INDEX IF NOT EXISTS pictures_chunk ON pictures (chunk);
CREATE INDEX IF NOT EXISTS pictures_failed ON pictures (custom_id) WHERE state = 'failed';
"""


@dataclass(frozen=True)
class Picture:
    """One file of a chunk."""

    id: int
    custom_id: str
    relative: str
    bytes: int
    sidecars: Sidecars = NO_SIDECARS


@dataclass(frozen=True)
class Chunk:
    """Pictures that are sent as one batch, under one key for ever."""

    id: int
    key: str
    batch_id: UUID | None
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Failure:
    """Why a picture has no outputs."""

    custom_id: str
    relative: str
    code: str
    detail: str


@dataclass(frozen=True)
class Totals:
    """Pictures by where they are."""

    waiting: int = 0
    done: int = 0
    failed: int = 0

    @property
    def all(self) -> int:
        return self.waiting + self.done + self.failed


class State:
    """The file; threads may share it. Only one process may have it open (a lock on OUT/.augment/lock sees to it)."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(folder / "state.sqlite3", check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = TRUNCATE")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # the run

    def settings(self) -> Mapping[str, JsonValue] | None:
        """What the run was begun with, or None when it is new."""
        row = self._one("SELECT settings FROM run")
        return None if row is None else json.loads(row[0])

    def begin(self, settings: Mapping[str, JsonValue]) -> None:
        with self._transaction() as connection:
            group = f"expand-{uuid.uuid4()}"
            connection.execute(
                'INSERT INTO run (settings, "group", manifest_bytes) VALUES (?, ?, 0)', (json.dumps(settings), group)
            )

    @property
    def group(self) -> str:
        row = self._one('SELECT "group" FROM run')
        assert row is not None, "begun"
        return str(row[0])

    @property
    def manifest_bytes(self) -> int:
        """How much of the manifest belongs to finished chunks; what lies behind is of one that a crash cut short."""
        row = self._one("SELECT manifest_bytes FROM run")
        assert row is not None, "begun"
        return int(row[0])

    @property
    def labels(self) -> LabelCounts:
        """Labels that all results of finished chunks have, and those that were dropped on the way."""
        row = self._one("SELECT labels, labels_dropped FROM run")
        assert row is not None, "begun"
        return int(row[0]), int(row[1])

    # pictures

    def add(self, found: Iterable[Found | Unreadable]) -> None:
        """Takes in files; known ones stay as they are, but a failed one that has changed, or its labels, waits again."""
        with self._transaction() as connection:
            for one in found:
                row = (one.custom_id, os.fsencode(one.relative))
                if isinstance(one, Unreadable):
                    connection.execute(
                        "INSERT INTO pictures (custom_id, relative, together, bytes, mtime_ns, state, code, detail)"
                        " VALUES (?, ?, '', 0, 0, 'failed', 'unreadable_file', ?)"
                        " ON CONFLICT (custom_id) DO NOTHING",
                        (*row, one.reason),
                    )
                    continue
                connection.execute(
                    "INSERT INTO pictures"
                    " (custom_id, relative, together, bytes, mtime_ns, sidecars, label_bytes, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting')"
                    " ON CONFLICT (custom_id) DO UPDATE SET state = 'waiting', code = NULL, detail = NULL,"
                    " chunk = CASE state WHEN 'failed' THEN NULL ELSE chunk END,"
                    " bytes = excluded.bytes, mtime_ns = excluded.mtime_ns, together = excluded.together,"
                    " sidecars = excluded.sidecars, label_bytes = excluded.label_bytes"
                    " WHERE (state = 'waiting' AND sidecars <> excluded.sidecars) OR (state = 'failed'"
                    " AND (bytes, mtime_ns, sidecars) <> (excluded.bytes, excluded.mtime_ns, excluded.sidecars))",
                    (*row, one.together, one.bytes, one.mtime_ns, json.dumps(one.sidecars), one.sidecars.bytes),
                )

    def retry_failed(self) -> None:
        """Every failed picture waits again."""
        self._write(
            "UPDATE pictures SET state = 'waiting', chunk = NULL, code = NULL, detail = NULL WHERE state = 'failed'"
        )

    def totals(self) -> Totals:
        with self._lock:
            rows = self._connection.execute("SELECT state, count(*) FROM pictures GROUP BY state").fetchall()
        return Totals(**{str(state): int(count) for state, count in rows})

    def failures(self) -> Iterator[Failure]:
        """Every failed picture, in the order of their ids."""
        last = ""
        while rows := self._all(
            "SELECT custom_id, relative, code, detail FROM pictures WHERE state = 'failed' AND custom_id > ?"
            " ORDER BY custom_id LIMIT 1000",
            (last,),
        ):
            last = str(rows[-1][0])
            yield from (Failure(name, os.fsdecode(relative), code, detail) for name, relative, code, detail in rows)

    # chunks

    def open_chunks(self) -> list[int]:
        """Chunks that an earlier run planned and did not finish."""
        return [int(row[0]) for row in self._all("SELECT id FROM chunks WHERE NOT done ORDER BY id", ())]

    def chunk(self, chunk_id: int) -> Chunk:
        with self._lock:
            row = self._one("SELECT key, batch_id FROM chunks WHERE id = ?", (chunk_id,))
            assert row is not None, "a chunk is never removed"
            rows = self._all(
                "SELECT id, custom_id, relative, bytes, sidecars FROM pictures WHERE chunk = ? ORDER BY custom_id",
                (chunk_id,),
            )
        pictures = tuple(
            Picture(int(number), name, os.fsdecode(relative), int(size), Sidecars(*json.loads(sidecars)))
            for number, name, relative, size, sidecars in rows
        )
        return Chunk(chunk_id, str(row[0]), UUID(row[1]) if row[1] else None, pictures)

    def plan(self, pictures: int, label_bytes: int = CHUNK_BYTES, least: int = 1) -> Chunk | None:
        """The next chunk of so many pictures, and bytes of labels, on disk with its key; None when every picture has one.

        What must travel together does, even where the chunk gets larger by it; and no rest of fewer than `least` is left.
        """
        with self._transaction() as connection:
            chosen: list[int] = []
            size, labels, last = 0, 0, None
            cursor = connection.execute(
                "SELECT id, together, bytes, label_bytes FROM pictures WHERE chunk IS NULL AND state = 'waiting'"
                " ORDER BY together, custom_id"
            )
            for number, together, length, label_length in cursor:
                full = len(chosen) >= pictures or size + length > CHUNK_BYTES or labels + label_length > label_bytes
                if together != last and len(chosen) >= least and full:
                    rest = [number, *(row[0] for row in islice(cursor, least - 1))]
                    chosen += rest if len(rest) < least else []
                    break
                chosen.append(number)
                size, labels, last = size + length, labels + label_length, together
            if not chosen:
                return None
            chunk_id = self._new_chunk(connection, chosen)
        return self.chunk(chunk_id)

    def submitted(self, chunk: Chunk, batch_id: UUID) -> None:
        self._write("UPDATE chunks SET batch_id = ? WHERE id = ?", (str(batch_id), chunk.id))

    def begin_again(self, chunk: Chunk) -> Chunk:
        """The same pictures under a new key: the service does not know the old batch any more, or a file has changed."""
        self._write("UPDATE chunks SET key = ?, batch_id = NULL WHERE id = ?", (str(uuid.uuid4()), chunk.id))
        return self.chunk(chunk.id)

    def split(self, chunk: Chunk) -> tuple[int, ...]:
        """Two chunks in its place: the service refused it for one of its pictures."""
        half = len(chunk.pictures) // 2
        with self._transaction() as connection:
            connection.execute("UPDATE chunks SET done = 1 WHERE id = ?", (chunk.id,))
            parts = (chunk.pictures[:half], chunk.pictures[half:])
            return tuple(self._new_chunk(connection, [picture.id for picture in part]) for part in parts)

    def fail(self, picture: Picture, code: str, detail: str) -> None:
        """The picture has failed before it was sent; its chunk goes on without it."""
        self._write(
            "UPDATE pictures SET state = 'failed', chunk = NULL, code = ?, detail = ? WHERE id = ?",
            (code, detail, picture.id),
        )

    def folder_owner(self, folded: str) -> str | None:
        """The custom id of the picture that an output folder belongs to."""
        row = self._one("SELECT custom_id FROM pictures WHERE folder = ?", (folded,))
        return None if row is None else str(row[0])

    def finish(
        self,
        chunk: Chunk,
        folders: Mapping[str, str],
        failures: Mapping[str, tuple[str, str]],
        manifest_bytes: int,
        labels: LabelCounts = (0, 0),
    ) -> None:
        """The chunk in one step: pictures done (custom id -> folded folder) and failed (custom id -> code, detail)."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE pictures SET state = 'done', folder = ?, code = NULL, detail = NULL WHERE custom_id = ?",
                [(folder, name) for name, folder in folders.items()],
            )
            connection.executemany(
                "UPDATE pictures SET state = 'failed', code = ?, detail = ? WHERE custom_id = ?",
                [(code, detail, name) for name, (code, detail) in failures.items()],
            )
            connection.execute("UPDATE chunks SET done = 1 WHERE id = ?", (chunk.id,))
            connection.execute(
                "UPDATE run SET manifest_bytes = ?, labels = labels + ?, labels_dropped = labels_dropped + ?",
                (manifest_bytes, *labels),
            )

    # SQL

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _new_chunk(self, connection: sqlite3.Connection, picture_ids: list[int]) -> int:
        chunk_id = connection.execute("INSERT INTO chunks (key) VALUES (?)", (str(uuid.uuid4()),)).lastrowid
        assert chunk_id is not None, "just inserted"
        connection.executemany("UPDATE pictures SET chunk = ? WHERE id = ?", [(chunk_id, number) for number in picture_ids])
        return chunk_id

    def _write(self, statement: str, values: tuple[object, ...] = ()) -> None:
        with self._transaction() as connection:
            connection.execute(statement, values)

    def _one(self, statement: str, values: tuple[object, ...] = ()) -> tuple[str, ...] | None:
        with self._lock:
            row: tuple[str, ...] | None = self._connection.execute(statement, values).fetchone()
        return row

    def _all(self, statement: str, values: tuple[object, ...]) -> list[tuple[str, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()
