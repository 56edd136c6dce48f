"""Label files beside pictures: which text and which mask belong to a picture, and where those of its results lie."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from service.expansion.suffixes import SUFFIXES

LabelForm = Literal["auto", "none", "yolo", "yolo-pose", "yolo-obb"]
MASK_ENDS = ("_mask.png", ".mask.png")
_NEVER = "classes.txt"
"""The list of class names that annotation tools write; it is no picture's."""


class Labelling(NamedTuple):
    """Which label files are looked for."""

    text: LabelForm = "auto"
    masks: str = "auto"
    """auto: beside the pictures; none; else a folder that is laid out like that of the pictures."""


class Sidecars(NamedTuple):
    """The label files of one picture, as absolute paths; `trouble` says why they cannot be told."""

    text: str | None = None
    mask: str | None = None
    trouble: str | None = None
    bytes: int = 0
    mtime_ns: int = 0


LOOKED_FOR = Labelling()
NO_SIDECARS = Sidecars()


class Finder:
    """Finds label files. A folder is listed once."""

    def __init__(self, photos: str, labelling: Labelling) -> None:
        self._photos, self._labelling = os.path.realpath(photos), labelling
        self._names = lru_cache(maxsize=64)(_names)
        self._stems = lru_cache(maxsize=64)(self._listed)

    def of(self, relative: str) -> Sidecars:
        """The label files of a picture below the folder."""
        inside, name = os.path.split(relative)
        folder, stem = os.path.join(self._photos, inside) if inside else self._photos, os.path.splitext(name)[0]
        texts = self._texts(folder, stem)
        masks = self._masks(folder, inside, stem)
        found = [path for path in (*texts, *masks) if path]
        if not found:
            return NO_SIDECARS
        trouble = None
        owners = self._owners({folder, *map(os.path.dirname, texts)}, stem)
        for paths in (texts, masks):
            if len(paths) > 1:
                trouble = f"has two label files: {' and '.join(map(os.path.basename, paths))} in {_folders(paths)}"
        if len(owners) > 1:
            trouble = f"{os.path.basename(found[0])} may belong to {' or '.join(sorted(owners))}"
        stats = [os.stat(path) for path in found]
        size, latest = sum(one.st_size for one in stats), max(one.st_mtime_ns for one in stats)
        text, mask = (paths[0] if paths else None for paths in (texts, masks))
        return Sidecars(text, mask, trouble, size, latest)

    def is_sidecar(self, folder: str, name: str) -> bool:
        """Whether a file is a label file of a picture, and so neither a picture nor left out. folder: its real path."""
        stem, suffix = os.path.splitext(name)
        if suffix == ".txt":
            places = (folder, swapped(folder, "labels", "images"))
            return self._labelling.text != "none" and any(place and stem in self._stems(place) for place in places)
        if self._labelling.masks != "auto":
            return False
        return any(name.endswith(end) and name.removesuffix(end) in self._stems(folder) for end in MASK_ENDS)

    def _owners(self, folders: set[str], stem: str) -> list[str]:
        """Names of all pictures that label files in these folders may belong to."""
        places = folders | {twin for folder in folders if (twin := swapped(folder, "labels", "images"))}
        return [owner for place in places for owner in self._stems(place).get(stem, ())]

    def _texts(self, folder: str, stem: str) -> list[str]:
        if self._labelling.text == "none" or f"{stem}.txt" == _NEVER:
            return []
        places = [folder, swapped(folder, "images", "labels")]
        return [os.path.join(place, f"{stem}.txt") for place in places if place and f"{stem}.txt" in self._names(place)]

    def _masks(self, folder: str, inside: str, stem: str) -> list[str]:
        match self._labelling.masks:
            case "none":
                return []
            case "auto":
                names = [f"{stem}{end}" for end in MASK_ENDS]
            case other:
                folder, names = os.path.normpath(os.path.join(other, inside)), [f"{stem}.png"]
        return [os.path.join(folder, name) for name in names if name in self._names(folder)]

    def _listed(self, folder: str) -> dict[str, list[str]]:
        """Names of the pictures in a folder, by stem."""
        found: dict[str, list[str]] = {}
        for name in self._names(folder):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in SUFFIXES:
                found.setdefault(stem, []).append(name)
        return found


def text_path(picture: str, sidecars: Sidecars, source: str) -> str:
    """Where a result's labels lie, below the folder of results: beside it, or under labels/ as those of its source did."""
    beside = PurePosixPath(picture).with_suffix(".txt")
    if sidecars.text is None or os.path.dirname(sidecars.text) == os.path.dirname(source):
        return str(beside)
    # the folder of a picture's results, its last one, is never the one that is meant
    folder = swapped(str(beside.parent.parent), "images", "labels")
    return str(PurePosixPath(folder, beside.parent.name, beside.name)) if folder else str(beside)


def mask_path(picture: str, sidecars: Sidecars) -> str:
    """Where a result's mask lies: beside it, under the same ending as that of its source."""
    end = ".mask.png" if (sidecars.mask or "").endswith(".mask.png") else "_mask.png"
    return str(PurePosixPath(picture).with_suffix("")) + end


def swapped(folder: str, name: str, other: str) -> str | None:
    """A folder's path with its last part `name` replaced, as YOLO tools do it; None where there is none."""
    parts = folder.split("/")
    if name not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index(name)
    return "/".join([*parts[:last], other, *parts[last + 1 :]])


def _names(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def _folders(paths: list[str]) -> str:
    return " and ".join(dict.fromkeys(os.path.basename(os.path.dirname(path)) for path in paths))
