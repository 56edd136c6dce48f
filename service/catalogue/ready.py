"""Ready recipes, usable by name on every service and without one: YAML files of this package, and `kernels.corruptions`.

A file begins with comments: the first line says what the recipe is for, the others when to use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from types import MappingProxyType

import yaml

from kernels.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from kernels.recipe import Recipe
from service.catalogue.written import written, yaml_text

_NAMES = ("light", "medium", "strong", "detection", "segmentation", "document", "aerial", "medical-safe", "robustness")


@dataclass(frozen=True)
class Ready:
    """One ready recipe. Its file is read on first use."""

    name: str

    @cached_property
    def text(self) -> str:
        """The file: comments, then YAML."""
        return files("service.catalogue").joinpath("recipes", f"{self.name}.yaml").read_text()

    @property
    def summary(self) -> str:
        """What it is for, in one line."""
        return next(self._comments())

    @property
    def use(self) -> str:
        """When to use it, and what it leaves alone."""
        return " ".join(list(self._comments())[1:])

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe."""
        return Recipe.parse(yaml.safe_load(self.text))

    def _comments(self) -> Iterator[str]:
        for line in self.text.splitlines():
            if not line.startswith("#"):
                return
            yield line.removeprefix("#").strip()


@dataclass(frozen=True)
class Corruption(Ready):
    """A corruption of ImageNet-C at one severity, 1 to 5."""

    corruption: str
    severity: int

    @cached_property
    def text(self) -> str:
        first = f"{self.corruption} as in ImageNet-C, severity {self.severity} of {SEVERITIES[-1]}."
        head = [line for line in (first, CORRUPTIONS[self.corruption].differs) if line]
        return "".join(f"# {line}\n" for line in head) + yaml_text(written(corrupted(self.corruption, self.severity)))


READY: Mapping[str, Ready] = MappingProxyType({name: Ready(name) for name in _NAMES})
"""Every ready recipe by name, from the plainest on."""
CORRUPTED: Mapping[str, Ready] = MappingProxyType(
    {
        name: Corruption(name, corruption, severity)
        for corruption in CORRUPTIONS
        for severity in SEVERITIES
        for name in (f"corruption-{corruption}-{severity}",)
    }
)
"""The common corruptions by name, `corruption-fog-3`: too many to list beside the others."""


def ready(name: str) -> Ready | None:
    """The ready recipe of this name."""
    return READY.get(name) or CORRUPTED.get(name)
