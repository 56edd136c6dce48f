"""Small disks: memory file systems of a few megabytes, where this user may mount them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """The folder, with so much room while inside. Skips the test, with the reason, where that cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir(parents=True, exist_ok=True)
    command = ("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder))
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    """A file that takes all the room but so much."""
    file = folder / "filled"
    free = os.statvfs(folder)
    left = max(0, free.f_bavail * free.f_frsize - leave_bytes)
    with suppress(OSError), file.open("wb", buffering=0) as stream:
        while left > 0:
            left -= stream.write(bytes(min(left, 2**16)))
    return file
