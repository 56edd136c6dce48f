"""Albumentations: classes whose arguments become steps by more than a line of the table in `albumentations`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kernels.ops.channel_subset import CHANNELS
from service.importing.arguments import Arguments
from service.importing.rules import (
    BITS,
    Note,
    Reader,
    Rule,
    Step,
    Unmapped,
    borders,
    color,
    jitter,
    limit,
    odd_sides,
    pair,
    passed_over,
    rule,
    sides,
    unless,
    unmapped,
    whole_pair,
)
from service.importing.torchvision import EVEN_RATIO, MIRROR, SHRINKS, padding_of

_FILL = "fill|value|cval"
READ = unless("interpolation", 1, (1,), "pixels are read bilinearly here")
MASKS = passed_over("mask_interpolation|fill_mask|mask_value|cval_mask|mask_fill_value")
_BORDERS = {0: "constant", 1: "replicate", 2: "reflect", 3: "wrap", 4: "reflect"}
BORDER = borders("border_mode|mode|pad_mode", 0, _BORDERS, (4,))
_HOLES = "rectangles are drawn with replacement, each of its own size; sides of a hole are drawn apart there"


def fill(arguments: Arguments) -> Any:
    if isinstance(arguments.value(_FILL), str):
        arguments.note(f"`fill` {ascii(arguments.text(_FILL, ''))[:40]} is black here")
        return None
    return color(_FILL)(arguments)


def warp(op: str, *notes: Note, p: float = 0.5, **fields: Reader) -> Rule:
    """A class that may show what is outside the picture."""
    return rule(op, READ, MASKS, *notes, p=p, **fields, border=BORDER, fill=fill)


def _by_axis(arguments: Arguments, name: str, default: Any) -> tuple[list[float], list[float]]:
    """Ranges for x and y: an object of both, or one for both."""
    given = arguments.value(name, default)
    if not isinstance(given, Mapping):
        ends = pair(name, default)(arguments)
        return ends, ends
    inside = Arguments(given, arguments.pointer(name))
    return pair("x", 0)(inside), pair("y", 0)(inside)


def affine(arguments: Arguments) -> Sequence[Step]:
    READ(arguments)
    MASKS(arguments)
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
        "border": BORDER(arguments),
        "fill": fill(arguments),
    }
    steps = [Step("affine", {name: value for name, value in affine.items() if value is not None})]
    if any((*px, *py)):
        moved = {"x": [0, 0], "y": [0, 0], "x_pixels": [round(end) for end in px], "y_pixels": [round(end) for end in py]}
        steps.append(Step("translate", {**moved, "border": affine["border"]}))
    return steps


def shift_scale_rotate(arguments: Arguments) -> Sequence[Step]:
    READ(arguments)
    MASKS(arguments)
    arguments.skip("rotate_method")
    both = limit("shift_limit", 0.0625)(arguments)
    fields = {
        "degrees": limit("rotate_limit", 45)(arguments),
        "translate_x": limit("shift_limit_x", both)(arguments),
        "translate_y": limit("shift_limit_y", both)(arguments),
        "scale": limit("scale_limit", 0.1, plus=1.0)(arguments),
        "shear_x": [0.0, 0.0],
        "shear_y": [0.0, 0.0],
        "border": BORDER(arguments),
        "fill": fill(arguments),
    }
    return [Step("affine", {name: value for name, value in fields.items() if value is not None})]


def crop(op: str) -> Rule:
    """A window of the picture; `pad_if_needed` is what is always done here."""

    def small(arguments: Arguments) -> None:
        arguments.skip("pad_position|border_mode|fill|fill_mask|pad_mode|pad_cval|pad_cval_mask")
        if not arguments.flag("pad_if_needed", False):
            arguments.note("a picture that is too small is padded here, and an error there")

    return rule(op, small, p=1.0, size=sides())


def pad(arguments: Arguments) -> Sequence[Step]:
    MASKS(arguments)
    return [padding_of(arguments, "padding", BORDER, fill)]


def brightness_contrast(arguments: Arguments) -> Sequence[Step]:
    unless("brightness_by_max", True, (True,), "brightness is a share of full brightness here, of the mean there")(
        arguments
    )
    unless("ensure_safe_range", False, (False,), "values that become too large are clipped")(arguments)
    factor, offset = limit("contrast_limit", 0.2, plus=1.0)(arguments), limit("brightness_limit", 0.2)(arguments)
    return [Step("brightness", {"factor": [max(0.0, end) for end in factor], "offset": offset})]


def color_jitter(arguments: Arguments) -> Sequence[Step]:
    factors = {name: jitter(name, 0.2)(arguments) for name in ("brightness", "contrast", "saturation")}
    hue = limit("hue", 0.5)(arguments)
    if sum(ends != [1.0, 1.0] for ends in factors.values()) + (hue != [0.0, 0.0]) > 1:
        arguments.note("the order is always brightness, contrast, saturation, hue; it is drawn there")
    return [Step("color_jitter", {**factors, "hue": hue})]


def hue_saturation_value(arguments: Arguments) -> Sequence[Step]:
    arguments.note("grey pixels have no hue and stay grey here")
    fields = {
        "hue": limit("hue_shift_limit", 20, of=180.0)(arguments),  # OpenCV counts the circle in 180 steps
        "saturation": limit("sat_shift_limit", 30, of=BITS)(arguments),
        "value": limit("val_shift_limit", 20, of=BITS)(arguments),
    }
    return [Step("hsv_shift", fields)]


def solarize(arguments: Arguments) -> Sequence[Step]:
    if arguments.has("threshold_range"):
        return [Step("solarize", {"threshold": pair("threshold_range", 0.5)(arguments)})]
    return [Step("solarize", {"threshold": pair("threshold", 128, of=BITS)(arguments)})]


def gauss_noise(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("noise_scale_factor|mean_range|mean")
    unless("per_channel", False, (True,), "every channel has noise of its own here")(arguments)
    if any(arguments.numbers("mean_range|mean", (0, 0), (1, 2))):
        arguments.note("the mean of the noise is 0 here")
    if arguments.has("var_limit"):
        low, high = limit("var_limit", (10, 50))(arguments)
        return [Step("gaussian_noise", {"sigma": [math.sqrt(max(0.0, end)) / BITS for end in (low, high)]})]
    return [Step("gaussian_noise", {"sigma": pair("std_range", (0.2, 0.44))(arguments)})]


def multiplicative(arguments: Arguments) -> Sequence[Step]:
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


def gaussian_blur(arguments: Arguments) -> Sequence[Step]:
    sigma, window = arguments.ends("sigma_limit", (0.5, 3.0)), arguments.ends("blur_limit", 0)
    ends = sigma if isinstance(sigma, tuple) else (0.0, sigma)
    arguments.note(f"the Gaussian ends at four sigma here, at `blur_limit` there; {MIRROR}")
    if ends[1] == 0.0:  # OpenCV's own, from the side of the window
        low, high = window if isinstance(window, tuple) else (3.0, window)
        ends = (0.3 * ((low - 1) * 0.5 - 1) + 0.8, 0.3 * ((high - 1) * 0.5 - 1) + 0.8)
    return [Step("gaussian_blur", {"sigma": [max(0.0, end) for end in ends]})]


def coarse_dropout(arguments: Arguments) -> Sequence[Step]:
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
    MASKS(arguments)
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


def jpeg(arguments: Arguments) -> Sequence[Step]:
    form = str(arguments.value("compression_type", "jpeg")).lower()
    low, high = whole_pair("quality_range", (99, 100))(arguments)
    if not arguments.has("quality_range") and arguments.has("quality_lower"):
        low, high = arguments.whole("quality_lower", 99), arguments.whole("quality_upper", 100)
    arguments.skip("quality_lower|quality_upper")
    return [Step("webp" if "webp" in form or form == "1" else "jpeg", {"quality": [low, high]})]


def erasing(arguments: Arguments) -> Sequence[Step]:
    MASKS(arguments)
    arguments.note(EVEN_RATIO)
    fields: dict[str, Any] = {
        "scale": pair("scale", (0.02, 0.33))(arguments),
        "ratio": pair("ratio", (0.3, 3.3))(arguments),
    }
    if arguments.value("fill", 0) in ("random", "random_uniform"):
        return [Step("random_erasing", {**fields, "filling": "noise"})]
    filled = fill(arguments)
    return [Step("random_erasing", fields if filled is None else {**fields, "color": filled})]


def illumination(arguments: Arguments) -> Sequence[Step]:
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


def crop_box(arguments: Arguments) -> Sequence[Step]:
    left, top = arguments.whole("x_min", 0), arguments.whole("y_min", 0)
    size = [arguments.whole("y_max", 1024) - top, arguments.whole("x_max", 1024) - left]
    unmapped("pad_if_needed|pad_position|border_mode|fill|fill_mask|pad_mode|pad_cval|pad_cval_mask")(arguments)
    return [Step("crop", {"left": left, "top": top, "size": size})]


def crop_and_pad(arguments: Arguments) -> Sequence[Step]:
    READ(arguments)
    MASKS(arguments)
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


def up_to(name: str, default: float) -> Reader:
    """From 0 up to the number."""
    return lambda arguments: [0.0, arguments.number(name, default)]


def reach(name: str, default: Any) -> Reader:
    """From 0 up to the larger end of a limit."""
    return lambda arguments: [0.0, max(abs(end) for end in limit(name, default)(arguments))]


def longest(op: str) -> Rule:
    def length(arguments: Arguments) -> Any:
        found = arguments.numbers("max_size", (1024,), range(1, 65))
        if len(found) > 1:
            arguments.note("the first of the lengths is always taken")
        return round(found[0])

    return rule(op, READ, MASKS, SHRINKS, unmapped("max_size_hw"), passed_over("area_for_downscale"), max_size=length)


def clip_limit(arguments: Arguments) -> Any:
    found = arguments.ends("clip_limit", (1, 4))
    return [*found] if isinstance(found, tuple) else [min(1.0, found), found]


def line(arguments: Arguments) -> Sequence[Step]:
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


def downscale(arguments: Arguments) -> Sequence[Step]:
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


def unsharp(arguments: Arguments) -> Sequence[Step]:
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


def morphology(arguments: Arguments) -> Sequence[Step]:
    arguments.note("masks stay as they are here")
    op = "min_filter" if arguments.text("operation", "dilation") == "erosion" else "max_filter"
    return [Step(op, {"size": whole_pair("scale", (2, 3))(arguments)})]


def sun(arguments: Arguments) -> Sequence[Step]:
    arguments.note("the sun's glow is described by shares of the picture here: it has our defaults")
    unmapped("src_radius|src_color|angle_range|angle_lower|angle_upper|method")(arguments)
    left, top, right, bottom = arguments.numbers("flare_roi", (0, 0, 1, 0.5), (4,))
    circles = whole_pair("num_flare_circles_range", (6, 10))(arguments)
    arguments.skip("num_flare_circles_lower|num_flare_circles_upper")
    return [Step("sun_flare", {"across": [left, right], "down": [top, bottom], "circles": circles})]


def boxes(arguments: Arguments) -> dict[str, Any]:
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


def points(arguments: Arguments) -> dict[str, Any]:
    arguments.skip("format|label_fields|remove_invisible|angle_in_degrees|check_each_transform|label_mapping")
    return {}


def matched(arguments: Arguments) -> None:
    unless("replace", False, (False,), "none is taken twice here")(arguments)


def erosion(arguments: Arguments) -> list[float]:
    """How much smaller what is kept may be than the boxes, drawn up to this."""
    return [arguments.number("erosion_rate", 0.0)] * 2


def shift(axis: int) -> Callable[[Arguments], list[float]]:
    """How far a side of the window may lie from the box's: axis 0 down, 1 across."""

    def read(arguments: Arguments) -> list[float]:
        found = arguments.numbers("max_part_shift", (0.0, 0.3), (1, 2))
        most = found[axis] if len(found) == 2 else found[0]
        return [-most, most]

    return read


def filled(arguments: Arguments) -> list[float]:
    """The colour of what is painted over; black where it is no colour."""
    given = arguments.value("fill|fill_value", 0)
    if isinstance(given, str):
        arguments.note(f"what is painted is not {ascii(given)[:40]} but black")
        return [0.0, 0.0, 0.0]
    return list(color("fill|fill_value")(arguments))


def objects(arguments: Arguments) -> list[int]:
    """How many objects are lost; a single number is the most."""
    found = arguments.ends("max_objects", 1)
    low, high = found if isinstance(found, tuple) else (1.0, found)
    return [round(low), round(high)]


def of_classes(arguments: Arguments) -> list[Any]:
    """The classes of the objects, by name or by number in the mask."""
    named, numbered = arguments.value("bbox_labels", []), arguments.value("mask_indices", [])
    found = [*(named if isinstance(named, list) else [named]), *(numbered if isinstance(numbered, list) else [numbered])]
    return [int(one) if isinstance(one, float) and one.is_integer() else one for one in found]


def channels(arguments: Arguments) -> list[str]:
    """The channels by name."""
    numbers = {round(number) for number in arguments.numbers("channels", (0, 1, 2), (1, 2, 3))}
    return [name for number, name in enumerate(CHANNELS) if number in numbers] or ["none"]


def whole_seen(arguments: Arguments) -> None:
    arguments.note("the transforms inside see all channels, and some of their result is taken")
