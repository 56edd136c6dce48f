"""343 real files that are odd or damaged, each with what may be made of it (`tests/data/bad-inputs`); and made ones."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.helpers.picture_files import PNG_SIGNATURE, chunk, png_file, saved
from tests.helpers.pictures import make_image

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
    return Sample(name, codes)


SAMPLES = tuple(map(_sample, json.loads((FOLDER / "manifest.json").read_text())["files"]))


def made(listener: str) -> dict[str, tuple[bytes, str | None]]:
    """Files for the classes that no real file is of, each with its code; some name `listener`, an address to be fetched."""
    photo = saved(make_image(40, 50), "JPEG")
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2D\1\0"
    bomb = zlib.compress(bytes(50 * 2**20), 9)
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{listener}/a'/><style>@import '{listener}'</style></svg>"
    return {
        "picture of another address.svg": (svg.encode(), "unsupported_format"),
        "picture of another address.mvg": (
            f"push graphic-context\nimage over 0,0 0,0 '{listener}'".encode(),
            "unsupported_format",
        ),
        "playlist.jpg": (f"#EXTM3U\n#EXTINF:1\n{listener}/a.ts".encode(), "unsupported_format"),
        "page.jpg": (b"<!doctype html><script>alert(1)</script>", "unsupported_format"),
        "program.jpg": (b"\x7fELF\2\1\1" + bytes(500), "unsupported_format"),
        "wide as the sea.png": (
            png_file(make_image(2, 2), header={"width": 2**31 - 1, "height": 2**31 - 1}),
            "image_too_many_pixels",
        ),
        "no side.png": (
            PNG_SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 9, 8, 2, 0, 0, 0)) + bytes(60),
            "image_dimensions",
        ),
        "long.png": (png_file(make_image(2, 2), header={"width": 20_000}), "image_dimensions"),
        "text bomb.png": (png_file(make_image(2, 2), before=[chunk(b"zTXt", b"a\0\0" + bomb)]), "image_metadata"),
        "profile bomb.png": (png_file(make_image(2, 2), before=[chunk(b"iCCP", b"a\0\0" + bomb)]), "image_metadata"),
        "frame bomb.gif": (saved(Image.new("P", (1, 1)), "GIF")[:-1] + frame * 20_000 + b";", "too_many_frames"),
        "a jpeg by its first bytes.png": (photo, None),
        "page behind a picture.jpg": (photo + b"<script>alert('secret')</script>PK\3\4", None),
        "picture with words.jpg": (photo[:2] + b"\xff\xfe\0\x08secret" + photo[2:], None),
    }
