"""Which files of a folder are pictures, what they are called, and which of them must travel together."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.expansion.sidecars import LOOKED_FOR, NO_SIDECARS, Finder, Labelling, Sidecars
from service.expansion.suffixes import SUFFIXES
from service.names import output_names

_ESCAPED = re.compile(r"[\x00-\x1f\x7f\\\udc80-\udcff]|%(?=0A|0D|22)")


@dataclass(frozen=True)
class Found:
    """One picture file."""

    custom_id: str
    relative: str
    """Path below the folder, in the file system's own spelling."""
    bytes: int
    mtime_ns: int
    """When the picture, or a label file of its, was changed last."""
    sidecars: Sidecars = NO_SIDECARS

    @property
    def together(self) -> str:
        """Pictures with the same one would get the same output name, so they go into one batch, which resolves it."""
        return folded(output_names([self.custom_id])[0])


@dataclass(frozen=True)
class Unreadable:
    """A file or folder that the walk met and could not look into."""

    custom_id: str
    relative: str
    reason: str


@dataclass(frozen=True)
class Other:
    """A file whose name is not a picture's."""

    relative: str


def walk(folder: Path, leave_out: Path, labelling: Labelling = LOOKED_FOR) -> Iterator[Found | Unreadable | Other]:
    """Everything below `folder`, in no order. Hidden names, folders behind links and `leave_out` are not entered.

    Label files come with their pictures.
    """
    pending = [os.fspath(folder)]
    barred = {os.path.realpath(leave_out)}
    if labelling.masks not in ("auto", "none"):
        barred.add(os.path.realpath(labelling.masks))
    finder = Finder(os.fspath(folder), labelling)
    while pending:
        here = pending.pop()
        real = os.path.realpath(here)
        try:
            with os.scandir(here) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            yield _unreadable(folder, here, error)
            continue
        for entry in visible:
            if entry.is_dir(follow_symlinks=False):
                if os.path.realpath(entry.path) not in barred:
                    pending.append(entry.path)
            elif finder.is_sidecar(real, entry.name):
                continue
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                yield _found(folder, entry, finder)
            else:
                yield Other(os.path.relpath(entry.path, folder))


def folded(name: str) -> str:
    """What two output names have in common that some file system takes for one."""
    return unicodedata.normalize("NFC", name.casefold())


def custom_id(relative: str) -> str:
    """A picture's id: its path below the folder, with the few characters escaped that cannot travel as a file name."""
    return _ESCAPED.sub(lambda match: _hex(match.group()), relative.replace(os.sep, "/"))


def _hex(character: str) -> str:
    return "".join(f"~{byte:02X}" for byte in os.fsencode(character))


def _found(folder: Path, entry: os.DirEntry[str], finder: Finder) -> Found | Unreadable | Other:
    relative = os.path.relpath(entry.path, folder)
    try:
        facts = entry.stat()
        sidecars = finder.of(relative)
    except OSError as error:
        return _unreadable(folder, entry.path, error)
    if not stat.S_ISREG(facts.st_mode):
        return Other(relative)
    changed_ns = max(facts.st_mtime_ns, sidecars.mtime_ns)
    return Found(custom_id(relative), relative, facts.st_size, changed_ns, sidecars)


def _unreadable(folder: Path, path: str, error: OSError) -> Unreadable:
    relative = os.path.relpath(path, folder)
    return Unreadable(custom_id(relative), relative, error.strerror or "cannot be read")
