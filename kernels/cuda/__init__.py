"""The CUDA backend: pixel operations and coordinate chains compiled once by Triton, run as data, a micro-batch at a time.

Importing it costs nothing: Triton and the kernels are loaded by the first picture, or by `warm`.
"""

from __future__ import annotations

import torch

EVERY_KERNEL = (
    {"op": "rotate", "degrees": 20},
    {"op": "resize", "size": [8, 8]},
    {"op": "contrast"},
    {"op": "gaussian_blur"},
    {"op": "resize", "size": [2, 2]},
)
"""What takes a picture of 16 x 16 through every kernel: turned and halved, its mean, a blur, smaller."""


def warm(device: torch.device) -> None:
    """Compiles the kernels, or reads them from Triton's cache folder, so that no picture has to wait.

    On a CPU the same kernels are run by Triton's interpreter, and nothing is compiled.
    """
    from kernels.cuda import execute
    from kernels.plan import plan
    from kernels.recipe import Recipe
    from kernels.stages import stages
    from kernels.tensors import Size

    recipe = Recipe.parse({"steps": list(EVERY_KERNEL)})
    pixels = torch.zeros((16, 16, 3), dtype=torch.uint8)
    execute.computed([stages(plan(recipe, 0, 0, 0, Size(16, 16)))], [pixels], device)
