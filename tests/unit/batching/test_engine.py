"""Engine with the real kernels on tiny pictures: one result for each item, whatever happens to it."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from batching.execute import Guest, Lacking, Ran, Result, Work, decoder
from batching.items import Failed
from batching.ledger import Member
from batching.telemetry import Tally
from batching.threads import NICENESS
from kernels import augment, codec
from kernels.codec import Limits
from kernels.partners import Pool
from kernels.recipe import Recipe
from kernels.rng import item_key
from tests.helpers.engines import LAYOUTS, RECIPE, Layout, Started, make_work, picture_bytes, results
from tests.helpers.ledger import make_item


@pytest.mark.parametrize("layout", LAYOUTS)
def test_results_are_those_of_the_library(start: Started, layout: Layout) -> None:
    works = [make_work(key=key) for key in range(12)]
    expected = augment([work.content for work in works], RECIPE, seed=7, keys=[work.item.key for work in works], variants=2)
    rest = iter(expected)
    for result in results(start(layout), works).values():
        assert isinstance(result, Ran)
        assert [output.variant for output in result.outputs] == [0, 1]
        for output in result.outputs:
            wanted = next(rest)
            assert wanted.image is not None
            np.testing.assert_array_equal(codec.decode(output.content), wanted.image.numpy())
            assert output.draws == wanted.draws
            assert output.sha256 == hashlib.sha256(output.content).hexdigest()
            assert (output.height, output.width) == tuple(wanted.image.shape[:2])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bad_picture_fails_alone(start: Started, layout: Layout) -> None:
    works = [make_work(key=key) for key in range(6)]
    works[2] = make_work(b"not a picture")
    works[4] = make_work(picture_bytes(4)[:-20])
    found = list(results(start(layout), works).values())
    assert [type(result) for result in found] == [Ran, Ran, Failed, Ran, Failed, Ran]
    codes = [result.code for result in found if isinstance(result, Failed)]
    assert codes == ["unsupported_format", "image_truncated"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bytes_that_changed_since_they_were_accepted_are_not_used(start: Started, layout: Layout) -> None:
    good = make_work()
    swapped = Work(good.item, picture_bytes(99))
    [result] = results(start(layout), [swapped]).values()
    assert isinstance(result, Failed)
    assert result.code == "source_missing"


@pytest.mark.parametrize(("layout", "more"), [("whole", NICENESS), ("stages", 0)])
def test_threads_that_take_items_whole_give_way_to_all_others(start: Started, layout: Layout, more: int) -> None:
    """Not those in stages, which feed a GPU."""
    inner, found = decoder(Limits()), list[int]()

    def decode(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return inner(content, alpha)

    results(start(layout, decode), [make_work()])
    assert found == [min(19, os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) + more)]


def test_labels_that_do_not_fit_fail_their_item(start: Started) -> None:
    content = picture_bytes()
    item = make_item(content, recipe=RECIPE, labels={"boxes": "none"})
    [result] = results(start(), [Work(item, content)]).values()
    assert isinstance(result, Failed)
    assert result.code == "label_invalid"


def test_labels_move_with_their_picture(start: Started) -> None:
    content = picture_bytes()
    flip = Recipe.parse({"steps": [{"op": "hflip"}]})
    labels = {"boxes": {"format": "xyxy", "values": [[0, 0, 10, 5]], "classes": [3]}}
    item = make_item(content, recipe=flip, labels=labels)
    [result] = results(start(), [Work(item, content)]).values()
    assert isinstance(result, Ran)
    moved = result.outputs[0].labels
    assert moved is not None
    assert moved["boxes"]["values"] == [[20, 0, 30, 5]]


def test_labels_and_names_are_causes_of_results_as_in_the_library(start: Started) -> None:
    content = picture_bytes()
    steps = [{"op": "same_draws", "steps": [{"op": "rotate"}]}, {"op": "box_safe_crop"}, {"op": "label_aware_dropout"}]
    recipe = {"steps": steps, "output": {"format": "png"}}
    draws = {}
    for name, box in (("a/1.png", [4, 4, 12, 12]), ("a/2.png", [4, 4, 12, 12]), ("a/1.png", [15, 8, 28, 18])):
        labels = {"boxes": {"values": [box]}}
        item = make_item(content, recipe=Recipe.parse(recipe), labels=labels, key=item_key(name), name=name, variants=2)
        # first, for it compiles what the engine's threads run
        expected = augment([content], recipe, seed=item.seed, keys=[name], variants=2, labels=[labels])
        [result] = results(start(), [Work(item, content)]).values()
        assert isinstance(result, Ran)
        for output, known in zip(result.outputs, expected, strict=True):
            assert known.image is not None
            assert known.labels is not None
            assert np.array_equal(codec.decode(output.content), known.image)
            assert output.draws == known.draws
            assert output.labels == known.labels.document()
        draws[name, str(box)] = result.outputs[0].draws
    one, other, elsewhere = draws.values()
    assert one[:2] == other[:2]
    assert one[2]["draws"] != other[2]["draws"]
    assert one[2]["draws"] == elsewhere[2]["draws"]
    assert one[2]["aimed"] != elsewhere[2]["aimed"]


def test_too_much_output_for_one_item_fails_it(start: Started) -> None:
    work = make_work(variants=3)
    [result] = results(start(max_output_pixels=20 * 30 * 2), [work]).values()
    assert isinstance(result, Failed)
    assert result.code == "work_too_large"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_work_that_is_not_begun_can_be_withdrawn(start: Started, layout: Layout) -> None:
    gate, begun = threading.Event(), threading.Event()
    real = decoder(Limits())

    def waiting(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        begun.set()
        gate.wait(10)
        return real(content, alpha)

    engine, done = start(layout, decode=waiting, threads=1), queue.Queue[Result]()
    works = [make_work(key=key) for key in range(5)]
    for work in works:
        engine.submit(work, done.put)
    begun.wait(10)
    assert engine.withdraw() == [work.item for work in works[1:]]
    gate.set()
    assert done.get(timeout=10).item == works[0].item
    time.sleep(0.05)
    assert done.empty()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_interactive_items_overtake(start: Started, layout: Layout) -> None:
    gate, done = threading.Event(), queue.Queue[Result]()
    real = decoder(Limits())

    def gated(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        gate.wait(10)
        return real(content, alpha)

    engine = start(layout, decode=gated, threads=1)
    bulk = [make_work(key=key) for key in range(10)]
    urgent = make_work(key=100, priority="interactive")
    for work in [*bulk, urgent]:
        engine.submit(work, done.put)
    gate.set()
    order = [done.get(timeout=30).item.id for _ in range(11)]
    assert order.index(urgent.item.id) <= 1


def test_torch_uses_one_thread_in_engine_threads(start: Started) -> None:
    seen: list[int] = []
    real = decoder(Limits())

    def looking(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        seen.append(torch.get_num_threads())
        return real(content, alpha)

    results(start(decode=looking, threads=os.cpu_count() or 1), [make_work()])
    assert seen == [1]


def test_stages_are_measured(start: Started) -> None:
    tally = Tally()
    results(start(tally=tally), [make_work(variants=3), make_work(key=2, variants=1)])
    facts = tally.facts()
    assert (facts["stage_n:decode"], facts["stage_n:run"], facts["stage_n:encode"]) == ("2", "4", "4")


MIXING = Recipe.parse(
    {"steps": [{"op": "mosaic", "size": [24, 30]}, {"op": "mixup", "chance": 0.5}], "output": {"format": "png"}}
)


def make_company(contents: dict[int, bytes]) -> dict[int, Guest]:
    """Pictures as partners by item key."""
    return {
        key: Guest(Member(key, "", hashlib.sha256(content).hexdigest(), 600, None), content)
        for key, content in contents.items()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mixed_pictures_are_those_of_the_library(start: Started, layout: Layout) -> None:
    contents = {key: picture_bytes(key) for key in range(6)}
    guests, pool = make_company(contents), Pool(contents)
    works = [
        Work(make_item(content, recipe=MIXING, variants=2, key=key), content, pool, guests)
        for key, content in contents.items()
    ]
    expected = iter(augment(list(contents.values()), MIXING, seed=7, keys=list(contents), variants=2))
    for result in results(start(layout), works).values():
        assert isinstance(result, Ran)
        for output in result.outputs:
            wanted = next(expected)
            assert wanted.image is not None
            np.testing.assert_array_equal(codec.decode(output.content), wanted.image.numpy())
            assert output.draws == wanted.draws


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_partner_that_cannot_be_decoded_is_named(start: Started, layout: Layout) -> None:
    contents = {1: picture_bytes(1), 2: picture_bytes(2)[:-20]}
    guests = make_company(contents)
    work = Work(make_item(contents[1], recipe=MIXING, key=1), contents[1], Pool(contents), guests)
    assert list(results(start(layout), [work]).values()) == [Lacking(work.item, 2)]
    swapped = {**guests, 2: Guest(guests[2].member, picture_bytes(3))}
    work = Work(make_item(contents[1], recipe=MIXING, key=1), contents[1], Pool(contents), swapped)
    [result] = results(start(layout), [work]).values()
    assert isinstance(result, Failed)
    assert (result.code, "its partner" in result.detail) == ("source_missing", True)


def test_partners_count_as_pixels(start: Started) -> None:
    contents = {key: picture_bytes(key) for key in range(2)}
    work = Work(make_item(contents[0], recipe=MIXING, key=0), contents[0], Pool(contents), make_company(contents))
    [result] = results(start(max_output_pixels=24 * 30 + 3 * 600 - 1), [work]).values()
    assert isinstance(result, Failed)
    assert result.code == "work_too_large"
