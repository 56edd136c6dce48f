"""The CUDA kernels themselves: their words, what launches are specialised on, that they compile, when they are loaded."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, make_backend
from triton.compiler import compile as compile_kernel
from triton.runtime.jit import create_function_from_signature

from kernels import cuda, words
from kernels import run as runs
from kernels.cuda import compiled, execute
from kernels.cuda.arena import Arena
from kernels.cuda.binding import Binder
from kernels.cuda.memory import Memory
from kernels.cuda.passage import Call, Launch
from kernels.run import run, run_reference
from kernels.stages import stages
from kernels.tensors import Picture
from kernels.words import clamp, exp2, floor, log2, maximum, minimum, normal, rint, sqrt, uniform, where
from tests.helpers.pictures import CPU, make_image, make_plan
from tests.helpers.recipes import ALONE, required
from tests.unit.kernels.test_cpu_words import ROWS, SEEDS, by_torch, numbers

HOPPER = GPUTarget("cuda", 90, 32)
REGISTERS = 65536
"""Of a multiprocessor of Hopper's."""
KERNELS = ("sweep", "average", "settle", "shrink", "weigh")
SIGNATURE = {"tiles": "*i32", "records": "*i64", "lanes": "constexpr"}


def all_words(a: Any, b: Any, seeds: Any, result: Any, first: Any, count: Any, lanes: tl.constexpr) -> None:
    """One word a row, of a, of b (above 0) and of the pixel numbers from `first`."""
    words_of(a, b, seeds, result, first, count, lanes)


def words_of(a: Any, b: Any, seeds: Any, result: Any, first: Any, count: Any, lanes: tl.constexpr) -> None:
    t = tl.arange(0, lanes)
    here = t < count
    u, v = tl.load(a + t, mask=here, other=0.0), tl.load(b + t, mask=here, other=1.0)
    seed = (tl.load(seeds).to(tl.uint32), tl.load(seeds + 1).to(tl.uint32))
    i = (tl.load(first) + t).to(tl.uint32)
    tl.store(result + t, where(u < v, 1.5, v), mask=here)
    tl.store(result + count + t, minimum(u, v), mask=here)
    tl.store(result + 2 * count + t, maximum(u, v), mask=here)
    tl.store(result + 3 * count + t, clamp(u), mask=here)
    tl.store(result + 4 * count + t, floor(u), mask=here)
    tl.store(result + 5 * count + t, rint(u), mask=here)
    tl.store(result + 6 * count + t, exp2(u), mask=here)
    tl.store(result + 7 * count + t, log2(v), mask=here)
    tl.store(result + 8 * count + t, sqrt(v), mask=here)
    tl.store(result + 9 * count + t, uniform(i, seed, 0), mask=here)
    tl.store(result + 10 * count + t, uniform(i, seed, 3), mask=here)
    tl.store(result + 11 * count + t, normal(i, seed, 2), mask=here)


def made(first: int = 0, seed: tuple[int, int] = SEEDS[1]) -> dict[str, Any]:
    a, b = numbers()
    result = torch.empty((len(ROWS), a.size))
    kernel = Binder(interpreted=True).entry(all_words)
    firsts, seeds = torch.tensor([first]), torch.tensor(seed)
    inputs = (torch.from_numpy(a), torch.from_numpy(b), seeds, result, firsts)
    kernel[(1,)](*inputs, a.size, lanes=8192)
    return dict(zip(ROWS, result.numpy(), strict=True))


@pytest.mark.parametrize("word", ["minimum", "maximum", "clamp", "floor", "rint"])
def test_plain_words_are_exact(word: str) -> None:
    a, b = numbers()
    assert np.array_equal(made()[word], by_torch(word, *((a, b) if word in ("minimum", "maximum") else (a,))))


def test_other_words_are_near_to_the_last_places() -> None:
    a, b = numbers()
    found = made()
    assert np.array_equal(found["sqrt"], np.sqrt(b))
    assert np.array_equal(found["where"], np.where(a < b, np.float32(1.5), b))
    assert found["exp2"] == pytest.approx(np.exp2(a.astype(np.float64)), rel=4e-7)
    assert found["log2"] == pytest.approx(np.log2(b.astype(np.float64)), rel=4e-7, abs=2e-7)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("first", [0, 49_990_000])
def test_noise_has_the_references_bits(seed: tuple[int, int], first: int) -> None:
    found = made(first, seed)
    places = torch.arange(first, first + numbers()[0].size)
    for row, word, channel in (("uniform", "uniform", 0), ("other", "uniform", 3), ("normal", "normal", 2)):
        assert np.array_equal(found[row], words.TORCH[word](places, seed, channel).numpy())


_WEIGHTS = (0.25, 0.5)
_HALF = 0.5


def folded(value: Any) -> Any:
    """Every form of arithmetic that a pixel operation may have."""
    third: Any = 1.0 / 3.0 + _HALF / 2.0
    value -= floor(value / _HALF) * third
    outside = (value < 0.0) | ~(value <= 1.0) | ((value > 0.25) & (value != 0.75))
    return where(outside, -value * _WEIGHTS[0], abs_of(value) + exp2(3.0) * _WEIGHTS[1])


def abs_of(value: Any) -> Any:
    return where(value < 0.0, -value, value)


def folding(a: Any, result: Any, lanes: tl.constexpr) -> None:
    folding_block(a, result, lanes)


def folding_block(a: Any, result: Any, lanes: tl.constexpr) -> None:
    t = tl.arange(0, lanes)
    tl.store(result + t, folded(tl.load(a + t)))


def test_every_form_of_arithmetic_is_understood() -> None:
    a, result = torch.linspace(-2.0, 2.0, 256), torch.empty(256)
    Binder(interpreted=True).entry(folding)[(1,)](a, result, lanes=256)
    assert torch.allclose(result, words.bind(folded, words.TORCH)(a.clone()), atol=1e-6)
    signature = {"a": "*fp32", "result": "*fp32", "lanes": "constexpr"}
    source = ASTSource(Binder(interpreted=False).entry(folding), signature, {"lanes": 256})
    assert "div.rn.f32" in compile_kernel(source, target=HOPPER, options=compiled.OPTIONS).asm["ptx"]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.timeout(400)
def test_every_kernel_compiles_for_hopper_as_it_is_interpreted(name: str, tmp_path: Path) -> None:
    kernel = getattr(compiled.kernels(interpreted=False), name)
    signature = {argument: SIGNATURE[argument] for argument in kernel.arg_names}
    source = ASTSource(kernel, signature, {"lanes": compiled.TILE})
    made = compile_kernel(source, target=HOPPER, options=compiled.OPTIONS)
    written = tmp_path / "kernel.ptx"
    written.write_text(made.asm["ptx"])
    # no sum and product in one instruction, no division, root or power that is not rounded exactly
    approximate = re.findall(r"\b(?:fma\.rn\.f32|div\.full|\w+\.approx\S*)", made.asm["ptx"])
    assert not approximate, set(approximate)
    assembler = Path(sys.modules["triton"].__file__ or "").parent / "backends" / "nvidia" / "bin" / "ptxas"
    command = [assembler, "-v", "--gpu-name", "sm_90a", "--fmad=false", str(written), "-o", str(tmp_path / "kernel.cubin")]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    spilled, used = re.search(r"(\d+) bytes spill stores", report), re.search(r"Used (\d+) registers", report)
    assert spilled is not None
    assert used is not None
    assert int(spilled[1]) <= 64
    # what is read several times is a launch of its own, so that sweeps need not be as few
    blocks = 3 if name == "average" else 4
    assert int(used[1]) <= REGISTERS // (blocks * 4 * 32), f"fewer than {blocks} blocks of four warps would fit"


def launched(
    number: int, steps: Sequence[Mapping[str, Any]], size: tuple[int, int]
) -> list[tuple[str, tuple[torch.Tensor, ...]]]:
    """The arguments of every launch of one recipe of its own seed. Nothing is computed: all planes are 0."""
    seen: list[tuple[str, tuple[torch.Tensor, ...]]] = []
    real = compiled.kernels(interpreted=True)

    class Watched(compiled.Kernels):
        def launch(self, kernel: Any, count: int, table: torch.Tensor, records: torch.Tensor) -> None:
            kind = next(name for name in KERNELS if getattr(self, name) is kernel)
            seen.append((kind, (table, records)))

    watched = Watched(*(getattr(real, kernel) for kernel in KERNELS), interpreted=True)
    zeros = Arena(CPU, 1, 1 << 20)
    with zeros.slot() as slot:
        slot.reserve(1 << 20, 1 << 20)
        slot.host.fill_(0)
        slot.device.fill_(0)
    cut, pixels = stages(make_plan(steps, size, seed=number)), make_image(*size, seed=number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "kernels", lambda interpreted: watched)
        execute.computed([cut], [torch.from_numpy(pixels)], CPU, zeros)
    return seen


def test_nothing_is_compiled_for_a_recipe_a_seed_or_a_size() -> None:
    backend = make_backend(HOPPER)
    real = compiled.kernels(interpreted=False)
    binders = {
        name: create_function_from_signature(kernel.signature, kernel.params, backend)
        for name in KERNELS
        for kernel in [getattr(real, name)]
    }
    keys: dict[str, set[str]] = {}
    steps: list[dict[str, Any]] = [*({**required(op), "op": op.name} for op in ALONE), {"op": "resize", "size": [1, 1]}]
    asked = [([step, {"op": "contrast"}], (3 + number % 7, 1 + number % 5)) for number, step in enumerate(steps)]
    for number, (recipe, size) in enumerate([*asked, (cuda.EVERY_KERNEL, (16, 16)), (cuda.EVERY_KERNEL, (15, 18))]):
        for kind, arguments in launched(number, recipe, size):
            _, specialization, _ = binders[kind](*arguments, lanes=compiled.TILE)
            keys.setdefault(kind, set()).add(str(specialization))
            # a part of a table, which may begin anywhere, is no other kernel either
            moved = tuple(argument[1:] for argument in arguments)
            keys[kind].add(str(binders[kind](*moved, lanes=compiled.TILE)[1]))
    assert {kind: len(found) for kind, found in keys.items()} == dict.fromkeys(KERNELS, 1), keys


def test_pictures_of_a_micro_batch_share_their_launches() -> None:
    recipes = [[{"op": "invert"}], [{"op": "contrast"}], [{"op": "gaussian_blur", "sigma": 1}], [{"op": "edge_map"}]] * 5
    memory, ways = Memory(), list[list[Launch | Call]]()
    for recipe in recipes:
        pixels = torch.from_numpy(make_image(9, 9))
        execute._prepared(memory, stages(make_plan(recipe, (9, 9))), pixels, ways)
    groups = execute.scheduled(ways)
    kinds = [group[0].kernel if isinstance(group[0], Launch) else "torch" for group in groups]
    assert [kind for kind in kinds if kind != "torch"] == ["sweep", "settle", "weigh", "weigh", "sweep"]
    assert sum(len(group) for group in groups) == sum(len(way) for way in ways)


@pytest.mark.parametrize("tile", [1, 4, 512])
def test_tiles_cover_every_item_once(tile: int) -> None:
    counts = [1, 5, 512, 513, 4]
    covered = [set[int]() for _ in counts]
    for item, first in execute.tiled(counts, tile).tolist():
        part = range(first, min(first + tile, counts[item]))
        assert part
        assert not covered[item] & set(part)
        covered[item] |= set(part)
    assert [len(part) for part in covered] == counts


def test_triton_is_imported_by_the_first_picture_on_a_gpu() -> None:
    code = "import sys, kernels, kernels.run, kernels.library, kernels.cuda, service.app; print('triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=100)
    assert done.stdout == "False\n"


def test_warming_runs_every_kernel() -> None:
    cuda.warm(CPU)
    ways: list[list[Launch | Call]] = []
    pixels = torch.from_numpy(make_image(16, 16))
    execute._prepared(Memory(), stages(make_plan(cuda.EVERY_KERNEL, (16, 16))), pixels, ways)
    assert {action.kernel for action in ways[0] if isinstance(action, Launch)} == set(KERNELS)


def test_without_triton_the_reference_runs(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    runs._has_triton.cache_clear()
    planned, picture = make_plan([{"op": "invert"}], (5, 6)), Picture(torch.from_numpy(make_image(5, 6)))
    # memory without content stands for a GPU: what torch is asked for there can be seen, not computed
    device = torch.device("meta")
    try:
        with caplog.at_level(logging.WARNING):
            assert not runs._has_triton()
            with pytest.raises(NotImplementedError, match="meta"):
                run([planned], [picture], device)
    finally:
        runs._has_triton.cache_clear()
    assert caplog.text.count("Triton cannot be imported") == 1
    assert torch.equal(run_reference([planned], [picture])[0].pixels, 255 - picture.pixels)
