"""Partners: the other pictures that a mixing step takes, chosen by the seed from a pool, never by who stands beside it.

Rendezvous hashing (Thaler and Ravishankar, "A name-based mapping scheme for rendezvous", 1996): a step's block of draws
gives a 64-bit point, every picture of the pool is ranked by a hash of its key and that point, and the first ones are
taken. Each picture is as likely as any other. Order and division of the pool do not matter, and a picture that joins or
leaves it changes only the results that take it now or took it before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kernels import rng, tree
from kernels.errors import InputError, RecipeInvalid
from kernels.op import Container, Mix
from kernels.ops import OPS
from kernels.params import Params
from kernels.recipe import Recipe
from kernels.rng import Words

if TYPE_CHECKING:
    from kernels.plan import Variant
    from kernels.tensors import Picture

_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_HALF = np.uint64(32)


class Partner(NamedTuple):
    """A picture of the pool: its item key, and the custom id that the key stands for, where there is one."""

    key: int
    custom_id: str | None

    @property
    def name(self) -> str:
        """What a person calls it: the custom id, else the key as 16 hex digits."""
        return f"{self.key:016x}" if self.custom_id is None else self.custom_id

    def document(self) -> dict[str, str]:
        """Plain JSON: {key, custom_id}; the key as 16 hex digits, since JSON's numbers end at 2^53."""
        found = {"key": f"{self.key:016x}"}
        return found if self.custom_id is None else found | {"custom_id": self.custom_id}


Choices = Mapping[int, tuple[Partner, ...]]
"""The partners of one variant by the number of the step that takes them; steps that are skipped have none."""
Partners = Callable[[Partner], "Picture"]
"""partners(partner) -> its decoded source picture, with labels. Errors: PartnerUnusable, and any other of the caller's."""


class PartnerUnusable(Exception):
    """A partner cannot be decoded: the choice is to be made again without it. No error of who takes it."""

    def __init__(self, partner: Partner, reason: InputError) -> None:
        super().__init__(f"{partner.name}: {reason.message}")
        self.partner, self.reason = partner, reason


class Pool:
    """The pictures that partners are taken from, each known by its key."""

    def __init__(self, names: Iterable[int | str]) -> None:
        """names: item keys or custom ids, in any order. ValueError for two of one key."""
        given = list(names)
        self._custom_ids = {rng.item_key(name): name if isinstance(name, str) else None for name in given}
        if len(self._custom_ids) != len(given):
            raise ValueError("two pictures have the same key, so neither can be told from the other as a partner")
        self._keys = np.array(list(self._custom_ids), dtype=np.uint64)
        self._hashes = mixed(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def without(self, key: int) -> Pool:
        """The pool less one picture."""
        return Pool(
            other if custom_id is None else custom_id for other, custom_id in self._custom_ids.items() if other != key
        )

    def chosen(self, point: int, key: int, count: int) -> tuple[Partner, ...]:
        """The `count` pictures that `point` ranks first, without the one of `key`; fewer others are used repeatedly.

        Empty if there are no others. Takes a time in proportion to the size of the pool: 0.2 ms for 10,000.
        """
        others = self._keys != np.uint64(key)
        ranks = mixed(self._hashes[others] ^ np.uint64(point))
        taken = min(count, len(ranks))
        if not taken:
            return ()
        first = np.argpartition(ranks, taken - 1)[:taken]
        keys = self._keys[others][first[np.argsort(ranks[first])]].tolist()
        return tuple(Partner(keys[place % taken], self._custom_ids[keys[place % taken]]) for place in range(count))


def mixed(words: Words) -> Words:
    """A bijective hash of 64-bit words: the finalizer of SplitMix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014)."""
    words = (words ^ words >> _SHIFTS[0]) * _FACTORS[0]
    words = (words ^ words >> _SHIFTS[1]) * _FACTORS[1]
    return words ^ words >> _SHIFTS[2]


def most_partners(recipe: Recipe) -> int:
    """How many partners one variant of a picture takes at most; 0: the recipe mixes nothing."""
    return sum(_bounds(params)[1] for params in recipe.steps)


def least_partners(recipe: Recipe) -> int:
    """How many it takes in any case."""
    return sum(_bounds(params)[0] for params in recipe.steps)


def _bounds(params: Params) -> tuple[int, int]:
    """The fewest partners that a step takes, and the most: a container lets those through that take fewest, or most."""
    kind = OPS[params.op].kind
    least = most = 0
    if isinstance(kind, Mix):
        least = most = kind.partners
    elif isinstance(kind, Container):
        few, many = kind.bounds(params)
        inside = [_bounds(child) for child in params.children()]
        least = sum(sorted(low for low, _ in inside)[:few])
        most = sum(sorted((high for _, high in inside), reverse=True)[:many])
    return least if params.chance == 1.0 else 0, most if params.chance > 0.0 else 0


def check_company(recipe: Recipe, pictures: int, pointer: str = "") -> None:
    """Nothing, or RecipeInvalid where a step may take partners and there are no two pictures. pointer: of the recipe."""
    if pictures < 2 and (steps := _mixing(recipe)):
        raise _alone(steps[0], pointer)


def choices(recipe: Recipe, seed: int, variants: Sequence[Variant], pool: Pool) -> list[Choices]:
    """The partners of each variant. RecipeInvalid where a step that is applied finds no other picture in the pool."""
    steps = _mixing(recipe)
    if not steps:
        return [{} for _ in variants]
    numbers = [step.number for step in steps]
    counter = rng.counters(
        tree.keys(tree.tree(recipe), variants, numbers)[:, :, None],
        np.array([variant.variant for variant in variants], dtype=np.uint64)[:, None, None],
        np.array(numbers, dtype=np.uint64)[None, :, None],
        np.array([0, rng.PARTNER_BLOCK], dtype=np.uint64)[None, None, :],
    )
    words = rng.philox(counter, seed)
    gates = rng.fractions(words[:, :, 0, 0]).tolist()
    points = (words[:, :, 1, 0] << _HALF | words[:, :, 1, 1]).tolist()
    reached = _reached(recipe, seed, variants)
    return [_chosen(steps, *each, pool) for each in zip(variants, gates, points, reached, strict=True)]


def _reached(recipe: Recipe, seed: int, variants: Sequence[Variant]) -> Sequence[frozenset[int] | None]:
    """Of each variant the numbers of the steps that containers let through; None: all."""
    found = tree.tree(recipe)
    if found.is_flat:
        return [None] * len(variants)
    numbers, _ = tree.draws(found, seed, variants)
    return [frozenset(step.number for step in tree.taken(found, found.roots, each, {})) for each in numbers]


class _Step(NamedTuple):
    """A step that may take partners."""

    number: int
    op: str
    chance: float
    partners: int
    pointer: str


@lru_cache(maxsize=256)
def _mixing(recipe: Recipe) -> tuple[_Step, ...]:
    found = tree.tree(recipe)
    return tuple(
        _Step(step.number, step.op.name, step.params.chance, step.op.kind.partners, pointer)
        for step, pointer in zip(found.steps, found.pointers, strict=True)
        if isinstance(step.op.kind, Mix) and step.op.kind.partners and step.params.chance > 0.0
    )


def _chosen(
    steps: Sequence[_Step],
    variant: Variant,
    gates: Sequence[float],
    points: Sequence[int],
    reached: frozenset[int] | None,
    pool: Pool,
) -> Choices:
    taken = {}
    for step, gate, point in zip(steps, gates, points, strict=True):
        if gate < step.chance and (reached is None or step.number in reached):
            partners = pool.chosen(point, variant.key, step.partners)
            if not partners:
                raise _alone(step, "")
            taken[step.number] = partners
    return taken


def _alone(step: _Step, pointer: str) -> RecipeInvalid:
    return RecipeInvalid(
        f"{step.op} takes another picture of the same batch, and there is none that can be read; "
        "send at least two pictures together, or leave the step out",
        f"{pointer}{step.pointer}",
    )
