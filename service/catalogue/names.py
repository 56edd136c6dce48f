"""What other libraries call our operations, where `kernels.aliases` says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec


def elsewhere(name: str) -> Mapping[str, Sequence[str]]:
    """Names of an operation in other libraries, by library."""
    if find_spec("kernels.aliases") is None:
        return {}
    found: Mapping[str, Sequence[str]] = import_module("kernels.aliases").elsewhere(name)
    return found
