"""The dozen words a pixel operation may use, and `bind`, which gives the same function to another backend.

A pixel operation is straight-line arithmetic on float32 channel values in 0..1: `+ - * /`, comparisons, `&`, `|` and the
words below. It is written once; `bind` swaps the words in its globals for a backend's own, so the same source runs on
whole torch tensors here and may be compiled for other backends.

Rules for the author: `where` instead of `if`, `and`, `or`; no loops, arrays or integers; constants are literals or
module floats; helpers are plain functions of the same kind; thresholds that can hit a uint8 value exactly sit half a
level off; guard every division and logarithm.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from statistics import NormalDist

import torch

Value = torch.Tensor
"""One channel of a picture, (H, W) float32, as a pixel operation sees it; on other backends a number or a block."""
NoiseSeed = tuple[int, int]
"""Two 32-bit words: the noise seed of one step of one variant of one picture."""


def _unbound(word: str) -> TypeError:
    return TypeError(f"{word}: only inside an operation that is bound to a backend")


def where(condition: Value, yes: Value | float, no: Value | float) -> Value:
    raise _unbound("where")


def minimum(a: Value | float, b: Value | float) -> Value:
    raise _unbound("minimum")


def maximum(a: Value | float, b: Value | float) -> Value:
    raise _unbound("maximum")


def clamp(a: Value) -> Value:
    """a, limited to 0..1."""
    raise _unbound("clamp")


def floor(a: Value) -> Value:
    raise _unbound("floor")


def rint(a: Value) -> Value:
    """a, rounded to the nearest whole number, halves to even."""
    raise _unbound("rint")


def exp2(a: Value) -> Value:
    raise _unbound("exp2")


def log2(a: Value) -> Value:
    raise _unbound("log2")


def sqrt(a: Value) -> Value:
    raise _unbound("sqrt")


def uniform(i: Value, seed: NoiseSeed, channel: int) -> Value:
    """A number in (0, 1) for pixel number i; another for each channel, seed and pixel."""
    raise _unbound("uniform")


def normal(i: Value, seed: NoiseSeed, channel: int) -> Value:
    """A standard normal number for pixel number i; another for each channel, seed and pixel."""
    raise _unbound("normal")


WORDS = (where, minimum, maximum, clamp, floor, rint, exp2, log2, sqrt, uniform, normal)
Backend = Mapping[str, Callable[..., Value]]


def bind(function: Callable[..., object], words: Backend) -> Callable[..., tuple[Value, Value, Value]]:
    """`function` with its globals swapped: words become the backend's, helper functions become bound helpers."""
    return _bound(function, words, {})


def _bound(function: Callable[..., object], words: Backend, done: dict[object, types.FunctionType]) -> types.FunctionType:
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is not a plain function")
    if function not in done:
        names: dict[str, object] = {"__builtins__": __builtins__, "__name__": function.__module__}
        done[function] = bound = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        for name in function.__code__.co_names:
            value = function.__globals__.get(name)
            if value in WORDS:
                names[name] = words[name]
            elif isinstance(value, types.FunctionType):
                names[name] = _bound(value, words, done)
            elif value is not None:
                names[name] = value
    return done[function]


# ------------------------------------------------------------------------------------------------ torch
_MASK = 0xFFFFFFFF


def _mix(x: torch.Tensor) -> torch.Tensor:
    """A bijection of 32-bit words, held in int64 (constants: Wellons, "Prospecting for hash functions", lowbias32)."""
    x = (x ^ x >> 16) * 0x7FEB352D & _MASK
    x = (x ^ x >> 15) * 0x846CA68B & _MASK
    return x ^ x >> 16


def _hash(i: torch.Tensor, seed: NoiseSeed, channel: int) -> torch.Tensor:
    # the two seed words enter in separate rounds: fields of two seeds overlap only if both words agree
    return _mix((_mix(i.to(torch.int64) * 4 + channel & _MASK ^ seed[0]) + seed[1]) & _MASK)


def _uniform(i: torch.Tensor, seed: NoiseSeed, channel: int) -> torch.Tensor:
    return (_hash(i, seed, channel) >> 8).to(torch.float32) * 2.0**-24 + 2.0**-25


_TABLE_BITS = 12


@cache
def _inverse_normal(device: torch.device) -> torch.Tensor:
    """The normal distribution's inverse at k / 4096, float32; its infinite ends at half a step of the uniform word."""
    normal_distribution = NormalDist()
    steps = 2**_TABLE_BITS
    inner = [normal_distribution.inv_cdf(k / steps) for k in range(1, steps)]
    end = normal_distribution.inv_cdf(2.0**-25)
    return torch.tensor([end, *inner, -end], dtype=torch.float32, device=device)


def _normal(i: torch.Tensor, seed: NoiseSeed, channel: int) -> torch.Tensor:
    # a table and a straight line between its entries: no logarithm, so the same bits on every machine and thread count
    word = _hash(i, seed, channel) >> 8
    table = _inverse_normal(word.device)
    index = word >> 24 - _TABLE_BITS
    fraction = ((word & (1 << 24 - _TABLE_BITS) - 1).to(torch.float32) + 0.5) * 2.0 ** (_TABLE_BITS - 24)
    low, high = table[index], table[index + 1]
    return low + (high - low) * fraction


def _lifted(function: Callable[[Value, Value], Value]) -> Callable[[Value | float, Value | float], Value]:
    def word(a: Value | float, b: Value | float) -> Value:
        if isinstance(a, torch.Tensor):
            return function(a, b if isinstance(b, torch.Tensor) else a.new_tensor(b))
        if isinstance(b, torch.Tensor):
            return function(b.new_tensor(a), b)
        return function(torch.tensor(a), torch.tensor(b))

    return word


def _where(condition: Value, yes: Value | float, no: Value | float) -> Value:
    if isinstance(yes, torch.Tensor) or isinstance(no, torch.Tensor):
        return torch.where(condition, yes, no)
    return torch.where(condition, torch.tensor(yes), torch.tensor(no)).to(torch.float32)


TORCH: Backend = {
    "where": _where,
    "minimum": _lifted(torch.minimum),
    "maximum": _lifted(torch.maximum),
    "clamp": lambda a: a.clamp(0.0, 1.0),
    "floor": torch.floor,
    "rint": torch.round,
    "exp2": torch.exp2,
    "log2": torch.log2,
    "sqrt": torch.sqrt,
    "uniform": _uniform,
    "normal": _normal,
}
"""The words on whole tensors, on the CPU or CUDA: the reference."""
