"""Peer: another library, and how each operation of the catalogue is written with it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.op import Field, Places, Policy, asked
from kernels.ops import OPS
from kernels.plan import Plan, PlannedStep

Image = Any
"""Pixels as a peer takes them: an array, a tensor, or a batch of them."""


@dataclass(frozen=True)
class Peer:
    """A library that changes pictures, with the numbers of a plan where it takes them.

    Every form leaves its result in memory of its own, as the next step needs it. One that works on single pictures is
    called with (image, step), one that works on batches with (images, steps of all of them, same operation).
    """

    name: str
    packages: tuple[str, ...]
    """The distributions whose versions are reported."""
    is_batched: bool
    load: Callable[[Any], Image]
    """(H, W, 3) uint8 pixels, or a list of them where it is batched, as its forms take them."""
    unload: Callable[[Image], Any]
    """The other way."""
    forms: Mapping[str, Callable[[Image, Any], Image]]
    pipeline: Callable[[Image], Image] | None = None
    """The reference pipeline as a whole, where it is not a form for each step."""

    def applied(self, image: Image, plans: Sequence[Plan]) -> Image:
        """The image after every step; of a batch, each step is applied to all of it. KeyError without such a form.

        A policy is a step here, although a plan has those that it made up: a peer's makes up its own.
        """
        policy = plans[0].draws[0]["op"]
        if isinstance(OPS[policy].kind, Policy):
            return self.forms[policy](image, None)
        if not self.is_batched:
            for step in plans[0].steps:
                image = self.forms[step.op.name](image, step)
            return image
        for steps in zip(*(plan.steps for plan in plans), strict=True):
            image = self.forms[steps[0].op.name](image, steps)
        return image


MODULES = {
    "kornia": "kornia_eager",
    "torchvision": "torchvision_v2",
    "cv2": "opencv",
    "scipy": "scipy_ndimage",
    "skimage": "scikit_image",
    "PIL": "pillow",
    "albumentations": "albumentations",
}
"""What has to be installed, and the module here that knows it."""


def installed() -> tuple[Peer, ...]:
    """The peers that can be imported here."""
    found = [name for module, name in MODULES.items() if find_spec(module)]
    return tuple(importlib.import_module(f"benchmarks.kernels.peers.{name}").PEER for name in found)


def matrix_of(step: PlannedStep) -> tuple[float, ...]:
    """The 3x3 matrix of a geometric step, row by row: continuous input coordinates to output ones."""
    kind = step.op.kind
    assert isinstance(kind, Places)
    return kind.matrix(step.size_in, **asked(kind.matrix, step.fields))


def displacement_of(step: PlannedStep) -> NDArray[np.float32]:
    """(2, H, W): how far to the right, and down, each pixel's source lies. Ours, since no library has the same field."""
    kind = step.op.kind
    assert isinstance(kind, Field)
    found: NDArray[np.float32] = kind.displacement(step.size_in, step.noise_seed, **step.fields).numpy()
    return found


def box_of(step: PlannedStep) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of its input that an upright geometric step shows, in whole pixels."""
    a, _, c, _, e, f, *_ = matrix_of(step)
    height, width = step.size_out
    left, top, right, bottom = -c / a, -f / e, (width - c) / a, (height - f) / e
    return round(left), round(top), max(round(right), round(left) + 1), max(round(bottom), round(top) + 1)
