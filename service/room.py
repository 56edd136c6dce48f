"""Room on a disk that is kept for what was accepted: its results need some, and so does a database on the same disk."""

from __future__ import annotations

import math
import os
from pathlib import Path

from batching.errors import StorageFull


def check_room(place: Path | int, reserve_bytes: int) -> None:
    """Nothing, where the disk of a folder or an open file has so much room left. Errors: StorageFull, OSError.

    Asked before anything more is accepted; what workers write may take the reserve.
    """
    if reserve_bytes and (free := _free_bytes(place)) < reserve_bytes:
        raise StorageFull(f"{free} bytes are left on its disk, and {reserve_bytes} are kept for what was accepted")


def _free_bytes(place: Path | int) -> float:
    """Room that a process may use; infinite where it is not known."""
    try:
        disk = os.statvfs(place)
    except FileNotFoundError:  # a write makes the folder again, or says why not
        return math.inf
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else math.inf
