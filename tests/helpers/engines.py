"""Engines as tests use them: tiny pictures as work, and the one result of each."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Literal
from uuid import UUID

from batching.engine import Engine
from batching.execute import Result, Work
from batching.items import Priority
from kernels import codec
from kernels.recipe import Output, Recipe
from tests.helpers.ledger import make_item
from tests.helpers.pictures import make_image

RECIPE = Recipe.parse(
    {
        "steps": [{"op": "hflip", "chance": 0.5}, {"op": "rotate", "degrees": [-30, 30]}, {"op": "solarize"}],
        "output": {"format": "png"},
    }
)
Layout = Literal["whole", "stages"]
LAYOUTS: tuple[Layout, ...] = ("whole", "stages")
Started = Callable[..., Engine]


def picture_bytes(seed: int = 0, height: int = 20, width: int = 30) -> bytes:
    return codec.encode(make_image(height, width, seed=seed), Output(format="png"))


def make_work(content: bytes | None = None, *, key: int = 1, variants: int = 2, priority: Priority = "bulk") -> Work:
    content = picture_bytes(key) if content is None else content
    return Work(make_item(content, recipe=RECIPE, variants=variants, key=key, priority=priority), content)


def results(engine: Engine, works: list[Work]) -> dict[UUID, Result]:
    """The result of each item, when all have one; each exactly once."""
    done: queue.Queue[Result] = queue.Queue()
    for work in works:
        engine.submit(work, done.put)
    found = [done.get(timeout=30) for _ in works]
    assert done.empty()
    by_id = {result.item.id: result for result in found}
    assert len(by_id) == len(works)
    return {work.item.id: by_id[work.item.id] for work in works}
