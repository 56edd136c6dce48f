"""Kornia: sequences as lists of class names and arguments. Names, defaults and units are those of Kornia 0.9.

    {"name": "ImageSequential", "arguments": {"args": ["RandomHorizontalFlip", {"RandomRotation": {"degrees": 10}}],
                                              "random_apply": 1}}

Containers hold their list in `args` (or `transforms`). Values of pixels are fractions of full brightness.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernels.errors import RecipeInvalid
from service.importing.arguments import Arguments
from service.importing.convert import Call, Library, calls_in, named_call, probability
from service.importing.kornia_steps import (
    PADDING,
    PARTNERS,
    READ,
    affine,
    clouds,
    color_jiggle,
    color_jitter,
    erasing,
    gamma,
    gaussian_blur,
    light,
    line,
    median,
    mosaic,
    outside,
    random_crop,
    resize,
    sharpness,
    shear,
    shifted,
    solarize,
    strength,
    turns,
    window,
)
from service.importing.rules import (
    Container,
    Entry,
    Missing,
    Rule,
    Unmapped,
    borders,
    color,
    in_pixels,
    limit,
    pair,
    passed_over,
    rule,
    same,
    square,
    unless,
    unmapped,
    whole_pair,
)
from service.importing.torchvision import EVEN_RATIO, MIRROR, SHRINKS
from service.uploads.json_text import escaped


def _grid(arguments: Arguments) -> list[int]:
    """The patches; what is inside goes over each of them."""
    if arguments.flag("patchwise_apply", True):
        raise Unmapped(
            "each patch has an operation of its own there; `patchwise_apply: false` is what there is here", "patchwise"
        )
    if arguments.value("random_apply", False) is not False:
        raise Unmapped(
            "some of the operations are drawn for each patch there: put them into a container", "patchwise", "some_of"
        )
    return [round(side) for side in arguments.numbers("grid_size", (4, 4), (2,))]


ENTRIES: dict[str, Entry] = {
    # containers
    "Sequential": Container("line"),
    "ImageSequential": Container("line"),
    "AugmentationSequential": Container(
        "line", notes=(passed_over("data_keys|transformation_matrix_mode|extra_args|same_on_frame"),)
    ),
    "PatchSequential": Container("patchwise", notes=(passed_over("padding|random_apply_weights"),), fields={"grid": _grid}),
    "VideoSequential": Missing("videos are not taken, but their frames are", ("same_draws",)),
    # moving pixels
    "CenterCrop": rule("center_crop", passed_over("cropping_mode|resample"), size=square()),
    "LongestMaxSize": rule("longest_max_size", READ, SHRINKS, max_size=lambda arguments: arguments.whole("max_size", 0)),
    "PadTo": rule(
        "pad_if_needed",
        "the picture lies in the middle here, at the top left there",
        unless("crop_if_exceeds", True, (False,), "a picture that is larger keeps its size here"),
        size=square(),
        border=borders("pad_mode", "constant", PADDING, ("reflect",)),
        fill=color("pad_value", of=1.0),
    ),
    "RandomAffine": Rule(affine, p=0.5),
    "RandomCrop": Rule(random_crop),
    "RandomElasticTransform": rule(
        "elastic", READ, in_pixels("kernel_size|sigma|alpha|padding_mode", "strength and smoothness"), p=0.5
    ),
    "RandomFisheye": rule(
        "fisheye", "the lens is another one here: our defaults", unmapped("center_x|center_y|gamma"), p=0.5
    ),
    "RandomHorizontalFlip": rule("hflip", p=0.5),
    "RandomJigsaw": rule("grid_shuffle", unmapped("ensure_perm|data_keys"), p=0.5),
    "RandomPerspective": rule(
        "perspective",
        READ,
        unless("sampling_method", "basic", ("basic",), "corners are only pulled inwards here"),
        p=0.5,
        distortion=lambda arguments: [arguments.number("distortion_scale", 0.5)] * 2,
    ),
    "RandomResizedCrop": rule(
        "random_resized_crop",
        EVEN_RATIO,
        SHRINKS,
        READ,
        passed_over("cropping_mode"),
        size=square(),
        scale=pair("scale", (0.08, 1.0)),
        ratio=pair("ratio", (0.75, 4 / 3)),
    ),
    "RandomRotation": rule("rotate", READ, p=0.5, degrees=limit("degrees", ())),
    "RandomRotation90": rule("rot90", p=0.5, turns=turns),
    "RandomShear": Rule(shear, p=0.5),
    "RandomThinPlateSpline": rule(
        "thin_plate_spline",
        unmapped("padding_mode"),
        p=0.5,
        points=same([3, 3]),
        scale=lambda arguments: [0.0, arguments.number("scale", 0.2)],
    ),
    "RandomTranslate": rule(
        "translate",
        READ,
        p=0.5,
        x=limit("translate_x", 0.0),
        y=limit("translate_y", 0.0),
        border=outside(),
    ),
    "RandomVerticalFlip": rule("vflip", p=0.5),
    "Resize": Rule(resize),
    "SmallestMaxSize": rule("smallest_max_size", READ, SHRINKS, max_size=lambda arguments: arguments.whole("max_size", 0)),
    # changing pixels
    "ColorJiggle": Rule(color_jiggle),
    "ColorJitter": Rule(color_jitter),
    "Denormalize": Missing("results are pictures of 8 bits"),
    "Normalize": Missing("results are pictures of 8 bits: normalise them where they are read"),
    "RandomAutoContrast": rule("auto_contrast", cutoff=same([0.0, 0.0])),
    "RandomBoxBlur": rule(
        "box_blur",
        f"{MIRROR}",
        passed_over("border_type|normalized"),
        p=0.5,
        size=window("kernel_size", (3, 3)),
    ),
    "RandomBrightness": rule("brightness", factor=same([1.0, 1.0]), offset=shifted("brightness")),
    "RandomChannelDropout": rule(
        "channel_dropout",
        unless("num_drop_channels", 1, (1,), "one channel is lost here"),
        p=0.5,
        level=lambda arguments: [arguments.number("fill_value", 0.0)] * 2,
    ),
    "RandomChannelShuffle": rule("channel_shuffle", p=0.5),
    "RandomClahe": rule(
        "clahe",
        passed_over("slow_and_differentiable"),
        p=0.5,
        clip=pair("clip_limit", 40.0),
        grid=lambda arguments: [round(arguments.numbers("grid_size", (8, 8), (2,))[0])] * 2,
        of=same("channels"),
    ),
    "RandomContrast": rule("brightness", factor=pair("contrast", 1.0)),
    "RandomEqualize": rule("equalize", p=0.5),
    "RandomErasing": Rule(erasing, p=0.5),
    "RandomGamma": Rule(gamma),
    "RandomGaussianBlur": Rule(gaussian_blur, p=0.5),
    "RandomGaussianIllumination": rule(
        "gaussian_illumination",
        "the spot's width is a share of each side here",
        p=0.5,
        gain=light,
        across=pair("center", (0.1, 0.9)),
        down=pair("center", (0.1, 0.9)),
        sigma=pair("sigma", (0.2, 1.0)),
    ),
    "RandomGaussianNoise": rule(
        "gaussian_noise",
        unless("mean", 0.0, (0,), "the mean of the noise is 0 here"),
        p=0.5,
        sigma=pair("std", 1.0),
    ),
    "RandomGrayscale": rule("grayscale", passed_over("rgb_weights"), p=0.1),
    "RandomHue": rule("hue", turn=pair("hue", 0.0)),
    "RandomInvert": rule("invert", unless("max_val", 1.0, (1,), "full brightness is 1 here"), p=0.5),
    "RandomJPEG": rule("jpeg", quality=whole_pair("jpeg_quality", 50)),
    "RandomLinearCornerIllumination": rule("corner_illumination", p=0.5, gain=light),
    "RandomLinearIllumination": rule(
        "linear_illumination", "the light may come from any direction here, from a side there", p=0.5, gain=light
    ),
    "RandomMedianBlur": rule(
        "percentile_filter", median, p=0.5, percentile=same([50.0, 50.0]), size=window("kernel_size", (3, 3))
    ),
    "RandomMotionBlur": Rule(line, p=0.5),
    "RandomPlanckianJitter": rule(
        "planckian_jitter",
        "temperatures are drawn evenly here, from a table there",
        passed_over("mode|select_from"),
        p=0.5,
        temperature=same([3000.0, 15000.0]),
    ),
    "RandomPlasmaBrightness": clouds("plasma_brightness", intensity=pair("intensity", (0.0, 1.0))),
    "RandomPlasmaContrast": clouds("plasma_contrast"),
    "RandomPlasmaShadow": clouds("plasma_shadow", intensity=strength, quantity=pair("shade_quantity", (0.0, 1.0))),
    "RandomPosterize": rule("posterize", p=0.5, bits=whole_pair("bits", 3)),
    "RandomRGBShift": rule(
        "rgb_shift",
        p=0.5,
        red=limit("r_shift_limit", 0.5),
        green=limit("g_shift_limit", 0.5),
        blue=limit("b_shift_limit", 0.5),
    ),
    "RandomRain": rule(
        "rain",
        "drops are those of our defaults",
        unmapped("drop_height|drop_width"),
        p=0.5,
        drops=whole_pair("number_of_drops", (1000, 2000)),
    ),
    "RandomSaltAndPepperNoise": rule(
        "salt_and_pepper", p=0.5, amount=pair("amount", (0.01, 0.06)), salt=pair("salt_vs_pepper", (0.4, 0.6))
    ),
    "RandomSaturation": rule(
        "saturation",
        "saturation is the distance to grey here, that of HSV there",
        factor=pair("saturation", 1.0),
    ),
    "RandomSharpness": rule("sharpness", p=0.5, factor=sharpness),
    "RandomSnow": rule(
        "snow",
        "where snow lies is described otherwise here",
        unmapped("snow_coefficient"),
        brightness=pair("brightness", 2),
    ),
    "RandomSolarize": Rule(solarize, p=0.5),
    "RandomDissolving": Missing("it needs the weights of a diffusion model"),
    # several pictures
    "PatchMix": Missing("its patches are in pixels there", ("patchmix", "cutmix")),
    "RandomCutMixV2": rule(
        "cutmix",
        PARTNERS,
        passed_over("num_mix|beta|use_correct_lambda|data_keys"),
        area=pair("cut_size", (0.0, 1.0)),
    ),
    "RandomMixUpV2": rule("mixup", PARTNERS, passed_over("data_keys"), weight=pair("lambda_val", (0.0, 1.0))),
    "RandomMosaic": Rule(mosaic, p=0.7),
    "RandomTransplantation": rule("copy_paste", PARTNERS, passed_over("excluded_labels|data_keys"), p=0.5),
    # policies
    "AutoAugment": rule("auto_augment", policy=lambda arguments: arguments.text("policy", "imagenet")),
    "RandAugment": rule(
        "rand_augment",
        unmapped("policy"),
        n=lambda arguments: [arguments.whole("n", 2)] * 2,
        m=lambda arguments: [arguments.whole("m", 9)] * 2,
    ),
    "TrivialAugment": rule("trivial_augment", unmapped("policy")),
}


def read(value: Any, pointer: str) -> Call:
    """One call of a list. RecipeInvalid."""
    name, given, below = named_call(value, pointer)
    arguments = dict(given)
    p = probability(arguments.pop("p"), f"{below}/p") if arguments.get("p") is not None else None
    if not isinstance(ENTRIES.get(name), Container):
        return Call(name, arguments, pointer, below, p)
    listed = next((key for key in ("args", "transforms") if key in arguments), None)
    if listed is None:
        raise RecipeInvalid("a container needs `args`, the list of what is inside", below)
    children = calls_in(arguments.pop(listed), f"{below}/{escaped(listed)}")
    if name == "PatchSequential":
        return Call(name, arguments, pointer, below, p, children)
    return Call(name, *_taken(arguments, pointer, below, len(children)), p=p, children=children, kind=_kind(arguments))


def _kind(arguments: Mapping[str, Any]) -> str:
    """What a sequence does: all in order, all in a drawn order, or some of them."""
    applied = arguments.get("random_apply", False)
    if applied is False or applied is None:
        return "line"
    return "random_order" if applied is True else "some_of"


def _taken(given: Mapping[str, Any], pointer: str, below: str, inside: int) -> tuple[Mapping[str, Any], str, str]:
    """The arguments with `n`, how many are taken, and `weights`, in place of Kornia's names."""
    names = {"random_apply": "n", "random_apply_weights": "weights"}
    arguments = {names.get(name, name): value for name, value in given.items()}
    n = arguments.get("n")
    if isinstance(n, bool) or n is None:
        arguments.pop("n", None)
        arguments.pop("weights", None)
    else:
        arguments["order"] = "shuffled"
    if isinstance(n, list) and len(n) == 1:
        arguments["n"] = [n[0], inside]
    return arguments, pointer, below


KORNIA = Library(
    "Kornia",
    ENTRIES,
    read,
    silent=frozenset(
        {"align_corners", "keepdim", "p_batch", "clip_output", "if_unsupported_ops"}
        | {"disable_item_features", "disable_sequential_features"}
    ),
    notes=(unless("same_on_batch", False, (False,), "every picture gets its own numbers here"),),
)
