"""Looking at other processes and at files, as an outsider sees them."""

from __future__ import annotations

from pathlib import Path


def gone(pid: int) -> bool:
    """Whether no such process runs; one that has ended and only waits to be reaped counts as gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in ("Z", "X")


def descendants(pid: int) -> set[int]:
    """Every process below `pid` that still runs."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return {child for child in found if not gone(child)}


def modes(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, owner and group of a folder and of all above it."""
    found = {path: path.stat() for path in (folder, *folder.parents)}
    return {str(path): (stat.st_mode, stat.st_uid, stat.st_gid) for path, stat in found.items()}


def is_fenced(sandbox: int) -> bool:
    """Whether a sandbox has loaded: it takes its privileges away then."""
    return "NoNewPrivs:\t1" in Path(f"/proc/{sandbox}/status").read_text()


def resident_mib(pid: int) -> float:
    """Memory that a process holds now (RSS)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def forget_peak(pid: int) -> None:
    """From now on `peak_mib` counts anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """Most memory that a process has held (RSS)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
