"""Whole recipes: the reference pipeline P from file to file beside the codec floor F, and ten colour steps on pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from benchmarks.kernels.measure import Taken, Watch
from benchmarks.kernels.ours import augmented, planned
from benchmarks.kernels.peers.peer import Peer
from benchmarks.kernels.pictures import REFERENCE_PIPELINE, SEED, TEN_COLOURS, Pixels
from kernels import codec
from kernels.recipe import Recipe

Task = Callable[[], object]
BATCH = 32
"""Pictures that batched peers take together."""
MICRO_BATCH = 64
"""Pictures of recipes for each core, planned together: as many as a micro-batch may have (`micro_batch_items`)."""


def reference_tasks(watch: Watch, photos: Sequence[Pixels], peers: Sequence[Peer]) -> dict[str, Task]:
    """P by every way with the same codecs, and F: the same files decoded, the same results encoded, nothing between."""
    recipe = Recipe.parse(REFERENCE_PIPELINE)
    files = [codec.encode(photo, recipe.output) for photo in photos]
    results = [augmented(*pair) for pair in zip(planned(recipe, photos), photos, strict=True)]

    def floor(numbers: Sequence[int]) -> None:
        for number in numbers:
            codec.decode(files[number])
            codec.encode(results[number], recipe.output)

    def finished(change: Callable[[int, Pixels], Pixels]) -> Callable[[int], object]:
        return lambda number: codec.encode(change(number, codec.decode(files[number])), recipe.output)

    def some(numbers: Sequence[int]) -> None:
        # each thread plans for its own, as those of an engine do
        for number, plan in zip(numbers, planned(recipe, photos, numbers), strict=True):
            codec.encode(augmented(plan, codec.decode(files[number])), recipe.output)

    def by(peer: Peer) -> Task:
        plans = planned(recipe, photos)
        if not peer.is_batched:
            return lambda: watch.each(
                finished(lambda number, pixels: peer.unload(peer.applied(peer.load(pixels), [plans[number]])))
            )
        pipeline = peer.pipeline
        assert pipeline is not None

        def batches() -> None:
            decoded: dict[int, Pixels] = {}
            watch.each(lambda number: decoded.__setitem__(number, codec.decode(files[number])))
            made = _in_batches([decoded[number] for number in range(len(files))], peer, lambda images, _: pipeline(images))
            watch.each(lambda number: codec.encode(made[number], recipe.output))

        return batches

    steps = {step.op for step in recipe.steps}
    able = [peer for peer in peers if peer.pipeline or steps <= peer.forms.keys()]
    ours = {"floor": lambda: watch.parts(floor), "kernels": lambda: watch.parts(some)}  # shared out the same way
    return ours | {peer.name: by(peer) for peer in able}


def colour_tasks(watch: Watch, photos: Sequence[Pixels], peers: Sequence[Peer]) -> dict[str, Task]:
    """Ten colour steps, from 8-bit pixels to 8-bit pixels, by every way that has them all."""
    recipe = Recipe.parse(TEN_COLOURS)

    def some(numbers: Sequence[int]) -> None:
        for number, plan in zip(numbers, planned(recipe, photos, numbers), strict=True):
            augmented(plan, photos[number])

    def by(peer: Peer) -> Task:
        plans = planned(recipe, photos)
        if peer.is_batched:
            return lambda: _in_batches(
                photos, peer, lambda images, first: peer.applied(images, plans[first : first + len(images)])
            )
        return lambda: watch.each(lambda number: peer.unload(peer.applied(peer.load(photos[number]), [plans[number]])))

    able = [peer for peer in peers if {step.op for step in recipe.steps} <= peer.forms.keys()]
    return {"kernels": lambda: watch.parts(some)} | {peer.name: by(peer) for peer in able}


def _in_batches(pictures: Sequence[Pixels], peer: Peer, change: Callable[[Any, int], Any]) -> list[Pixels]:
    """Pictures through a batched peer, conversions included. change(images, number of the first one)."""
    torch.manual_seed(SEED)
    made: list[Pixels] = []
    for first in range(0, len(pictures), BATCH):
        made += list(peer.unload(change(peer.load(pictures[first : first + BATCH]), first)))
    return made


def measured(watch: Watch, photos: Sequence[Pixels], peers: Sequence[Peer]) -> Mapping[str, Mapping[str, Taken]]:
    """Both, by the recipe's name."""
    return {
        "pipeline": watch.timed("pipeline", reference_tasks(watch, photos, peers)),
        "ten_colours": watch.timed("ten colours", colour_tasks(watch, photos, peers)),
    }
