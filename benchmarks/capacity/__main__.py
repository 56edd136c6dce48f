"""Plans capacity: what a job of so many pictures within so much time needs, from what this machine measures or another did.

    python -m benchmarks.capacity --pictures 5000000 --size 512x512 --recipe strong.yaml --within 8h
        [--variants 4] [--machine profile.json | --save profile.json] [--chart chart.png] [--json FILE]
    python -m benchmarks.capacity --validate      # three mixes, predicted and run

CPU time decides, not the clock: it is what a part can be full of. Pixels are always measured here, with the recipe; with
`--machine` the parts' costs and the cores are those of the profile, and pixels cost as much there as here.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.capacity import chart
from benchmarks.capacity.predict import Job, Plan, chart_points, plan
from benchmarks.capacity.profile import InProcess, Profile, idle_ms_per_s, measured, spent_ms, system
from benchmarks.kernels.pictures import TEN_COLOURS
from benchmarks.kernels.report import console
from benchmarks.machine import facts
from benchmarks.service.floor import in_process
from benchmarks.service.pictures import Mix, P
from service.expansion.recipe_file import RecipeFileInvalid, load_recipe

_TIME = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d+)x(\d+)")
WITHIN = 0.15
"""How far a prediction may be off."""
VALIDATED = {
    "P over 512": P,
    "ten colours over 512, 2 variants": Mix(TEN_COLOURS, 512, variants=2),
    "small PNG, 8 variants of 128": Mix(
        {
            "steps": [{"op": "resize", "size": [128, 128]}, {"op": "rotate", "degrees": [-20, 20]}],
            "output": {"format": "png"},
        },
        256,
        variants=8,
    ),
}
"""Mixes that no profile is made of."""
_VALIDATIONS = 5


def main(arguments: Sequence[str]) -> int:
    """Prints the plan, or how far predictions are off; the exit status."""
    asked = _arguments(arguments)
    try:
        recipe = _recipe(asked.recipe)
        known = Profile.load(asked.machine) if asked.machine else None
    except (RecipeFileInvalid, ValueError) as error:
        sys.exit(f"augment: {error}")
    with _telling() as tell, in_process() as floor:
        profile = known or measured(floor, asked.seconds, asked.rounds, tell)
        if asked.save:
            profile.save(asked.save)
        if asked.validate:
            rows = _validated(profile, floor, asked.seconds, tell)
        else:
            tell("the recipe's pixels")
            cost = floor(asked.seconds, Mix(recipe, asked.size, asked.variants))
    if asked.validate:
        return _say_validated(rows, profile, asked.json)
    cores = int(profile.known["machine"]["cores"]) if asked.machine else len(os.sched_getaffinity(0))
    job = Job(asked.pictures, asked.variants, asked.within)
    made = plan(job, profile, cost, cores)
    most = max(16, min(512, 2 * made.workers))
    points = chart_points(made, most)
    out = console()
    out.print(_table(job, made, cores))
    for line in chart.lines(points, made.needed_per_s):
        out.print(line)
    if asked.chart:
        title = (
            f"{job.pictures:,} pictures of {asked.size}\u00b2 pixels, {job.variants} variants: pictures a second by workers"
        )
        chart.write_png(asked.chart, points, made.needed_per_s, made.ceilings_per_s, title)
        out.print(f"chart: {asked.chart}")
    if asked.json:
        report = {"job": asdict(job), "pixels": asdict(cost), "plan": asdict(made), "profile": asdict(profile)}
        asked.json.write_text(json.dumps({**facts(("torch", "numba")), **report}, indent=2) + "\n")
    return 0 if made.possible else 1


def _validated(profile: Profile, floor: InProcess, seconds: float, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Predicted and measured CPU a picture of every mix, in turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in VALIDATED}
    with system() as running:
        idle = idle_ms_per_s(running, seconds)
        for number in range(_VALIDATIONS + 1):
            for name, mix in VALIDATED.items():
                tell(f"validating: {name}")
                cost = floor(seconds / 4, mix)
                predicted = sum(profile.overhead_ms(mix.variants, cost).values()) + cost.cpu_ms
                really = sum(ms for part, ms in spent_ms(running, mix, seconds, idle).items() if part in profile.cpu_ms)
                if number:
                    taken[name].append((predicted, really))
    return [
        {
            "mix": name,
            "predicted_cpu_ms": round(median(one for one, _ in pairs), 3),
            "measured_cpu_ms": round(median(other for _, other in pairs), 3),
            "off": round(median(one for one, _ in pairs) / median(other for _, other in pairs) - 1, 3),
        }
        for name, pairs in taken.items()
    ]


def _say_validated(rows: Sequence[dict[str, Any]], profile: Profile, to: Path | None) -> int:
    title = f"\nCPU ms a picture, medians of {_VALIDATIONS}; a prediction may be {WITHIN:.0%} off"
    table = Table("", "predicted", "measured", "off", title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(row["mix"], f"{row['predicted_cpu_ms']:.2f}", f"{row['measured_cpu_ms']:.2f}", f"{row['off']:+.1%}")
    console().print(table)
    if to:
        to.write_text(json.dumps({**facts(("torch", "numba")), "mixes": rows, "profile": asdict(profile)}, indent=2) + "\n")
    return 0 if all(abs(row["off"]) <= WITHIN for row in rows) else 1


def _table(job: Job, made: Plan, cores: int) -> Table:
    time = "as fast as this machine" if job.seconds is None else f"within {job.seconds / 3600:,.2f} h"
    title = f"\n{job.pictures:,} pictures, {job.variants} variants each, {time}: {made.needed_per_s:,.1f} pictures/s"
    table = Table("", "", title=title, title_justify="left", box=None, show_header=False)
    cpu = ", ".join(f"{part} {ms:.2f}" for part, ms in made.cpu_ms.items())
    hours = job.pictures / made.here_per_s / 3600
    rows = {
        "CPU ms a picture": cpu,
        "the measured machine": f"{made.here_per_s:,.1f} pictures/s on {cores} cores: {hours:,.1f} h",
        "limited by": made.limit + ("" if made.possible else ": no number of workers does it in time"),
        "workers": f"{made.workers} of one core each",
        "API processes": str(made.api_processes),
        "PostgreSQL": f"{made.postgres_cores} cores, {made.postgres_rows_per_s:,.0f} rows/s, {made.postgres_gib:,.1f} GiB",
        "Redis": f"{made.redis_mib:,.1f} MiB",
        "store": ", ".join(f"{name} {gib:,.1f} GiB" for name, gib in made.store_gib.items()),
        "network": ", ".join(f"{name} {rate:,.1f} MiB/s" for name, rate in made.network_mib_per_s.items()),
        "GPUs": "none was measured; a profile of a machine with one is needed to plan for them",
    }
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _recipe(path: Path | None) -> dict[str, Any]:
    return dict(P.recipe) if path is None else load_recipe(path).model_dump(mode="json", exclude_defaults=True)


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """tell(what): a line on standard error that says what is being measured, and for how long already."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting")
        yield lambda what: progress.update(task, description=what)


def _seconds(text: str) -> float:
    found = _TIME.fullmatch(text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 90s, 30m, 8h or 2d")
    return float(found[1]) * _SECONDS[found[2]]


def _side(text: str) -> int:
    """Pixels a side of the square that has as many pixels: they, not the shape, decide what a picture costs."""
    found = _SIZE.fullmatch(text)
    side = round(math.sqrt(int(found[1]) * int(found[2]))) if found else 0
    if not 16 <= side <= 4096:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write height x width as 480x640, 16 to 4096 a side")
    return side


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1_000_000, help="how many")
    parser.add_argument("--size", type=_side, default=512, help="pixels of the pictures sent, as 480x640")
    parser.add_argument("--recipe", type=Path, help="a file; without one, the reference pipeline")
    parser.add_argument("--variants", type=int, default=1, help="of each picture")
    parser.add_argument("--within", type=_seconds, help="time that there is, as 8h; without it, what this machine takes")
    parser.add_argument("--machine", type=Path, help="a profile that --save wrote, instead of measuring")
    parser.add_argument("--save", type=Path, help="write the measured profile here")
    parser.add_argument("--chart", type=Path, help="write the chart here, as PNG")
    parser.add_argument("--validate", action="store_true", help="run three mixes, and say how far predictions are off")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of the measurements of a profile")
    parser.add_argument("--json", type=Path, help="write the report here too")
    asked = parser.parse_args(arguments)
    for name in ("pictures", "variants", "rounds"):
        if getattr(asked, name) < 1:
            parser.error(f"--{name} must be 1 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
