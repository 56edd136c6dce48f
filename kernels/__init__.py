"""Pictures as tensors: recipes, plans, the engine that runs them, codecs. Knows no HTTP, Redis or SQL.

from kernels import Recipe, augment
outputs = augment(pictures, recipe, seed=7, variants=4)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernels.errors import AugmentationError as AugmentationError
    from kernels.errors import InputError as InputError
    from kernels.inverses import Inverse as Inverse
    from kernels.inverses import inverse as inverse
    from kernels.labels import Labels as Labels
    from kernels.library import Augmented as Augmented
    from kernels.library import augment as augment
    from kernels.recipe import Output as Output
    from kernels.recipe import Recipe as Recipe
    from kernels.tensors import Picture as Picture
    from kernels.tensors import Size as Size

_HOME = {
    "AugmentationError": "errors",
    "Augmented": "library",
    "InputError": "errors",
    "Inverse": "inverses",
    "Labels": "labels",
    "Output": "recipe",
    "Picture": "tensors",
    "Recipe": "recipe",
    "Size": "tensors",
    "augment": "library",
    "inverse": "inverses",
}

__all__ = [
    "AugmentationError",
    "Augmented",
    "InputError",
    "Inverse",
    "Labels",
    "Output",
    "Picture",
    "Recipe",
    "Size",
    "augment",
    "inverse",
]


def __getattr__(name: str) -> object:
    # on first use: `import kernels.errors` must not cost an import of torch
    if name not in _HOME:
        raise AttributeError(f"module 'kernels' has no attribute {name!r}")
    value: object = getattr(import_module(f"kernels.{_HOME[name]}"), name)
    globals()[name] = value
    return value
