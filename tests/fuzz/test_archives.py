"""Damaged archives: whatever is done to one, it is unpacked or refused with a documented code, within its limits."""

from __future__ import annotations

import asyncio
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as how

from kernels.errors import AugmentationError
from service.settings import Settings
from service.uploads.unpack import FREE_BYTES, Spool, unpacked
from tests.helpers.api import jpeg
from tests.helpers.archives import encrypted_zip, overlapping_zip, tar_link, tar_of, zip_link, zip_of
from tests.helpers.mutations import mutated

CODES = {
    "empty_body", "archive_corrupt", "archive_encrypted", "archive_ratio", "archive_unsafe_path", "payload_too_large",
    "too_many_items",
}  # fmt: skip
MEMBERS = {"one/a.jpg": jpeg(seed=1), "two/naïve 猫.jpg": jpeg(seed=2), "d" * 60 + "/" + "x" * 80 + ".jpg": b"text" * 400}


def pax(form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


FILES = [
    zip_of(MEMBERS),
    tar_of(MEMBERS),
    tar_of(MEMBERS, "w:gz"),
    pax(tarfile.PAX_FORMAT),
    pax(tarfile.GNU_FORMAT),
    pax(tarfile.USTAR_FORMAT),
    encrypted_zip("a.jpg"),
    overlapping_zip(jpeg(), 5),
    tar_link("a.jpg", "/etc/passwd", tarfile.SYMTYPE),
    zip_link("a.jpg", "/etc/passwd"),
    zip_of({}),
    tar_of({}),
]


def fuzz(settings: Settings, examples: int, anew: bool = False) -> set[str]:
    said: set[str] = set()

    async def members(content: bytes) -> list[tuple[str, bytes]]:
        async with Spool(settings) as spool:
            await spool.write(content)
            return [member async for member in unpacked(spool, settings)]

    with asyncio.Runner() as runner:

        @how(max_examples=examples, derandomize=not anew)
        @given(content=mutated(FILES))
        def look(content: bytes) -> None:
            try:
                found = runner.run(members(content))
            except AugmentationError as error:
                said.add(error.code)
                return
            assert sum(len(one) for _, one in found) <= max(FREE_BYTES, settings.max_archive_ratio * len(content))
            assert all("\0" not in name and not name.startswith("/") and ".." not in name.split("/") for name, _ in found)
            said.add("ok")

        look()
    assert said <= CODES | {"ok"}
    return said


def test_mutated_archives(tmp_path: Path) -> None:
    said = fuzz(Settings(data=tmp_path), examples=300)
    assert {"ok", "archive_corrupt", "archive_unsafe_path"} <= said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.timeout(900)
def test_many_mutated_archives(tmp_path: Path) -> None:
    said = fuzz(Settings(data=tmp_path), examples=5_000, anew=True)
    assert CODES - {"payload_too_large", "too_many_items", "archive_ratio"} <= said
