"""Labels on their way: from the files beside pictures into a request, and from results into files beside them."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from kernels.codec import probe
from kernels.errors import InputError, LabelAmbiguous, LabelInvalid
from kernels.labels import Labels
from kernels.tensors import Size
from service.client.views import Output
from service.expansion.sidecars import NO_SIDECARS, LabelForm, Sidecars, mask_path, text_path
from service.expansion.state import Picture
from service.expansion.yolo import read_yolo, write_yolo


@dataclass(frozen=True)
class Written:
    """A result's label files below the folder of results, and what the manifest says of its labels (masks apart)."""

    files: Sequence[str]
    shown: JsonValue
    kept: int
    dropped: int


Refused = tuple[Picture, tuple[str, str]]
"""A picture, and the code and detail of what is wrong with its labels."""


def read_labels(
    pictures: Sequence[Picture], photos: Path, form: LabelForm
) -> tuple[dict[str, dict[str, Any]], list[Refused]]:
    """Labels by custom id, in the shape of the REST contract, and the pictures whose labels cannot be used."""
    labels: dict[str, dict[str, Any]] = {}
    refused: list[Refused] = []
    for picture in pictures:
        if picture.sidecars == NO_SIDECARS:
            continue
        try:
            labels[picture.custom_id] = _read(picture.sidecars, photos / picture.relative, form)
        except InputError as error:
            refused.append((picture, (error.code, error.message)))
        except OSError as error:
            name = os.path.basename(str(error.filename))
            refused.append((picture, ("unreadable_file", f"{name}: {error.strerror or 'cannot be read'}")))
    return labels, refused


def labels_of(sidecars: Sidecars, source: Path, form: LabelForm) -> dict[str, Any] | None:
    """Labels of one picture, in the shape of the REST contract; None: it has no label files. InputError, OSError."""
    return None if sidecars == NO_SIDECARS else _read(sidecars, source, form)


def write_labels(output: Output, path: str, out: Path, sidecars: Sidecars, source: str, form: LabelForm) -> Written:
    """Writes the labels of a result that lies at `path` below `out`. A file appears whole or not at all."""
    labels = output.labels
    assert isinstance(labels, Mapping), "as the service writes them"
    found: dict[str, Any] = dict(labels)
    files: list[str] = []
    if "boxes" in found:
        files.append(text_path(path, sidecars, source))
        _write(out / files[-1], write_yolo(found, form, Size(output.height, output.width)).encode())
    mask = found.pop("mask", None)
    if mask is not None:
        files.append(mask_path(path, sidecars))
        _write(out / files[-1], base64.b64decode(mask))
    kept = sum(len(values) for values in (found.get("boxes", {}).get("values", ()), found.get("polygons", ())))
    objects = len(found.get("keypoints", ())) + (mask is not None)
    return Written(files, found, kept + objects, len(found.get("dropped", ())))


def _read(sidecars: Sidecars, source: Path, form: LabelForm) -> dict[str, Any]:
    if sidecars.trouble is not None:
        raise LabelAmbiguous(sidecars.trouble)
    found = probe(source.read_bytes())
    size = Size(found.height, found.width)
    labels: dict[str, Any] = {}
    for path in (sidecars.text, sidecars.mask):
        if path is None:
            continue
        content = Path(path).read_bytes()
        try:
            part = {"mask": base64.b64encode(content).decode()} if path == sidecars.mask else read_yolo(content, form, size)
            Labels.parse(part, size)
        except LabelInvalid as error:
            raise LabelInvalid(f"{os.path.basename(path)}: {error.message}") from error
        except LabelAmbiguous as error:
            raise LabelAmbiguous(f"{os.path.basename(path)}: {error.message}") from error
        labels |= part
    return labels


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    os.replace(temporary, path)
