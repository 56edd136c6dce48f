"""What the rounds say: medians, spreads, whom we lose to, as tables and as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.kernels.measure import summary
from benchmarks.peers.peer import EVERY, OURS


@dataclass(frozen=True)
class Run:
    """One round of one scenario."""

    pictures: int
    """Whose results were received."""
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]
    """A picture, by program or kind of process."""
    in_process_ms: float
    """CPU of the same work in process, the mean of before this peer was started and after it was stopped."""
    failed: int
    """Requests that were not answered with all their results."""

    @property
    def above_ms(self) -> float:
        """CPU of a picture above the same work in process: what the service costs."""
        return sum(self.cpu_ms.values()) - self.in_process_ms


@dataclass
class Measured:
    """A peer's rounds by scenario, or why there are none."""

    runs: dict[str, list[Run]] = field(default_factory=dict)
    absent: str | None = None
    versions: dict[str, str] = field(default_factory=dict)


def table_of(scenario: str, title: str, measured: Mapping[str, Measured]) -> Table:
    """The cheapest first; absent peers last, with the reason."""
    columns = ("above, ms", "spread", "times ours", "CPU ms", "p50 ms", "p99 ms", "pictures/s", "failed")
    table = Table("", *columns, "left after kill -9", title=f"\n{title}", title_justify="left", box=None)
    for column in table.columns[1:-1]:
        column.justify = "right"
    ours = _above(measured[OURS.name], scenario) if OURS.name in measured else None
    for name, runs in _in_order(scenario, measured):
        above = summary([run.above_ms for run in runs], 2)
        times = "" if ours is None or name == OURS.name or ours <= 0 else f"{above['median'] / ours:.1f}"
        cells = (
            f"{above['median']:.2f}",
            f"{above['spread']:.2f}",
            times,
            f"{median(sum(run.cpu_ms.values()) for run in runs):.2f}",
            f"{median(run.p50_ms for run in runs):,.1f}",
            f"{median(run.p99_ms for run in runs):,.1f}",
            f"{median(run.pictures / run.seconds for run in runs):,.0f}",
            f"{sum(run.failed for run in runs):,}",
        )
        table.add_row(name, *cells, EVERY[name].survives, style="bold" if name == OURS.name else None)
    for name, found in measured.items():
        if found.absent:
            table.add_row(name, *("-" for _ in columns), f"absent: {found.absent}")
    return table


def losses(measured: Mapping[str, Measured]) -> dict[str, list[str]]:
    """By scenario, the peers whose service costs less CPU a picture than ours."""
    if OURS.name not in measured:
        return {}
    lost = {}
    for scenario in measured[OURS.name].runs:
        ours = _above(measured[OURS.name], scenario)
        cheaper = [
            name for name, _ in _in_order(scenario, measured) if (_above(measured[name], scenario) or 0.0) < (ours or 0.0)
        ]
        lost[scenario] = cheaper
    return lost


def document(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Settings, versions, medians with spreads, and every round."""
    return {
        name: {
            "settings": EVERY[name].settings,
            "left_after_kill": EVERY[name].survives,
            "versions": found.versions,
            "absent": found.absent,
            "scenarios": {scenario: _summaries(runs) for scenario, runs in found.runs.items() if runs},
        }
        for name, found in measured.items()
    }


def _summaries(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "above_in_process_ms": summary([run.above_ms for run in runs], 3),
        "cpu_ms": summary([sum(run.cpu_ms.values()) for run in runs], 3),
        "p50_ms": summary([run.p50_ms for run in runs], 2),
        "p99_ms": summary([run.p99_ms for run in runs], 2),
        "pictures_per_s": summary([run.pictures / run.seconds for run in runs]),
        "failed": sum(run.failed for run in runs),
        "runs": [asdict(run) for run in runs],
    }


def _above(found: Measured, scenario: str) -> float | None:
    runs = found.runs.get(scenario)
    return median(run.above_ms for run in runs) if runs else None


def _in_order(scenario: str, measured: Mapping[str, Measured]) -> list[tuple[str, list[Run]]]:
    there = [(name, found.runs[scenario]) for name, found in measured.items() if found.runs.get(scenario)]
    return sorted(there, key=lambda pair: median(run.above_ms for run in pair[1]))
