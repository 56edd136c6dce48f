"""Expansions as tests run them: pictures, what is asked for, and what lies in OUT afterwards."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kernels.recipe import Recipe
from service.client import Client
from service.client.views import Batch
from service.expansion.expand import Order, Summary, expand
from service.expansion.state import State
from service.expansion.tally import Tally

RECIPE = Recipe.parse(
    {
        "steps": [
            {"op": "random_resized_crop", "size": [24, 32]},
            {"op": "hflip", "chance": 0.5},
            {"op": "color_jitter"},
        ],
        "output": {"format": "png"},
    }
)


def picture(number: int, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, format=form)
    return target.getvalue()


def photos_in(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.png").write_bytes(picture(number))
    return folder


def order(photos: Path, out: Path, **changed: Any) -> Order:
    return Order(
        **{"photos": photos, "out": out, "recipe": RECIPE, "variants": 2, "seed": 7, "batch_pictures": 5, **changed}
    )


def run(client: Client, asked: Order) -> Summary:
    return expand(asked, client, Tally(), lambda: None)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def files_of(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".augment" not in path.parts and path.suffix != ".jsonl"
    }


def submitted(client: Client, out: Path) -> Counter[str]:
    """How often each picture was accepted, over all batches of one expansion."""
    return Counter(item.custom_id for batch in batches(client, out) for item in client.items(batch.id))


def batches(client: Client, out: Path) -> list[Batch]:
    """All batches of one expansion."""
    state = State(out / ".augment")
    group = state.group
    state.close()
    return list(client.batches(group=group))
