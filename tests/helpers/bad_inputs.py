"""343 real files that are odd or damaged, each with what may be made of it (`tests/data/bad-inputs`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "bad-inputs"

CODES: dict[str, frozenset[str | None]] = {
    "ok": frozenset({None}),
    "odd-mode-ok": frozenset({None}),
    "reject-format": frozenset({"bad_request", "empty_body", "unsupported_format"}),
    "reject-truncated": frozenset({"image_unreadable", "image_truncated", "image_corrupt"}),
    "reject-dimensions": frozenset({"image_dimensions"}),
    "reject-bomb": frozenset({"image_too_many_pixels", "image_metadata", "too_many_frames"}),
}
"""The codes of each verdict; None is a picture that is taken."""

JUDGED_OTHERWISE: dict[str, str] = {
    # "ok" by decoders that only warn: 402 bytes of data are left when the last row is full, and what comes out is noise.
    # More than half of all damage in JPEG data shows in no other way.
    "go-fuzz-corpus--237974b0--44395b2ac5d836cc3042fa51605df11214baf513-6": "image_corrupt",
}
"""Files of which the manifest says something else than this service, and what it says."""


@dataclass(frozen=True)
class Sample:
    """One file, and the codes that may be said of it."""

    name: str
    codes: frozenset[str | None]

    @property
    def content(self) -> bytes:
        return (FOLDER / "files" / self.name).read_bytes()


def _sample(entry: dict[str, object]) -> Sample:
    name = Path(str(entry["file"])).name
    verdicts = {str(entry["expected"]), *entry["acceptable"]}  # type: ignore[misc]  # a list of the manifest
    codes = frozenset[str | None]().union(*(CODES[verdict] for verdict in verdicts))
    return Sample(name, frozenset({JUDGED_OTHERWISE[name]}) if name in JUDGED_OTHERWISE else codes)


SAMPLES = tuple(map(_sample, json.loads((FOLDER / "manifest.json").read_text())["files"]))
