"""The main job from nothing, as `make demo` runs it: the system started, a folder of photographs expanded, all stopped.

    python -m service.demo [FOLDER]

FOLDER is expanded where one is given; otherwise photographs that come with scikit-image. Everything lies below demo-out.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console

from kernels.recipe import Recipe, preorder
from service.client import Client
from service.contact_sheet import draw_sheet
from service.expand import Order, Summary
from service.expand_terminal import print_summary, run_with_progress
from service.processes import Child, Program, tail, wait_until
from service.recipe_file import load_recipe

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
_READY_S = 180.0
_ADDRESS = re.compile(r"API\s+(http://\S+)")


def main(arguments: list[str]) -> int:
    """Exit status 0 when every picture has all of its variants."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    home = Path("demo-out")
    begun_s = time.monotonic()
    photos = Path(arguments[0]) if arguments else _photographs(home / "photographs")
    if not photos.is_dir():
        console.print(f"{photos} is not a folder", style="red")
        return 2
    with as_file(files("service").joinpath("sample/strong.yaml")) as path:
        recipe = load_recipe(path)
    results = home / "results"
    for old in (results, home / "system"):
        shutil.rmtree(old, ignore_errors=True)
    home.mkdir(exist_ok=True)
    console.print("starting PostgreSQL, Valkey, the API, a worker and the reconciler ...")
    with _system(home) as url, Client(url) as client:
        console.print(f"ready at {url} after {time.monotonic() - begun_s:.1f} s")
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


@contextmanager
def _system(home: Path) -> Iterator[str]:
    """The address of a whole system of its own, stopped at the end, whatever happens."""
    log = home / "system.log"
    log.unlink(missing_ok=True)
    own_servers = {"DATABASE_URL": "", "REDIS_URL": "", "AUGMENT_STORE_URL": ""}
    command = (sys.executable, "-m", "service", "up", "--port", "0", "--data", str(home / "system"))
    up = Child(Program("up", command, log, own_servers, signal.SIGINT, signal.SIGTERM, grace_s=60.0))
    try:
        if not wait_until(lambda: _ADDRESS.search(log.read_text()) is not None, up, _READY_S, pause_s=0.1):
            raise SystemExit(f"the system did not come up; {log} ends with:\n{tail(log)}")
        address = _ADDRESS.search(log.read_text())
        assert address is not None, "just found"
        yield address[1]
    finally:
        up.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
