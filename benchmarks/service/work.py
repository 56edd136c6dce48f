"""What is done to one file, in process: decoded, planned, run and encoded, as a worker does it and without one."""

from __future__ import annotations

from benchmarks.kernels.ours import augmented
from benchmarks.kernels.pictures import SEED
from kernels import codec
from kernels.plan import Variant, plans
from kernels.recipe import Recipe
from kernels.tensors import Size


def results(recipe: Recipe, content: bytes, key: int, variants: int = 1) -> list[bytes]:
    """The encoded results of a file, one for each variant. key: what its draws depend on."""
    pixels = codec.decode(content)
    asked = [Variant(key, variant, Size(*pixels.shape[:2])) for variant in range(variants)]
    return [codec.encode(augmented(plan, pixels), recipe.output) for plan in plans(recipe, SEED, asked)]
