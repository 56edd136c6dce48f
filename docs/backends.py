"""Writes docs/explanation/backends.md: every operation on the CPU backend and on the CUDA kernels in Triton's interpreter.

    python docs/backends.py

Takes some minutes, so it is no part of `docs/build.py`; run it when operations or kernels change.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from kernels.cuda import execute  # noqa: E402  # found on the path set above
from kernels.op import Mix  # noqa: E402
from kernels.ops import OPS  # noqa: E402
from kernels.plan import plan  # noqa: E402
from kernels.recipe import Recipe  # noqa: E402
from kernels.run import run  # noqa: E402
from kernels.stages import stages  # noqa: E402
from kernels.tensors import Picture, Size  # noqa: E402

PAGE = ROOT / "docs" / "explanation" / "backends.md"
CPU = torch.device("cpu")
HEAD = """# CPU and CUDA

Every example of every operation, on a photograph (192 x 256) and on noise (97 x 131): values of the CPU backend against
those of the CUDA kernels, which Triton's interpreter ran on the CPU. No instruction of the kernels is approximate and none
is fused (a test reads the assembly), so a GPU should give the interpreter's bytes; that has not been measured on one.
What differs is rounding: the CPU backend may round a product and a sum at once. Operations on neighbourhoods other than
`gaussian_blur` run in torch and Kornia on CUDA; here the interpreter's device is the CPU, so OpenCV ran them on both sides.
Operations that move parts of pictures, or lay one over another, are left out: torch runs them on every device.

Written by `python docs/backends.py`.

| Operation | Example | Equal | Within 1 level | Largest difference |
| --- | --- | --- | --- | --- |
"""


def main() -> None:
    """Writes the page."""
    pictures = [torch.from_numpy(pixels) for pixels in (_photo(), _noise())]
    rows = [(name, number, example) for name, op in OPS.items() for number, example in enumerate(op.examples)]
    lines = []
    for name, number, example in rows:
        if isinstance(OPS[name].kind, Mix):
            continue
        plans = [plan(Recipe(steps=(example,)), 7, 3, 1, Size(*pixels.shape[:2])) for pixels in pictures]
        ours = run(plans, [Picture(pixels) for pixels in pictures], CPU)
        theirs = execute.computed([stages(planned) for planned in plans], pictures, CPU)
        pairs = zip(ours, theirs, strict=True)
        off = np.concatenate([(one.pixels.int() - other.int()).abs().numpy().ravel() for one, other in pairs])
        equal, near = _share(off == 0), _share(off <= 1)
        lines.append(f"| `{name}` | {number + 1} | {equal} | {near} | {off.max()} |\n")
    PAGE.write_text(HEAD + "".join(lines))


def _share(found: np.ndarray) -> str:
    # rounded down: only what is all is called so
    return f"{np.floor(float(found.mean()) * 1e5) / 1e3:.3f} %"


def _photo() -> np.ndarray:
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:192, :256])


def _noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)


if __name__ == "__main__":
    main()
