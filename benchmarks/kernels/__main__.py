"""The CPU kernels beside what they are to beat, side by side in one run.

    python -m benchmarks.kernels [--all-ops] [--cores 2] [--rounds 7] [--pictures 32] [--json FILE]

The reference pipeline P (JPEG 512 x 512 in, JPEG 224 x 224 out) beside the codec floor F, ten colour steps on 512 x 512
pixels, operations of every day and those that are slow in Kornia, or all with `--all-ops`; importing, the first picture and
planning. Goals are printed beside what was measured. The process starts itself again with the allocator tuned as a worker's
is.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.system.tuning import ALLOCATOR

if TYPE_CHECKING:
    from benchmarks.kernels.peers.peer import Peer

_DESCRIPTION = (__doc__ or "").split("\n\n")[0]


def main(arguments: Sequence[str]) -> None:
    asked = _arguments(arguments)
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        # the allocator reads them when a process starts
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.kernels", *arguments], {**os.environ, **ALLOCATOR})  # noqa: S606
    report = _measured(asked)
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")


def _measured(asked: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.kernels.goals import EVERYDAY
    from kernels.ops import OPS

    # before anything that takes its time is imported
    names = tuple(asked.op) or (tuple(OPS) if asked.all_ops else EVERYDAY)
    if unknown := [name for name in names if name not in OPS]:
        sys.exit(f"there is no operation {unknown[0]}; these are: {', '.join(OPS)}")
    import cv2
    import torch

    from benchmarks.kernels import goals, ops, pipelines, report, starting
    from benchmarks.kernels.measure import Basis, watch
    from benchmarks.kernels.ours import CPU
    from benchmarks.kernels.peers.peer import installed
    from benchmarks.kernels.pictures import photographs
    from benchmarks.kernels.pipelines import MICRO_BATCH
    from kernels.run import warm

    cv2.setNumThreads(1)
    torch.set_num_threads(asked.cores)
    warm(CPU)
    gc.collect()
    gc.freeze()  # as a worker does: what libraries brought along is not looked through again
    # the first pictures of a round pay for what others left in the caches
    peers, photos = installed(), photographs(max(asked.pictures, asked.cores * MICRO_BATCH))
    basis: Basis = "cpu_us" if asked.cores == 1 else "wall_us"
    facts = report.machine(peers)
    with watch(len(photos), asked.rounds, asked.cores) as clock:
        clock.expect(2 * len(peers) + 3)
        whole = pipelines.measured(clock, photos, peers)
    few = photos[: asked.pictures]
    with watch(len(few), asked.rounds, asked.cores) as clock:
        clock.expect(_count(peers, names))
        single = ops.measured(clock, few, peers, names)
        converted = ops.conversions(clock, few, peers)
    first, planned = starting.first_picture(3), starting.planning(asked.rounds)
    reached = [*goals.of_recipes(whole, basis), *goals.of_starting(first, planned), *goals.of_ops(single, basis)]
    out = report.console()
    out.print(report.table_of("Recipes", whole, basis))
    compared = {name: ways for name, ways in single.items() if len(ways) > 1}
    out.print(report.table_of("Operations, 512 x 512", compared, basis))
    if alone := {name: ways for name, ways in single.items() if len(ways) == 1}:
        out.print(report.alone_of(alone, basis))
    out.print(report.table_of("Conversions, counted in recipes only", converted, basis))
    out.print(f"\nimport {first['import_s']['median']} s, then the first picture {first['first_picture_s']['median']} s")
    out.print(
        f"planning {planned['plan_us']['median']} us a picture, cutting into stages {planned['stages_us']['median']} us"
    )
    out.print(report.goals_of(reached))
    cores = "one core: CPU time" if asked.cores == 1 else f"{asked.cores} cores: time by the clock"
    out.print(
        f"{cores}; {asked.rounds} rounds of {asked.pictures} pictures, of recipes {len(photos)}; "
        "allocator tuned for all: huge pages, memory kept"
    )
    return {
        **facts,
        "cores": asked.cores,
        "ratios_by": basis,
        "rounds": asked.rounds,
        "pictures": asked.pictures,
        "allocator": ALLOCATOR,
        "recipes": report.document_of(whole),
        "ops": report.document_of(single),
        "ns_a_pixel": report.ns_a_pixel(single),
        "conversions": report.document_of(converted),
        "starting": first,
        "planning": planned,
        "goals": [goal.document() for goal in reached],
    }


def _count(peers: Sequence[Peer], names: Sequence[str]) -> int:
    """Tasks that will be timed beside those of recipes, for the progress line."""
    single = sum(1 + sum(name in peer.forms for peer in peers) for name in names)
    return single + 2 * sum(peer.is_batched for peer in peers)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=_DESCRIPTION)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each measurement, one more to warm up")
    parser.add_argument(
        "--pictures", type=int, default=32, help="distinct pictures of a round; recipes take 64 for each core or more"
    )
    parser.add_argument("--cores", type=int, default=1, help="1: CPU time on one core; more: time by the clock on so many")
    parser.add_argument("--all-ops", action="store_true", help="measure every operation, not only those of every day")
    parser.add_argument(
        "--op", action="append", default=[], help="measure this operation instead of the everyday ones; may be repeated"
    )
    parser.add_argument("--json", type=Path, help="write the report here too")
    asked = parser.parse_args(arguments)
    for name in ("rounds", "pictures", "cores"):
        if getattr(asked, name) < 1:
            parser.error(f"--{name} must be 1 or more")
    return asked


if __name__ == "__main__":
    main(sys.argv[1:])
