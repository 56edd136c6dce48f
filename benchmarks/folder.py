"""Where a measured system keeps its files: a temporary folder, entered when making a file there costs what it usually does.

ext4 does not give out again what was freed in the last minutes (one to six), and looks through all of it for each new file
(`recently_deleted` in Linux's fs/ext4/ialloc.c). So where thousands of files were just deleted, by the benchmark before
this one for example, a file costs 0.2 to 0.3 ms of CPU time instead of 0.02, and each picture of a system makes two.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USUAL_US = 60.0
"""Most microseconds of CPU time of a new file: twice to three times what it takes on ext4, XFS and tmpfs."""
_FILES = 128
_PAUSE_S = 5.0
_PATIENCE_S = 400.0
PATIENCE = "BENCH_PATIENCE_S"
"""The environment variable that says otherwise; 0 waits for nothing."""


@dataclass(frozen=True)
class MeasuredFolder:
    """A folder, and what a new file took there when the measurement began."""

    path: Path
    new_file_us: float


@contextmanager
def measured_folder() -> Iterator[MeasuredFolder]:
    """A temporary folder, once new files take `USUAL_US` there, or after minutes of patience; says so while it waits."""
    patience_s = float(os.environ.get(PATIENCE, _PATIENCE_S))
    with tempfile.TemporaryDirectory(prefix="augment-bench-") as name:
        path, begun_s, number = Path(name), time.monotonic(), 0
        while (taken_us := new_file_us(path / f"new-{number}")) > USUAL_US:
            if (waited_s := time.monotonic() - begun_s) >= patience_s:
                break
            sys.stderr.write(
                f"a new file takes {taken_us:.0f} us of CPU time, as it does for minutes after many were deleted: waiting "
                f"until it takes {USUAL_US:.0f} again ({waited_s:.0f} of {patience_s:.0f} s at most)\n"
            )
            time.sleep(_PAUSE_S)
            number += 1
        yield MeasuredFolder(path, round(taken_us, 1))


def new_file_us(folder: Path) -> float:
    """Microseconds of CPU time of a new file in a new folder, the mean of some. They stay: freed ones would count."""
    folder.mkdir()
    before_s = time.thread_time()
    for number in range(_FILES):
        os.close(os.open(folder / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return (time.thread_time() - before_s) / _FILES * 1e6
