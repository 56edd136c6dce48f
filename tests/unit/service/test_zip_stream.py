"""Zip files written in one pass, as the standard library reads them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import UTC, datetime

from service.zip_stream import ZipStream

AT = datetime(2026, 11, 22, 13, 14, 16, tzinfo=UTC)


def test_members_read_back() -> None:
    stream, out = ZipStream(), io.BytesIO()
    for name, content in (("a/0.jpg", b"one"), ("naïve 猫/0.png", b""), ("b.bin", bytes(100_000))):
        out.write(stream.stored(name, content, AT) + content)
    text = b"line\n" * 1000
    packed = zlib.compress(text, wbits=-15)
    out.write(stream.deflated("manifest.jsonl", zlib.crc32(text), len(packed), len(text), AT) + packed)
    out.write(stream.end())

    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/0.jpg", "naïve 猫/0.png", "b.bin", "manifest.jsonl"]
        assert archive.read("manifest.jsonl") == text
        assert archive.infolist()[0].date_time == (2026, 11, 22, 13, 14, 16)


def test_an_empty_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(ZipStream().end())) as archive:
        assert archive.namelist() == []


def test_more_members_than_16_bits_count() -> None:
    stream, out = ZipStream(), io.BytesIO()
    for number in range(70_000):
        out.write(stream.stored(f"{number}", b"", AT))
    out.write(stream.end())

    with zipfile.ZipFile(out) as archive:
        assert len(archive.namelist()) == 70_000


def test_what_lies_behind_4_gib_is_found() -> None:
    stream = ZipStream()
    size = 5 * 2**30
    first = stream.deflated("large", 0, size, size, AT)
    second = stream.stored("behind", b"found", AT)
    end = stream.end()

    # the large member's header carries its sizes as 64-bit numbers
    assert struct.unpack("<HHQQ", first[-20:]) == (1, 16, size, size)
    # only the bytes that are read are there: a file of 5 GiB is not written
    content = {size + len(first): second + b"found", size + len(first) + len(second) + 5: end}
    with zipfile.ZipFile(_Sparse(content)) as archive:
        assert archive.getinfo("large").file_size == size
        assert archive.read("behind") == b"found"


class _Sparse(io.RawIOBase):
    """A file that is zero but for some places."""

    def __init__(self, content: dict[int, bytes]) -> None:
        self._content, self._place = content, 0
        self._size = max(start + len(piece) for start, piece in content.items())

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = max(0, offset + (0, self._place, self._size)[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._place + size)
        assert end - self._place < 2**20
        found = bytearray(end - self._place)
        for start, piece in self._content.items():
            for index, byte in enumerate(piece):
                if self._place <= start + index < end:
                    found[start + index - self._place] = byte
        self._place = end
        return bytes(found)
