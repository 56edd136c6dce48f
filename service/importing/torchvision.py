"""torchvision v2: pipelines as lists of class names and arguments. Names, defaults and units are those it documents.

    ["RandomHorizontalFlip", {"RandomRotation": {"degrees": 10}}, {"name": "GaussianBlur", "arguments": {"kernel_size": 5}}]

Containers hold their list in `transforms`. Values of pixels (`fill`, thresholds) are those of 8-bit pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernels.errors import RecipeInvalid
from kernels.tensors import MAX_SIDE
from service.importing.arguments import Arguments
from service.importing.convert import Call, Library, calls_in, named_call, probability
from service.importing.rules import (
    BITS,
    Container,
    Entry,
    LabelRule,
    Missing,
    Nothing,
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
)

_LINEAR = ("bilinear", "InterpolationMode.BILINEAR", "BILINEAR", 2)
_PADDING = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "symmetric": "reflect"}
EVEN_RATIO = "the ratio is drawn evenly here, its logarithm there"
SHRINKS = "where it shrinks, it is smoothed by another filter here"
MIRROR = "outside the picture the mirror image repeats the edge pixel here"


def _read_as(default: str) -> Any:
    return unless("interpolation", default, _LINEAR, "pixels are read bilinearly here")


def _fill() -> Reader:
    def read(arguments: Arguments) -> Any:
        if isinstance(arguments.value("fill"), dict):
            arguments.note("`fill` by kind of input is passed over; it is black here")
            return None
        return color("fill")(arguments)

    return read


def _color_jitter(arguments: Arguments) -> Sequence[Step]:
    names = [name for name in ("brightness", "contrast", "saturation", "hue") if arguments.has(name)]
    if len(names) > 1:
        arguments.note("the order is always brightness, contrast, saturation, hue; it is drawn there")
    factors = {name: jitter(name)(arguments) for name in ("brightness", "contrast", "saturation")}
    return [Step("color_jitter", {**factors, "hue": limit("hue", 0.0)(arguments)})]


def _random_affine(arguments: Arguments) -> Sequence[Step]:
    across, down = arguments.numbers("translate", (0, 0), (2,))
    shear = arguments.numbers("shear", (0, 0), (1, 2, 4))
    x = (-abs(shear[0]), abs(shear[0])) if len(shear) == 1 else shear[:2]
    y = shear[2:] or (0.0, 0.0)
    if any(shear):
        arguments.note("leaning and turning are put together in another order, which matters where both are drawn")
    unless("center", None, (None,), "it turns about the picture's centre here")(arguments)
    _read_as("nearest")(arguments)
    fields = {
        "degrees": turned("degrees", ())(arguments),
        "translate_x": [-across, across],
        "translate_y": [-down, down],
        "scale": pair("scale", 1)(arguments),
        "shear_x": [0.0 - x[1], 0.0 - x[0]],
        "shear_y": [0.0 - y[1], 0.0 - y[0]],
        "border": "constant",
        "fill": _fill()(arguments),
    }
    return [Step("affine", {name: value for name, value in fields.items() if value is not None})]


def padding_of(arguments: Arguments, names: str, border: Reader, fill: Reader) -> Step:
    """A frame of one number, of two (left and right, top and bottom) or of four (left, top, right, bottom)."""
    found = [round(one) for one in arguments.numbers(names, (), (1, 2, 4))]
    left, top, right, bottom = found * 4 if len(found) == 1 else found * 2 if len(found) == 2 else found
    fields = {"left": left, "top": top, "right": right, "bottom": bottom, "border": border(arguments)}
    filled = fill(arguments)
    return Step("pad", fields if filled is None else {**fields, "fill": filled})


_BORDER = borders("padding_mode", "constant", _PADDING, ("reflect",))


def _pad(arguments: Arguments) -> Sequence[Step]:
    return [padding_of(arguments, "padding", _BORDER, _fill())]


def _random_crop(arguments: Arguments) -> Sequence[Step]:
    crop = Step("random_crop", {"size": square()(arguments)})
    if arguments.flag("pad_if_needed", False):
        arguments.note("a picture that is too small is padded with the window's size kept in its middle")
    if arguments.has("padding"):
        return [padding_of(arguments, "padding", _BORDER, _fill()), crop]
    arguments.skip("padding|padding_mode|fill")
    return [crop]


def _resize(arguments: Arguments) -> Sequence[Step]:
    unless("interpolation", "bilinear", _LINEAR, "pixels are read bilinearly here")(arguments)
    arguments.skip("antialias")
    arguments.note(SHRINKS)
    if len(size := arguments.numbers("size", (), (1, 2))) == 2:
        arguments.skip("max_size")
        return [Step("resize", {"size": [round(side) for side in size]})]
    unless("max_size", None, (None,), "`max_size` is passed over")(arguments)
    return [Step("smallest_max_size", {"max_size": round(size[0])})]


def _gaussian_blur(arguments: Arguments) -> Sequence[Step]:
    sigma = pair("sigma", (0.1, 2.0))(arguments)
    arguments.skip("kernel_size")
    arguments.note(f"the Gaussian ends at four sigma here, at `kernel_size` there; {MIRROR}")
    return [Step("gaussian_blur", {"sigma": sigma})]


def _erasing(arguments: Arguments) -> Sequence[Step]:
    arguments.note(EVEN_RATIO)
    fields: dict[str, Any] = {
        "scale": pair("scale", (0.02, 0.33))(arguments),
        "ratio": inverted(pair("ratio", (0.3, 3.3)))(arguments),
    }
    if arguments.value("value", 0) == "random":
        arguments.note("noise is evenly distributed here, normally there")
        return [Step("random_erasing", {**fields, "filling": "noise"})]
    return [Step("random_erasing", {**fields, "color": color("value")(arguments)})]


def _shortest(arguments: Arguments) -> Sequence[Step]:
    shorter = arguments.numbers("min_size", (), range(1, 65))
    if len(set(shorter)) > 1:
        arguments.note("lengths are drawn evenly between the least and the largest")
    arguments.skip("antialias")
    arguments.note(SHRINKS)
    fields = {"shorter": [round(min(shorter)), round(max(shorter))], "longest": arguments.whole("max_size", MAX_SIDE)}
    return [Step("random_resize", fields)]


def _random_resize(arguments: Arguments) -> Sequence[Step]:
    low, high = arguments.whole("min_size", 0), arguments.whole("max_size", 0)
    arguments.skip("antialias")
    arguments.note(SHRINKS)
    return [Step("random_resize", {"shorter": [low, max(low, high - 1)], "longest": MAX_SIDE})]


def _aug_mix(arguments: Arguments) -> Sequence[Step]:
    depth = arguments.whole("chain_depth", -1)
    fields = {
        "severity": [arguments.whole("severity", 3)] * 2,
        "width": [arguments.whole("mixture_width", 3)] * 2,
        "depth": [depth, depth] if depth > 0 else [1, 3],
        "all_ops": arguments.flag("all_ops", True),
    }
    unless("alpha", 1.0, (1.0,), "weights come from a flat distribution here")(arguments)
    return [Step("aug_mix", fields)]


_BINS = unless("num_magnitude_bins", 31, (31,), "strengths have 31 steps here")
_POLICY = (_read_as("nearest"), unmapped("fill"))


def _distort(arguments: Arguments) -> Sequence[Step]:
    chance = probability(arguments.value("p", 0.5), arguments.pointer("p"))
    arguments.note("contrast always comes before saturation here, before or after it there")
    steps = [
        Step("brightness", {"factor": pair("brightness", (0.875, 1.125))(arguments)}, chance),
        Step("contrast", {"factor": pair("contrast", (0.5, 1.5))(arguments)}, chance),
        Step("saturation", {"factor": pair("saturation", (0.5, 1.5))(arguments)}, chance),
        Step("hue", {"turn": pair("hue", (-0.05, 0.05))(arguments)}, chance),
        Step("channel_shuffle", {}, chance),
    ]
    return steps


def _grey(arguments: Arguments) -> None:
    unless("num_output_channels", 1, (3,), "results have three equal channels")(arguments)


def _boxes(arguments: Arguments) -> dict[str, Any]:
    arguments.skip("labels_getter|clamping_mode")
    return {"min_side": arguments.number("min_size", 1.0), "min_area": arguments.number("min_area", 1.0)}


_PICTURES = Nothing("nothing to do: pictures come and go as files of 8 bits")
_CLIPPED = Nothing("nothing to do: outlines end where the picture does, unless the recipe's `labels` say otherwise")
_ONE = "one result is made of a picture; ask for several variants instead"
ENTRIES: dict[str, Entry] = {
    # containers
    "Compose": Container("line"),
    "RandomApply": Container("line", p=0.5),
    "RandomChoice": Container("one_of"),
    "RandomOrder": Container("random_order"),
    # moving pixels
    "CenterCrop": rule("center_crop", size=square()),
    "ElasticTransform": rule("elastic", in_pixels("alpha|sigma", "strength and smoothness"), _read_as("bilinear")),
    "FiveCrop": rule("multi_crop", "one part is made for each variant: ask for five", size=square()),
    "Pad": Rule(_pad),
    "RandomAffine": Rule(_random_affine),
    "RandomCrop": Rule(_random_crop),
    "RandomHorizontalFlip": rule("hflip", p=0.5),
    "RandomIoUCrop": rule(
        "box_safe_crop",
        "each side is cut by a share of its own, and no window is tried and thrown away; `labels: {min_visible}` says how "
        "much of an object must be left",
        passed_over("min_scale|max_scale|min_aspect_ratio|max_aspect_ratio|sampler_options|trials"),
        keep=same("one"),
        erode=same([0.0, 1.0]),
    ),
    "RandomPerspective": rule(
        "perspective",
        _read_as("bilinear"),
        p=0.5,
        distortion=lambda arguments: [arguments.number("distortion_scale", 0.5)] * 2,
        fill=_fill(),
    ),
    "RandomResize": Rule(_random_resize),
    "RandomResizedCrop": rule(
        "random_resized_crop",
        EVEN_RATIO,
        unless("interpolation", "bilinear", _LINEAR, "pixels are read bilinearly here"),
        passed_over("antialias"),
        SHRINKS,
        size=square(),
        scale=pair("scale", (0.08, 1.0)),
        ratio=pair("ratio", (0.75, 4 / 3)),
    ),
    "RandomRotation": rule(
        "rotate",
        _read_as("nearest"),
        unless("expand", False, (False,), "the canvas is kept here"),
        unless("center", None, (None,), "it turns about the picture's centre here"),
        degrees=limit("degrees", ()),
        fill=_fill(),
    ),
    "RandomShortestSize": Rule(_shortest),
    "RandomVerticalFlip": rule("vflip", p=0.5),
    "RandomZoomOut": rule("zoom_out", p=0.5, factor=pair("side_range", (1.0, 4.0)), fill=_fill()),
    "Resize": Rule(_resize),
    "ScaleJitter": rule(
        "scale_jitter",
        "the result is cut or padded to the size here, only scaled there",
        SHRINKS,
        passed_over("antialias|interpolation"),
        size=square("target_size"),
        scale=pair("scale_range", (0.1, 2.0)),
    ),
    "TenCrop": Missing("one result is made of a picture; ask for several variants instead", ("multi_crop",)),
    # changing pixels
    "ColorJitter": Rule(_color_jitter),
    "GaussianBlur": Rule(_gaussian_blur),
    "GaussianNoise": rule(
        "gaussian_noise",
        unless("mean", 0.0, (0,), "the mean of the noise is 0 here"),
        passed_over("clip"),
        sigma=pair("sigma", 0.1),
    ),
    "Grayscale": rule("grayscale", _grey),
    "JPEG": rule("jpeg", quality=lambda arguments: [round(end) for end in pair("quality", 75)(arguments)]),
    "RandomAdjustSharpness": rule(
        "sharpness", p=0.5, factor=lambda arguments: [arguments.number("sharpness_factor", 1.0)] * 2
    ),
    "RandomAutocontrast": rule("auto_contrast", p=0.5, cutoff=same([0.0, 0.0])),
    "RandomChannelPermutation": rule("channel_shuffle"),
    "RandomEqualize": rule("equalize", p=0.5),
    "RandomErasing": Rule(_erasing, p=0.5),
    "RandomGrayscale": rule("grayscale", p=0.1),
    "RandomInvert": rule("invert", p=0.5),
    "RandomPhotometricDistort": Rule(_distort),
    "RandomPosterize": rule("posterize", p=0.5, bits=lambda arguments: [arguments.whole("bits", 4)] * 2),
    "RandomSolarize": rule("solarize", p=0.5, threshold=lambda arguments: [arguments.number("threshold", 128) / BITS] * 2),
    "LinearTransformation": Missing("no operation multiplies a whole picture by a matrix", ("fancy_pca",)),
    "Normalize": Missing("results are pictures of 8 bits: normalise them where they are read"),
    # several pictures
    "MixUp": rule(
        "mixup",
        "labels of both pictures are kept, with the share in the draws; partners come from the batch by the seed",
        unless("alpha", 1.0, (1.0,), "the share is drawn evenly here, from a beta distribution there"),
        passed_over("num_classes|labels_getter"),
        weight=same([0.0, 1.0]),
    ),
    "CutMix": rule(
        "cutmix",
        "labels of both pictures are kept, with the share in the draws; partners come from the batch by the seed",
        unless("alpha", 1.0, (1.0,), "the area is drawn evenly here, from a beta distribution there"),
        passed_over("num_classes|labels_getter"),
        area=same([0.0, 1.0]),
    ),
    # policies
    "AugMix": Rule(_aug_mix),
    "AutoAugment": rule("auto_augment", *_POLICY, policy=lambda arguments: arguments.text("policy", "imagenet")),
    "RandAugment": rule(
        "rand_augment",
        _BINS,
        *_POLICY,
        n=lambda arguments: [arguments.whole("num_ops", 2)] * 2,
        m=lambda arguments: [arguments.whole("magnitude", 9)] * 2,
    ),
    "TrivialAugmentWide": rule("trivial_augment", _BINS, *_POLICY),
    # labels, forms of input
    "ClampBoundingBoxes": _CLIPPED,
    "ClampKeyPoints": _CLIPPED,
    "ConvertBoundingBoxFormat": Nothing("nothing to do: labels come back in the format that they were sent in"),
    "ConvertImageDtype": _PICTURES,
    "Identity": Nothing("nothing to do"),
    "Lambda": Missing("a function of yours cannot be read"),
    "PILToTensor": _PICTURES,
    "RGB": _PICTURES,
    "SanitizeBoundingBoxes": LabelRule(_boxes),
    "SanitizeKeyPoints": Nothing("nothing to do: an object is dropped when none of its points is left"),
    "SetClampingMode": _CLIPPED,
    "ToDtype": _PICTURES,
    "ToImage": _PICTURES,
    "ToPILImage": _PICTURES,
    "ToPureTensor": _PICTURES,
    "ToTensor": _PICTURES,
    "UniformTemporalSubsample": Missing("videos are not taken"),
}


def read(value: Any, pointer: str) -> Call:
    """One call of a list. RecipeInvalid."""
    name, given, below = named_call(value, pointer)
    arguments = dict(given)
    children: tuple[tuple[Any, str], ...] = ()
    p: float | None = None
    entry = ENTRIES.get(name)
    if isinstance(entry, Container):
        if "transforms" not in arguments:
            raise RecipeInvalid("a container needs `transforms`", below)
        children = calls_in(arguments.pop("transforms"), f"{below}/transforms")
    if name == "RandomChoice":
        arguments["weights"] = arguments.pop("p", None)
    elif name != "RandomPhotometricDistort" and arguments.get("p") is not None:
        p = probability(arguments.pop("p"), f"{below}/p")
    else:
        arguments = {key: one for key, one in arguments.items() if key != "p" or one is not None}
    return Call(name, arguments, pointer, below, p, children)


TORCHVISION = Library("torchvision v2", ENTRIES, read, silent=frozenset({"inplace"}))
