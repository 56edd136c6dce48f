"""The report: tables for people, and one JSON document with the machine, versions, medians and spreads."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.kernels.goals import Goal
from benchmarks.kernels.measure import Basis, Taken, ratio
from benchmarks.kernels.peers.peer import Peer
from benchmarks.kernels.pictures import SIDE

_ROOT = Path(__file__).parents[2]


def machine(peers: Sequence[Peer]) -> dict[str, Any]:
    """What the numbers depend on: the machine, what else it did, versions, commit."""
    ours = ("image-augmentation-service", "numpy", "numba", "simplejpeg")
    packages = sorted({*ours, *(package for peer in peers for package in peer.packages)})
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
            "load_before": [round(number, 1) for number in os.getloadavg()],
        },
        "versions": {name: found for name in packages if (found := _version(name))},
        "commit": _commit(),
    }


def document_of(taken: Mapping[str, Mapping[str, Taken]]) -> dict[str, Any]:
    """Every measurement's medians and spreads."""
    return {name: {way: times.summary() for way, times in ways.items()} for name, ways in taken.items()}


def table_of(title: str, taken: Mapping[str, Mapping[str, Taken]], basis: Basis) -> Table:
    """A row for each subject, a column for each way: microseconds a picture, and how many times as long as ours."""
    names = list(dict.fromkeys(way for ways in taken.values() for way in ways))
    unit = "CPU us a picture" if basis == "cpu_us" else "us a picture"
    compared = " (times ours)" if any("kernels" in ways for ways in taken.values()) else ""
    table = Table("", *names, title=f"\n{title}: {unit}{compared}", title_justify="left", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for subject, ways in taken.items():
        cells = []
        for name in names:
            if name not in ways:
                cells.append("-")
                continue
            median = ways[name].summary()[basis]["median"]
            times = (
                "" if name == "kernels" or "kernels" not in ways else f" ({ratio(ways[name], ways['kernels'], basis):.2f})"
            )
            cells.append(f"{median:,.0f}{times}")
        table.add_row(subject.replace("_", " ") if subject == "ten_colours" else subject, *cells)
    return table


def alone_of(taken: Mapping[str, Mapping[str, Taken]], basis: Basis) -> Table:
    """Operations that no installed peer has: microseconds a picture, and a megapixel."""
    title = "\nOperations of no installed peer" + (": CPU us" if basis == "cpu_us" else ": us")
    table = Table("", "a picture", "a megapixel", title=title, title_justify="left", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, ways in taken.items():
        median = ways["kernels"].summary()[basis]["median"]
        table.add_row(name, f"{median:,.0f}", f"{median / (SIDE * SIDE) * 1e6:,.0f}")
    return table


def ns_a_pixel(taken: Mapping[str, Mapping[str, Taken]]) -> dict[str, float]:
    """What the kernels take for each pixel of the source, nanoseconds of CPU, by operation."""
    return {
        name: round(ways["kernels"].summary()["cpu_us"]["median"] * 1000 / (SIDE * SIDE), 2) for name, ways in taken.items()
    }


def goals_of(goals: Sequence[Goal]) -> Table:
    """Goals, measured numbers, met or missed; the missed ones first."""
    table = Table("", "goal", "measured", "", title="\nGoals", title_justify="left", box=None, header_style="bold")
    for goal in sorted(goals, key=lambda goal: goal.met):
        facts = goal.document()
        table.add_row(goal.what, facts["goal"], f"{goal.measured:g}", "met" if goal.met else "[red]missed[/red]")
    return table


def console() -> Console:
    """Standard output, wide enough for all columns where it is no terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=160)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit that is measured, with a + where files differ from it; None outside a working copy."""
    try:
        asked = ["git", "-C", str(_ROOT), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603  # git, our words
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
