"""Binding: plain Python functions made into Triton's, with the words they name in Triton's form.

Kernels and pixel operations are written as plain functions and never know what compiles them. `Binder` walks from a
function to those it calls, rewrites their source (no annotations, every division rounded exactly), swaps words for
Triton's, and hands the result to Triton: to be compiled for a GPU, or to be run by Triton's interpreter on the CPU.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
import types
from collections.abc import Callable
from typing import Any

import triton.language as tl
from triton.runtime.interpreter import InterpretedFunction
from triton.runtime.jit import JITFunction

from kernels import words
from kernels.cuda.number_words import WORDS, divide

Function = Callable[..., object]
_MARKS: dict[Function, Function] = {word: WORDS[word.__name__] for word in words.WORDS}
_DIVIDE = "divide_"


class Binder:
    """Triton forms of plain functions, each made once. `replaced`: sources that stand for functions, as generated ones."""

    def __init__(self, interpreted: bool, replaced: dict[Function, Generated] | None = None) -> None:
        self._interpreted = interpreted
        self._replaced = replaced or {}
        self._done: dict[object, Any] = {}

    def entry(self, function: Function, *arguments: str) -> Any:
        """`function` as a kernel to launch. None of `arguments`, all of them addresses, may bring another compilation."""
        made = self._rebuilt(_written(function))
        if self._interpreted:
            return InterpretedFunction(made)
        return JITFunction(made, do_not_specialize=arguments, do_not_specialize_on_alignment=arguments)

    def part(self, function: Function) -> Any:
        """`function` as part of whatever calls it."""
        function = _MARKS.get(function, function)
        if function not in self._done:
            made = self._rebuilt(self._replaced[function] if function in self._replaced else _written(function))
            self._done[function] = made if self._interpreted else JITFunction(made)
        return self._done[function]

    def _rebuilt(self, source: Generated) -> types.FunctionType:
        """The function of a rewritten source, its globals the Triton forms of what it names."""
        tree = _Rewriting().visit(ast.parse(source.text))
        ast.fix_missing_locations(tree)
        text = ast.unparse(tree) + "\n"
        file = f"<{source.module}.{source.name} for Triton>"
        # Triton reads sources from files, as tracebacks do
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        names: dict[str, object] = {"__name__": source.module, "tl": tl}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in names:
                value = divide if node.id == _DIVIDE else source.names.get(node.id)
                if value is not None:
                    names[node.id] = self._named(value)
        made: dict[str, Any] = {}
        exec(compile(text, file, "exec"), names, made)  # noqa: S102  # the project's own source
        function: types.FunctionType = made[source.name]
        function.__module__ = source.module
        return function

    def _named(self, value: object) -> object:
        if isinstance(value, types.FunctionType):
            return self.part(value)
        # the compiler refuses globals that might change, the interpreter wants plain numbers
        return tl.constexpr(value) if isinstance(value, int | float | tuple) and not self._interpreted else value


class Generated:
    """A function's source, of this name and module, and what the names in it stand for."""

    def __init__(self, name: str, text: str, module: str, names: dict[str, Any]) -> None:
        self.name, self.text, self.module, self.names = name, text, module, names


def _written(function: Function) -> Generated:
    """The source of a function that was written by hand."""
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is not a plain function")
    text = textwrap.dedent(inspect.getsource(function))
    return Generated(function.__name__, text, function.__module__, function.__globals__)


class _Rewriting(ast.NodeTransformer):
    """Takes annotations and docstrings away, and writes divisions as calls: Triton's own `/` is not rounded exactly."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        for argument in node.args.args:
            if not (argument.annotation and "constexpr" in ast.unparse(argument.annotation)):
                argument.annotation = None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value is not None else ast.Pass()

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        return ast.Call(ast.Name(_DIVIDE, ast.Load()), [node.left, node.right], [])
