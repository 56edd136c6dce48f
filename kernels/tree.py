"""Tree: a recipe's steps numbered through its containers, their draws, and which of them are carried out.

A step's number is its preorder place, so every step owns its draws whether a branch is taken or not: one that is taken
instead, or skipped, moves no number of any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels import rng
from kernels.op import Blend, Container, Mix, Op, Places, Policy, Within, asked
from kernels.ops import OPS
from kernels.params import Drawn, DrawnKind, Group, Params, Uniform, drawn_fields, static_fields
from kernels.recipe import Recipe
from kernels.tensors import Size

if TYPE_CHECKING:
    from kernels.plan import Variant

_NO_ARGUMENTS = ("border", "fill", "steps")
"""Static fields that no function of an operation takes."""


class Step(NamedTuple):
    """What all plans of a recipe share of one of its steps."""

    number: int
    op: Op
    params: Params
    drawn: tuple[tuple[str, DrawnKind | None, Any], ...]
    """Name, kind and what is drawn from of each drawn field; no kind if it is a real number, which `draws` has drawn."""
    static: Mapping[str, Any]
    draw: int
    """Place of the step's first draw, its chance gate, among those of the recipe."""
    canvas: Callable[..., Size] | None
    own: slice | None
    """Where the draws of its kind lie, of a container, a policy or a blend."""

    def fields(self, numbers: Sequence[float]) -> dict[str, Drawn]:
        """Its drawn fields. numbers: one plan's, see `draws`."""
        return {
            name: numbers[place] if kind is None else kind.draw(ends, numbers[place])
            for place, (name, kind, ends) in enumerate(self.drawn, self.draw + 1)
        }


class Tree(NamedTuple):
    """All steps of a recipe by their numbers."""

    steps: tuple[Step, ...]
    inside: tuple[tuple[int, ...], ...]
    """Of each step the numbers of those in it, each repetition with its own."""
    pointers: tuple[str, ...]
    """Of each step its place in the recipe's document."""
    roots: tuple[int, ...]
    """Numbers of the steps that stand in no other."""
    ranges: NDArray[np.float64]
    """(2, draws): where each real number begins and how far it reaches; 0 and 1 for all other draws."""
    counters: rng.Words
    """(steps and their blocks, 2): the step and the draw block of each block of draws that a plan takes."""
    is_flat: bool
    """Whether no step stands in another."""
    sources: tuple[int, ...]
    """Of each step whose draws it has: 0, the picture's own; 1, 2, ...: those of one of its sequences."""
    sequences: tuple[Callable[[str], str], ...]
    """The name of each sequence by that of the picture."""


Taken = Mapping[int, tuple[int, ...]]
"""By the number of each container that is applied: the numbers of the steps inside that are carried out, in order."""


@lru_cache(maxsize=256)
def tree(recipe: Recipe) -> Tree:
    """The steps of a recipe, numbered."""
    steps: list[Step] = []
    inside: list[tuple[int, ...]] = []
    pointers: list[str] = []

    sources: list[int] = []
    sequences: list[Callable[[str], str]] = []

    def add(params: Params, pointer: str, source: int) -> int:
        """Appends a step, then those inside it; its number."""
        number, kind = len(steps), OPS[params.op].kind
        if isinstance(kind, Container) and kind.sequence is not None:
            sequences.append(partial(kind.sequence, params))
            source = len(sequences)
        steps.append(_step(number, params, _end(steps[-1]) if steps else 0))
        sources.append(source)
        inside.append(())
        pointers.append(pointer)
        count = len(params.steps) if isinstance(params, Group) else 0
        children = enumerate(params.children())
        inside[number] = tuple(add(child, f"{pointer}/steps/{place % count}", source) for place, child in children)
        return number

    roots = tuple(add(params, f"/steps/{place}", 0) for place, params in enumerate(recipe.steps))
    blocks = [(step.number, block) for step in steps for block in range((_end(step) - step.draw) // 4)]
    blocks += [(step.number, rng.NOISE_BLOCK) for step in steps]
    counters = np.array(blocks, dtype=np.uint64).reshape(-1, 2)
    is_flat = not any(isinstance(step.op.kind, Container | Within) for step in steps)
    return Tree(
        tuple(steps),
        tuple(inside),
        tuple(pointers),
        roots,
        _ranges(steps),
        counters,
        is_flat,
        tuple(sources),
        tuple(sequences),
    )


def _ranges(steps: Sequence[Step]) -> NDArray[np.float64]:
    ranges = np.zeros((2, _end(steps[-1]) if steps else 0))
    ranges[1] = 1.0
    for step in steps:
        for place, (_, kind, ends) in enumerate(step.drawn, step.draw + 1):
            if kind is None:
                ranges[:, place] = ends[0], ends[1] - ends[0]
    return ranges


def _step(number: int, params: Params, draw: int) -> Step:
    op, kind = OPS[params.op], type(params)
    drawn = tuple(
        (name, None if isinstance(drawn_kind, Uniform) else drawn_kind, getattr(params, name))
        for name, drawn_kind in drawn_fields(kind)
    )
    static = {name: getattr(params, name) for name in static_fields(kind) if name not in _NO_ARGUMENTS}
    canvas = op.kind.canvas if isinstance(op.kind, Places | Mix) else None
    own = None
    if isinstance(op.kind, Container | Policy | Blend):
        first = draw + 1 + len(drawn)
        own = slice(first, first + op.kind.draws(params))
    return Step(number, op, params, drawn, static, draw, canvas, own)


def _end(step: Step) -> int:
    """Where the next step's draws begin: its gate, fields and kind take whole blocks of four."""
    end = step.draw + 1 + len(step.drawn) if step.own is None else step.own.stop
    return step.draw - (step.draw - end) // 4 * 4


def keys(found: Tree, variants: Sequence[Variant], steps: Sequence[int]) -> rng.Words:
    """The item keys that the draws of some steps, by their numbers, are made for: (variants, steps).

    (variants, 1) where the recipe knows no sequences, and all are the pictures' own.
    """
    own = np.array([variant.key for variant in variants], dtype=np.uint64)[:, None]
    if not found.sequences:
        return own
    names = [str(variant.key) if variant.name is None else variant.name for variant in variants]
    shared = [[rng.item_key(sequence(name)) for name in names] for sequence in found.sequences]
    every = np.concatenate([own, np.array(shared, dtype=np.uint64).T], axis=1)
    return every[:, [found.sources[step] for step in steps]]


def draws(found: Tree, seed: int, variants: Sequence[Variant]) -> tuple[list[list[float]], list[list[int]]]:
    """Of each variant: numbers, a step's from its place `draw` on, and two noise words of each step.

    Fields that are real numbers are what they are drawn to be, everything else is a fraction in [0, 1).
    """
    counter = rng.counters(
        keys(found, variants, found.counters[:, 0].tolist() if found.sequences else ()),
        np.array([variant.variant for variant in variants], dtype=np.uint64)[:, None],
        found.counters[:, 0],
        found.counters[:, 1],
    )
    words = rng.philox(counter, seed)
    drawn = len(found.counters) - len(found.steps)
    noise = words[:, drawn:, :2].reshape(len(variants), -1)
    starts, lengths = found.ranges
    # as `Uniform.draw`, all at once
    return (starts + lengths * rng.fractions(words[:, :drawn].reshape(len(variants), -1))).tolist(), noise.tolist()


def taken(
    found: Tree, steps: Sequence[int], numbers: Sequence[float], by_container: dict[int, tuple[int, ...]]
) -> Iterator[Step]:
    """Those of some steps, by their numbers, and of the steps in them, that containers let through, as they run.

    Their own gates are not yet asked. by_container: is given the numbers of the steps that each container lets through.
    """
    for number in steps:
        step = found.steps[number]
        kind = step.op.kind
        if not isinstance(kind, Container):
            yield step
        elif numbers[step.draw] < step.params.chance:
            drawn = asked(kind.taken, step.fields(numbers))
            assert step.own is not None
            places = kind.taken(step.params, numbers[step.own], **drawn)
            by_container[number] = tuple(found.inside[number][place] for place in places)
            yield from taken(found, by_container[number], numbers, by_container)
