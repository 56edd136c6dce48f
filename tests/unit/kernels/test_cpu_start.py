"""Compiled kernels at start: loaded when first needed, from a cache; refused to a CPU that lacks what they need."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kernels import run as runs
from kernels.cpu import machine
from kernels.cpu.compiled import kernels
from kernels.ops import OPS
from kernels.run import run, run_reference
from kernels.tensors import Picture
from tests.helpers.kernel_hashes import hashes
from tests.helpers.pictures import CPU, made, make_image, make_photo, make_plan
from tests.helpers.recipes import required

ROOT = Path(__file__).parents[3]


def python(source: str, timeout_s: float = 100, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_numba_is_imported_by_the_first_picture() -> None:
    modules = "kernels, kernels.run, kernels.library, kernels.ops, kernels.windows, kernels.version, service.app"
    assert python(f"import sys, {modules}; print('numba' in sys.modules)").strip() == "False"


def test_a_second_start_compiles_nothing() -> None:
    kernels()  # fills the cache of this user, if no other test has
    stats = python("from kernels.cpu.compiled import kernels; k = kernels(); print(k.carry.stats, k.plot.stats)")
    assert stats.count("cache_misses=Counter()") == 2, stats


def test_nothing_is_compiled_for_a_recipe_a_seed_or_a_size() -> None:
    photo = make_photo("coffee", 90, 120)
    for number, op in enumerate(OPS.values()):
        pixels = photo[: 40 + number]
        made(pixels, [{**required(op), "op": op.name}], seed=number)
    compiled = kernels()
    entries = (compiled.carry, compiled.slide, compiled.plot)
    assert [len(entry.signatures) for entry in entries] == [1, 1, 1]
    with pytest.raises(TypeError):
        compiled.slide(np.zeros((3, 4, 4)), np.zeros((3, 2, 2), np.uint8), 3, 4)


def test_a_cpu_without_the_instructions_runs_the_reference(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(machine, "cpu_flags", lambda: frozenset({"sse2", "avx2"}))
    runs._backend.cache_clear()
    planned, picture = make_plan([{"op": "rotate", "degrees": 10}], (30, 40)), Picture(torch.from_numpy(make_image(30, 40)))
    try:
        with caplog.at_level(logging.WARNING):
            runs.warm(CPU)
            found = run([planned], [picture], CPU)[0].pixels
    finally:
        runs._backend.cache_clear()
    assert torch.equal(found, run_reference([planned], [picture])[0].pixels)
    assert "AVX2" in caplog.text


def test_the_cache_folder_is_the_first_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "no folder"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    with machine._cache_folder(tmp_path / "given", "") as place:
        assert place.parent == tmp_path / "given"
    with machine._cache_folder(file, str(tmp_path / "numbas")) as place:
        assert place.parent == tmp_path / "numbas"
    with machine._cache_folder(file, "") as place:
        assert place.parent == tmp_path / "users" / "image-augmentation-service"
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    with machine._cache_folder(None, "") as place:
        assert place.is_dir()
    assert not place.exists(), "a temporary folder stays behind"


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    "avx512f" not in machine.cpu_flags(), reason="this processor has no AVX-512: there is one form of the kernels"
)
def test_kernels_compiled_for_avx2_give_the_bytes_of_those_for_avx512(tmp_path: Path) -> None:
    """Two minutes, nearly all of them to compile."""
    source = "from tests.helpers.kernel_hashes import print_those_of_haswell as told; told()"
    found = json.loads(python(source, timeout_s=580, NUMBA_CACHE_DIR=str(tmp_path)))
    expected = hashes()
    assert len(expected) > 1000
    assert {name: found.get(name) for name, digest in expected.items() if found.get(name) != digest} == {}
    compiled = b"".join(code.read_bytes() for code in tmp_path.rglob("*.nbc"))
    assert compiled
    assert b"haswell" in b"".join(index.read_bytes() for index in tmp_path.rglob("*.nbi"))
