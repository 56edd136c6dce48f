"""How far a benchmark is: one line on standard error, gone at its end."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_line(rate: str = "") -> Progress:
    """What is done, of how much, and the time left; with `rate` each task's field `rate`, in that unit, too."""
    rates = (TextColumn("{task.fields[rate]:,.0f} " + rate),) if rate else ()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *rates, TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
