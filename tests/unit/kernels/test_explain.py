"""Explanations are of what is run: every stage is a pass that the executor makes, and each pass is a stage."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kernels import warp
from kernels.cpu import compiled, execute, machine
from kernels.cpu.outline import outlined
from kernels.cpu.passes import CHAIN, FRONT, PASS, SAMPLE_BYTES, SWEEP
from kernels.explain import explain
from kernels.op import Stencil, Weighed, Whole
from kernels.ops import OPS
from kernels.readings import smoothing
from kernels.recipe import Recipe
from kernels.route import LINK
from kernels.stages import stages
from kernels.tensors import Size
from tests.helpers.pictures import make_image, make_plan
from tests.helpers.recipes import ALONE, COMPOSED

needs_kernels = pytest.mark.skipif(not machine.is_able(), reason="this CPU has no compiled kernels")


def passes_in(orders: NDArray[np.float64]) -> Iterator[str]:
    """The passes that orders are for (see `kernels.cpu.passes`), and `shrink` if what they read is added up first."""
    front, links = int(orders[0]), int(orders[FRONT])
    at = FRONT + CHAIN + LINK * links
    if front == SAMPLE_BYTES:
        chain = orders[FRONT + CHAIN : at].reshape(links, LINK)
        if smoothing(chain.tolist())[2:4] != (1, 1):
            yield "shrink"
    while at < orders.size:
        yield "sweep" if orders[at] == SWEEP else "weigh"
        at += PASS + 4 * int(orders[at + 2]) + int(orders[at + 7]) if orders[at] == SWEEP else 2 + int(orders[at + 1])
    assert at == orders.size


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many passes of each kind compiled kernels made, and how often torch functions that move pixels were called."""
    made: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            made[name] += 1
            return function(*arguments)

        return call

    real = compiled.kernels()

    def carry(orders: NDArray[np.float64], *others: Any) -> int:
        made.update(passes_in(orders))
        return real.carry(orders, *others)

    kept = dataclasses.replace(real, carry=carry)
    monkeypatch.setattr(execute, "kernels", lambda: kept)
    for name in ("moved", "rearranged"):
        monkeypatch.setattr(warp, name, counted(name, getattr(warp, name)))
    return made


def any_recipe(rng: random.Random) -> list[dict[str, Any]]:
    names = [rng.choice((*ALONE, *COMPOSED)).name for _ in range(rng.randint(0, 7))]
    steps = [rng.choice(OPS[name].examples).model_dump(mode="json") for name in names]
    for step in steps:
        step["chance"] = rng.choice([1.0, 1.0, 0.5])
        if step["op"] in ("resize", "random_crop", "center_crop"):
            step["size"] = [rng.randint(8, 90), rng.randint(8, 90)]
    return steps


@needs_kernels
@pytest.mark.parametrize("seed", range(60))
def test_stages_are_the_passes_that_are_made(seed: int, calls: Counter[str]) -> None:
    rng = random.Random(seed)
    height, width = rng.choice([(1, 1), (40, 60), (96, 64)])
    plan = make_plan(any_recipe(rng), (height, width), seed=seed)
    noted = outlined(plan)
    cut = stages(plan)

    calls.clear()
    result = execute.computed(cut, torch.from_numpy(make_image(height, width)))

    passes = [stage for one in noted for stage in (one, *one.inside)]
    kinds = Counter(stage.kind for stage in passes)
    assert calls["sweep"] == kinds["sweep"]
    assert calls["shrink"] == sum(stage.kind == "sweep" and stage.shrink != (1, 1) for stage in passes)
    assert calls["weigh"] == sum(stage.kind == "weigh" and stage.taps > 1 for stage in passes)
    assert calls["moved"] == kinds["resample"]
    assert calls["rearranged"] == kinds["rearrange"]
    made_up = [step for one in plan.steps for chain in one.chains for step in chain]
    own = [step for step in (*plan.steps, *made_up) if isinstance(step.op.kind, Stencil | Whole)]
    assert kinds["function"] == sum(not isinstance(step.op.kind.function, Weighed) for step in own)  # type: ignore[union-attr]
    worked_off = [step.number for stage in noted if stage.kind != "measure" for step in stage.steps]
    assert worked_off == [step.number for step in plan.steps]
    if noted:
        assert tuple(noted[-1].size_out) == tuple(result.shape[:2])


def explained(*steps: dict[str, Any], size: tuple[int, int] = (64, 64)) -> dict[str, Any]:
    document = explain(Recipe.parse({"steps": list(steps)}), Size(*size))
    assert json.loads(json.dumps(document)) == document
    return document


def test_geometry_and_pixels_are_one_stage() -> None:
    document = explained({"op": "hflip"}, {"op": "rotate", "degrees": 10}, {"op": "contrast"}, {"op": "gamma"})

    (stage,) = document["stages"]
    assert stage["steps"] == [0, 1, 2, 3]
    assert stage["backend"] == "compiled"
    assert "one coordinate chain, resampled once" in stage["does"]
    assert "the mean for step 2" in stage["does"]


@pytest.mark.parametrize(
    ("second", "why", "backend"),
    [
        ({"op": "gaussian_blur", "sigma": 1}, "a neighbourhood needs finished neighbours", "compiled"),
        ({"op": "max_filter"}, "a neighbourhood, or a picture as a whole, needs finished neighbours", "OpenCV"),
        ({"op": "percentile_filter"}, "a neighbourhood, or a picture as a whole, needs finished neighbours", "compiled"),
        ({"op": "edge_map"}, "a neighbourhood, or a picture as a whole, needs finished neighbours", "torch"),
        ({"op": "rotate", "degrees": 9}, "a chain after steps on pixels reads finished neighbours", "compiled"),
        ({"op": "resize", "size": [16, 16]}, "a chain that shrinks, or moves whole pixels, after steps on pixels", "torch"),
        ({"op": "contrast"}, "a second mean needs the pixels that the first one changed", "compiled"),
    ],
)
def test_what_does_not_fuse_says_why(second: dict[str, Any], why: str, backend: str) -> None:
    first, then, *_ = explained({"op": "color_jitter"}, second)["stages"]

    assert first["why_not_fused"] is None
    assert then["why_not_fused"].startswith(why)
    assert then["backend"] == backend


def test_chances_and_sizes_and_costs() -> None:
    sometimes = {"op": "gaussian_blur", "sigma": 2, "chance": 0.3}
    document = explained({"op": "center_crop", "size": [20, 30], "chance": 0.5}, sometimes)
    always = explained({"op": "center_crop", "size": [20, 30], "chance": 0.5}, {**sometimes, "chance": 1.0})

    assert document["size_out"] == {"least": [20, 30], "most": [64, 64]}
    assert document["chances"][1]["says"] == "runs on 30% of pictures; costs nothing for the others"
    cost = document["cost"]
    assert cost["picture_us"] == pytest.approx(cost["decode_us"] + cost["pixels_us"] + cost["encode_us"], abs=0.2)
    assert cost["pixels_us"] < always["cost"]["pixels_us"]


def test_a_recipe_without_steps_has_no_stage() -> None:
    assert explained()["stages"] == []


def test_a_field_of_the_largest_picture_is_not_worked_out() -> None:
    document = explained({"op": "elastic"}, {"op": "hflip"}, size=(3000, 16_000))

    assert [stage["steps"] for stage in document["stages"]] == [[0, 1]]


def test_profile_kornia_has_a_stage_for_each_step() -> None:
    steps = [{"op": "rotate"}, {"op": "hflip"}, {"op": "brightness"}, {"op": "cutout"}]
    explained = explain(Recipe.parse({"steps": steps, "profile": "kornia"}), Size(64, 48))
    assert [(stage["ops"], stage["backend"]) for stage in explained["stages"]] == [
        (["rotate"], "Kornia"),
        (["hflip"], "Kornia"),
        (["brightness"], "Kornia"),
        (["cutout"], "torch"),
    ]
    fused = explain(Recipe.parse({"steps": steps}), Size(64, 48))
    assert len(fused["stages"]) < len(steps)
    assert explained["cost"]["pixels_us"] > fused["cost"]["pixels_us"]
