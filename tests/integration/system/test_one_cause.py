"""Through REST: a result depends on picture, recipe, seed, custom_id and variant, and on nothing that runs beside it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from service.settings import Settings
from tests.helpers.http import jpeg, png, submit
from tests.helpers.stack import Stack, running
from tests.helpers.truth import check_complete, contents

STEPS = [
    {"op": "random_resized_crop", "size": [72, 80], "scale": [0.5, 1.0]},
    {"op": "hflip", "chance": 0.5},
    {"op": "rotate", "degrees": [-20, 20], "border": "reflect"},
    {"op": "elastic"},
    {"op": "color_jitter", "brightness": [0.7, 1.3], "contrast": [0.7, 1.3], "saturation": [0.6, 1.4], "hue": [-0.1, 0.1]},
    {"op": "contrast", "factor": [0.6, 1.4]},
    {"op": "gaussian_blur", "sigma": [0.5, 2.0], "chance": 0.7},
    {"op": "gaussian_noise"},
    {"op": "impulse_noise"},
    {"op": "max_filter", "chance": 0.5},
    {"op": "cutout"},
    {"op": "solarize", "chance": 0.5},
]
VARIANTS = 2
SEED = 11


@pytest.fixture(scope="module")
def stack(shared_settings: Settings) -> Iterator[Stack]:
    """One system for all tests here, with small micro-batches."""
    with running(shared_settings.model_copy(update={"micro_batch_items": 16})) as started:
        yield started


def results(stack: Stack, pictures: dict[str, bytes]) -> dict[tuple[str, int], str]:
    """What identifies the bytes of every variant of every picture."""
    view = submit(stack.client, pictures, STEPS, variants=VARIANTS, seed=SEED, output={"format": "png"})
    return contents(check_complete(stack, stack.batch(view["id"]), pictures, VARIANTS))


def test_neighbours_order_and_workers_change_nothing(stack: Stack) -> None:
    shapes = random.Random(3)
    pictures = {
        f"{number:02}": (jpeg if number % 3 else png)(shapes.randint(40, 200), shapes.randint(40, 200), seed=number)
        for number in range(65)
    }
    chosen = ["00", "17", "64"]
    shuffled = list(pictures)
    shapes.shuffle(shuffled)
    alone: dict[tuple[str, int], str] = {}
    for name in chosen:
        alone |= results(stack, {name: pictures[name]})
    together = results(stack, pictures)
    turned_round = results(stack, {name: pictures[name] for name in shuffled})
    stack.add_worker()
    stack.add_worker()
    stack.wait_for(lambda: len(stack.client.get("/readyz?workers=1").json()["workers"]) == 3, what="three workers")
    by_three = results(stack, pictures)
    assert len(set(together.values())) == len(together)
    assert {key: together[key] for key in alone} == alone
    assert turned_round == together
    assert by_three == together


@pytest.mark.parametrize("threads", [2])
def test_threads_change_nothing(stack: Stack, threads: int) -> None:
    pictures = {f"{number}": jpeg(90 + number, 120, seed=number) for number in range(12)}
    made = []
    for count in (1, threads):
        stack.stop_workers()
        stack.add_worker(threads=count)
        made.append(results(stack, pictures))
    assert made[0] == made[1]
