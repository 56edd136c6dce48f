"""Single operations on 512 x 512 photographs, each by every peer that has it: all of the catalogue, if asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.kernels.measure import Taken, Watch
from benchmarks.kernels.ours import planned, works
from benchmarks.kernels.peers.peer import Peer
from benchmarks.kernels.pictures import Pixels
from benchmarks.kernels.pipelines import BATCH
from kernels.ops import OPS
from kernels.recipe import Recipe

MEASURED: Mapping[str, Mapping[str, Any]] = {
    "gaussian_blur": {"sigma": 2.0},
    "max_filter": {"size": 5},
    "min_filter": {"size": 5},
    "percentile_filter": {"size": 5},
    "box_blur": {"size": 5},
    "black_hat": {"size": 5},
    "top_hat": {"size": 5},
    "morph_close": {"size": 5},
    "morph_gradient": {"size": 5},
    "morph_open": {"size": 5},
    "posterize": {"bits": 4},
    "random_crop": {"size": [224, 224]},
    "random_resized_crop": {"size": [224, 224], "scale": [0.5, 1.0]},
    "resize": {"size": [224, 224]},
    "rotate": {"degrees": 30},
}
"""The fields that an operation is measured with, where they are not those of its first example."""


def recipe_of(name: str) -> Recipe:
    """The operation alone, as it is measured."""
    fields = MEASURED.get(name) or OPS[name].examples[0].model_dump(mode="json", exclude={"op"})
    return Recipe.parse({"steps": [{"op": name, **fields}]})


def tasks(name: str, watch: Watch, photos: Sequence[Pixels], peers: Sequence[Peer]) -> dict[str, Callable[[], object]]:
    """The operation by every way: from the pixels as the peer takes them to the pixels as it leaves them."""
    recipe = recipe_of(name)
    ours = works(recipe, photos)

    def kernels() -> None:
        made = ours()
        watch.each(lambda number: made[number]())

    def by(peer: Peer) -> Callable[[], object]:
        plans = planned(recipe, photos)
        if not peer.is_batched:
            images = [peer.load(photo) for photo in photos]
            return lambda: watch.each(lambda number: peer.applied(images[number], [plans[number]]))
        firsts = range(0, len(photos), BATCH)
        batches = [(peer.load(photos[first : first + BATCH]), plans[first : first + BATCH]) for first in firsts]
        return lambda: [peer.applied(images, batch) for images, batch in batches]

    return {"kernels": kernels} | {peer.name: by(peer) for peer in peers if name in peer.forms}


def measured(
    watch: Watch, photos: Sequence[Pixels], peers: Sequence[Peer], names: Iterable[str]
) -> dict[str, dict[str, Taken]]:
    """What every operation takes by every way, by its name."""
    return {name: watch.timed(name, tasks(name, watch, photos, peers)) for name in names}


def conversions(watch: Watch, photos: Sequence[Pixels], peers: Sequence[Peer]) -> dict[str, dict[str, Taken]]:
    """What batched peers take to turn 8-bit pixels into theirs and back: no part of a single operation's time."""
    found = {}
    for peer in peers:
        if peer.is_batched:
            parts = [photos[first : first + BATCH] for first in range(0, len(photos), BATCH)]
            images = [peer.load(part) for part in parts]
            found[peer.name] = watch.timed(f"{peer.name} conversion", _both(peer, parts, images))
    return found


def _both(peer: Peer, parts: Sequence[Any], images: Sequence[Any]) -> dict[str, Callable[[], object]]:
    return {
        "from 8 bits": lambda: [peer.load(part) for part in parts],
        "to 8 bits": lambda: [peer.unload(image) for image in images],
    }
