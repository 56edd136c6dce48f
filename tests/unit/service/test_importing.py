"""Pipelines of other libraries become recipes: units and chances right, nothing dropped unsaid."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision.transforms import v2

from kernels.ops import OPS
from kernels.recipe import Recipe
from service import seed_ops
from service.importing.albumentations import ENTRIES as ALBUMENTATIONS
from service.importing.kornia import ENTRIES as KORNIA
from service.importing.pipeline import Imported, import_pipeline
from service.importing.rules import Container, Missing, Rule
from service.importing.torchvision import ENTRIES as TORCHVISION
from tests.helpers.pipelines import data, of_torchvision
from tests.helpers.references_seed import FIXED


def steps(imported: Imported) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = imported.document["steps"]
    return found


def verdicts(imported: Imported) -> dict[str, str]:
    return {item.name: item.verdict for item in imported.items}


def step(imported: Imported, op: str) -> dict[str, Any]:
    return next(one for one in steps(imported) if one["op"] == op)


def albumentations(name: str, **arguments: Any) -> Imported:
    return import_pipeline({"transform": {"__class_fullname__": name, **arguments}})


def test_what_albumentations_2_writes() -> None:
    imported = import_pipeline(data("albumentations_2.json"))

    assert imported.form == "albumentations"
    assert verdicts(imported) | {"OneOf": "", "GaussNoise": "", "GaussianBlur": "", "RandomGamma": ""} == {
        "Compose": "exact",
        "RandomResizedCrop": "different",
        "HorizontalFlip": "exact",
        "ShiftScaleRotate": "different",
        "RandomBrightnessContrast": "exact",
        "HueSaturationValue": "different",
        "OneOf": "",
        "GaussNoise": "",
        "GaussianBlur": "",
        "RandomGamma": "",
        "CoarseDropout": "different",
        "TextImage": "missing",
        "Normalize": "missing",
        "ToTensorV2": "exact",
        "BboxParams": "exact",
    }
    assert step(imported, "affine") == {
        "op": "affine",
        "chance": 0.7,
        "border": "reflect",
        "degrees": [-30.0, 30.0],
        "translate_x": [-0.1, 0.1],
        "scale": pytest.approx([0.8, 1.3]),
        "shear_x": 0.0,
    }
    brightness = step(imported, "brightness")
    assert (brightness["factor"], brightness["offset"]) == (pytest.approx([0.7, 1.3]), [-0.2, 0.2])
    assert "hue" not in step(imported, "hsv_shift")  # 9 of 180 steps are our default, 0.05 turns
    assert step(imported, "hsv_shift")["saturation"] == pytest.approx([-0.2, 0.2])
    assert step(imported, "hsv_shift")["value"] == pytest.approx([-0.1, 0.1])
    hole = step(imported, "random_erasing")
    assert (hole["scale"], hole["ratio"]) == (pytest.approx([0.02, 0.08]), pytest.approx([1.0, 4.0]))
    assert (hole["color"], hole["chance"]) == ([1.0, 1.0, 1.0], 0.3)
    assert imported.document["labels"] == {"min_visible": 0.2, "min_side": 2.0, "min_area": 16.0}


def test_what_albumentations_1_writes() -> None:
    imported = import_pipeline(data("albumentations_1.json"))

    assert step(imported, "resize")["size"] == [256, 320]
    turn = step(imported, "rotate")
    assert ("chance" in turn, turn["fill"]) == (False, pytest.approx([1.0, 0.0, 0.2]))
    assert step(imported, "gaussian_noise")["sigma"] == pytest.approx([0.01, 0.02])
    assert step(imported, "solarize")["threshold"] == pytest.approx([0.4, 0.8])
    assert step(imported, "rgb_shift")["red"] == pytest.approx([-0.2, 0.2])
    assert step(imported, "grayscale")["chance"] == 0.5
    assert verdicts(imported)["Lambda"] == "missing"


def test_what_is_written_for_kornia() -> None:
    imported = import_pipeline(data("kornia.json"))

    assert imported.form == "kornia"
    affine = step(imported, "affine")
    assert (affine["degrees"], affine["chance"], affine["border"]) == ([-20.0, 10.0], 0.6, "reflect")
    assert (affine["translate_x"], affine["translate_y"]) == ([-0.1, 0.1], [-0.2, 0.2])
    offset, factor = (one for one in steps(imported) if one["op"] == "brightness")
    assert offset["offset"] == pytest.approx([-0.1, 0.1])
    assert factor.get("factor", [0.8, 1.2]) == [0.8, 1.2]
    assert step(imported, "random_erasing")["color"] == [0.5, 0.5, 0.5]
    assert verdicts(imported)["RandomTransmogrification"] == "missing"
    noise = next(item for item in imported.items if item.name == "RandomGaussianNoise")
    assert noise.steps == ("/steps/2",)


def test_real_objects_of_torchvision() -> None:
    pipeline = v2.Compose(
        [
            v2.RandomResizedCrop(224, scale=(0.3, 1.0), ratio=(0.75, 1.25)),
            v2.RandomHorizontalFlip(0.4),
            v2.RandomApply([v2.ColorJitter(0.2, 0.3, (0.5, 1.0), 0.1)], p=0.8),
            v2.RandomAffine((-10, 20), translate=(0.1, 0.2), interpolation=v2.InterpolationMode.BILINEAR),
            v2.RandomErasing(p=0.2, value="random", ratio=(0.5, 2.0)),
            v2.GaussianBlur(5, sigma=(0.5, 1.5)),
            v2.RandomCrop(32, padding=4, padding_mode="symmetric"),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5], [0.5]),
            v2.Lambda(lambda image: image),
        ]
    )
    imported = import_pipeline([of_torchvision(pipeline)], "torchvision")

    assert [one["op"] for one in steps(imported)] == [
        *("random_resized_crop", "hflip", "color_jitter", "affine", "random_erasing", "gaussian_blur", "pad", "random_crop")
    ]
    assert step(imported, "hflip")["chance"] == 0.4
    jitter = step(imported, "color_jitter")
    assert (jitter["chance"], jitter["contrast"], jitter["saturation"]) == (0.8, [0.7, 1.3], [0.5, 1.0])
    assert step(imported, "affine")["degrees"] == [-20.0, 10.0]
    assert step(imported, "pad") == {
        "op": "pad",
        "border": "reflect",
        **dict.fromkeys(("left", "top", "right", "bottom"), 4),
    }
    assert step(imported, "random_erasing")["ratio"] == [0.5, 2.0]
    assert imported.counts["missing"] == 2


@pytest.mark.parametrize("arguments", FIXED, ids=str)
def test_the_seed_s_requests(arguments: dict[str, Any]) -> None:
    [item] = (imported := import_pipeline({"arguments": dict(arguments)})).items

    assert (imported.form, item.verdict, imported.document["output"]) == ("seed", "exact", {"format": "png"})
    if arguments["processing"] != "shift":
        from kernels.tensors import Size

        assert imported.recipe.steps == seed_ops.recipe({"arguments": dict(arguments)}, Size(100, 100)).steps


def test_a_list_of_the_seed_s_requests() -> None:
    imported = import_pipeline(
        [{"arguments": {"processing": "invert"}}, {"arguments": {"processing": "salt_noise", "amount": 3}}]
    )
    assert [item.verdict for item in imported.items] == ["exact", "different"]
    assert [one["op"] for one in steps(imported)] == ["invert", "salt"]


def test_containers_become_ours() -> None:
    choice = import_pipeline(
        [{"RandomChoice": {"transforms": ["RandomInvert", {"GaussianBlur": {"kernel_size": 3}}], "p": [1, 3]}}]
    )
    assert steps(choice)[0]["op"] == "one_of"
    assert steps(choice)[0]["weights"] == [1.0, 3.0]
    one_of = import_pipeline(data("albumentations_2.json"))
    inside = step(one_of, "one_of")
    assert (inside["chance"], inside["weights"]) == (0.4, [0.2, 0.6, 0.2])
    assert all("chance" not in one for one in inside["steps"])
    order = import_pipeline([{"ImageSequential": {"args": ["RandomInvert", "RandomHue"], "random_apply": True}}])
    assert steps(order)[0]["op"] == "random_order"
    some = import_pipeline(
        [{"ImageSequential": {"args": ["RandomInvert", "RandomHue", "RandomGamma"], "random_apply": [1, 2]}}]
    )
    assert (steps(some)[0]["op"], steps(some)[0].get("n", [1, 2])) == ("some_of", [1, 2])


def test_what_probabilities_inside_mean_depends_on_the_version() -> None:
    inside = [{"__class_fullname__": "InvertImg", "p": 0.2}, {"__class_fullname__": "ToGray", "p": 0.8}]
    document = {"transform": {"__class_fullname__": "SomeOf", "n": 1, "p": 1.0, "transforms": inside}}
    new, old = (import_pipeline({"__version__": version, **document}) for version in ("2.0.8", "1.3.1"))
    assert [one.get("chance") for one in steps(new)[0]["steps"]] == [0.2, 0.8]
    assert steps(old)[0]["weights"] == [0.2, 0.8]
    assert [one.get("chance") for one in steps(old)[0]["steps"]] == [None, None]


def test_a_branch_that_is_missing_is_said_at_its_container() -> None:
    imported = albumentations("OneOf", transforms=[{"__class_fullname__": name} for name in ("InvertImg", "TextImage")])
    container, kept, lost = imported.items
    assert lost.verdict == "missing"
    assert (container.verdict, kept.verdict) == ("different", "exact")
    assert "1 of the 2 choices" in container.says[0]


def test_an_argument_that_is_not_known_is_said() -> None:
    [item] = import_pipeline([{"RandomInvert": {"p": 0.5, "strength": 3}}], "torchvision").items
    assert item.verdict == "different"
    assert "'strength'" in item.says[0]


def test_what_lies_outside_of_our_ranges_is_missing() -> None:
    [item] = import_pipeline([{"RandomRotation": {"degrees": [0, 900]}}], "torchvision").items
    assert (item.verdict, item.nearest) == ("missing", ("rotate",))
    assert "-360 to 360" in item.says[0]


def test_every_item_of_a_document_is_in_the_report() -> None:
    for name, items in (("albumentations_2.json", 15), ("albumentations_1.json", 10), ("kornia.json", 9)):
        imported = import_pipeline(data(name))
        assert len(imported.items) == items, name
        for item in imported.items:
            assert (item.verdict == "exact") or item.says, item
            for pointer in item.steps:
                place: Any = imported.recipe.document()
                for part in pointer.split("/")[1:]:
                    place = place[int(part)] if part.isdigit() else place[part]
                assert "op" in place
        assert Recipe.parse(imported.document).digest == imported.recipe.digest


def test_the_tables_know_the_libraries() -> None:
    def transforms(module: Any, parent: type) -> set[str]:
        return {name for name, one in vars(module).items() if isinstance(one, type) and issubclass(one, parent)}

    assert transforms(v2, v2.Transform) - {"Transform"} <= set(TORCHVISION)
    mapped = [entry for entries in (TORCHVISION, KORNIA, ALBUMENTATIONS) for entry in entries.values()]
    assert sum(isinstance(entry, Rule | Container) for entry in mapped) > 170
    assert all(entry.why for entry in mapped if isinstance(entry, Missing))


def test_what_comes_close_is_in_the_catalogue() -> None:
    for entries in (ALBUMENTATIONS, KORNIA, TORCHVISION):
        for name, entry in entries.items():
            assert not isinstance(entry, Missing) or set(entry.nearest) <= OPS.keys(), name


def test_what_looks_at_labels_becomes_ours() -> None:
    made = {
        "BBoxSafeRandomCrop": ({"erosion_rate": 0.2}, {"op": "box_safe_crop", "erode": 0.2}),
        "RandomSizedBBoxSafeCrop": ({"height": 20, "width": 30}, {"op": "box_safe_crop", "size": [20, 30]}),
        "AtLeastOneBBoxRandomCrop": ({"height": 20, "width": 30}, {"op": "non_empty_crop", "size": [20, 30]}),
        "CropNonEmptyMaskIfExists": ({"height": 20, "width": 30}, {"op": "non_empty_crop", "size": [20, 30]}),
        "RandomCropNearBBox": (
            {"max_part_shift": [0.1, 0.2]},
            {"op": "crop_near_box", "left": [-0.2, 0.2], "top": [-0.1, 0.1], "right": [-0.2, 0.2], "bottom": [-0.1, 0.1]},
        ),
        "MaskDropout": (
            {"max_objects": [1, 3], "fill": 255},
            {"op": "mask_dropout", "n": [1, 3], "color": [1.0, 1.0, 1.0]},
        ),
        "ConstrainedCoarseDropout": (
            {"num_holes_range": [2, 4], "hole_height_range": [0.2, 0.3], "bbox_labels": ["car"], "mask_indices": [3]},
            {"op": "label_aware_dropout", "share": 1, "holes": [2, 4], "height": [0.2, 0.3], "width": 0.1}
            | {"classes": ["car", 3]},
        ),
    }
    for name, (arguments, expected) in made.items():
        imported = albumentations(name, p=1, **arguments)
        assert verdicts(imported) == {name: "different"}
        assert step(imported, expected["op"]) == expected
    (crop,) = steps(import_pipeline([{"RandomIoUCrop": {"trials": 10}}], "torchvision"))
    assert crop == {"op": "box_safe_crop", "keep": "one", "erode": [0.0, 1.0]}


def test_containers_of_parts_become_ours() -> None:
    inside = [{"__class_fullname__": name, "p": 1.0} for name in ("InvertImg", "HorizontalFlip")]
    imported = albumentations("SelectiveChannelTransform", p=1, channels=[0, 2], transforms=inside[:1])
    assert steps(imported) == [{"op": "channel_subset", "channels": ["red", "blue"], "steps": [{"op": "invert"}]}]
    refused = albumentations("SelectiveChannelTransform", p=1, channels=[0, 2], transforms=inside)
    assert set(verdicts(refused).values()) == {"missing"}
    assert "hflip moves pixels" in refused.report()[0]["says"][0]
    patches = {"args": [{"RandomInvert": {"p": 0.5}}], "grid_size": [2, 3], "patchwise_apply": False}
    imported = import_pipeline([{"PatchSequential": patches}], "kornia")
    assert steps(imported) == [{"op": "patchwise", "grid": [2, 3], "steps": [{"op": "invert", "chance": 0.5}]}]
    refused = import_pipeline([{"PatchSequential": {"args": patches["args"]}}], "kornia")
    assert "an operation of its own" in refused.report()[0]["says"][0]
    assert refused.report()[0]["verdict"] == "missing"


def test_a_generalised_gaussian_keeps_its_numbers() -> None:
    [blur] = steps(
        albumentations("AdvancedBlur", p=1.0, sigma_x_limit=(1.0, 2.0), beta_limit=(1.0, 1.0), noise_limit=(0.8, 1.1))
    )
    assert (blur["op"], blur["sigma_x"], blur["beta"]) == ("advanced_blur", [1.0, 2.0], 1.0)
    assert blur["noise"] == pytest.approx(0.2)
