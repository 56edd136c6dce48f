"""tar, read as a stream: header by header, nothing kept, nothing of what it says believed.

Python's own `tarfile` keeps every header, follows extended headers by recursion, and reads sparse maps of any length before
anybody can look. Here is what archives of pictures need: the formats v7, ustar, GNU (long names) and pax (path and size).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from service.errors import ArchiveCorrupt

BLOCK = 512
_EXTENDED_BYTES = 64 * 1024
"""Longest extended header: paths of several thousand bytes are odd, not wrong."""
_EXTENDED_IN_A_ROW = 8
"""Most extended headers before the member that they belong to."""
_SKIP_BYTES = 1 << 20
_SPARSE = "is stored with holes"


@dataclass(frozen=True)
class TarHeader:
    """What an archive says of one member."""

    name: str
    kind: Literal["file", "folder", "other"]
    """Links, devices and what nobody knows are the others."""
    bytes: int


class TarStream:
    """The members of a tar in turn; `content()` is that of the last. Errors: ArchiveCorrupt."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """`read(n)` gives up to n bytes, fewer at the end alone."""
        self._read = read
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[TarHeader]:
        while (header := self._header()) is not None:
            self._left = header.bytes
            self._padding = -header.bytes % BLOCK
            yield header
            self._skip(self._left + self._padding)

    def content(self) -> bytes:
        """All of the member's bytes: look at its header first."""
        content = self._whole(self._left)
        self._left = 0
        return content

    def _header(self) -> TarHeader | None:
        """The next member's, after the extended headers before it; None at the mark of the end."""
        name: str | None = None
        size: int | None = None
        for _ in range(_EXTENDED_IN_A_ROW + 1):
            block = self._whole(BLOCK)
            if not any(block):
                return None
            if not sums_up(block):
                raise ArchiveCorrupt("a header of the archive does not add up")
            told = _number(block[124:136])
            match block[156:157]:
                case b"x" | b"X":
                    records = _records(self._extended(told))
                    if any(key.startswith(b"GNU.sparse") for key in records):
                        raise ArchiveCorrupt(f"a member {_SPARSE}")
                    name = _text(records[b"path"]) if b"path" in records else name
                    size = _decimal(records[b"size"]) if b"size" in records else size
                case b"L":
                    name = _text(self._extended(told).partition(b"\0")[0])
                case b"g" | b"K":
                    self._extended(told)  # what is said of all members, or of where a link leads, changes no picture
                case b"S":
                    raise ArchiveCorrupt(f"a member {_SPARSE}")
                case kind:
                    return _member(block, kind, name, told if size is None else size)
        raise ArchiveCorrupt("a member has too many extended headers")

    def _extended(self, size: int) -> bytes:
        if size > _EXTENDED_BYTES:
            raise ArchiveCorrupt("an extended header is too long")
        content = self._whole(size)
        self._skip(-size % BLOCK)
        return content

    def _skip(self, count: int) -> None:
        while count:
            count -= len(self._whole(min(count, _SKIP_BYTES)))

    def _whole(self, count: int) -> bytes:
        content = self._read(count)
        if len(content) < count:
            raise ArchiveCorrupt("the archive is cut short")
        return content


def sums_up(header: bytes) -> bool:
    """Whether a block carries the checksum of a header: over bytes, or as some old writers had it, over signed ones."""
    try:
        stored = int(header[148:156].strip(b"\0 ") or b"0", 8)
    except ValueError:
        return False
    rest = header[:148] + b" " * 8 + header[156:]
    total = sum(rest)
    return stored in (total, total - 256 * sum(byte > 127 for byte in rest))


def _member(block: bytes, kind: bytes, name: str | None, size: int) -> TarHeader:
    if name is None:
        own = block[:100].partition(b"\0")[0]
        prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
        name = _text(prefix + b"/" + own if prefix else own)
    if kind == b"5" or (kind in (b"0", b"\0") and name.endswith("/")):
        return TarHeader(name, "folder", 0 if kind == b"5" else size)
    return TarHeader(name, "file" if kind in (b"0", b"\0", b"7") else "other", size)


def _number(field: bytes) -> int:
    """Octal digits, or what GNU writes for large numbers: a marked byte, then the number itself."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ") or b"0"
    return int(digits, 8) if digits.isdigit() and not set(digits) & set(b"89") else _refused()


def _decimal(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 20 else _refused()


def _refused() -> int:
    raise ArchiveCorrupt("a header of the archive holds a number that is none")


def _records(content: bytes) -> dict[bytes, bytes]:
    """The records `LENGTH KEY=VALUE` and a line end, of a pax header; the last of one key counts."""
    found: dict[bytes, bytes] = {}
    place = 0
    while place < len(content) and content[place]:
        digits = content[place : place + 8].partition(b" ")[0]
        length = _decimal(digits)
        end = place + length
        key, equals, value = content[place + len(digits) + 1 : end - 1].partition(b"=")
        if end > len(content) or not equals or content[end - 1 : end] != b"\n":
            raise ArchiveCorrupt("an extended header is damaged")
        found[key] = value
        place = end
    return found


def _text(name: bytes) -> str:
    """A name as text; bytes that are no UTF-8 are written as escapes."""
    return name.decode("utf-8", "backslashreplace")
