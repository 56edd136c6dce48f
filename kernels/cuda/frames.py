"""Frames: the choice among pixel operations, written out as source: what each operation is given, and what it leaves.

One step on a tile: its opcode is found by halving, so a catalogue of a hundred costs seven comparisons, and the
compiler never meets a hundred nested branches.
"""

from __future__ import annotations

from collections.abc import Sequence

import triton.language as tl

from kernels.cpu.opcodes import Opcode
from kernels.cuda.binding import Generated
from kernels.cuda.number_words import clamp, rint

_MODULE = "kernels.cuda.frames"
_FRAME = {
    "x": "((i % width).to(tl.float32) + 0.5)",
    "y": "((i // width).to(tl.float32) + 0.5)",
    "w": "width.to(tl.float32)",
    "h": "height.to(tl.float32)",
    "i": "i.to(tl.uint32)",
}


def stepper(steps: Sequence[Opcode]) -> Generated:
    """run_step(code, r, g, b, i, width, height, at, seed, lanes): r, g, b after the step, see `tiles.run_step`."""
    lines = ["def run_step(code, r, g, b, i, width, height, at, seed, lanes: tl.constexpr):"]
    lines += _choice(steps, _step, 1)
    lines.append("    return r, g, b")
    return _generated("run_step", lines, steps)


def summer(means: Sequence[Opcode]) -> Generated:
    """mean_values(code, r, g, b, i, at, lanes): what is averaged, in steps of 2^-24, see `tiles.mean_values`."""
    lines = ["def mean_values(code, r, g, b, at, lanes: tl.constexpr):", "    value = tl.full([lanes], 0.0, tl.float32)"]
    if means:
        lines += _choice(means, _mean, 1)
    lines.append("    return rint(value * 16777216.0).to(tl.int32)")
    return _generated("mean_values", lines, means)


def _choice(steps: Sequence[Opcode], written: object, depth: int) -> list[str]:
    indent = "    " * depth
    if len(steps) == 1:
        assert callable(written)
        return [indent + line for line in written(steps[0])]
    half = len(steps) // 2
    lower, upper = (_choice(part, written, depth + 1) for part in (steps[:half], steps[half:]))
    return [f"{indent}if code < {steps[half].number}:", *lower, f"{indent}else:", *upper]


def _step(step: Opcode) -> list[str]:
    # a result may be one number for all pixels
    results = [f"{name} = tl.broadcast_to(clamp(p_{name}), [lanes])" for name in "rgb"]
    return [f"p_r, p_g, p_b = op_{step.op}({_arguments(step)})", *results]


def _mean(mean: Opcode) -> list[str]:
    return [f"value = tl.broadcast_to(op_{mean.op}({_arguments(mean)}), [lanes])"]


def _arguments(step: Opcode) -> str:
    written, at = {}, 0
    for slot in step.slots:
        numbers = [f"tl.load(at + {at + place})" for place in range(slot.length)]
        written[slot.name] = f"({', '.join(numbers)})" if slot.length > 1 else numbers[0]
        at += slot.length
    return ", ".join(written.get(name, _FRAME.get(name, name)) for name in step.arguments)


def _generated(name: str, lines: list[str], steps: Sequence[Opcode]) -> Generated:
    names = {"tl": tl, "clamp": clamp, "rint": rint, **{f"op_{step.op}": step.function for step in steps}}
    return Generated(name, "\n".join(lines), _MODULE, names)
