"""The reader of tar streams, against what Python's own module writes."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

from service.errors import ArchiveCorrupt
from service.uploads.tar import TarStream

NAMES = ["a.jpg", "d/" + "x" * 90 + "/b.jpg", "y" * 300 + "/" + "z" * 300, "naïve 猫.jpg", "d/e/" + "w" * 150 + "/c.png"]
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def read(content: bytes) -> dict[str, bytes]:
    stream = TarStream(io.BytesIO(content).read)
    return {header.name: stream.content() for header in stream if header.kind == "file"}


@pytest.mark.parametrize("form", FORMATS)
def test_what_tarfile_writes(form: str) -> None:
    rng = np.random.default_rng(1)
    members = {name: rng.bytes(int(size)) for name, size in zip(NAMES, (0, 511, 512, 513, 70_000), strict=True)}
    if form == "ustar":
        del members[NAMES[2]]  # longer than that format can name
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=FORMATS[form], pax_headers={"comment": "all of them"}) as archive:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5  # type: ignore[assignment]  # a fraction makes pax write a header of its own
            archive.addfile(info, io.BytesIO(content))
    assert read(out.getvalue()) == members
    kinds = [header.kind for header in TarStream(io.BytesIO(out.getvalue()).read)]
    assert kinds == ["folder"] + ["file"] * len(members), "contents that nobody reads are passed over"


def test_sizes_as_gnu_writes_large_ones() -> None:
    info = tarfile.TarInfo("huge")
    info.size = 2**40
    block = info.tobuf(tarfile.GNU_FORMAT)
    assert next(iter(TarStream(io.BytesIO(block).read))).bytes == 2**40


def test_a_format_older_than_ustar() -> None:
    block = bytearray(tarfile.TarInfo("old").tobuf(tarfile.USTAR_FORMAT))
    block[156], block[257:265] = 0, bytes(8)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 0x20)
    assert read(bytes(block) + bytes(512)) == {"old": b""}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"]
)
def test_links_and_devices_are_told_apart(kind: bytes) -> None:
    info = tarfile.TarInfo("a.jpg")
    info.type, info.linkname = kind, "/etc/passwd"
    [header] = TarStream(io.BytesIO(info.tobuf() + bytes(512)).read)
    assert header.kind == "other"


def test_wherever_it_is_cut_or_changed_nothing_worse_than_a_code_comes() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("d/" + "猫" * 60)
        info.size = 100
        archive.addfile(info, io.BytesIO(bytes(100)))
    whole = out.getvalue()
    end = 512 * 4  # header and records of pax, header and content of the file
    for cut in range(0, end, 7):
        with pytest.raises(ArchiveCorrupt):
            read(whole[:cut])
    rng = np.random.default_rng(2)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[int(rng.integers(end))] ^= 1 << int(rng.integers(8))
        try:
            assert len(read(bytes(damaged))) <= 1
        except ArchiveCorrupt:
            continue


@pytest.mark.parametrize("field", [b"-0000000001\0", b"0000000009\0\0", b"zzzzzzzzzzz\0", b"\xff" * 12])
def test_sizes_that_are_none(field: bytes) -> None:
    block = bytearray(tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = field
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 0x20)
    with pytest.raises(ArchiveCorrupt):
        read(bytes(block) + bytes(512))
