"""The main job from nothing, as `make demo` runs it: the system started, a folder of photographs expanded, all stopped.

    python -m service.demo [FOLDER]

FOLDER is expanded where one is given; otherwise photographs that come with scikit-image. Everything lies below demo-out.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console

from kernels.recipe import Recipe, preorder
from service.client import Client
from service.expansion.contact_sheet import draw_sheet
from service.expansion.expand import Order, Summary
from service.expansion.recipe_file import load_recipe
from service.expansion.terminal import print_summary, run_with_progress
from service.system.own_system import own_system

VARIANTS = 8
SEED = 7
PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "retina.jpg",
    "rocket.jpg",
)
"""Those of scikit-image's pictures that are photographs and lie in its wheel; seven of them are grey."""


def main(arguments: list[str]) -> int:
    """Exit status 0 when every picture has all of its variants."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    home = Path("demo-out")
    begun_s = time.monotonic()
    photos = Path(arguments[0]) if arguments else _photographs(home / "photographs")
    if not photos.is_dir():
        console.print(f"{photos} is not a folder", style="red")
        return 2
    with as_file(files("service.catalogue").joinpath("sample/strong.yaml")) as path:
        recipe = load_recipe(path)
    results = home / "results"
    for old in (results, home / "system"):
        shutil.rmtree(old, ignore_errors=True)
    console.print("starting PostgreSQL, Valkey, the API, a worker and the reconciler ...")
    with own_system(home) as system, Client(system.url) as client:
        console.print(f"ready at {system.url} after {time.monotonic() - begun_s:.1f} s")
        console.print(
            f"expanding {photos} by {', '.join(step.op for step in preorder(recipe.steps))}; {VARIANTS} variants each"
        )
        summary = run_with_progress(_order(photos, results, recipe), client, console, quiet=False)
        print_summary(summary, console)
        if summary.done:
            sheet = draw_sheet(results, home / "contact-sheet.png", _title(summary))
            console.print(f"contact sheet: {sheet}")
    console.print(f"everything is stopped; {time.monotonic() - begun_s:.1f} s in all")
    return 1 if summary.failed or not summary.done else 0


def _order(photos: Path, results: Path, recipe: Recipe) -> Order:
    return Order(photos, results, recipe, VARIANTS, SEED)


def _title(summary: Summary) -> str:
    return (
        f"{summary.done} pictures, {summary.outputs} variants, {summary.pictures_per_s * VARIANTS:.0f} variants per second"
    )


def _photographs(folder: Path) -> Path:
    """A folder with scikit-image's photographs; nothing is downloaded."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise SystemExit("scikit-image is missing: install the extra `demo`, or name a folder of pictures")
    folder.mkdir(parents=True, exist_ok=True)
    for name in PHOTOGRAPHS:
        shutil.copyfile(Path(found.origin).parent / "data" / name, folder / name)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
