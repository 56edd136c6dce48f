"""Every operation of the catalogue, each of its examples and both ends of its ranges, against one list of promises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kernels.labels import Labels
from kernels.op import Blend, Container, Op, Places, Policy, Within
from kernels.ops import OPS
from kernels.params import Choice, Params, drawn_fields
from kernels.plan import Plan, plan
from kernels.recipe import Recipe, preorder
from kernels.run import run
from kernels.tensors import Picture, Size
from tests.helpers import (
    references,
    references_fields,
    references_filters,
    references_framing,
    references_geometry,
    references_labels,
    references_light,
    references_mixing,
    references_noise,
    references_tables,
    references_textures,
    references_weather,
)
from tests.helpers.pictures import POOL, company, labels_of

CPU = torch.device("cpu")
REFERENCES = {
    **references.REFERENCES,
    **references_light.REFERENCES,
    **references_noise.REFERENCES,
    **references_geometry.REFERENCES,
    **references_framing.REFERENCES,
    **references_fields.REFERENCES,
    **references_weather.REFERENCES,
    **references_mixing.REFERENCES,
    **references_tables.REFERENCES,
    **references_filters.REFERENCES,
    **references_textures.REFERENCES,
    **references_labels.REFERENCES,
}
COMPOSED = {name for name, op in OPS.items() if isinstance(op.kind, Container | Within | Policy | Blend)}
"""Operations that are other ones: `test_composed_ops_are_the_steps_that_their_draws_name` is their reference."""
COLOURING = {
    "alpha_blend",
    "beta_noise",
    "channel_dropout",
    "channel_gain",
    "channel_subset",
    "chromatic_aberration",
    "coarse_dropout",
    "color_space_convert",
    "copy_paste",
    "cutmix",
    "cutout",
    "fancy_pca",
    "fda",
    "fog",
    "frost",
    "gaussian_noise",
    "halftone",
    "he_stain",
    "histogram_matching",
    "impulse_noise",
    "iso_noise",
    "laplace_noise",
    "lens_flare",
    "lookup_table",
    "mixup",
    "mosaic",
    "multiplicative_noise",
    "overlay",
    "patchmix",
    "pixel_distribution_adaptation",
    "pixel_dropout",
    "planckian_jitter",
    "rain",
    "random_erasing",
    "recompress",
    "rgb_shift",
    "sand",
    "sepia",
    "shot_noise",
    "spatter",
    "speckle_noise",
    "sun_flare",
    "text_overlay",
    "tint",
    "transplantation",
    "uniform_noise",
    "webp",
}
"""Operations whose purpose puts colour into a grey picture."""
SHAPES = [(1, 1), (1, 2), (1, 23), (23, 1), (2, 2), (3, 5)]

MARGIN = 0.01
"""How far, in levels, a result may be from the reference beyond the rounding to a whole level."""
TOLERANCES = {
    **references_geometry.TOLERANCES,
    **references_mixing.TOLERANCES,
    **references_tables.TOLERANCES,
    **references_filters.TOLERANCES,
    **references_textures.TOLERANCES,
    **references_framing.TOLERANCES,
    **references_fields.TOLERANCES,
    **references_weather.TOLERANCES,
    **references_labels.TOLERANCES,
}
"""(levels beyond rounding, share of values within) of the operations for which (MARGIN, 1) is too strict."""


def ends(op: Op) -> Iterator[Params]:
    """The operation's first example with all drawn fields at their lowest, and at their highest."""
    for place in (0, -1):
        extremes = {
            name: (kind.names[place],) if isinstance(kind, Choice) else ((kind.minimum, kind.maximum)[place],) * 2
            for name, kind in drawn_fields(op.params)
        }
        if extremes:
            yield op.params(**{**dict(op.examples[0]), **extremes})


EXAMPLES = [pytest.param(example, id=f"{name}-{n}") for name, op in OPS.items() for n, example in enumerate(op.examples)]
ENDS = [
    pytest.param(params, id=f"{name}-{end}")
    for name, op in OPS.items()
    for end, params in zip(("lowest", "highest"), ends(op), strict=False)
]
REFERENCED = [case for case in EXAMPLES if case.values[0].op not in COMPOSED]
REFERENCED_ENDS = [case for case in ENDS if case.values[0].op not in COMPOSED]


def noise_picture(height: int, width: int, channels: int = 3, seed: int = 0) -> torch.Tensor:
    """Every level somewhere, no two neighbours alike: the hardest picture for windows and borders."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8))


def smooth_picture(height: int, width: int) -> torch.Tensor:
    """Soft colours with a sharp edge and saturated corners, as photographs have."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red, green = 255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1)
    blue = 127.5 + 127.5 * np.sin(x / 7) * np.cos(y / 5)
    picture = np.stack([red, green, blue], axis=-1)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 40)
    return torch.from_numpy(np.rint(picture).astype(np.uint8))


PICTURES = {"noise": noise_picture(48, 64), "smooth": smooth_picture(41, 53)}


def planned(params: Params, pixels: torch.Tensor, seed: int = 7, key: int = 3, variant: int = 1) -> Plan:
    size = Size(*pixels.shape[:2])
    return plan(Recipe(steps=(params,)), seed, key, variant, size, POOL, labels_for(params, size))


def labels_for(params: Params, size: Size) -> Labels | None:
    """Labels of two objects for an operation that looks at them: without any it does less."""
    return labels_of(size) if OPS[params.op].aim else None


def labelled(params: Params, pixels: torch.Tensor) -> Picture:
    return Picture(pixels, labels_for(params, Size(*pixels.shape[:2])))


def ran(params: Params, pixels: torch.Tensor, device: torch.device = CPU) -> torch.Tensor:
    return run([planned(params, pixels)], [labelled(params, pixels)], device, [company])[0].pixels


def agrees(params: Params, pixels: torch.Tensor) -> None:
    """The result is the reference's, rounded."""
    steps = planned(params, pixels).steps
    expected: NDArray[np.float64] = REFERENCES[params.op](pixels.numpy(), steps[0])
    result = ran(params, pixels).numpy()
    assert result.shape == expected.shape
    margin, share = TOLERANCES.get(params.op, (MARGIN, 1.0))
    off = np.abs(result - expected) - 0.5
    within = float(np.mean(off <= margin))
    worst = np.unravel_index(np.argmax(off), off.shape)
    found = f"{result[worst]} at {worst}, not {expected[worst]}"
    assert within >= share, f"{within:.2%} of the values agree, {share:.2%} should; the worst is {found}"


def test_every_op_has_a_reference() -> None:
    assert REFERENCES.keys() | COMPOSED == OPS.keys()
    assert not REFERENCES.keys() & COMPOSED


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("params", REFERENCED)
def test_agrees_with_its_reference(params: Params, picture: str) -> None:
    agrees(params, PICTURES[picture])


@pytest.mark.parametrize("params", REFERENCED_ENDS)
def test_ends_of_its_ranges_agree_with_the_reference(params: Params) -> None:
    agrees(params, noise_picture(11, 7))
    agrees(params, smooth_picture(5, 12))


@pytest.mark.parametrize("params", REFERENCED + REFERENCED_ENDS)
def test_smallest_pictures_agree_with_the_reference(params: Params) -> None:
    for height, width in SHAPES:
        agrees(params, noise_picture(height, width))


@pytest.mark.parametrize("params", REFERENCED_ENDS)
def test_flat_pictures_agree_with_the_reference(params: Params) -> None:
    for level in (0, 77, 255):
        agrees(params, torch.full((6, 9, 3), level, dtype=torch.uint8))


def named_steps(params: Params, recorded: Sequence[dict[str, Any]], number: int = 0) -> list[Params]:
    """The steps that a result's draws name, each with the numbers that it had: written out, flat, always applied."""
    each = recorded[number]
    if not each["applied"]:
        return []
    if "taken" in each:
        inside = list(preorder((params,)))
        return [one for child in each["taken"] for one in named_steps(inside[child], recorded, child)]
    members = each.get("members", [each])
    return [fixed(params, member) for member in members]


def fixed(params: Params, member: dict[str, Any]) -> Params:
    """A step with given numbers; what a policy makes up has its border and fill. Its numbers may be out of range."""
    kinds = dict(drawn_fields(OPS[member["op"]].params))
    ends = {
        name: (value,) if isinstance(kinds[name], Choice) else (value, value) for name, value in member["draws"].items()
    }
    around = {name: getattr(params, name) for name in ("border", "fill") if hasattr(params, name)}
    like = params if params.op == member["op"] else OPS[member["op"]].examples[0].model_copy(update=around)
    return like.model_copy(update={**ends, "chance": 1.0})


@pytest.mark.parametrize("params", [case for case in EXAMPLES + ENDS if case.values[0].op in COMPOSED])
def test_composed_ops_are_the_steps_that_their_draws_name(params: Params) -> None:
    pixels = smooth_picture(45, 62)
    for key in range(12):
        made = planned(params, pixels, key=key)
        result = run([made], [labelled(params, pixels)], CPU, [company])[0].pixels
        if strands := made.draws[0].get("strands"):
            parts = [written_out([fixed(params, each) for each in one["members"]], pixels) for one in strands]
            expected = sum(one["weight"] * part.double() for one, part in zip(strands, parts, strict=True))
            assert sum(one["weight"] for one in strands) == pytest.approx(1.0)
            # every part is rounded to whole levels, and so is their sum; thresholds may tear a few further apart
            assert ((result - expected).abs() <= 1.0 + MARGIN).double().mean() >= 0.995
        elif isinstance(OPS[params.op].kind, Within):
            assert torch.equal(result, in_parts(params, made, pixels))
        else:
            assert torch.equal(result, written_out(named_steps(params, list(made.draws)), pixels))


def in_parts(params: Params, made: Plan, pixels: torch.Tensor) -> torch.Tensor:
    """Each part of the picture cut out, taken through the steps that the draws name, and laid in where it belongs."""
    result = pixels.clone()
    steps, recorded = params.children(), list(made.draws)
    written = len(params.model_dump()["steps"])
    for place, (left, top, right, bottom, shown) in enumerate(references_labels.parts(params, made, *pixels.shape[:2])):
        first = place * written % len(steps)
        numbers = range(first, first + written)
        named = [one for number in numbers for one in named_steps(steps[number], [recorded[1 + number]])]
        part = written_out(named, pixels[top:bottom, left:right].contiguous())
        result[top:bottom, left:right][torch.from_numpy(shown)] = part[torch.from_numpy(shown)]
    return result


def written_out(steps: Sequence[Params], pixels: torch.Tensor) -> torch.Tensor:
    flat = plan(Recipe(steps=tuple(steps)), 7, 0, 0, Size(*pixels.shape[:2]), POOL)
    return run([flat], [Picture(pixels)], CPU, [company])[0].pixels


@pytest.mark.parametrize("name", OPS)
def test_defaults_do_not_touch_the_input(name: str) -> None:
    pixels = noise_picture(24, 31)
    before = pixels.clone()
    result = ran(OPS[name].params(**required(OPS[name])), pixels)
    assert torch.equal(pixels, before)
    result.fill_(0)
    assert torch.equal(pixels, before), "the result shares its memory with the input"


def required(op: Op) -> dict[str, object]:
    """The fields without a default, from the first example."""
    fields = op.params.model_fields
    return {name: getattr(op.examples[0], name) for name in fields if fields[name].is_required()}


@pytest.mark.parametrize("params", EXAMPLES)
def test_first_example_changes_the_picture(params: Params) -> None:
    pixels = smooth_picture(48, 64)
    result = ran(params.model_copy(update={"chance": 1.0}), pixels)
    if result.shape == pixels.shape:
        assert (result.int() - pixels.int()).abs().float().mean() > 1.0, "an example is to be seen in the gallery"


@pytest.mark.parametrize("params", EXAMPLES)
def test_same_twice_and_among_others(params: Params) -> None:
    pixels = [
        noise_picture(33, 20, seed=1),
        smooth_picture(17, 40),
        noise_picture(8, 8, seed=2),
        noise_picture(33, 20, seed=1),
    ]
    plans = [planned(params, each, key=key) for key, each in enumerate(pixels)]
    alone = [run([a], [Picture(b)], CPU, [company])[0].pixels for a, b in zip(plans, pixels, strict=True)]
    together = run(plans, [Picture(each) for each in pixels], CPU, [company] * len(plans))
    backwards = run(plans[::-1], [Picture(each) for each in pixels[::-1]], CPU, [company] * len(plans))[::-1]
    for one, among, other in zip(alone, together, backwards, strict=True):
        assert torch.equal(one, among.pixels)
        assert torch.equal(one, other.pixels)


@pytest.mark.parametrize("params", EXAMPLES)
def test_threads_change_nothing(params: Params) -> None:
    pixels = smooth_picture(240, 320)
    results = []
    before, cv2_before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
            results.append(ran(params, pixels))
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(cv2_before)
    assert torch.equal(*results)


@pytest.mark.parametrize("name", OPS)
def test_chance_0_changes_nothing(name: str) -> None:
    pixels = noise_picture(9, 14)
    skipped = OPS[name].examples[0].model_copy(update={"chance": 0.0})
    made = planned(skipped, pixels)
    assert made.steps == ()
    assert made.draws[0]["applied"] is False
    assert torch.equal(run([made], [Picture(pixels)], CPU)[0].pixels, pixels)


def test_empty_batch() -> None:
    assert run([], [], CPU) == []


@pytest.mark.parametrize("params", EXAMPLES)
def test_alpha_is_kept(params: Params) -> None:
    pixels = noise_picture(19, 26, channels=4)
    result = ran(params, pixels)
    assert result.shape[2] == 4
    assert torch.equal(result[..., :3], ran(params, pixels[..., :3].contiguous()))
    if not any(OPS[step.op].moves_labels for step in preorder((params,))):
        assert torch.equal(result[..., 3], pixels[..., 3])


@pytest.mark.parametrize("params", [case for case in EXAMPLES + ENDS if case.values[0].op not in COLOURING])
def test_grey_stays_grey(params: Params) -> None:
    fill = getattr(params, "fill", (0.0, 0.0, 0.0))
    if len(set(fill)) > 1:
        pytest.skip("this example fills with a colour")
    result = ran(params, noise_picture(21, 30, channels=1).expand(21, 30, 3).contiguous())
    assert torch.equal(result[..., 0], result[..., 1])
    assert torch.equal(result[..., 0], result[..., 2])


@pytest.mark.parametrize("params", EXAMPLES + ENDS)
def test_survives_json(params: Params) -> None:
    recipe = Recipe(steps=(params,))
    document = json.loads(json.dumps(recipe.document()))
    assert Recipe.parse(document) == recipe
    assert Recipe.parse(document).digest == recipe.digest
    draws = planned(params, noise_picture(5, 6)).draws
    assert json.loads(json.dumps(draws)) == list(draws)


@pytest.mark.parametrize("name", OPS)
def test_defaults_are_within_their_ranges_and_explained(name: str) -> None:
    op = OPS[name]
    assert Recipe.parse({"steps": [{"op": name, **json_of(required(op))}]}).steps[0].op == name
    assert op.summary, "the catalogue shows the first paragraph of the docstring"
    for field, value in op.params.model_fields.items():
        assert field == "op" or value.description, f"{field} has no docstring"
    if isinstance(op.kind, Places):
        assert op.moves_labels


def json_of(fields: dict[str, object]) -> dict[str, object]:
    return {
        name: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in fields.items()
    }


@pytest.mark.parametrize("params", EXAMPLES)
def test_cpu_agrees_with_cuda(params: Params) -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    pixels = smooth_picture(120, 160)
    difference = (ran(params, pixels).int() - ran(params, pixels, torch.device("cuda")).int()).abs()
    assert (difference <= 1).float().mean() >= 0.995
