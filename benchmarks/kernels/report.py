"""The report: tables for people, and one JSON document with the machine, versions, medians and spreads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.kernels.goals import Goal
from benchmarks.kernels.measure import Basis, Taken, ratio
from benchmarks.kernels.peers.peer import Peer
from benchmarks.machine import facts


def machine(peers: Sequence[Peer]) -> dict[str, Any]:
    """What the numbers depend on: the machine, what else it did, versions, commit."""
    packages = {"numpy", "numba", "simplejpeg", *(package for peer in peers for package in peer.packages)}
    return facts(packages)


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


def goals_of(goals: Sequence[Goal]) -> Table:
    """Goals, measured numbers, met or missed; the missed ones first."""
    table = Table("", "goal", "measured", "", title="\nGoals", title_justify="left", box=None, header_style="bold")
    for goal in sorted(goals, key=lambda goal: goal.met):
        said = goal.document()
        table.add_row(goal.what, said["goal"], f"{goal.measured:g}", "met" if goal.met else "[red]missed[/red]")
    return table


def console() -> Console:
    """Standard output, wide enough for all columns where it is no terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=160)
