"""What other libraries call our operations (`kernels.aliases`), for those that the catalogue has."""

from __future__ import annotations

from kernels.aliases import ops_called
from kernels.ops import OPS


def called(name: str) -> tuple[str, ...]:
    """Operations of the catalogue by their name here or, nearest first, by what other libraries call them."""
    if name in OPS:
        return (name,)
    return tuple(op for op in ops_called(name) if op in OPS)
