"""The report of fault trials: one JSON file in which trials of all runs add up, and a table of it.

python -m tests.helpers.faults.report [FILE [PAGE]]     PAGE: a page of the documentation to write the table into
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

DEFAULT = Path(__file__).parents[3] / ".pytest_cache" / "faults.json"
VARIABLE = "FAULT_REPORT"
AIMS = "FAULT_AIMS"
"""Set to 1, a trial that takes longer than its row's aim fails: for a machine with nothing else to do."""
BEGIN, END = "<!-- trials: written by tests/helpers/faults/report.py -->", "<!-- end of trials -->"
"""Where the table stands in a page."""
LEASE_S = 2.0
"""In trials."""
TARGETS_S = {
    **dict.fromkeys(("F1", "F4"), 5.0),
    **dict.fromkeys(("F2", "F3"), LEASE_S + 5),
    **dict.fromkeys(("F5", "F6", "F8"), 15.0),
    **dict.fromkeys(("F9", "F15"), 30.0),
    **dict.fromkeys(("F14", "F16", "F20", "F24"), 60.0),
    "F17": LEASE_S + 10,
    "F18": 4.0,
}
"""Within which all is to come right after a fault of the row; the other rows end with their fault."""
COLUMNS = (
    *("row", "fault", "trials", "acked", "lost", "duplicated", "wrong content", "other"),
    *("p50 / p95 / max s", "aim s: beyond it", "runs again"),
)
SUMS = ("acked", "lost", "duplicated", "wrong_content", "other", "unanswered")


@dataclass(frozen=True)
class Trial:
    """One trial of one fault, after the fault was seen to hit."""

    row: str
    fault: str
    acked: int
    lost: int
    duplicated: int
    wrong_content: int
    other: int
    """Breaches of other invariants."""
    recovery_s: float
    """From the fault, or from its end where it is lifted, until the last acknowledged item was final."""
    extra_executions: int
    unanswered: int
    """Submits without an answer, resolved by their idempotency key."""


def path() -> Path:
    """Where the trials of this run are added."""
    return Path(os.environ.get(VARIABLE, DEFAULT))


def add(trial: Trial, file: Path | None = None) -> None:
    """Adds one trial to the file, which tests that run side by side share."""
    _append("trials", asdict(trial), file)


def add_missed(test: str, why: str, file: Path | None = None) -> None:
    """Adds one try whose fault did not hit, which is no trial."""
    _append("missed", {"test": test, "why": why}, file)


def _append(to: str, record: dict[str, Any], file: Path | None) -> None:
    file = file or path()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document = read(file)
        at = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": _commit()}
        document.setdefault(to, []).append(at | record)
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(document, indent=1))
        temporary.replace(file)


def read(file: Path) -> dict[str, Any]:
    """The document of a file, or an empty one: {machine, trials: [...], missed: [...]}; the last may not be there."""
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().split('-')[0]}",
        "trials": [],
    }


def table(trials: Sequence[dict[str, Any]]) -> str:
    """The trials by row and fault, as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in trials:
        groups.setdefault((trial["row"], trial["fault"]), []).append(trial)
    for (row, fault), found in sorted(groups.items(), key=lambda group: (int(group[0][0][1:]), group[0][1])):
        times = sorted(trial["recovery_s"] for trial in found)
        high = times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]
        sums = [sum(trial[name] for trial in found) for name in ("acked", "lost", "duplicated", "wrong_content", "other")]
        took = f"{median(times):.1f} / {high:.1f} / {times[-1]:.1f}"
        cells = (
            row,
            fault,
            len(found),
            *sums,
            took,
            _beyond(row, times),
            sum(trial["extra_executions"] for trial in found),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def within_aim(trial: Trial) -> bool:
    """Whether it took no longer than its row's aim, where that is to be looked at."""
    return os.environ.get(AIMS, "") in ("", "0") or trial.recovery_s <= TARGETS_S.get(trial.row, float("inf"))


def _beyond(row: str, times: Sequence[float]) -> str:
    """The aim of a row, and how many of its trials took longer."""
    aim_s = TARGETS_S.get(row)
    return "" if aim_s is None else f"{aim_s:g}: {sum(time_s > aim_s for time_s in times)}"


def summary(document: dict[str, Any]) -> str:
    """All trials in one paragraph of Markdown."""
    trials = document["trials"]
    faults = {(trial["row"], trial["fault"]) for trial in trials}
    acked, lost, twice, wrong, other, unanswered = (sum(trial[name] for trial in trials) for name in SUMS)
    text = (
        f"{len(trials):,} trials of {len(faults)} faults on a machine of {document['machine']}, with {acked:,} "
        f"acknowledged pictures: {lost} lost, {twice} duplicated, {wrong} with wrong content, {other} other breaches; "
        f"{unanswered:,} submits lost their answer and were resolved by their key."
    )
    if missed := len(document.get("missed", ())):
        text += f" In {missed} more tries the fault did not hit, so they are no trials."
    if not lost + twice + wrong + other:
        most = 3 / max(1, len(trials))
        text += f" No breach in {len(trials):,} trials bounds their chance, over all these faults, below {most:.2%} (95 %)."
    return "\n".join(textwrap.wrap(text, 140))


def write_into(page: Path, document: dict[str, Any]) -> None:
    """Replaces what stands between the marks of a page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{page} has no {BEGIN}"
    assert end, f"{page} has no {END}"
    page.write_text(f"{before}{begin}\n{summary(document)}\n\n{table(document['trials'])}\n\n{end}{after}")


def _commit() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


if __name__ == "__main__":
    given = read(Path(sys.argv[1]) if len(sys.argv) > 1 else path())
    if len(sys.argv) > 2:
        write_into(Path(sys.argv[2]), given)
    else:
        sys.stdout.write(f"{summary(given)}\n\n{table(given['trials'])}\n")
