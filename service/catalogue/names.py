"""What other libraries call our operations, where `kernels.aliases` says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from kernels.ops import OPS


def elsewhere(name: str) -> Mapping[str, Sequence[str]]:
    """Names of an operation in other libraries, by library."""
    found: Mapping[str, Sequence[str]] = _aliases().elsewhere(name) if _aliases() else {}
    return found


def library(name: str) -> str:
    """A library as it is written."""
    title: str = _aliases().LIBRARIES.get(name, name) if _aliases() else name
    return title


def called(name: str) -> tuple[str, ...]:
    """Operations of the catalogue by their name here or, nearest first, by what other libraries call them."""
    if name in OPS:
        return (name,)
    return tuple(op for op in _aliases().ops_called(name) if op in OPS) if _aliases() else ()


@cache
def _aliases() -> Any:
    return import_module("kernels.aliases") if find_spec("kernels.aliases") else None
