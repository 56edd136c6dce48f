"""gzip, read as a stream. Python's own module reads a header byte by byte, and one may be as long as the archive."""

from __future__ import annotations

import zlib
from typing import IO

from service.errors import ArchiveCorrupt

_PIECE_BYTES = 32 * 1024
_SILENT_BYTES = 2**20
"""Most bytes in a row that nothing comes out of: a header, empty members, padding behind the last one."""
_MEMBERS = 1000
_BYTES_A_MEMBER = 256
"""Members, of which writers of blocks make one for every 64 KiB: so many, and one more for each so many bytes."""


class Gunzip:
    """What a gzip file (RFC 1952) of any number of members unpacks to. Errors: ArchiveCorrupt, zlib.error, EOFError."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._packed = b""
        self._inflate = zlib.decompressobj(wbits=31)
        self._begun = True
        """Whether a member was begun, or the first is to come."""
        self._members = 1
        self._read = self._silent = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end alone."""
        found: list[bytes] = []
        while count and (piece := self._piece(count)):
            found.append(piece)
            count -= len(piece)
        return b"".join(found)

    def _piece(self, most: int) -> bytes:
        """One byte or more, up to `most`; none at the end."""
        while True:
            if not self._packed:
                self._packed = self._file.read(_PIECE_BYTES)
                self._read += len(self._packed)
                if not self._packed:
                    if self._begun:
                        raise EOFError
                    return b""
            if not self._begun and not self._begin():
                continue
            before = len(self._packed)
            piece = self._inflate.decompress(self._packed, most)
            self._packed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            self._begun = not self._inflate.eof
            self._silent = 0 if piece else self._count(before - len(self._packed))
            if piece:
                return piece

    def _begin(self) -> bool:
        """Whether another member begins in what is there: behind the last, zeros may follow."""
        before = len(self._packed)
        self._packed = self._packed.lstrip(b"\0")
        self._silent = self._count(before - len(self._packed))
        if not self._packed:
            return False
        self._members += 1
        if self._members > _MEMBERS + self._read // _BYTES_A_MEMBER:
            raise ArchiveCorrupt("the archive is cut into too many gzip members")
        self._inflate, self._begun = zlib.decompressobj(wbits=31), True
        return True

    def _count(self, silent: int) -> int:
        """How many bytes in a row nothing came out of."""
        silent += self._silent
        if silent > _SILENT_BYTES:
            raise ArchiveCorrupt(f"the archive holds {_SILENT_BYTES} bytes of gzip that unpack to nothing")
        return silent
