"""Compiled kernels read and write nothing beyond their arrays: their tests once more, compiled with bounds checks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = ("cpu_backend", "every_op", "chains_fuzz", "stencils", "run", "verification")
CHECKED = """
import numpy as np
from kernels.cpu.compiled import kernels

outside = np.zeros((1, 4, 4), np.uint8)
try:
    kernels().slide(outside, outside.copy(), 3, 4)
except IndexError:
    raise SystemExit(0)
raise SystemExit("an array was left, and nothing said so")
"""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kernels_stay_within_their_arrays(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    tests = [f"tests/unit/kernels/test_{name}.py" for name in FILES]
    run = [sys.executable, "-m", "pytest", "-q", "-m", "not long", "-p", "no:cacheprovider", "--timeout", "300", *tests]
    for command in ([sys.executable, "-c", CHECKED], run):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
