"""Hashes of what the CPU's kernels make of every operation and of chains, whole or as a processor without AVX-512 would."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kernels import augment
from kernels.cpu import machine
from kernels.ops import OPS
from tests.helpers.pictures import make_image, make_photo

_HASWELL = "+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+f16c,+movbe,-avx512f"
_CHAIN: list[dict[str, Any]] = [
    {"op": "random_resized_crop", "size": [100, 120]},
    {"op": "rotate", "degrees": [-40, 40]},
    {"op": "color_jitter"},
    {"op": "gamma"},
    {"op": "gaussian_blur", "sigma": [0.3, 3]},
    {"op": "gaussian_noise"},
    {"op": "equalize"},
    {"op": "perspective"},
]


def hashes() -> dict[str, str]:
    """SHA-256 by operation, example and picture; the error's text where there is one."""
    pictures = [make_photo("astronaut", 121, 173), make_image(67, 51, seed=1), make_photo("coffee", 300, 300)]
    recipes = {
        f"{name} {number}": [example.model_dump(mode="json")]
        for name, op in OPS.items()
        for number, example in enumerate(op.examples)
    }
    recipes |= {f"chain {number}": _CHAIN for number in range(20)}
    return {
        f"{name}, picture {output.key}": str(output.error)
        if output.image is None
        else hashlib.sha256(output.image.numpy().tobytes()).hexdigest()
        for seed, (name, steps) in enumerate(recipes.items())
        for output in augment(pictures, {"steps": steps}, seed=seed)
    }


def print_those_of_haswell() -> None:
    """As JSON. In a process and a cache of its own: kernels are compiled once in a process."""
    machine._processor = lambda: {"CPU_NAME": "haswell", "CPU_FEATURES": _HASWELL}
    print(json.dumps(hashes()))  # noqa: T201  # what it is for
