"""Kornia: classes whose arguments become steps by more than a line of the table in `kornia`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.importing.arguments import Arguments
from service.importing.rules import (
    Reader,
    Rule,
    Step,
    borders,
    color,
    inverted,
    jitter,
    limit,
    pair,
    rule,
    square,
    turned,
    unless,
    whole_pair,
)
from service.importing.torchvision import MIRROR, SHRINKS, padding_of

_LINEAR = ("bilinear", "BILINEAR", "Resample.BILINEAR", 1)
_OUTSIDE: dict[Any, str] = {"zeros": "constant", "ZEROS": "constant", "border": "replicate", "BORDER": "replicate"}
_OUTSIDE |= {"reflection": "reflect", "REFLECTION": "reflect", 0: "constant", 1: "replicate", 2: "reflect"}
PADDING = {"constant": "constant", "replicate": "replicate", "reflect": "reflect", "circular": "wrap"}
READ = unless("resample", "bilinear", _LINEAR, "pixels are read bilinearly here")
PARTNERS = "labels of both pictures are kept, with the share in the draws; partners come from the batch by the seed"


def outside() -> Reader:
    return borders("padding_mode", "zeros", _OUTSIDE, ("reflection", "REFLECTION", 2))


def shifted(name: str) -> Reader:
    """A range of factors that Kornia applies as offsets: factor - 1 is added."""
    return pair(name, 1.0, plus=-1.0)


def color_jitter(arguments: Arguments) -> Sequence[Step]:
    names = [name for name in ("brightness", "contrast", "saturation", "hue") if arguments.value(name, 0.0) != 0.0]
    if len(names) > 1 and arguments.value("order") not in ([0, 1, 2, 3], (0, 1, 2, 3)):
        arguments.note("the order is always brightness, contrast, saturation, hue; it is another or drawn there")
    factors = {name: jitter(name)(arguments) for name in ("brightness", "contrast", "saturation")}
    return [Step("color_jitter", {**factors, "hue": limit("hue", 0.0)(arguments)})]


def color_jiggle(arguments: Arguments) -> Sequence[Step]:
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


def affine(arguments: Arguments) -> Sequence[Step]:
    across, down = arguments.numbers("translate", (0, 0), (2,))
    scale = arguments.numbers("scale", (1, 1), (2, 4))
    if len(scale) == 4:
        arguments.note("both axes are scaled alike here")
    shear = arguments.numbers("shear", (0, 0), (1, 2, 4))
    x = (-abs(shear[0]), abs(shear[0])) if len(shear) == 1 else shear[:2]
    y = shear[2:] or (0.0, 0.0)
    if any(shear):
        arguments.note("leaning and turning are put together in another order, which matters where both are drawn")
    READ(arguments)
    fields = {
        "degrees": turned("degrees", ())(arguments),
        "translate_x": [-across, across],
        "translate_y": [-down, down],
        "scale": [*scale[:2]],
        "shear_x": [0.0 - x[1], 0.0 - x[0]],
        "shear_y": [0.0 - y[1], 0.0 - y[0]],
        "border": outside()(arguments),
    }
    return [Step("affine", fields)]


def shear(arguments: Arguments) -> Sequence[Step]:
    shear = arguments.numbers("shear", (), (1, 2, 4))
    x = (-abs(shear[0]), abs(shear[0])) if len(shear) == 1 else shear[:2]
    y = shear[2:] or (0.0, 0.0)
    READ(arguments)
    fields = {"x": [0.0 - x[1], 0.0 - x[0]], "y": [0.0 - y[1], 0.0 - y[0]], "border": outside()(arguments)}
    return [Step("shear", fields)]


def random_crop(arguments: Arguments) -> Sequence[Step]:
    crop = Step("random_crop", {"size": square()(arguments)})
    arguments.skip("cropping_mode|resample")
    if arguments.has("padding"):
        border = borders("padding_mode", "constant", PADDING, ("reflect",))
        return [padding_of(arguments, "padding", border, color("fill", of=1.0)), crop]
    arguments.skip("padding|padding_mode|fill|pad_if_needed")
    return [crop]


def resize(arguments: Arguments) -> Sequence[Step]:
    READ(arguments)
    arguments.skip("antialias")
    arguments.note(SHRINKS)
    size = [round(side) for side in arguments.numbers("size", (), (1, 2))]
    if len(size) == 2:
        arguments.skip("side")
        return [Step("resize", {"size": size})]
    longest = {"short": "smallest_max_size", "long": "longest_max_size"}
    return [Step(longest.get(arguments.text("side", "short"), "smallest_max_size"), {"max_size": size[0]})]


def solarize(arguments: Arguments) -> Sequence[Step]:
    threshold = arguments.ends("thresholds", 0.1)
    ends = [*threshold] if isinstance(threshold, tuple) else [0.5 - threshold, 0.5 + threshold]
    addition = limit("additions", 0.1)(arguments)
    solarize = Step("solarize", {"threshold": ends})
    return [Step("brightness", {"factor": [1.0, 1.0], "offset": addition}), solarize] if any(addition) else [solarize]


def gamma(arguments: Arguments) -> Sequence[Step]:
    gain = pair("gain", 1.0)(arguments)
    steps = [Step("gamma", {"exponent": pair("gamma", 1.0)(arguments)})]
    return steps if gain == [1.0, 1.0] else [*steps, Step("brightness", {"factor": gain})]


def gaussian_blur(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("kernel_size|separable|border_type")
    arguments.note(f"the Gaussian ends at four sigma here, at `kernel_size` there; {MIRROR}")
    return [Step("gaussian_blur", {"sigma": pair("sigma", ())(arguments)})]


def window(names: str, default: Any) -> Reader:
    def read(arguments: Arguments) -> Any:
        found = arguments.numbers(names, default, (1, 2))
        if len(set(found)) > 1:
            arguments.note("windows are square here")
        return [round(found[0])] * 2

    return read


def median(arguments: Arguments) -> None:
    unless("kernel_size", (3, 3), (), "outside the picture is its mirror image here, black there")(arguments)


def light(arguments: Arguments) -> list[float]:
    """The gain with its sign: both ends of it where the sign is drawn."""
    low, high = pair("gain", (0.01, 0.2))(arguments)
    signs = arguments.numbers("sign", (-1, 1), (1, 2))
    if len(set(signs)) > 1:
        arguments.note("the gain is drawn evenly between its two signs")
        return [-high, high]
    return [low, high] if signs[0] > 0 else [-high, -low]


def erasing(arguments: Arguments) -> Sequence[Step]:
    arguments.note("the ratio is drawn evenly as width / height here, as height / width there")
    fields = {
        "scale": pair("scale", (0.02, 0.33))(arguments),
        "ratio": inverted(pair("ratio", (0.3, 3.3)))(arguments),
        "color": color("value", of=1.0)(arguments),
    }
    return [Step("random_erasing", fields)]


def turns(arguments: Arguments) -> Any:
    low, high = whole_pair("times", ())(arguments)
    if low < 0 or high > 3:
        arguments.note("all four turns are as likely here")
        return [0, 3]
    return [low, high]


def line(arguments: Arguments) -> Sequence[Step]:
    arguments.skip("border_type|resample")
    arguments.note("outside the picture is its mirror image here")
    fields = {
        "size": whole_pair("kernel_size", ())(arguments),
        "degrees": limit("angle", ())(arguments),
        "direction": limit("direction", ())(arguments),
    }
    return [Step("motion_blur", fields)]


def clouds(op: str, **fields: Reader) -> Rule:
    return rule(op, "clouds are made otherwise here", p=0.5, roughness=pair("roughness", (0.1, 0.7)), **fields)


def strength(arguments: Arguments) -> Any:
    low, high = pair("shade_intensity", (-1.0, 0.0))(arguments)
    return [0.0 - high, 0.0 - low]


def sharpness(arguments: Arguments) -> Any:
    found = arguments.ends("sharpness", 0.5)
    return [*found] if isinstance(found, tuple) else [0.0, found]


def mosaic(arguments: Arguments) -> Sequence[Step]:
    if not arguments.has("output_size"):
        arguments.note("the result is 512 x 512; give `output_size`")
    if arguments.numbers("mosaic_grid", (2, 2), (2,)) != (2.0, 2.0):
        arguments.note("four pictures are put together here")
    arguments.note("each picture is brought to its part; there a window is cut from a grid of whole pictures")
    arguments.skip("min_bbox_size|padding_mode|resample|cropping_mode|data_keys")
    start = pair("start_ratio_range", (0.3, 0.7))(arguments)
    size = square("output_size")(arguments) if arguments.has("output_size") else [512, 512]
    return [Step("mosaic", {"size": size, "x": start, "y": start})]
