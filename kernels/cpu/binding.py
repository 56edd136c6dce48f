"""Binding: plain Python functions compiled by numba, with the words and intrinsics they name in LLVM form.

Kernels and pixel operations are written as plain functions and never know that they are compiled. `Binder` walks from
a function to those it calls, replaces words by theirs, writes float constants of pixel arithmetic with 32 bits (numba would
take 64, and other bytes would come out), and hands the result to numba. Nothing is compiled before it is called or given
types.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from kernels import words
from kernels.cpu import intrinsics
from kernels.cpu.llvm import LLVM
from kernels.cpu.number_words import SEPARATELY_ROUNDED, WORDS

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
# a product and a sum may be one instruction; reordering or dropping operations would change bytes between machines
_FUSED: dict[str, Any] = {"fastmath": {"contract"}}
_SEPARATE: dict[str, Any] = {"fastmath": False}
Function = Callable[..., object]
_MARKS: dict[Function, Function] = {getattr(words, name): function for name, function in WORDS.items()}
_KERNELS = frozenset(f"kernels.cpu.{module}" for module in ("blurs", "boxes", "frames", "places", "tiles"))
"""Modules whose functions are kernels, called by others; all other functions are parts of what calls them."""
_EXACT = frozenset({"kernels.cpu.itinerary", "kernels.cpu.passes", "kernels.matrices", "kernels.readings", "kernels.route"})
"""Modules whose functions, called by others too, compute as Python does: float64, each operation rounded by itself."""
_INTRINSICS = {getattr(intrinsics, name): function for name, function in LLVM.items()}


class Binder:
    """Compiled forms of plain functions, each made once. `replaced`: functions that stand for others, as generated ones."""

    def __init__(self, replaced: dict[Function, Function] | None = None) -> None:
        self._replaced = {**_MARKS, **(replaced or {})}
        self._done: dict[object, Any] = {}

    def inlined(self, function: Function) -> Any:
        """`function` as part of whatever calls it: words and pixel operations must not cost a call for each pixel."""
        return self._compiled(function, {"forceinline": True})

    def called(self, function: Function) -> Any:
        """`function` as a kernel that others call."""
        return self._compiled(function, {})

    def entry(self, function: Function, *signatures: Any) -> Any:
        """`function` compiled for `signatures` now, or read from numba's cache folder; other types are refused."""
        return njit(list(signatures), cache=True, **_rounding(function), **_OPTIONS)(self._rebuilt(function))

    @property
    def modules(self) -> set[str]:
        """Names of the modules that compiled functions were written in."""
        return {str(getattr(function, "__module__", "")) for function in self._done}

    def _compiled(self, function: Function, options: dict[str, Any]) -> Any:
        function = self._replaced.get(function, function)
        if function not in self._done:
            # said even where it is no: numba would take over what the caller is allowed
            chosen: dict[str, Any] = _OPTIONS | options | _rounding(function)
            self._done[function] = njit(**chosen)(self._rebuilt(function))
        return self._done[function]

    def _rebuilt(self, function: Function) -> types.FunctionType:
        """A copy of the function whose globals are the compiled forms of what they name."""
        if not isinstance(function, types.FunctionType):
            raise TypeError(f"{function!r} is not a plain function")
        code = function.__code__
        names: dict[str, object] = {"__builtins__": __builtins__, "__name__": function.__module__}
        number = np.float64 if function.__module__ in _EXACT else np.float32
        for name in code.co_names:
            if name in function.__globals__:
                names[name] = self._named(function.__globals__[name], number)
        constants = tuple(number(value) if type(value) is float else value for value in code.co_consts)
        copy = types.FunctionType(code.replace(co_consts=constants), names, function.__name__)
        copy.__module__ = function.__module__
        copy.__qualname__ = function.__qualname__
        return copy

    def _named(self, value: object, number: type[np.floating[Any]]) -> object:
        if not isinstance(value, types.FunctionType):
            return number(value) if type(value) is float else value
        if value in _INTRINSICS:
            return _INTRINSICS[value]
        return self.called(value) if value.__module__ in _KERNELS | _EXACT else self.inlined(value)


def _rounding(function: Function) -> dict[str, Any]:
    return _SEPARATE if function in SEPARATELY_ROUNDED or function.__module__ in _EXACT else _FUSED
