"""Bringing a finished batch home: its archive streamed to disk, checked, moved under its names, and its manifest lines."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING
from uuid import UUID

from pydantic import JsonValue

from kernels.rng import item_key
from service.client import Client
from service.client.errors import ClientError
from service.client.views import Output
from service.expansion.labelled import write_labels
from service.expansion.sidecars import LabelForm
from service.expansion.state import Chunk, LabelCounts, State
from service.expansion.walk import folded
from service.names import MANIFEST, output_names, output_path

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FAILURES = "failures.jsonl"
_RESERVED = frozenset({MANIFEST, FAILURES})
_PIECE = 2**18


class ArchiveDamaged(ClientError):
    """A downloaded archive does not hold what its manifest says; nothing of it was used."""


@dataclass(frozen=True)
class Fetched:
    """One output on disk, not yet under its name."""

    output: Output
    temporary: Path
    folder: str
    """Its picture's folder in the archive, as `output_names` decides."""


def fetch(client: Client, batch_id: UUID, chunk: Chunk, incoming: Path) -> list[Fetched]:
    """A final batch's outputs, written below `incoming` and checked against their SHA-256."""
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    files: dict[str, tuple[Path, str]] = {}
    outputs: list[Output] = []
    with (
        client.archive(batch_id, form="tar") as pieces,
        tarfile.open(fileobj=io.BufferedReader(_Pieces(pieces), _PIECE), mode="r|") as archive,
    ):
        for member in archive:
            content = archive.extractfile(member)
            if content is None:
                continue
            if member.name == MANIFEST:
                outputs = [Output.model_validate_json(line) for line in content]
            else:
                temporary = incoming / str(len(files))
                files[member.name] = (temporary, _save(content, temporary))
    sent = [picture.custom_id for picture in chunk.pictures]
    folders = dict(zip(sent, output_names(sent), strict=True))
    fetched = []
    for output in outputs:
        folder = folders.get(output.custom_id, "")
        temporary, sha256 = files.get(output_path(folder, output.variant, output.format), (incoming, ""))
        if sha256 != output.sha256:
            raise ArchiveDamaged(
                f"{output.custom_id}, {output.variant} is missing or damaged in batch {batch_id}'s archive"
            )
        fetched.append(Fetched(output, temporary, folder))
    return fetched


def place(
    fetched: Iterable[Fetched],
    chunk: Chunk,
    out: Path,
    state: State,
    line: Mapping[str, JsonValue],
    photos: Path,
    form: LabelForm,
) -> tuple[dict[str, str], list[str], LabelCounts]:
    """Moves outputs under their names: folder of each picture by custom id (folded), the manifest's lines, label counts.

    A file appears whole or not at all. `line` is what all lines share.
    """
    sources = {picture.custom_id: picture for picture in chunk.pictures}
    kept = dropped = 0
    chosen: dict[str, str] = {}
    lines = []
    for one in sorted(fetched, key=lambda one: (one.output.custom_id, one.output.variant)):
        name = one.output.custom_id
        if name not in chosen:
            chosen[name] = _free_folder(one.folder, name, out, state)
        path = output_path(chosen[name], one.output.variant, one.output.format)
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(one.temporary, out / path)
        source = photos / sources[name].relative
        described = _described(one.output, path, source)
        if one.output.labels is not None:
            written = write_labels(one.output, path, out, sources[name].sidecars, str(source), form)
            described |= {"labels": written.shown, "label_files": list(written.files)}
            kept, dropped = kept + written.kept, dropped + written.dropped
        lines.append(json.dumps({**described, **line}, ensure_ascii=False))
    return {name: folded(folder) for name, folder in chosen.items()}, lines, (kept, dropped)


def append(manifest: Path, begin: int, lines: Iterable[str]) -> int:
    """Writes lines behind the first `begin` bytes, drops what an interrupted run left there; the new length, on disk."""
    with manifest.open("ab") as stream:
        stream.truncate(begin)
        stream.seek(begin)
        stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
        stream.flush()
        os.fsync(stream.fileno())
        return stream.tell()


def _free_folder(folder: str, custom_id: str, out: Path, state: State) -> str:
    """The service's name for a picture; with its key where an earlier batch has given that name to another picture."""
    taken = folded(folder) in _RESERVED or state.folder_owner(folded(folder)) not in (None, custom_id)
    blocked = any(
        (out / parent).is_file() for parent in (folder, *map(str, PurePosixPath(folder).parents)) if parent != "."
    )
    return f"{folder}-{item_key(custom_id):016x}" if taken or blocked else folder


def _described(output: Output, path: str, source: Path) -> dict[str, JsonValue]:
    facts = output.model_dump(mode="json", exclude={"url", "id", "item_id"})
    return {"source": str(source), "path": path, "output_id": str(output.id), **facts}


def _save(content: IO[bytes], path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        while piece := content.read(_PIECE):
            digest.update(piece)
            stream.write(piece)
    return digest.hexdigest()


class _Pieces(io.RawIOBase):
    """Pieces as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer)
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        length = min(len(target), len(self._rest))
        target[:length], self._rest = self._rest[:length], self._rest[length:]
        return length
