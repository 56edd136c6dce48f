"""A zip file written in one pass: sizes are known before each member, so nothing is patched later and no file is kept."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime

_UTF8 = 0x800
_STORED, _DEFLATED = 0, 8
_MOST_32 = 0xFFFFFFFF
_MOST_16 = 0xFFFF
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END_64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR_64 = struct.Struct("<4sIQI")
_REGULAR_FILE = 0o100644 << 16


class ZipStream:
    """Gives the bytes around the members. Call `stored` or `deflated`, send its bytes and the content; at last `end`."""

    def __init__(self) -> None:
        self._offset = 0
        self._members = 0
        self._directory: list[bytes] = []

    def stored(self, name: str, content: bytes, modified: datetime) -> bytes:
        """What goes before `content`, which follows as it is."""
        size = len(content)
        return self._member(name, modified, _STORED, zlib.crc32(content), size, size)

    def deflated(self, name: str, crc: int, packed_bytes: int, unpacked_bytes: int, modified: datetime) -> bytes:
        """What goes before content that is a raw deflate stream."""
        return self._member(name, modified, _DEFLATED, crc, packed_bytes, unpacked_bytes)

    def end(self) -> bytes:
        """The directory, which goes last; with 64-bit numbers where they are needed."""
        directory = b"".join(self._directory)
        start, size, count = self._offset, len(directory), self._members
        more = b""
        if count >= _MOST_16 or size >= _MOST_32 or start >= _MOST_32:
            more = _END_64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
            more += _LOCATOR_64.pack(b"PK\x06\x07", 0, start + size, 1)
        count, size, start = min(count, _MOST_16), min(size, _MOST_32), min(start, _MOST_32)
        return directory + more + _END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, 0)

    def _member(self, name: str, modified: datetime, method: int, crc: int, packed: int, unpacked: int) -> bytes:
        encoded = name.encode()
        day = max(0, modified.year - 1980) << 9 | modified.month << 5 | modified.day
        time = modified.hour << 11 | modified.minute << 5 | modified.second // 2
        large = packed >= _MOST_32 or unpacked >= _MOST_32
        far = self._offset >= _MOST_32
        version = 45 if large or far else 20
        sizes = (_MOST_32, _MOST_32) if large else (packed, unpacked)
        numbers = [unpacked, packed] if large else []
        local_extra = _extra(numbers)
        central_extra = _extra([*numbers, self._offset] if far else numbers)
        offset = _MOST_32 if far else self._offset
        local = _LOCAL.pack(b"PK\x03\x04", version, _UTF8, method, time, day, crc, *sizes, len(encoded), len(local_extra))
        central = _CENTRAL.pack(
            b"PK\x01\x02",
            3 << 8 | version,
            version,
            _UTF8,
            method,
            time,
            day,
            crc,
            *sizes,
            len(encoded),
            len(central_extra),
            0,
            0,
            0,
            _REGULAR_FILE,
            offset,
        )
        header = local + encoded + local_extra
        self._directory.append(central + encoded + central_extra)
        self._members += 1
        self._offset += len(header) + packed
        return header


def _extra(numbers: list[int]) -> bytes:
    """The extra field with 64-bit numbers, or nothing."""
    return struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
