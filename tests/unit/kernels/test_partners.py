"""Partners: chosen by the seed from the pool's contents, whatever their order, and moved by few changes of the pool."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from kernels import augment, rng
from kernels.errors import ImageTruncated, RecipeInvalid
from kernels.library import Augmented
from kernels.partners import Partner, Pool, check_company, choices, mixed, most_partners
from kernels.plan import Variant, plan
from kernels.recipe import Recipe
from kernels.tensors import Size
from tests.helpers.pictures import Pixels, make_image
from tests.unit.kernels.test_library import image, png

NAMES = [f"{number}.jpg" for number in range(40)]
MOSAIC = Recipe.parse({"steps": [{"op": "hflip"}, {"op": "mosaic", "size": [40, 50]}]})
RECIPE = Recipe.parse(
    {
        "steps": [
            {"op": "rotate", "degrees": [-20, 20]},
            {"op": "mixup", "chance": 0.5},
            {"op": "mosaic", "size": [40, 50]},
            {"op": "hflip", "chance": 0.5},
            {"op": "cutmix"},
        ]
    }
)


def taken(pool: Pool, names: list[str] = NAMES) -> dict[str, tuple[str, ...]]:
    """The partners of each picture under `MOSAIC`, by name."""
    variants = [Variant(rng.item_key(name), 0, Size(8, 8)) for name in names]
    return {
        name: tuple(partner.name for partner in found[1])
        for name, found in zip(names, choices(MOSAIC, 7, variants, pool), strict=True)
    }


def test_known_choices() -> None:
    """Pinned: they must never change."""
    assert [hex(int(word)) for word in mixed(np.array([0, 1, 2**64 - 1], dtype=np.uint64))] == KNOWN_HASHES
    assert taken(Pool(NAMES), NAMES[:3]) == KNOWN
    assert Pool(range(9)).chosen(2**63 + 5, 3, 2) == (Partner(KNOWN_KEYS[0], None), Partner(KNOWN_KEYS[1], None))


KNOWN_HASHES = ["0x0", "0x5692161d100b05e5", "0xb4d055fcf2cbbd7b"]
KNOWN = {
    "0.jpg": ("34.jpg", "6.jpg", "13.jpg"),
    "1.jpg": ("20.jpg", "28.jpg", "5.jpg"),
    "2.jpg": ("20.jpg", "25.jpg", "37.jpg"),
}
KNOWN_KEYS = (5, 8)


def test_the_point_is_a_block_of_its_own() -> None:
    variant = Variant(rng.item_key("a"), 3, Size(8, 8))
    counter = np.array([rng.PARTNER_BLOCK << 16 | 1, 3, variant.key & 0xFFFFFFFF, variant.key >> 32], dtype=np.uint64)
    high, low = (int(word) for word in rng.philox(counter, 7)[:2])
    pool = Pool(NAMES)
    assert choices(MOSAIC, 7, [variant], pool)[0][1] == pool.chosen(high << 32 | low, variant.key, 3)


def test_order_does_not_matter_and_nobody_is_its_own_partner() -> None:
    usual = taken(Pool(NAMES))
    shuffled = list(NAMES)
    random.Random(1).shuffle(shuffled)
    assert taken(Pool(shuffled)) == usual
    for name, partners in usual.items():
        assert name not in partners
        assert len(set(partners)) == 3


def test_a_picture_that_leaves_or_joins_changes_only_what_takes_it() -> None:
    usual = taken(Pool(NAMES))
    for gone in NAMES[:10]:
        left = taken(Pool(NAMES).without(rng.item_key(gone)))
        for name in NAMES:
            if gone not in usual[name]:
                assert left[name] == usual[name]
            else:
                # the others keep their places, and the next in rank comes behind them
                assert [partner for partner in usual[name] if partner != gone] == list(left[name][:2])


def test_every_other_picture_is_as_likely() -> None:
    pool, points = Pool(NAMES), np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64).tolist()
    seen = Counter(pool.chosen(point, rng.item_key(NAMES[0]), 1)[0].name for point in points)
    assert len(seen) == len(NAMES) - 1
    expected = len(points) / len(seen)
    chi_square = sum((count - expected) ** 2 / expected for count in seen.values())
    assert chi_square < 80, "38 degrees of freedom: 1 in 10,000 is above 75"


def test_few_others_are_taken_again_and_none_is_an_error() -> None:
    assert taken(Pool(["a", "b"]), ["a"]) == {"a": ("b", "b", "b")}
    with pytest.raises(RecipeInvalid, match="mosaic takes another picture") as caught:
        taken(Pool(["a"]), ["a"])
    assert caught.value.pointer == "/steps/1"
    with pytest.raises(RecipeInvalid):
        check_company(MOSAIC, 1)
    check_company(MOSAIC, 2)
    check_company(Recipe.parse({"steps": [{"op": "mosaic", "chance": 0.0}, {"op": "hflip"}]}), 1)
    with pytest.raises(ValueError, match="same key"):
        Pool(["a", rng.item_key("a")])


def test_steps_that_are_skipped_take_nobody() -> None:
    gated = Recipe.parse({"steps": [{"op": "mixup", "chance": 0.5}]})
    assert most_partners(gated) == 1
    assert most_partners(RECIPE) == 5
    plans = [plan(gated, 7, "a", variant, Size(8, 8), Pool(NAMES)) for variant in range(40)]
    applied = [made.draws[0]["applied"] for made in plans]
    assert len(set(applied)) == 2
    assert [("partners" in made.draws[0]) for made in plans] == applied


# ------------------------------------------------------------------------------------------------ through the library
def pictures() -> dict[str, Pixels]:
    return {name: make_image(20 + n, 30 - n, seed=n) for n, name in enumerate(NAMES[:8])}


def made(sources: dict[str, object], variants: int = 2) -> dict[tuple[int | str, int], Augmented]:
    outputs = augment(list(sources.values()), RECIPE, seed=5, keys=list(sources), variants=variants)  # type: ignore[arg-type]  # pictures and files
    return {(output.key, output.variant): output for output in outputs}


def test_results_do_not_depend_on_order_and_can_be_made_again_from_their_draws() -> None:
    sources = pictures()
    usual = made(dict(sources))
    turned = made(dict(reversed(sources.items())))
    assert all(np.array_equal(image(usual[key]), image(turned[key])) for key in usual)
    for (name, variant), output in usual.items():
        # who was taken is in the draws, and among them alone the choice is the same
        needed = {name} | {partner["custom_id"] for draw in output.draws for partner in draw.get("partners", ())}
        again = made({key: value for key, value in sources.items() if key in needed})[name, variant]
        assert np.array_equal(image(again), image(output))
        assert again.draws == output.draws


def test_a_damaged_partner_fails_alone_and_is_passed_over() -> None:
    sources = pictures()
    bad = NAMES[3]
    without = made({name: pixels for name, pixels in sources.items() if name != bad})
    damaged = made({name: png(pixels)[:-40] if name == bad else pixels for name, pixels in sources.items()})
    for key, output in damaged.items():
        if key[0] == bad:
            assert isinstance(output.error, ImageTruncated)
        else:
            assert np.array_equal(image(output), image(without[key]))
            assert output.draws == without[key].draws


def test_nobody_left_is_the_pictures_error() -> None:
    outputs = augment([make_image(), b"no picture"], MOSAIC, seed=0)
    assert isinstance(outputs[0].error, RecipeInvalid)
    assert "there is none that can be read" in outputs[0].error.message


def test_keys_must_differ_where_pictures_are_mixed() -> None:
    with pytest.raises(ValueError, match="same key"):
        augment([make_image(), make_image()], MOSAIC, seed=0, keys=["a", "a"])


def test_transparency_is_mixed_like_a_colour() -> None:
    clear, opaque = make_image(16, 16, channels=4), make_image(16, 16, seed=1)
    kept = {"steps": [{"op": "mixup", "weight": 0.25}], "output": {"format": "png", "alpha": "keep"}}
    first, second = augment([clear, opaque], kept, seed=0)
    assert np.abs(image(first)[..., 3] - (0.75 * clear[..., 3] + 0.25 * 255)).max() <= 0.51
    over_black = clear[..., :3] * (clear[..., 3:] / 255.0)
    assert image(second).shape == (16, 16, 3)
    assert np.abs(image(second) - (0.75 * opaque + 0.25 * over_black)).max() <= 0.8
