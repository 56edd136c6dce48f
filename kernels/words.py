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

import numpy as np
import torch
from numpy.typing import NDArray

Value = torch.Tensor
"""One channel of a picture, (H, W) float32, as a pixel operation sees it; on other backends a number or a block."""
NoiseSeed = tuple[int, int]
"""Two 32-bit words: the noise seed of one step of one variant of one picture."""


def _unbound(word: str) -> TypeError:
    return TypeError(f"{word}: only inside an operation that is bound to a backend")


def where(condition: Value | bool, yes: Value | float, no: Value | float) -> Value:
    raise _unbound("where")


def minimum(a: Value | float, b: Value | float) -> Value:
    raise _unbound("minimum")


def maximum(a: Value | float, b: Value | float) -> Value:
    raise _unbound("maximum")


def clamp(a: Value | float) -> Value:
    """a, limited to 0..1."""
    raise _unbound("clamp")


def floor(a: Value | float) -> Value:
    raise _unbound("floor")


def rint(a: Value | float) -> Value:
    """a, rounded to the nearest whole number, halves to even."""
    raise _unbound("rint")


def exp2(a: Value | float) -> Value:
    raise _unbound("exp2")


def log2(a: Value | float) -> Value:
    raise _unbound("log2")


def sqrt(a: Value | float) -> Value:
    raise _unbound("sqrt")


def cell(column: Value, row: Value) -> Value:
    """What `uniform` and `normal` take in place of a pixel number: that of a cell of a grid, whole numbers below 2^15."""
    raise _unbound("cell")


def uniform(i: Value, seed: NoiseSeed, channel: int) -> Value:
    """A number in (0, 1) for pixel number i; another for each channel 0 to 3, seed and pixel."""
    raise _unbound("uniform")


def normal(i: Value, seed: NoiseSeed, channel: int) -> Value:
    """A standard normal number for pixel number i; another for each channel (0..3), seed and pixel. Cut off at 4.86."""
    raise _unbound("normal")


WORDS = (where, minimum, maximum, clamp, floor, rint, exp2, log2, sqrt, cell, uniform, normal)
Backend = Mapping[str, Callable[..., Value | float]]


def bind(function: Callable[..., object], words: Backend) -> Callable[..., tuple[Value, Value, Value]]:
    """`function` with its globals swapped: words become the backend's, helper functions become bound helpers."""
    return _bound(function, words, {})


def _bound(function: Callable[..., object], words: Backend, done: dict[object, types.FunctionType]) -> types.FunctionType:
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is not a plain function")
    if function not in done:
        names: dict[str, object] = {"__builtins__": __builtins__, "__name__": function.__module__}
        done[function] = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
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
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B
"""Wellons, "Prospecting for hash functions": lowbias32, a bijection of 32-bit words."""


def _hash(i: torch.Tensor, seed: NoiseSeed, channel: int) -> torch.Tensor:
    """A 32-bit word per pixel, in int64: torch has few operations on unsigned numbers."""
    # the two seed words enter in separate rounds: fields whose second words differ are not each other's, moved
    x = i.to(torch.int64) * 4 + channel & _MASK ^ seed[0]
    for added in (seed[1], 0):
        x = (x ^ x >> 16) * _FIRST & _MASK
        x = (x ^ x >> 15) * _SECOND & _MASK
        x = (x ^ x >> 16) + added & _MASK
    return x


def _hash_on_cpu(i: torch.Tensor, seed: NoiseSeed, channel: int) -> NDArray[np.uint32]:
    """The same words by numpy's unsigned arithmetic, in place: five times as fast as int64 on a CPU."""
    x = i.numpy().astype(np.uint32)
    shifted = np.empty_like(x)
    x *= np.uint32(4)
    x += np.uint32(channel)
    x ^= np.uint32(seed[0])
    for added in (seed[1], 0):
        x ^= np.right_shift(x, np.uint32(16), out=shifted)
        x *= np.uint32(_FIRST)
        x ^= np.right_shift(x, np.uint32(15), out=shifted)
        x *= np.uint32(_SECOND)
        x ^= np.right_shift(x, np.uint32(16), out=shifted)
        x += np.uint32(added)
    return x


def _uniform(i: torch.Tensor, seed: NoiseSeed, channel: int) -> torch.Tensor:
    # 23 bits and a half: each value is exact in float32, so none is rounded to 1
    if i.device.type == "cpu":
        word = torch.from_numpy((_hash_on_cpu(i, seed, channel) >> np.uint32(9)).astype(np.float32))
    else:
        word = (_hash(i, seed, channel) >> 9).to(torch.float32)
    return word.mul_(2.0**-23).add_(2.0**-24)


def _sqrt(a: torch.Tensor) -> torch.Tensor:
    """The square root, rounded correctly: torch's own is the last bit off on a CPU, one time in five."""
    return torch.as_tensor(np.sqrt(a.numpy())) if a.device.type == "cpu" else torch.sqrt(a)


NORMAL_SALT = 0x9E3779B9
"""Sets the words that normal numbers are made of apart from those of uniform ones."""
TWO_LN_2 = 1.3862944
LOG_0, LOG_1, LOG_2, LOG_3, LOG_4 = 0.4426594, -0.2767283, 0.1848622, -0.09838762, 0.02627305
"""log2(1 + t) = t + t (1 - t) (LOG_0 + LOG_1 t + ...) for t in 0..1, within 7e-6."""
SIN_0, SIN_1, SIN_2, SIN_3 = 1.5707963, -0.64596361, 0.079681933, -0.0046074314
COS_0, COS_1, COS_2, COS_3 = 0.99999998, -1.2336978, 0.25360837, -0.020438344
"""Sine (times t) and cosine of t quarter turns as polynomials in t^2 for t in -1/2..1/2, within 1e-7."""


def _normal(i: torch.Tensor, seed: NoiseSeed, channel: int) -> torch.Tensor:
    """Box and Muller (1958): a word of 32 bits is a point of the plane, its two coordinates are two channels' numbers.

    16 bits are its distance, at most 4.86, and 16 its angle. Every operation is rounded by itself, none is taken from a
    library that may round another way: the same bits on every machine, and at any number of threads.
    """
    salted = seed[0] ^ NORMAL_SALT, seed[1]
    if i.device.type == "cpu":
        hashed = torch.from_numpy(_hash_on_cpu(i, salted, channel & 2).astype(np.int64))
    else:
        hashed = _hash(i, salted, channel & 2)
    far = (hashed >> 16).to(torch.float32) * 2.0 + 1.0
    bits = far.view(torch.int32)
    t = (bits & 0x7FFFFF | 0x3F800000).view(torch.float32) - 1.0
    series = ((((LOG_4 * t + LOG_3) * t) + LOG_2) * t + LOG_1) * t + LOG_0
    log = t + (t * (1.0 - t)) * series
    radius = _sqrt((((144 - (bits >> 23)).to(torch.float32)) - log) * TWO_LN_2)
    t = ((hashed & 0x3FFF).to(torch.float32) + 0.5) * 2.0**-14 - 0.5
    z = t * t
    sine = t * (((SIN_3 * z + SIN_2) * z + SIN_1) * z + SIN_0)
    cosine = ((COS_3 * z + COS_2) * z + COS_1) * z + COS_0
    turned = (hashed & 0x4000) != 0
    value = torch.where(turned, cosine, sine) if channel & 1 else torch.where(turned, -sine, cosine)
    return radius * torch.where((hashed & 0x8000) != 0, -value, value)


def _cell(column: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    return row.to(torch.int64) * 2**15 + column.to(torch.int64)


def _number(a: Value | float, like: Value | float) -> Value:
    """a as a tensor: a field may be a plain number, which torch's functions of two tensors refuse."""
    if isinstance(a, torch.Tensor):
        return a
    device = like.device if isinstance(like, torch.Tensor) else None
    return torch.tensor(a, dtype=torch.float32, device=device)


def _of_one(function: Callable[[Value], Value]) -> Callable[[Value | float], Value]:
    return lambda a: function(_number(a, a))


def _of_two(function: Callable[[Value, Value], Value]) -> Callable[[Value | float, Value | float], Value]:
    return lambda a, b: function(_number(a, b), _number(b, a))


def _where(condition: Value | bool, yes: Value | float, no: Value | float) -> Value | float:
    if isinstance(condition, torch.Tensor):
        return torch.where(condition, yes, no)
    return yes if condition else no


TORCH: Backend = {
    "where": _where,
    "minimum": _of_two(torch.minimum),
    "maximum": _of_two(torch.maximum),
    "clamp": _of_one(lambda a: a.clamp(0.0, 1.0)),
    "floor": _of_one(torch.floor),
    "rint": _of_one(torch.round),
    "exp2": _of_one(torch.exp2),
    "log2": _of_one(torch.log2),
    "sqrt": _of_one(_sqrt),
    "cell": _cell,
    "uniform": _uniform,
    "normal": _normal,
}
"""The words on whole tensors, on the CPU or CUDA: the reference. A field may be a plain number."""
