"""Names of outputs: one function decides them, for archives, folders and datasets alike."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from kernels.rng import item_key

EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp"}
MANIFEST = "manifest.jsonl"

_MAX_SEGMENT_BYTES = 200
"""Below the 255 bytes that file systems allow, so that an extension or a key still fits."""
_MAX_PATH_BYTES = 1024
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_ENTRY = re.compile(r"(?i)/\d+\.(jpg|png|webp)(?=/|$)")


def output_names(custom_ids: Sequence[str]) -> list[str]:
    """The folder of each picture's outputs, in order: relative, safe on every file system, no two equal without case.

    A name is the custom_id's path and stem where that is unique among `custom_ids`, else with its extension, else also
    with 8 hex digits of its item key. It does not depend on the order of `custom_ids`.
    """
    stems = [_safe(posixpath.splitext(custom_id.replace("\\", "/"))[0]) for custom_id in custom_ids]
    shared = Counter(_folded(stem) for stem in stems)
    if len(shared) == len(stems) and not any(map(_ENTRY.search, stems)):
        return stems
    names = [stem if shared[_folded(stem)] == 1 else _safe(whole) for stem, whole in zip(stems, custom_ids, strict=True)]
    shared = Counter(_folded(name) for name in names)
    # a name that another one needs as a folder, where its own file would lie: a.png beside a/0.jpg.png, or a/0.jpg/b.png
    blocked = {_folded(name[: found.start()]) for name in names for found in _ENTRY.finditer(name)}
    keyed = [
        name if shared[_folded(name)] == 1 and _folded(name) not in blocked else f"{_safe(whole)}-{_digits(whole)[:8]}"
        for name, whole in zip(names, custom_ids, strict=True)
    ]
    shared = Counter(_folded(name) for name in keyed)
    return [
        name if shared[_folded(name)] == 1 else f"{name}{_digits(whole)[8:]}"
        for name, whole in zip(keyed, custom_ids, strict=True)
    ]


def output_path(name: str, variant: int, output_format: str) -> str:
    """Where one variant lies below the folder of results, with forward slashes."""
    return f"{name}/{variant}.{EXTENSIONS[output_format]}"


def _digits(custom_id: str) -> str:
    return f"{item_key(custom_id):016x}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _safe(path: str) -> str:
    segments = [_safe_segment(part) for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if segments and segments[0].casefold() == MANIFEST:
        segments[0] = segments[0].replace(".", "_")
    name = "/".join(segments)
    if len(name.encode()) > _MAX_PATH_BYTES:
        name = segments[-1]
    return name or "_"


def _safe_segment(segment: str) -> str:
    kept = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", segment))
    if not kept.isascii():  # direction marks, private and unassigned characters: they make one name look like another
        kept = "".join("_" if unicodedata.category(character).startswith("C") else character for character in kept)
    kept = kept.encode()[:_MAX_SEGMENT_BYTES].decode(errors="ignore").rstrip(". ")
    return f"_{kept}" if not kept or _DEVICES.fullmatch(kept) else kept
