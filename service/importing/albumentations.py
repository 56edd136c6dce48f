"""Albumentations: what `A.to_dict` and `A.save` write. Names, defaults and units are those of its documentation.

    {"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": [
        {"__class_fullname__": "HorizontalFlip", "p": 0.5}]}}

Arguments of versions 1 and 2 are both read; where a name was changed, the newer stands first. Values of pixels and limits
of colours are those of 8-bit pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kernels.errors import RecipeInvalid
from service.importing.arguments import Arguments
from service.importing.convert import Call, Library, calls_in, probability
from service.importing.rules import (
    BITS,
    Container,
    Entry,
    LabelRule,
    Missing,
    Note,
    Nothing,
    Reader,
    Rule,
    Step,
    Unmapped,
    borders,
    color,
    deviation,
    in_pixels,
    jitter,
    limit,
    odd_sides,
    pair,
    passed_over,
    rule,
    same,
    sides,
    unless,
    unmapped,
    whole_pair,
)
from service.importing.torchvision import EVEN_RATIO, MIRROR, SHRINKS, padding_of

_FILL = "fill|value|cval"
_READ = unless("interpolation", 1, (1,), "pixels are read bilinearly here")
_MASKS = passed_over("mask_interpolation|fill_mask|mask_value|cval_mask|mask_fill_value")
_BORDERS = {0: "constant", 1: "replicate", 2: "reflect", 3: "wrap", 4: "reflect"}
_BORDER = borders("border_mode|mode|pad_mode", 0, _BORDERS, (4,))
_HOLES = "rectangles are drawn with replacement, each of its own size; sides of a hole are drawn apart there"


def _fill(arguments: Arguments) -> Any:
    if isinstance(arguments.value(_FILL), str):
        arguments.note(f"`fill` {ascii(arguments.text(_FILL, ''))[:40]} is black here")
        return None
    return color(_FILL)(arguments)


def _warp(op: str, *notes: Note, p: float = 0.5, **fields: Reader) -> Rule:
    """A class that may show what is outside the picture."""
    return rule(op, _READ, _MASKS, *notes, p=p, **fields, border=_BORDER, fill=_fill)


def _by_axis(arguments: Arguments, name: str, default: Any) -> tuple[list[float], list[float]]:
    """Ranges for x and y: an object of both, or one for both."""
    given = arguments.value(name, default)
    if not isinstance(given, Mapping):
        ends = pair(name, default)(arguments)
        return ends, ends
    inside = Arguments(given, arguments.pointer(name))
    return pair("x", 0)(inside), pair("y", 0)(inside)


def _affine(arguments: Arguments) -> Sequence[Step]:
    _READ(arguments)
    _MASKS(arguments)
    arguments.skip("rotate_method|keep_ratio")
    scale_x, scale_y = _by_axis(arguments, "scale", (1.0, 1.0))
    if scale_x != scale_y or (scale_x[0] != scale_x[1] and not arguments.value("keep_ratio", False)):
        arguments.note("both axes are scaled alike here")
    shear_x, shear_y = _by_axis(arguments, "shear", (0.0, 0.0))
    if any((*shear_x, *shear_y)):
        arguments.note("leaning and turning are put together in another order, which matters where both are drawn")
    unless("fit_output", False, (False,), "the canvas is kept here")(arguments)
    unless("balanced_scale", False, (False,), "scales are drawn evenly here")(arguments)
    x, y = _by_axis(arguments, "translate_percent", 0.0)
    px, py = _by_axis(arguments, "translate_px", 0)
    degrees = limit("rotate", 0.0)(arguments)
    affine = {
        "degrees": degrees,
        "translate_x": x,
        "translate_y": y,
        "scale": scale_x,
        "shear_x": shear_x,
        "shear_y": shear_y,
        "border": _BORDER(arguments),
        "fill": _fill(arguments),
    }
    steps = [Step("affine", {name: value for name, value in affine.items() if value is not None})]
    if any((*px, *py)):
        moved = {"x": [0, 0], "y": [0, 0], "x_pixels": [round(end) for end in px], "y_pixels": [round(end) for end in py]}
        steps.append(Step("translate", {**moved, "border": affine["border"]}))
    return steps


def _shift_scale_rotate(arguments: Arguments) -> Sequence[Step]:
    _READ(arguments)
    _MASKS(arguments)
    arguments.skip("rotate_method")
    both = limit("shift_limit", 0.0625)(arguments)
    fields = {
        "degrees": limit("rotate_limit", 45)(arguments),
        "translate_x": limit("shift_limit_x", both)(arguments),
        "translate_y": limit("shift_limit_y", both)(arguments),
        "scale": limit("scale_limit", 0.1, plus=1.0)(arguments),
        "shear_x": [0.0, 0.0],
        "shear_y": [0.0, 0.0],
        "border": _BORDER(arguments),
        "fill": _fill(arguments),
    }
    return [Step("affine", {name: value for name, value in fields.items() if value is not None})]


def _crop(op: str) -> Rule:
    """A window of the picture; `pad_if_needed` is what is always done here."""

    def small(arguments: Arguments) -> None:
        arguments.skip("pad_position|border_mode|fill|fill_mask|pad_mode|pad_cval|pad_cval_mask")
        if not arguments.flag("pad_if_needed", False):
            arguments.note("a picture that is too small is padded here, and an error there")

    return rule(op, small, p=1.0, size=sides())


def _pad(arguments: Arguments) -> Sequence[Step]:
    _MASKS(arguments)
    return [padding_of(arguments, "padding", _BORDER, _fill)]


def _brightness_contrast(arguments: Arguments) -> Sequence[Step]:
    unless("brightness_by_max", True, (True,), "brightness is a share of full brightness here, of the mean there")(
        arguments
    )
    unless("ensure_safe_range", False, (False,), "values that become too large are clipped")(arguments)
    factor, offset = limit("contrast_limit", 0.2, plus=1.0)(arguments), limit("brightness_limit", 0.2)(arguments)
    return [Step("brightness", {"factor": [max(0.0, end) for end in factor], "offset": offset})]


def _color_jitter(arguments: Arguments) -> Sequence[Step]:
    factors = {name: jitter(name, 0.2)(arguments) for name in ("brightness", "contrast", "saturation")}
    hue = limit("hue", 0.5)(arguments)
    if sum(ends != [1.0, 1.0] for ends in factors.values()) + (hue != [0.0, 0.0]) > 1:
        arguments.note("the order is always brightness, contrast, saturation, hue; it is drawn there")
    return [Step("color_jitter", {**factors, "hue": hue})]


def _hue_saturation_value(arguments: Arguments) -> Sequence[Step]:
    arguments.note("grey pixels have no hue and stay grey here")
    fields = {
        "hue": limit("hue_shift_limit", 20, of=180.0)(arguments),  # OpenCV counts the circle in 180 steps
        "saturation": limit("sat_shift_limit", 30, of=BITS)(arguments),
        "value": limit("val_shift_limit", 20, of=BITS)(arguments),
    }
    return [Step("hsv_shift", fields)]


def _solarize(arguments: Arguments) -> Sequence[Step]:
    if arguments.has("threshold_range"):
        return [Step("solarize", {"threshold": pair("threshold_range", 0.5)(arguments)})]
    return [Step("solarize", {"threshold": pair("threshold", 128, of=BITS)(arguments)})]


def _gauss_noise(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("noise_scale_factor|mean_range|mean")
    unless("per_channel", False, (True,), "every channel has noise of its own here")(arguments)
    if any(arguments.numbers("mean_range|mean", (0, 0), (1, 2))):
        arguments.note("the mean of the noise is 0 here")
    if arguments.has("var_limit"):
        low, high = limit("var_limit", (10, 50))(arguments)
        return [Step("gaussian_noise", {"sigma": [math.sqrt(max(0.0, end)) / BITS for end in (low, high)]})]
    return [Step("gaussian_noise", {"sigma": pair("std_range", (0.2, 0.44))(arguments)})]


def _multiplicative(arguments: Arguments) -> Sequence[Step]:
    factor = pair("multiplier", (0.9, 1.1))(arguments)
    per_channel = arguments.flag("per_channel", False)
    if arguments.flag("elementwise", False):
        if abs(factor[0] + factor[1] - 2.0) > 1e-6:
            arguments.note("factors lie evenly about 1 here")
        reach = (factor[1] - factor[0]) / 2
        return [Step("multiplicative_noise", {"amplitude": [reach, reach], "per_channel": per_channel})]
    if per_channel:
        return [Step("channel_gain", {"red": factor, "green": factor, "blue": factor})]
    return [Step("brightness", {"factor": factor})]


def _gaussian_blur(arguments: Arguments) -> Sequence[Step]:
    sigma, window = arguments.ends("sigma_limit", (0.5, 3.0)), arguments.ends("blur_limit", 0)
    ends = sigma if isinstance(sigma, tuple) else (0.0, sigma)
    arguments.note(f"the Gaussian ends at four sigma here, at `blur_limit` there; {MIRROR}")
    if ends[1] == 0.0:  # OpenCV's own, from the side of the window
        low, high = window if isinstance(window, tuple) else (3.0, window)
        ends = (0.3 * ((low - 1) * 0.5 - 1) + 0.8, 0.3 * ((high - 1) * 0.5 - 1) + 0.8)
    return [Step("gaussian_blur", {"sigma": [max(0.0, end) for end in ends]})]


def _coarse_dropout(arguments: Arguments) -> Sequence[Step]:
    height, width = (_share(arguments, f"hole_{side}_range", f"min_{side}", f"max_{side}") for side in ("height", "width"))
    number = whole_pair("num_holes_range", (1, 2))(arguments)
    if not arguments.has("num_holes_range") and arguments.has("max_holes"):
        most = arguments.whole("max_holes", 8)
        number = [arguments.whole("min_holes", most), most]
    arguments.skip("min_holes|max_holes")
    fields: dict[str, Any] = {
        "scale": [height[0] * width[0], height[1] * width[1]],
        "ratio": [width[0] / max(height[1], 1e-6), width[1] / max(height[0], 1e-6)],
    }
    _MASKS(arguments)
    arguments.note(_HOLES)
    filled = arguments.value("fill|fill_value", 0)
    if filled in ("random", "random_uniform"):
        fields["filling"] = "noise"
    elif isinstance(filled, str):
        arguments.note(f"holes are not filled with {ascii(filled)[:40]} but black")
    else:
        fields["color"] = color("fill|fill_value")(arguments)
    hole = Step("random_erasing", fields)
    return [hole] if number == [1, 1] else [Step("repeat", {"times": number}, steps=(hole,))]


def _share(arguments: Arguments, names: str, least: str, most: str) -> list[float]:
    """The side of a hole as a share of the picture's."""
    if not arguments.has(names) and arguments.has(most):
        high = arguments.number(most, 0)
        found = [arguments.number(least, high), high]
    else:
        found = pair(names, (0.1, 0.2))(arguments)
    arguments.skip(f"{least}|{most}")
    if found[1] > 1:
        raise Unmapped(
            "holes in whole pixels need the picture's size: write shares of its sides", "random_erasing", "cutout"
        )
    return found


def _jpeg(arguments: Arguments) -> Sequence[Step]:
    form = str(arguments.value("compression_type", "jpeg")).lower()
    low, high = whole_pair("quality_range", (99, 100))(arguments)
    if not arguments.has("quality_range") and arguments.has("quality_lower"):
        low, high = arguments.whole("quality_lower", 99), arguments.whole("quality_upper", 100)
    arguments.skip("quality_lower|quality_upper")
    return [Step("webp" if "webp" in form or form == "1" else "jpeg", {"quality": [low, high]})]


def _erasing(arguments: Arguments) -> Sequence[Step]:
    _MASKS(arguments)
    arguments.note(EVEN_RATIO)
    fields: dict[str, Any] = {
        "scale": pair("scale", (0.02, 0.33))(arguments),
        "ratio": pair("ratio", (0.3, 3.3))(arguments),
    }
    if arguments.value("fill", 0) in ("random", "random_uniform"):
        return [Step("random_erasing", {**fields, "filling": "noise"})]
    filled = _fill(arguments)
    return [Step("random_erasing", fields if filled is None else {**fields, "color": filled})]


def _illumination(arguments: Arguments) -> Sequence[Step]:
    mode = arguments.text("mode", "linear")
    low, high = pair("intensity_range", (0.01, 0.2))(arguments)
    effect = arguments.text("effect_type", "both")
    gain = {"brighten": [low, high], "darken": [-high, -low]}.get(effect, [-high, high])
    if effect == "both":
        arguments.note("the gain is drawn evenly between its two signs")
    if mode == "corner":
        arguments.skip("center_range|sigma_range|angle_range")
        return [Step("corner_illumination", {"gain": gain})]
    if mode == "gaussian":
        arguments.skip("angle_range")
        center, sigma = pair("center_range", (0.1, 0.9))(arguments), pair("sigma_range", (0.2, 1.0))(arguments)
        return [Step("gaussian_illumination", {"gain": gain, "across": center, "down": center, "sigma": sigma})]
    arguments.skip("center_range|sigma_range|angle_range")
    arguments.note("the light grows from 0 at one side here, about the picture's middle there")
    return [Step("linear_illumination", {"gain": gain})]


def _crop_box(arguments: Arguments) -> Sequence[Step]:
    left, top = arguments.whole("x_min", 0), arguments.whole("y_min", 0)
    size = [arguments.whole("y_max", 1024) - top, arguments.whole("x_max", 1024) - left]
    unmapped("pad_if_needed|pad_position|border_mode|fill|fill_mask|pad_mode|pad_cval|pad_cval_mask")(arguments)
    return [Step("crop", {"left": left, "top": top, "size": size})]


def _crop_and_pad(arguments: Arguments) -> Sequence[Step]:
    _READ(arguments)
    _MASKS(arguments)
    if arguments.has("px"):
        raise Unmapped("sides are counted in pixels", "crop_and_pad", "pad")
    arguments.skip("px")
    unless("sample_independently", True, (True,), "every side has its own number here")(arguments)
    percent = pair("percent", 0.0)(arguments)
    fields = {
        **dict.fromkeys(("left", "top", "right", "bottom"), percent),
        "keep_size": arguments.flag("keep_size", True),
        "border": borders("border_mode|pad_mode", 0, _BORDERS, (4,))(arguments),
        "fill": color("fill|pad_cval")(arguments),
    }
    return [Step("crop_and_pad", fields)]


def _up_to(name: str, default: float) -> Reader:
    """From 0 up to the number."""
    return lambda arguments: [0.0, arguments.number(name, default)]


def _reach(name: str, default: Any) -> Reader:
    """From 0 up to the larger end of a limit."""
    return lambda arguments: [0.0, max(abs(end) for end in limit(name, default)(arguments))]


def _longest(op: str) -> Rule:
    def length(arguments: Arguments) -> Any:
        found = arguments.numbers("max_size", (1024,), range(1, 65))
        if len(found) > 1:
            arguments.note("the first of the lengths is always taken")
        return round(found[0])

    return rule(op, _READ, _MASKS, SHRINKS, unmapped("max_size_hw"), passed_over("area_for_downscale"), max_size=length)


def _clip_limit(arguments: Arguments) -> Any:
    found = arguments.ends("clip_limit", (1, 4))
    return [*found] if isinstance(found, tuple) else [min(1.0, found), found]


def _line(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("allow_shifted")
    low, high = pair("angle_range", (0, 360))(arguments)
    degrees = [-180.0, 180.0] if high - low >= 360 else [low - 360.0 * (low > 180), high - 360.0 * (low > 180)]
    if degrees[1] > 180:
        arguments.note("angles across 180 degrees are drawn all around here")
        degrees = [-180.0, 180.0]
    arguments.note(MIRROR)
    fields = {
        "size": odd_sides("blur_limit", (3, 7))(arguments),
        "degrees": degrees,
        "direction": pair("direction_range", (-1.0, 1.0))(arguments),
    }
    return [Step("motion_blur", fields)]


def _downscale(arguments: Arguments) -> Sequence[Step]:
    if arguments.has("scale_min"):
        factor = [arguments.number("scale_min", 0.25), arguments.number("scale_max", 0.25)]
    else:
        factor = pair("scale_range", 0.25)(arguments)
    arguments.skip("scale_min|scale_max|scale_range")
    found = arguments.value("interpolation_pair|interpolation", {})
    by = found if isinstance(found, Mapping) else {}
    down, up = (side if isinstance(side := by.get(name, 0), int) else -1 for name in ("downscale", "upscale"))
    if down not in (0, 3) or up not in (0, 1, 2):
        arguments.note("it is shrunk by area, or enlarged bilinearly here")
    kinds = {"down": {0: "nearest"}.get(down, "area"), "up": {0: "nearest", 2: "cubic"}.get(up, "linear")}
    return [Step("downscale", {"factor": factor, **kinds})]


def _unsharp(arguments: Arguments) -> Sequence[Step]:
    low, high = pair("sigma_limit", 0.0)(arguments)
    if high == 0.0:  # OpenCV's own, from the side of the window
        low, high = (0.3 * ((side - 1) * 0.5 - 1) + 0.8 for side in pair("blur_limit", (3, 7))(arguments))
    arguments.skip("blur_limit")
    arguments.note("the mask of differences is not softened here")
    fields = {
        "sigma": [low, high],
        "amount": pair("alpha", (0.2, 0.5))(arguments),
        "threshold": [arguments.number("threshold", 10) / BITS] * 2,
    }
    return [Step("unsharp_mask", fields)]


def _morphology(arguments: Arguments) -> Sequence[Step]:
    arguments.note("masks stay as they are here")
    op = "min_filter" if arguments.text("operation", "dilation") == "erosion" else "max_filter"
    return [Step(op, {"size": whole_pair("scale", (2, 3))(arguments)})]


def _sun(arguments: Arguments) -> Sequence[Step]:
    arguments.note("the sun's glow is described by shares of the picture here: it has our defaults")
    unmapped("src_radius|src_color|angle_range|angle_lower|angle_upper|method")(arguments)
    left, top, right, bottom = arguments.numbers("flare_roi", (0, 0, 1, 0.5), (4,))
    circles = whole_pair("num_flare_circles_range", (6, 10))(arguments)
    arguments.skip("num_flare_circles_lower|num_flare_circles_upper")
    return [Step("sun_flare", {"across": [left, right], "down": [top, bottom], "circles": circles})]


def _boxes(arguments: Arguments) -> dict[str, Any]:
    arguments.skip(
        "format|coord_format|label_fields|check_each_transform|filter_invalid_bboxes|max_accept_ratio|clip_after_transform"
    )
    if arguments.number("min_width", 0) != arguments.number("min_height", 0):
        arguments.note("the shorter side counts here: it is at least the larger of `min_width` and `min_height`")
    rules: dict[str, Any] = {
        "min_area": arguments.number("min_area", 0.0),
        "min_visible": arguments.number("min_visibility", 0.0),
        "min_side": max(arguments.number("min_width", 0.0), arguments.number("min_height", 0.0)),
    }
    if not arguments.flag("clip", False):
        arguments.note("boxes end where the picture does")
    return rules


def _points(arguments: Arguments) -> dict[str, Any]:
    arguments.skip("format|label_fields|remove_invisible|angle_in_degrees|check_each_transform|label_mapping")
    return {}


def _matched(arguments: Arguments) -> None:
    unless("replace", False, (False,), "none is taken twice here")(arguments)


_REFERENCES = Missing(
    "its pictures come with the pipeline there, from the batch here",
    ("fda", "histogram_matching", "pixel_distribution_adaptation"),
)
_BOXES = Missing("no operation chooses its window by boxes", ("random_resized_crop", "random_crop"))
_VIDEO = Missing("volumes and videos are not taken")
_FILES = Nothing("nothing to do: pictures come and go as files of 8 bits")
ENTRIES: dict[str, Entry] = {
    # containers
    "Compose": Container("line", notes=(passed_over("additional_targets|is_check_shapes|is_check_args|seed|strict"),)),
    "ReplayCompose": Container(
        "line", notes=(passed_over("additional_targets|is_check_shapes|save_key|seed|applied|params"),)
    ),
    "Sequential": Container("line", p=0.5),
    "OneOf": Container("one_of", p=0.5),
    "OneOrOther": Container("one_of"),
    "SomeOf": Container("some_of", notes=(_matched,)),
    "RandomOrder": Container("some_of", notes=(_matched,)),
    "SelectiveChannelTransform": Missing("no container works on some of the channels"),
    # moving pixels
    "Affine": Rule(_affine, p=0.5),
    "BBoxSafeRandomCrop": _BOXES,
    "AtLeastOneBBoxRandomCrop": _BOXES,
    "RandomSizedBBoxSafeCrop": _BOXES,
    "RandomCropNearBBox": _BOXES,
    "CropNonEmptyMaskIfExists": Missing("no operation chooses its window by masks", ("random_crop",)),
    "CenterCrop": _crop("center_crop"),
    "Crop": Rule(_crop_box),
    "CropAndPad": Rule(_crop_and_pad),
    "D4": rule("d4", p=1.0),
    "ElasticTransform": _warp(
        "elastic",
        in_pixels(
            "alpha|sigma|alpha_affine|approximate|same_dxdy|noise_distribution|keypoint_remapping_method",
            "strength and smoothness",
        ),
    ),
    "GridDistortion": rule(
        "grid_distortion",
        _READ,
        _MASKS,
        "cells get wider or narrower by even shares here",
        passed_over("normalized|keypoint_remapping_method|map_resolution_range|border_mode|fill|value"),
        p=0.5,
        steps=lambda arguments: [arguments.whole("num_steps", 5)] * 2,
        limit=_reach("distort_limit", 0.3),
    ),
    "GridElasticDeform": Missing("no operation moves the points of a grid by pixels", ("elastic", "grid_distortion")),
    "HorizontalFlip": rule("hflip", p=0.5),
    "LongestMaxSize": _longest("longest_max_size"),
    "Morphological": Rule(_morphology, p=0.5),
    "OpticalDistortion": _warp(
        "optical_distortion",
        "the lens is another one here: `distort_limit` is k of r^2",
        unmapped("shift_limit|mode"),
        passed_over("keypoint_remapping_method|map_resolution_range"),
        k=limit("distort_limit", 0.05),
    ),
    "Pad": Rule(_pad),
    "PadIfNeeded": rule(
        "pad_if_needed",
        _MASKS,
        unmapped("pad_height_divisor|pad_width_divisor|position"),
        p=1.0,
        size=sides("min_height", "min_width"),
        border=_BORDER,
        fill=_fill,
    ),
    "Perspective": _warp(
        "perspective",
        "corners are pulled inwards by even shares here, moved by normal ones there",
        unless("keep_size", True, (True,), "the canvas is kept here"),
        unless("fit_output", False, (False,), "the canvas is kept here"),
        distortion=pair("scale", (0.05, 0.1), of=0.5),
    ),
    "PiecewiseAffine": rule(
        "piecewise_affine",
        _READ,
        _MASKS,
        unless("absolute_scale", False, (False,), "`scale` is a share of the sides here"),
        passed_over("nb_cols|mode|keypoints_threshold|keypoint_remapping_method|map_resolution_range|fill|cval"),
        p=0.5,
        scale=pair("scale", (0.03, 0.05)),
        points=whole_pair("nb_rows", 4),
    ),
    "RandomCrop": _crop("random_crop"),
    "RandomCropFromBorders": rule(
        "random_crop_from_borders",
        p=1.0,
        left=_up_to("crop_left", 0.1),
        top=_up_to("crop_top", 0.1),
        right=_up_to("crop_right", 0.1),
        bottom=_up_to("crop_bottom", 0.1),
    ),
    "RandomGridShuffle": rule("grid_shuffle", unmapped("grid"), p=0.5),
    "RandomResizedCrop": rule(
        "random_resized_crop",
        EVEN_RATIO,
        SHRINKS,
        _READ,
        _MASKS,
        passed_over("area_for_downscale"),
        p=1.0,
        size=sides(),
        scale=pair("scale", (0.08, 1.0)),
        ratio=pair("ratio", (0.75, 4 / 3)),
    ),
    "RandomRotate90": rule("rot90", p=0.5),
    "RandomScale": rule(
        "random_scale",
        _READ,
        _MASKS,
        SHRINKS,
        passed_over("area_for_downscale"),
        p=0.5,
        factor=limit("scale_limit", 0.1, plus=1.0),
    ),
    "RandomSizedCrop": Missing("the window is in pixels there", ("random_resized_crop",)),
    "Resize": rule("resize", SHRINKS, _READ, _MASKS, passed_over("area_for_downscale"), p=1.0, size=sides()),
    "Rotate": _warp(
        "rotate",
        passed_over("rotate_method"),
        unless("crop_border", False, (False,), "the canvas is kept here"),
        degrees=limit("limit", 90),
    ),
    "SafeRotate": _warp("safe_rotate", passed_over("rotate_method"), degrees=limit("limit", 90)),
    "ShiftScaleRotate": Rule(_shift_scale_rotate, p=0.5),
    "SmallestMaxSize": _longest("smallest_max_size"),
    "SquareSymmetry": rule("d4", p=1.0),
    "ThinPlateSpline": _warp(
        "thin_plate_spline",
        "points are moved by even amounts of the same deviation here",
        passed_over("keypoint_remapping_method|map_resolution_range"),
        points=lambda arguments: [arguments.whole("num_control_points", 2)] * 2,
        scale=lambda arguments: [end / 10 * math.sqrt(3.0) for end in pair("scale_range", (0.2, 0.4))(arguments)],
    ),
    "Transpose": rule("transpose", p=0.5),
    "VerticalFlip": rule("vflip", p=0.5),
    # changing pixels
    "AdditiveNoise": Missing(
        "its noise is described by an object of its own", ("uniform_noise", "gaussian_noise", "laplace_noise")
    ),
    "AdvancedBlur": Missing("no blur has a generalised bell curve", ("gaussian_blur",)),
    "AutoContrast": rule(
        "auto_contrast",
        unless("method", "cdf", ("cdf",), "the curve is stretched evenly here"),
        passed_over("ignore"),
        p=0.5,
        cutoff=pair("cutoff", 0, of=100.0),
    ),
    "Blur": rule("box_blur", MIRROR, p=0.5, size=odd_sides("blur_limit", (3, 7))),
    "CLAHE": rule(
        "clahe",
        "the grey picture is equalised here, the lightness of LAB there",
        p=0.5,
        clip=_clip_limit,
        grid=lambda arguments: [round(arguments.numbers("tile_grid_size", (8, 8), (2,))[0])] * 2,
    ),
    "ChannelDropout": rule(
        "channel_dropout",
        unless("channel_drop_range", (1, 1), ((1, 1),), "one channel is lost here"),
        p=0.5,
        level=lambda arguments: [arguments.number("fill|fill_value", 0) / BITS] * 2,
    ),
    "ChannelShuffle": rule("channel_shuffle", p=0.5),
    "ChannelSwap": rule(
        "channel_shuffle", "which channels change places is drawn here", passed_over("channel_order"), p=0.5
    ),
    "ChromaticAberration": rule(
        "chromatic_aberration",
        "red and blue have lenses of their own here",
        unmapped("secondary_distortion_limit|mode"),
        passed_over("interpolation"),
        p=0.5,
        red=limit("primary_distortion_limit", 0.02),
        blue=limit("primary_distortion_limit", 0.02),
    ),
    "ColorJitter": Rule(_color_jitter, p=0.5),
    "Defocus": rule(
        "defocus_blur",
        "the disk's edge has the softness of our defaults",
        passed_over("alias_blur"),
        p=0.5,
        radius=pair("radius", (3, 10)),
    ),
    "Downscale": Rule(_downscale, p=0.5),
    "Emboss": rule("emboss", p=0.5, alpha=pair("alpha", (0.2, 0.5)), strength=pair("strength", (0.2, 0.7))),
    "Equalize": rule(
        "equalize",
        unmapped("mask|mask_params"),
        unless("mode", "cv", ("cv",), "the table is OpenCV's or Pillow's as this release has it"),
        p=0.5,
        of=lambda arguments: None if arguments.flag("by_channels", True) else "grey",
    ),
    "FDA": _REFERENCES,
    "FancyPCA": rule(
        "fancy_pca",
        "the components are those of ImageNet here, those of the picture there; shares are drawn evenly",
        p=0.5,
        first=deviation("alpha", 0.1),
        second=deviation("alpha", 0.1),
        third=deviation("alpha", 0.1),
    ),
    "FilmGrain": rule(
        "film_grain", passed_over("intensity_range|grain_size_range"), "grain keeps the strength of our defaults", p=0.5
    ),
    "GaussianBlur": Rule(_gaussian_blur, p=0.5),
    "GlassBlur": rule(
        "glass_blur",
        MIRROR,
        passed_over("mode"),
        p=0.5,
        sigma=pair("sigma", 0.7),
        delta=lambda arguments: [arguments.whole("max_delta", 4)] * 2,
        rounds=lambda arguments: [arguments.whole("iterations", 2)] * 2,
    ),
    "HEStain": rule(
        "he_stain",
        "stains are fixed here, by preset or measured there",
        unmapped("method|preset|augment_background"),
        p=0.5,
        haematoxylin=pair("intensity_scale_range", (0.7, 1.3)),
        eosin=pair("intensity_scale_range", (0.7, 1.3)),
        haematoxylin_shift=pair("intensity_shift_range", (-0.2, 0.2)),
        eosin_shift=pair("intensity_shift_range", (-0.2, 0.2)),
    ),
    "HistogramMatching": _REFERENCES,
    "HueSaturationValue": Rule(_hue_saturation_value, p=0.5),
    "Illumination": Rule(_illumination, p=0.5),
    "ImageCompression": Rule(_jpeg, p=0.5),
    "InvertImg": rule("invert", p=0.5),
    "MedianBlur": rule(
        "percentile_filter", MIRROR, p=0.5, percentile=same([50.0, 50.0]), size=odd_sides("blur_limit", (3, 7))
    ),
    "MotionBlur": Rule(_line, p=0.5),
    "PixelDistributionAdaptation": _REFERENCES,
    "PlanckianJitter": rule(
        "planckian_jitter",
        "temperatures are drawn evenly here",
        passed_over("mode|sampling_method"),
        p=0.5,
        temperature=pair("temperature_limit|temperature_range", (3000, 15000)),
    ),
    "PlasmaBrightnessContrast": rule(
        "plasma_brightness",
        "contrast stays here; clouds are made otherwise",
        unmapped("brightness_range|contrast_range|plasma_size|roughness"),
        p=0.5,
    ),
    "PlasmaShadow": rule(
        "plasma_shadow",
        "clouds are made otherwise here",
        unmapped("plasma_size|roughness"),
        p=0.5,
        intensity=pair("shadow_intensity_range|shadow_intensity", (0.3, 0.7)),
    ),
    "Posterize": rule("posterize", p=0.5, bits=whole_pair("num_bits", 4)),
    "RGBShift": rule(
        "rgb_shift",
        p=0.5,
        red=limit("r_shift_limit", 20, of=BITS),
        green=limit("g_shift_limit", 20, of=BITS),
        blue=limit("b_shift_limit", 20, of=BITS),
    ),
    "RandomBrightnessContrast": Rule(_brightness_contrast, p=0.5),
    "RandomFog": rule(
        "fog",
        "fog is described otherwise here: our defaults",
        unmapped("alpha_coef|fog_coef_range|fog_coef_lower|fog_coef_upper"),
        p=0.5,
    ),
    "RandomGamma": rule("gamma", passed_over("eps"), p=0.5, exponent=pair("gamma_limit|gamma_range", (80, 120), of=100.0)),
    "RandomGravel": rule("gravel", "stones are those of our defaults", unmapped("gravel_roi|number_of_patches"), p=0.5),
    "RandomRain": rule(
        "rain",
        "drops and clouds are those of our defaults",
        unmapped("drop_length|drop_width|drop_color|blur_value|brightness_coefficient|rain_type"),
        passed_over("slant_lower|slant_upper"),
        p=0.5,
        degrees=pair("slant_range", (-10, 10)),
    ),
    "RandomShadow": rule(
        "polygon_shadow",
        "the shadow is one slanted band from top to bottom here, polygons within `shadow_roi` there",
        passed_over("shadow_roi|num_shadows_limit|num_shadows_lower|num_shadows_upper|shadow_dimension"),
        p=0.5,
        intensity=pair("shadow_intensity_range", (0.5, 0.5)),
    ),
    "RandomSnow": rule(
        "snow",
        "where snow lies is described otherwise here",
        unmapped("snow_point_range|snow_point_lower|snow_point_upper|method"),
        p=0.5,
        brightness=lambda arguments: [arguments.number("brightness_coeff", 2.5)] * 2,
    ),
    "RandomSunFlare": Rule(_sun, p=0.5),
    "RandomToneCurve": rule(
        "tone_curve",
        "the points of the curve are moved by even numbers of the same deviation here",
        unless("per_channel", False, (False,), "all channels have one curve here"),
        p=0.5,
        shadows=deviation("scale", 0.1),
        highlights=deviation("scale", 0.1),
    ),
    "RingingOvershoot": rule(
        "ringing_overshoot",
        MIRROR,
        p=0.5,
        size=odd_sides("blur_limit", (7, 15)),
        cutoff=pair("cutoff", (math.pi / 4, math.pi / 2 - 1e-9)),
    ),
    "Sharpen": rule(
        "sharpen",
        unless("method", "kernel", ("kernel",), "a kernel sharpens here"),
        passed_over("kernel_size|sigma"),
        p=0.5,
        alpha=pair("alpha", (0.2, 0.5)),
        lightness=pair("lightness", (0.5, 1.0)),
    ),
    "Solarize": Rule(_solarize, p=0.5),
    "Spatter": rule(
        "spatter",
        "blobs are described by what they cover here: our defaults",
        unmapped("mean|std|gauss_sigma|cutout_threshold|intensity|color"),
        p=0.5,
        liquid=lambda arguments: "mud" if arguments.value("mode", "rain") == "mud" else "water",
    ),
    "Superpixels": rule(
        "superpixels",
        "patches are found otherwise here",
        passed_over("max_size|interpolation"),
        p=0.5,
        replace=pair("p_replace", (0.0, 0.1)),
        segments=whole_pair("n_segments", 100),
    ),
    "TextImage": Missing("no operation writes text"),
    "OverlayElements": Missing("no operation lays elements over", ("copy_paste",)),
    "ToGray": rule(
        "grayscale",
        passed_over("num_output_channels"),
        unless("method", "weighted_average", ("weighted_average",), "grey is 0.299 red + 0.587 green + 0.114 blue here"),
        p=0.5,
    ),
    "ToSepia": rule("sepia", p=0.5),
    "UnsharpMask": Rule(_unsharp, p=0.5),
    "Vignetting": rule("vignetting", passed_over("center_range"), p=0.5, intensity=pair("intensity_range", (0.2, 0.5))),
    "ZoomBlur": rule(
        "zoom_blur",
        "the picture is enlarged to 1.3 times at most here",
        p=0.5,
        factor=lambda arguments: [min(end, 1.3) for end in pair("max_factor", (1, 1.31))(arguments)],
        step=pair("step_factor", (0.01, 0.03)),
    ),
    # noise and masks
    "CoarseDropout": Rule(_coarse_dropout, p=0.5),
    "ConstrainedCoarseDropout": Missing("no operation hides parts of objects", ("random_erasing",)),
    "Erasing": Rule(_erasing, p=0.5),
    "GaussNoise": Rule(_gauss_noise, p=0.5),
    "GridDropout": rule(
        "grid_mask",
        "the grid has 4 to 8 cells along the shorter side here; it is black",
        _MASKS,
        passed_over(
            "unit_size_range|unit_size_min|unit_size_max|holes_number_xy|holes_number_x|holes_number_y|shift_xy|shift_x|shift_y|random_offset|fill|fill_value"
        ),
        p=0.5,
        share=pair("ratio", 0.5),
    ),
    "ISONoise": rule(
        "iso_noise",
        "grain is described by its deviation here: the strength is that of our defaults",
        passed_over("color_shift|intensity"),
        p=0.5,
    ),
    "MaskDropout": Missing("no operation hides objects", ("random_erasing",)),
    "MultiplicativeNoise": Rule(_multiplicative, p=0.5),
    "PixelDropout": rule(
        "pixel_dropout",
        _MASKS,
        passed_over("mask_drop_value"),
        p=0.5,
        amount=pair("dropout_prob", 0.01),
        per_channel=lambda arguments: arguments.flag("per_channel", False),
        color=color("drop_value"),
    ),
    "SaltAndPepper": rule(
        "salt_and_pepper", p=0.5, amount=pair("amount", (0.01, 0.06)), salt=pair("salt_vs_pepper", (0.4, 0.6))
    ),
    "ShotNoise": rule(
        "shot_noise",
        "photons are counted in the values of the picture here, in linear light there",
        p=0.5,
        photons=lambda arguments: [1.0 / max(end, 1e-6) for end in reversed(pair("scale_range", (0.1, 0.3))(arguments))],
    ),
    "XYMasking": Missing("strips are counted in pixels there", ("xy_masking",)),
    "TimeMasking": Missing("strips are counted in pixels there", ("xy_masking",)),
    "FrequencyMasking": Missing("strips are counted in pixels there", ("xy_masking",)),
    # several pictures
    "CopyAndPaste": Missing("its donors come with the pictures there, from the batch here", ("copy_paste",)),
    "MixUp": Missing("its partners come with the pipeline there, from the batch here", ("mixup",)),
    "Mosaic": rule(
        "mosaic",
        "four pictures of the batch are put together, each brought to its part",
        passed_over("grid_yx|cell_shape|fit_mode|metadata_key|interpolation|mask_interpolation|fill|fill_mask"),
        p=0.5,
        size=lambda arguments: [round(side) for side in arguments.numbers("target_size", (512, 512), (2,))],
        x=pair("center_range", (0.3, 0.7)),
        y=pair("center_range", (0.3, 0.7)),
    ),
    # labels, forms of input
    "BboxParams": LabelRule(_boxes),
    "KeypointParams": LabelRule(_points),
    "FromFloat": _FILES,
    "ToFloat": _FILES,
    "ToRGB": _FILES,
    "ToTensorV2": _FILES,
    "ToTensor3D": _VIDEO,
    "Lambda": Missing("a function of yours cannot be read"),
    "NoOp": Nothing("nothing to do"),
    "Normalize": Missing("results are pictures of 8 bits: normalise them where they are read"),
}


def read(value: Any, pointer: str) -> Call:
    """One serialised transform. RecipeInvalid."""
    if not isinstance(value, Mapping):
        raise RecipeInvalid("must be a serialised transform, an object with `__class_fullname__`", pointer)
    if value.get("__type__") == "Lambda":
        return Call("Lambda", {}, pointer, pointer)
    full = value.get("__class_fullname__")
    if not isinstance(full, str):
        raise RecipeInvalid("needs `__class_fullname__`, the name of a class", f"{pointer}/__class_fullname__")
    name = full.rpartition(".")[2]
    arguments = {key: one for key, one in value.items() if key not in _OF_THE_FORM}
    p = None if value.get("p") is None else probability(value["p"], f"{pointer}/p")
    if value.get("always_apply") is True:
        p = 1.0
    if not isinstance(ENTRIES.get(name), Container):
        return Call(name, arguments, pointer, pointer, p)
    children = calls_in(value.get("transforms"), f"{pointer}/transforms")
    kind = ""
    if name == "RandomOrder":
        arguments["order"] = "shuffled"
    if name == "OneOrOther":
        arguments["weights"], p = [1.0 if p is None else p, 0.0 if p is None else 1.0 - p], 1.0
    if name == "RandomOrder" and value.get("n") in (None, len(children)):
        kind = "random_order"
        arguments = {key: one for key, one in arguments.items() if key not in ("n", "order")}
    return Call(name, arguments, pointer, pointer, p, children, kind)


_OF_THE_FORM = ("__class_fullname__", "__version__", "p", "always_apply", "transforms", "bbox_params", "keypoint_params")

ALBUMENTATIONS = Library("Albumentations", ENTRIES, read, forced=("one_of",))
