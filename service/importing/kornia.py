"""Kornia: sequences as lists of class names and arguments. Names, defaults and units are those of Kornia 0.9.

    {"name": "ImageSequential", "arguments": {"args": ["RandomHorizontalFlip", {"RandomRotation": {"degrees": 10}}],
                                              "random_apply": 1}}

Containers hold their list in `args` (or `transforms`). Values of pixels are fractions of full brightness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kernels.errors import RecipeInvalid
from service.importing.arguments import Arguments
from service.importing.convert import Call, Library, calls_in, named_call, probability
from service.importing.rules import (
    Container,
    Entry,
    Missing,
    Reader,
    Rule,
    Step,
    borders,
    color,
    in_pixels,
    inverted,
    jitter,
    limit,
    pair,
    passed_over,
    rule,
    same,
    square,
    turned,
    unless,
    unmapped,
    whole_pair,
)
from service.importing.torchvision import EVEN_RATIO, MIRROR, SHRINKS, padding_of
from service.uploads.json_text import escaped

_LINEAR = ("bilinear", "BILINEAR", "Resample.BILINEAR", 1)
_OUTSIDE: dict[Any, str] = {"zeros": "constant", "ZEROS": "constant", "border": "replicate", "BORDER": "replicate"}
_OUTSIDE |= {"reflection": "reflect", "REFLECTION": "reflect", 0: "constant", 1: "replicate", 2: "reflect"}
_PADDING = {"constant": "constant", "replicate": "replicate", "reflect": "reflect", "circular": "wrap"}
_READ = unless("resample", "bilinear", _LINEAR, "pixels are read bilinearly here")
_PARTNERS = "labels of both pictures are kept, with the share in the draws; partners come from the batch by the seed"


def _outside() -> Reader:
    return borders("padding_mode", "zeros", _OUTSIDE, ("reflection", "REFLECTION", 2))


def _shifted(name: str) -> Reader:
    """A range of factors that Kornia applies as offsets: factor - 1 is added."""
    return pair(name, 1.0, plus=-1.0)


def _color_jitter(arguments: Arguments) -> Sequence[Step]:
    names = [name for name in ("brightness", "contrast", "saturation", "hue") if arguments.value(name, 0.0) != 0.0]
    if len(names) > 1 and arguments.value("order") not in ([0, 1, 2, 3], (0, 1, 2, 3)):
        arguments.note("the order is always brightness, contrast, saturation, hue; it is another or drawn there")
    factors = {name: jitter(name)(arguments) for name in ("brightness", "contrast", "saturation")}
    return [Step("color_jitter", {**factors, "hue": limit("hue", 0.0)(arguments)})]


def _color_jiggle(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("order")
    arguments.note("the order is always brightness, contrast, saturation, hue; it is another or drawn there")
    offset = [end - 1.0 for end in jitter("brightness")(arguments)]
    steps = [
        Step("brightness", {"factor": [1.0, 1.0], "offset": offset}),
        Step("brightness", {"factor": jitter("contrast")(arguments)}),
        Step("saturation", {"factor": jitter("saturation")(arguments)}),
        Step("hue", {"turn": limit("hue", 0.0)(arguments)}),
    ]
    if arguments.value("saturation", 0.0) != 0.0:
        arguments.note("saturation is the distance to grey here, that of HSV there")
    plain = ([0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0])
    kept = zip(steps, ("offset", "factor", "factor", "turn"), plain, strict=True)
    return [step for step, name, value in kept if step.fields[name] != value]


def _affine(arguments: Arguments) -> Sequence[Step]:
    across, down = arguments.numbers("translate", (0, 0), (2,))
    scale = arguments.numbers("scale", (1, 1), (2, 4))
    if len(scale) == 4:
        arguments.note("both axes are scaled alike here")
    shear = arguments.numbers("shear", (0, 0), (1, 2, 4))
    x = (-abs(shear[0]), abs(shear[0])) if len(shear) == 1 else shear[:2]
    y = shear[2:] or (0.0, 0.0)
    if any(shear):
        arguments.note("leaning and turning are put together in another order, which matters where both are drawn")
    _READ(arguments)
    fields = {
        "degrees": turned("degrees", ())(arguments),
        "translate_x": [-across, across],
        "translate_y": [-down, down],
        "scale": [*scale[:2]],
        "shear_x": [0.0 - x[1], 0.0 - x[0]],
        "shear_y": [0.0 - y[1], 0.0 - y[0]],
        "border": _outside()(arguments),
    }
    return [Step("affine", fields)]


def _shear(arguments: Arguments) -> Sequence[Step]:
    shear = arguments.numbers("shear", (), (1, 2, 4))
    x = (-abs(shear[0]), abs(shear[0])) if len(shear) == 1 else shear[:2]
    y = shear[2:] or (0.0, 0.0)
    _READ(arguments)
    fields = {"x": [0.0 - x[1], 0.0 - x[0]], "y": [0.0 - y[1], 0.0 - y[0]], "border": _outside()(arguments)}
    return [Step("shear", fields)]


def _random_crop(arguments: Arguments) -> Sequence[Step]:
    crop = Step("random_crop", {"size": square()(arguments)})
    arguments.skip("cropping_mode|resample")
    if arguments.has("padding"):
        border = borders("padding_mode", "constant", _PADDING, ("reflect",))
        return [padding_of(arguments, "padding", border, color("fill", of=1.0)), crop]
    arguments.skip("padding|padding_mode|fill|pad_if_needed")
    return [crop]


def _resize(arguments: Arguments) -> Sequence[Step]:
    _READ(arguments)
    arguments.skip("antialias")
    arguments.note(SHRINKS)
    size = [round(side) for side in arguments.numbers("size", (), (1, 2))]
    if len(size) == 2:
        arguments.skip("side")
        return [Step("resize", {"size": size})]
    longest = {"short": "smallest_max_size", "long": "longest_max_size"}
    return [Step(longest.get(arguments.text("side", "short"), "smallest_max_size"), {"max_size": size[0]})]


def _solarize(arguments: Arguments) -> Sequence[Step]:
    threshold = arguments.ends("thresholds", 0.1)
    ends = [*threshold] if isinstance(threshold, tuple) else [0.5 - threshold, 0.5 + threshold]
    addition = limit("additions", 0.1)(arguments)
    solarize = Step("solarize", {"threshold": ends})
    return [Step("brightness", {"factor": [1.0, 1.0], "offset": addition}), solarize] if any(addition) else [solarize]


def _gamma(arguments: Arguments) -> Sequence[Step]:
    gain = pair("gain", 1.0)(arguments)
    steps = [Step("gamma", {"exponent": pair("gamma", 1.0)(arguments)})]
    return steps if gain == [1.0, 1.0] else [*steps, Step("brightness", {"factor": gain})]


def _gaussian_blur(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("kernel_size|separable|border_type")
    arguments.note(f"the Gaussian ends at four sigma here, at `kernel_size` there; {MIRROR}")
    return [Step("gaussian_blur", {"sigma": pair("sigma", ())(arguments)})]


def _window(names: str, default: Any) -> Reader:
    def read(arguments: Arguments) -> Any:
        found = arguments.numbers(names, default, (1, 2))
        if len(set(found)) > 1:
            arguments.note("windows are square here")
        return [round(found[0])] * 2

    return read


def _median(arguments: Arguments) -> None:
    unless("kernel_size", (3, 3), (), "outside the picture is its mirror image here, black there")(arguments)


def _light(arguments: Arguments) -> list[float]:
    """The gain with its sign: both ends of it where the sign is drawn."""
    low, high = pair("gain", (0.01, 0.2))(arguments)
    signs = arguments.numbers("sign", (-1, 1), (1, 2))
    if len(set(signs)) > 1:
        arguments.note("the gain is drawn evenly between its two signs")
        return [-high, high]
    return [low, high] if signs[0] > 0 else [-high, -low]


def _erasing(arguments: Arguments) -> Sequence[Step]:
    arguments.note("the ratio is drawn evenly as width / height here, as height / width there")
    fields = {
        "scale": pair("scale", (0.02, 0.33))(arguments),
        "ratio": inverted(pair("ratio", (0.3, 3.3)))(arguments),
        "color": color("value", of=1.0)(arguments),
    }
    return [Step("random_erasing", fields)]


def _turns(arguments: Arguments) -> Any:
    low, high = whole_pair("times", ())(arguments)
    if low < 0 or high > 3:
        arguments.note("all four turns are as likely here")
        return [0, 3]
    return [low, high]


def _line(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("border_type|resample")
    arguments.note("outside the picture is its mirror image here")
    fields = {
        "size": whole_pair("kernel_size", ())(arguments),
        "degrees": limit("angle", ())(arguments),
        "direction": limit("direction", ())(arguments),
    }
    return [Step("motion_blur", fields)]


def _clouds(op: str, **fields: Reader) -> Rule:
    return rule(op, "clouds are made otherwise here", p=0.5, roughness=pair("roughness", (0.1, 0.7)), **fields)


def _strength(arguments: Arguments) -> Any:
    low, high = pair("shade_intensity", (-1.0, 0.0))(arguments)
    return [0.0 - high, 0.0 - low]


def _sharpness(arguments: Arguments) -> Any:
    found = arguments.ends("sharpness", 0.5)
    return [*found] if isinstance(found, tuple) else [0.0, found]


def _mosaic(arguments: Arguments) -> Sequence[Step]:
    if not arguments.has("output_size"):
        arguments.note("the result is 512 x 512; give `output_size`")
    if arguments.numbers("mosaic_grid", (2, 2), (2,)) != (2.0, 2.0):
        arguments.note("four pictures are put together here")
    arguments.note("each picture is brought to its part; there a window is cut from a grid of whole pictures")
    arguments.skip("min_bbox_size|padding_mode|resample|cropping_mode|data_keys")
    start = pair("start_ratio_range", (0.3, 0.7))(arguments)
    size = square("output_size")(arguments) if arguments.has("output_size") else [512, 512]
    return [Step("mosaic", {"size": size, "x": start, "y": start})]


ENTRIES: dict[str, Entry] = {
    # containers
    "Sequential": Container("line"),
    "ImageSequential": Container("line"),
    "AugmentationSequential": Container(
        "line", notes=(passed_over("data_keys|transformation_matrix_mode|extra_args|same_on_frame"),)
    ),
    "PatchSequential": Missing("no container works on patches of a picture"),
    "VideoSequential": Missing("videos are not taken"),
    # moving pixels
    "CenterCrop": rule("center_crop", passed_over("cropping_mode|resample"), size=square()),
    "LongestMaxSize": rule("longest_max_size", _READ, SHRINKS, max_size=lambda arguments: arguments.whole("max_size", 0)),
    "PadTo": rule(
        "pad_if_needed",
        "the picture lies in the middle here, at the top left there",
        unless("crop_if_exceeds", True, (False,), "a picture that is larger keeps its size here"),
        size=square(),
        border=borders("pad_mode", "constant", _PADDING, ("reflect",)),
        fill=color("pad_value", of=1.0),
    ),
    "RandomAffine": Rule(_affine, p=0.5),
    "RandomCrop": Rule(_random_crop),
    "RandomElasticTransform": rule(
        "elastic", _READ, in_pixels("kernel_size|sigma|alpha|padding_mode", "strength and smoothness"), p=0.5
    ),
    "RandomFisheye": rule(
        "fisheye", "the lens is another one here: our defaults", unmapped("center_x|center_y|gamma"), p=0.5
    ),
    "RandomHorizontalFlip": rule("hflip", p=0.5),
    "RandomJigsaw": rule("grid_shuffle", unmapped("ensure_perm|data_keys"), p=0.5),
    "RandomPerspective": rule(
        "perspective",
        _READ,
        unless("sampling_method", "basic", ("basic",), "corners are only pulled inwards here"),
        p=0.5,
        distortion=lambda arguments: [arguments.number("distortion_scale", 0.5)] * 2,
    ),
    "RandomResizedCrop": rule(
        "random_resized_crop",
        EVEN_RATIO,
        SHRINKS,
        _READ,
        passed_over("cropping_mode"),
        size=square(),
        scale=pair("scale", (0.08, 1.0)),
        ratio=pair("ratio", (0.75, 4 / 3)),
    ),
    "RandomRotation": rule("rotate", _READ, p=0.5, degrees=limit("degrees", ())),
    "RandomRotation90": rule("rot90", p=0.5, turns=_turns),
    "RandomShear": Rule(_shear, p=0.5),
    "RandomThinPlateSpline": rule(
        "thin_plate_spline",
        unmapped("padding_mode"),
        p=0.5,
        points=same([3, 3]),
        scale=lambda arguments: [0.0, arguments.number("scale", 0.2)],
    ),
    "RandomTranslate": rule(
        "translate",
        _READ,
        p=0.5,
        x=limit("translate_x", 0.0),
        y=limit("translate_y", 0.0),
        border=_outside(),
    ),
    "RandomVerticalFlip": rule("vflip", p=0.5),
    "Resize": Rule(_resize),
    "SmallestMaxSize": rule("smallest_max_size", _READ, SHRINKS, max_size=lambda arguments: arguments.whole("max_size", 0)),
    # changing pixels
    "ColorJiggle": Rule(_color_jiggle),
    "ColorJitter": Rule(_color_jitter),
    "Denormalize": Missing("results are pictures of 8 bits"),
    "Normalize": Missing("results are pictures of 8 bits: normalise them where they are read"),
    "RandomAutoContrast": rule("auto_contrast", cutoff=same([0.0, 0.0])),
    "RandomBoxBlur": rule(
        "box_blur",
        f"{MIRROR}",
        passed_over("border_type|normalized"),
        p=0.5,
        size=_window("kernel_size", (3, 3)),
    ),
    "RandomBrightness": rule("brightness", factor=same([1.0, 1.0]), offset=_shifted("brightness")),
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
    "RandomErasing": Rule(_erasing, p=0.5),
    "RandomGamma": Rule(_gamma),
    "RandomGaussianBlur": Rule(_gaussian_blur, p=0.5),
    "RandomGaussianIllumination": rule(
        "gaussian_illumination",
        "the spot's width is a share of each side here",
        p=0.5,
        gain=_light,
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
    "RandomLinearCornerIllumination": rule("corner_illumination", p=0.5, gain=_light),
    "RandomLinearIllumination": rule(
        "linear_illumination", "the light may come from any direction here, from a side there", p=0.5, gain=_light
    ),
    "RandomMedianBlur": rule(
        "percentile_filter", _median, p=0.5, percentile=same([50.0, 50.0]), size=_window("kernel_size", (3, 3))
    ),
    "RandomMotionBlur": Rule(_line, p=0.5),
    "RandomPlanckianJitter": rule(
        "planckian_jitter",
        "temperatures are drawn evenly here, from a table there",
        passed_over("mode|select_from"),
        p=0.5,
        temperature=same([3000.0, 15000.0]),
    ),
    "RandomPlasmaBrightness": _clouds("plasma_brightness", intensity=pair("intensity", (0.0, 1.0))),
    "RandomPlasmaContrast": _clouds("plasma_contrast"),
    "RandomPlasmaShadow": _clouds("plasma_shadow", intensity=_strength, quantity=pair("shade_quantity", (0.0, 1.0))),
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
    "RandomSharpness": rule("sharpness", p=0.5, factor=_sharpness),
    "RandomSnow": rule(
        "snow",
        "where snow lies is described otherwise here",
        unmapped("snow_coefficient"),
        brightness=pair("brightness", 2),
    ),
    "RandomSolarize": Rule(_solarize, p=0.5),
    "RandomDissolving": Missing("it needs the weights of a diffusion model"),
    # several pictures
    "PatchMix": Missing("its patches are in pixels there", ("patchmix", "cutmix")),
    "RandomCutMixV2": rule(
        "cutmix",
        _PARTNERS,
        passed_over("num_mix|beta|use_correct_lambda|data_keys"),
        area=pair("cut_size", (0.0, 1.0)),
    ),
    "RandomMixUpV2": rule("mixup", _PARTNERS, passed_over("data_keys"), weight=pair("lambda_val", (0.0, 1.0))),
    "RandomMosaic": Rule(_mosaic, p=0.7),
    "RandomTransplantation": rule("copy_paste", _PARTNERS, passed_over("excluded_labels|data_keys"), p=0.5),
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
