"""Through REST: pictures of one batch are mixed; who is taken follows from the batch's names and the seed alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import numpy as np
import pytest

from kernels import Recipe, augment
from service.app import create_app
from service.settings import Settings
from tests.helpers.api import running_api
from tests.helpers.http import Json, batch_parts, items, jpeg, outputs, pixels, png, submit
from tests.helpers.stack import Stack, running
from tests.helpers.truth import check_complete, contents

STEPS = [
    {"op": "mixup", "chance": 0.5, "weight": [0.2, 0.5]},
    {"op": "rotate", "degrees": [-20, 20]},
    {"op": "mosaic", "size": [64, 80]},
    {"op": "cutmix", "chance": 0.7},
    {"op": "copy_paste"},
    {"op": "hflip", "chance": 0.5},
]
VARIANTS, SEED = 2, 11
PNG = {"format": "png"}
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def stack(shared_settings: Settings) -> Iterator[Stack]:
    """One system for all tests here, with small micro-batches."""
    with running(shared_settings.model_copy(update={"micro_batch_items": 4})) as started:
        yield started


def results(stack: Stack, pictures: dict[str, bytes]) -> list[Json]:
    """All results of a batch, every one checked."""
    view = submit(stack.client, pictures, STEPS, variants=VARIANTS, seed=SEED, output=PNG, labels=labels(pictures))
    return check_complete(stack, stack.batch(view["id"]), pictures, VARIANTS)


def labels(pictures: dict[str, bytes]) -> Json:
    return {name: {"boxes": {"values": [[2, 2, 30, 30]], "classes": [name]}} for name in pictures}


def photographs(number: int) -> dict[str, bytes]:
    shapes = random.Random(3)
    return {
        f"{place:02}": (jpeg if place % 3 else png)(shapes.randint(40, 160), shapes.randint(40, 160), seed=place)
        for place in range(number)
    }


def test_order_and_workers_change_nothing_and_the_library_agrees(stack: Stack) -> None:
    pictures = photographs(20)
    shuffled = list(pictures)
    random.Random(5).shuffle(shuffled)
    usual = results(stack, pictures)
    turned = results(stack, {name: pictures[name] for name in shuffled})
    stack.add_worker()
    stack.wait_for(lambda: len(stack.client.get("/readyz?workers=1").json()["workers"]) == 2, what="two workers")
    by_two = results(stack, pictures)
    made = {
        (one["custom_id"], one["variant"]): pixels(stack.client.get(f"/v1/outputs/{one['id']}/content").content)
        for one in usual
    }
    assert contents(turned) == contents(usual)
    assert contents(by_two) == contents(usual)
    recipe = Recipe.parse({"steps": STEPS, "output": PNG})
    given = [labels(pictures)[name] for name in pictures]
    wanted = augment(list(pictures.values()), recipe, SEED, list(pictures), VARIANTS, labels=given)
    told = {(one["custom_id"], one["variant"]): one for one in usual}
    for output in wanted:
        key = (output.key, output.variant)
        assert output.image is not None
        np.testing.assert_array_equal(made[key], output.image.numpy())
        assert told[key]["draws"] == list(output.draws)
        assert output.labels is not None
        assert told[key]["labels"] == output.labels.document()
    taken = {partner["custom_id"] for one in usual for draw in one["draws"] for partner in draw.get("partners", ())}
    assert taken <= set(pictures)


def test_branches_that_mix_and_policies_are_those_of_the_library(stack: Stack) -> None:
    """Workers fetch the partners of the branches that are taken, and store what was taken and made up."""
    pictures = photographs(12)
    mixing = [
        {"op": "sequence", "steps": [{"op": "mosaic", "size": [64, 80]}, {"op": "hflip"}]},
        {"op": "mixup"},
        {"op": "vflip"},
    ]
    steps = [
        {"op": "one_of", "steps": mixing, "weights": [2, 1, 1]},
        {"op": "repeat", "times": [1, 2], "steps": [{"op": "sometimes", "steps": [{"op": "rotate"}, {"op": "cutout"}]}]},
        {"op": "rand_augment"},
        {"op": "aug_mix", "chance": 0.5},
    ]
    view = submit(stack.client, pictures, steps, variants=VARIANTS, seed=SEED, output=PNG, labels=labels(pictures))
    found = check_complete(stack, stack.batch(view["id"]), pictures, VARIANTS)
    made = {
        (one["custom_id"], one["variant"]): pixels(stack.client.get(f"/v1/outputs/{one['id']}/content").content)
        for one in found
    }
    told = {(one["custom_id"], one["variant"]): one for one in found}
    recipe = Recipe.parse({"steps": steps, "output": PNG})
    given = [labels(pictures)[name] for name in pictures]
    for output in augment(list(pictures.values()), recipe, SEED, list(pictures), VARIANTS, labels=given):
        key = (output.key, output.variant)
        assert output.image is not None
        np.testing.assert_array_equal(made[key], output.image.numpy())
        assert told[key]["draws"] == list(output.draws)
        assert output.labels is not None
        assert told[key]["labels"] == output.labels.document()
    assert {tuple(one["draws"][0]["taken"]) for one in found} == {(1,), (4,), (5,)}


def test_a_damaged_partner_fails_alone(stack: Stack) -> None:
    pictures = photographs(8)
    damaged = {**pictures, "03": pictures["03"][: len(pictures["03"]) // 2], "05": b"no picture at all"}
    rest = {name: content for name, content in pictures.items() if name not in ("03", "05")}
    view = submit(stack.client, damaged, STEPS, variants=VARIANTS, seed=SEED, output=PNG)
    ended = stack.batch(view["id"])
    assert ended["counts"] == {"total": 8, "succeeded": 6, "failed": 2, "cancelled": 0}
    codes = {item["custom_id"]: item["error"]["code"] for item in items(stack.client, view["id"], state="failed")}
    found = outputs(stack.client, view["id"])
    alone = submit(stack.client, rest, STEPS, variants=VARIANTS, seed=SEED, output=PNG)
    expected = check_complete(stack, stack.batch(alone["id"]), rest, VARIANTS)
    assert codes == {"03": codes["03"], "05": "unsupported_format"}
    assert codes["03"] in ("image_truncated", "image_corrupt")
    assert contents(found) == contents(expected)


def test_one_picture_alone_is_refused_and_one_left_alone_fails(stack: Stack) -> None:
    request = {"recipe": {"steps": [{"op": "hflip"}, {"op": "mixup"}]}}
    answer = stack.client.post("/v1/augment", params={"request": json.dumps(request)}, content=png(), headers=OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe_invalid")
    assert answer.json()["pointer"] == "/recipe/steps/1"
    assert "send at least two pictures together" in answer.json()["detail"]
    view = submit(stack.client, {"a": png(), "b": b"no picture"}, request["recipe"]["steps"])
    ended = stack.batch(view["id"])
    failed = {item["custom_id"]: item["error"]["code"] for item in items(stack.client, view["id"], state="failed")}
    assert ended["counts"] == {"total": 2, "succeeded": 0, "failed": 2, "cancelled": 0}
    assert failed == {"a": "recipe_invalid", "b": "unsupported_format"}


async def test_partners_count_as_work(shared_settings: Settings) -> None:
    async with running_api(create_app(shared_settings.model_copy(update={"max_output_pixels": 100_000}))) as api:
        steps = [{"op": "mosaic", "size": [10, 10]}]
        pictures = {"a": png(200, 200), "b": png(200, 200, seed=1)}
        body = {"recipe": {"steps": steps}}
        answer = await api.post("/v1/batches", files=batch_parts(pictures, body))
        assert (answer.status_code, answer.json()["code"]) == (422, "work_too_large")
        report = (await api.post("/v1/recipes/validate", json={**body, "size": [100, 100]})).json()
        assert report["stages"] == [{"stage": "mix", "steps": [0], "ops": ["mosaic"]}]
        assert report["cost"]["pixels"] == 10_000 + 100 + 3 * 10_000
