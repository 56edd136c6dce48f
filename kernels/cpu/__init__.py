"""The CPU backend: pixel operations and coordinate chains compiled once by numba, run as data, tile by tile.

Importing it costs nothing: numba and the kernels are loaded by the first picture, or by `warm`.
"""

from __future__ import annotations

from pathlib import Path


def warm(folder: Path | None = None) -> None:
    """Loads the kernels, so that no picture has to wait: some 50 s when nothing is cached yet, else about a second.

    folder: where compiled code is kept; the user's cache folder if not given.
    """
    from kernels.cpu.compiled import kernels

    kernels(folder)
