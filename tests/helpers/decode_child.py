"""A process that decodes what it is sent, so that a decoder that crashes, hangs or leaks takes nothing else with it.

Run as a module it is that process: it reads lengths and contents, and answers each with a line, the code or `ok`.
"""

from __future__ import annotations

import select
import struct
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.helpers.processes import resident_mib

SPACE_BYTES = 8 * 2**30
"""Address space: Python with torch maps some four gigabytes before it does anything."""
PATIENCE_S = 30.0


class DecodeChild:
    """The parent's end."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen((sys.executable, "-m", __name__), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.code_of(b"") == "unsupported_format"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def code_of(self, content: bytes) -> str:
        """What the decoder says: a code, or `ok`. Fails where it says nothing: it has crashed, or does not end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(struct.pack("<I", len(content)) + content)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"the decoder had gone before: {self._process.wait(5)}") from None
        answered = select.select([self._process.stdout], [], [], PATIENCE_S)[0]
        line = self._process.stdout.readline().decode().strip() if answered else ""
        assert answered, f"the decoder does not end with {content[:16]!r}... of {len(content)} bytes"
        assert line, f"the decoder ended with {self._process.wait(5)} on {content[:16]!r}... of {len(content)} bytes"
        return line

    def mib(self) -> float:
        """Memory that it holds."""
        return resident_mib(self._process.pid)


def main() -> None:
    import resource

    from kernels.codec import decode, probe
    from kernels.errors import InputError

    resource.setrlimit(resource.RLIMIT_AS, (SPACE_BYTES, SPACE_BYTES))
    while length := sys.stdin.buffer.read(4):
        content = sys.stdin.buffer.read(*struct.unpack("<I", length))
        try:
            header = probe(content)
            pixels = decode(content)
            assert pixels.shape == (header.height, header.width, 3), "the header says another size"
            said = "ok"
        except InputError as error:
            said = error.code
        sys.stdout.write(said + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
