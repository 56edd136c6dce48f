"""Frames: the loops around pixel operations, written out as source: one function for each operation and tile.

A tile is a stretch of a picture's pixels as three float planes that stay in the processor's nearest cache. Parameters
are read once for the tile; then comes one loop of straight-line arithmetic, which LLVM turns into vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kernels.cpu import intrinsics, number_words
from kernels.cpu.opcodes import Opcode

Function = Callable[..., object]
_MODULE = "kernels.cpu.frames"


def interpreter(steps: Sequence[Opcode]) -> Function:
    """run_steps(red, green, blue, count, program, first, last, row, base, width, height), see `tiles.run_steps`.

    Applies rows first .. last of `program` (opcode, offset in `row`, two seed words) to `count` pixels from number
    `base` of a picture.
    """
    names = {f"tile_{step.op}": _made(f"tile_{step.op}", _tile(step), {f"op_{step.op}": step.function}) for step in steps}
    lines = [
        "def run_steps(red, green, blue, count, program, first, last, row, base, width, height):",
        "    for s in range(first, last):",
        "        at = program[s, 1]",
        "        seed = (u32(program[s, 2]), u32(program[s, 3]))",
    ]
    for number, step in enumerate(steps):
        test = "if" if number == 0 else "elif"
        lines.append(f"        {test} program[s, 0] == {step.number}:")
        lines.append(f"            tile_{step.op}(red, green, blue, count, row, at, base, width, height, seed)")
    return _made("run_steps", "\n".join(lines), names)


def summer(means: Sequence[Opcode]) -> Function:
    """sum_values(red, green, blue, count, opcode, row, at), see `tiles.sum_values`.

    The sum of a mean's values over a tile in steps of 2^-24: whole numbers, so the order of addition does not matter.
    """
    names = {f"sum_{mean.op}": _made(f"sum_{mean.op}", _sum(mean), {f"op_{mean.op}": mean.function}) for mean in means}
    lines = ["def sum_values(red, green, blue, count, opcode, row, at):", "    total = np.int64(0)"]
    for mean in means:
        lines += [f"    if opcode == {mean.number}:", f"        total = sum_{mean.op}(red, green, blue, count, row, at)"]
    lines.append("    return total")
    return _made("sum_values", "\n".join(lines), names)


def _tile(step: Opcode) -> str:
    lines = [f"def tile_{step.op}(red, green, blue, count, row, at, base, width, height, seed):", *_parameters(step)]
    arguments = ", ".join(_ARGUMENTS.get(name, f"p_{name}") for name in step.arguments)
    body = [
        f"r, g, b = op_{step.op}({arguments})",
        "red[t] = clamp(r)",
        "green[t] = clamp(g)",
        "blue[t] = clamp(b)",
    ]
    if {"w", "h"} & set(step.arguments):
        lines += ["    w = f32(width)", "    h = f32(height)"]
    if "i" in step.arguments:
        body.insert(0, "i = word_add(u32(base), u32(t))")
    if {"x", "y"} & set(step.arguments):
        # a loop for each row of the picture that the tile touches: places are exact in pictures of any size
        lines += [
            "    line = base // width",
            "    column = base - line * width",
            "    begin = 0",
            "    while begin < count:",
            "        y = f32(line) + f32(0.5)",
            "        for k in range(min(width - column, count - begin)):",
            # unsigned: an index that might be below 0 would be looked at, and the loop not become vector instructions
            "            t = u64(begin + k)",
            "            x = f32(i32(column + k)) + f32(0.5)",
            *(f"            {line}" for line in body),
            "        begin += width - column",
            "        column = 0",
            "        line += 1",
        ]
    else:
        lines += ["    for t in range(count):", *(f"        {line}" for line in body)]
    return "\n".join(lines)


def _sum(mean: Opcode) -> str:
    arguments = ", ".join(_ARGUMENTS.get(name, f"p_{name}") for name in mean.arguments)
    return "\n".join(
        [
            f"def sum_{mean.op}(red, green, blue, count, row, at):",
            *_parameters(mean),
            "    total = np.int64(0)",
            "    for t in range(count):",
            f"        total += np.int64(truncated(rint(op_{mean.op}({arguments}) * f32(16777216.0))))",
            "    return total",
        ]
    )


_ARGUMENTS = {
    "r": "red[t]",
    "g": "green[t]",
    "b": "blue[t]",
    "x": "x",
    "y": "y",
    "w": "w",
    "h": "h",
    "i": "i",
    "seed": "seed",
}


def _parameters(step: Opcode) -> list[str]:
    lines, at = [], 0
    for slot in step.slots:
        numbers = ", ".join(f"row[at + {at + place}]" for place in range(slot.length))
        lines.append(f"    p_{slot.name} = ({numbers})" if slot.length > 1 else f"    p_{slot.name} = {numbers}")
        at += slot.length
    return lines


def _made(name: str, source: str, names: dict[str, Function]) -> Function:
    globals_: dict[str, object] = {
        "__name__": _MODULE,
        "np": np,
        "f32": np.float32,
        "i32": np.int32,
        "u32": np.uint32,
        "u64": np.uint64,
        "clamp": number_words.clamp,
        "rint": number_words.rint,
        "truncated": intrinsics.truncated,
        "word_add": intrinsics.word_add,
        **names,
    }
    exec(compile(source, f"<{name}>", "exec"), globals_)  # noqa: S102  # source is made here, of the catalogue's names
    made = globals_[name]
    assert callable(made)
    return made
