"""Equivalents: Kornia's function of the same meaning, for each operation that changes colours and has one.

Profile kornia calls them; operations without a line here run there as in the torch reference. What moves pixels needs no
line: `stepwise` gives every matrix and field to Kornia. Adding one is a line in `EQUIVALENTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from kornia import color, enhance, filters, morphology
from kornia.color.sepia import sepia_from_rgb

from kernels import stencils, windows
from kernels.ops.equalize import equalize

_MEDIANS = (3, 5)
"""Windows whose median Kornia finds by a network of comparisons; others cost it a copy of the picture for each place."""
_LARGEST = 15
"""The largest window whose extremes are Kornia's: at 128 it takes half a minute for 6 megapixels."""


@dataclass(frozen=True)
class Equivalent:
    """What profile kornia does for one operation."""

    names: tuple[str, ...]
    """The functions that are called, in order, as they are found within `kornia`."""
    function: Callable[..., torch.Tensor]
    """function(image, fields by name) -> image, (1, 3, H, W) float32, in 0..1 when it comes."""
    reach: Callable[..., int] | None = None
    """reach(fields by name): how many pixels outside the picture are asked for. Kornia reflects fewer than a side has."""
    differs: str = ""
    """How it differs from the fused profile by more than rounding, as a sentence; empty if it does not."""


def _brightness(image: torch.Tensor, factor: float, offset: float) -> torch.Tensor:
    scaled = enhance.adjust_brightness_accumulative(image, float(factor), clip_output=False)
    return enhance.adjust_brightness(scaled, float(offset))


def _color_jitter(image: torch.Tensor, brightness: float, contrast: float, saturation: float, hue: float) -> torch.Tensor:
    image = enhance.adjust_brightness_accumulative(image, float(brightness))
    image = enhance.adjust_contrast_with_mean_subtraction(image, float(contrast))
    image = enhance.adjust_saturation_with_gray_subtraction(image, float(saturation))
    return _hue(image, hue)


def _hue(image: torch.Tensor, turn: float) -> torch.Tensor:
    return enhance.adjust_hue(image, math.tau * turn)


def _grayscale(image: torch.Tensor, strength: float) -> torch.Tensor:
    grey = color.grayscale_to_rgb(color.rgb_to_grayscale(image))
    return enhance.add_weighted(grey, float(strength), image, 1.0 - strength, 0.0)


def _invert(image: torch.Tensor) -> torch.Tensor:
    return enhance.invert(image, image.new_ones(()))


def _sepia(image: torch.Tensor, strength: float) -> torch.Tensor:
    brown = sepia_from_rgb(image, rescale=False).clamp(0.0, 1.0)
    return enhance.add_weighted(brown, float(strength), image, 1.0 - strength, 0.0)


def _rgb_shift(image: torch.Tensor, red: float, green: float, blue: float) -> torch.Tensor:
    return enhance.shift_rgb(image, *(image.new_tensor([amount]) for amount in (red, green, blue)))


def _brightness_contrast(image: torch.Tensor, brightness: float, contrast: float) -> torch.Tensor:
    grey = torch.full_like(image, 0.5)
    return enhance.add_weighted(image, float(contrast), grey, 1.0 - contrast, float(brightness))


def _hsv_shift(image: torch.Tensor, hue: float, saturation: float, value: float) -> torch.Tensor:
    turn, colourful, bright = color.rgb_to_hsv(image).unbind(dim=1)
    colourful = torch.where(colourful > 0.0, (colourful + saturation).clamp(0.0, 1.0), 0.0)
    shifted = torch.stack([(turn + math.tau * hue) % math.tau, colourful, (bright + value).clamp(0.0, 1.0)], dim=1)
    return color.hsv_to_rgb(shifted)


def _tint(image: torch.Tensor, channel: str, amount: float) -> torch.Tensor:
    return enhance.shift_rgb(image, *(image.new_tensor([amount if name == channel else -amount]) for name in "rgb"))


def _gaussian_blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = _gaussian_reach(sigma)
    return filters.gaussian_blur2d(image, 2 * reach + 1, (sigma, sigma)) if reach else image


def _gaussian_reach(sigma: float) -> int:
    return len(stencils.gaussian(sigma)) // 2


def _box_blur(image: torch.Tensor, size: int) -> torch.Tensor:
    # an even window of Kornia's reaches further to the bottom and right, one of ours to the top and left
    return filters.box_blur(image.flip(-2, -1), size).flip(-2, -1)


def _box_reach(size: int) -> int:
    return size // 2


def _max_filter(image: torch.Tensor, size: int) -> torch.Tensor:
    if size > _LARGEST:
        return stencils.highest(image, size)
    # a square is a row, then a column: 2 n places to look at instead of n^2. A dilation mirrors its window
    place = size - 1 - size // 2
    rows = morphology.dilation(image, image.new_ones(1, size), origin=[0, place])
    return morphology.dilation(rows, image.new_ones(size, 1), origin=[place, 0])


def _min_filter(image: torch.Tensor, size: int) -> torch.Tensor:
    if size > _LARGEST:
        return stencils.lowest(image, size)
    place = size // 2
    rows = morphology.erosion(image, image.new_ones(1, size), origin=[0, place])
    return morphology.erosion(rows, image.new_ones(size, 1), origin=[place, 0])


def _percentile_filter(image: torch.Tensor, percentile: float, size: int) -> torch.Tensor:
    if percentile == 50.0 and size in _MEDIANS:
        return filters.median_blur(image, size)
    return windows.percentile(image, percentile, size)


def _median_reach(percentile: float, size: int) -> int:
    return size // 2 if percentile == 50.0 and size in _MEDIANS else 0


def _edge_map(image: torch.Tensor) -> torch.Tensor:
    gradient = filters.spatial_gradient(color.rgb_to_grayscale(image), "sobel", normalized=False)[:, 0]
    magnitude = gradient.square().sum(dim=1, keepdim=True).sqrt()
    steepest = magnitude.amax()
    return torch.where(steepest > stencils.FLAT, magnitude / steepest, 0.0).expand_as(image)


def _edge_enhance(image: torch.Tensor, strength: float) -> torch.Tensor:
    return enhance.add_weighted(image, 1.0, _edge_map(image), float(strength), 0.0)


def _equalize(image: torch.Tensor, of: str) -> torch.Tensor:
    if of != "channels":
        return equalize(image, of)
    # Kornia drops the fraction of a level, which is rounded here
    return enhance.equalize(((image * 255.0).round() + 0.25) / 255.0)


def _motion_blur(image: torch.Tensor, size: int, degrees: float, direction: float) -> torch.Tensor:
    return filters.motion_blur(image, size + 1 - size % 2, float(degrees), float(direction), "reflect", "bilinear")


def _motion_reach(size: int, degrees: float, direction: float) -> int:
    return size // 2


def _convolve(image: torch.Tensor, kernel: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    return filters.filter2d(image, image.new_tensor(kernel)[None], "reflect")


def _kernel_reach(kernel: tuple[tuple[float, ...], ...]) -> int:
    return max(len(kernel), len(kernel[0])) // 2


def _sharpness(image: torch.Tensor, factor: float) -> torch.Tensor:
    # smaller pictures have nothing but outermost pixels, which stay
    return image if min(image.shape[-2:]) < 3 else enhance.sharpness(image, float(factor))


def _unsharp_mask(image: torch.Tensor, sigma: float, amount: float, threshold: float) -> torch.Tensor:
    reach = _gaussian_reach(sigma)
    if not reach:
        return image
    lost = filters.unsharp_mask(image, (2 * reach + 1,) * 2, (sigma, sigma)) - image
    return image + torch.where(lost.abs() > threshold, amount * lost, 0.0)


def _unsharp_reach(sigma: float, amount: float, threshold: float) -> int:
    return _gaussian_reach(sigma)


def _laplacian(image: torch.Tensor, gain: float) -> torch.Tensor:
    return filters.laplacian(image, 3, "reflect", normalized=True).abs() * gain


def _opened(image: torch.Tensor, size: int) -> torch.Tensor:
    return _max_filter(_min_filter(image, size).flip(-2, -1), size).flip(-2, -1)


def _closed(image: torch.Tensor, size: int) -> torch.Tensor:
    return _min_filter(_max_filter(image, size).flip(-2, -1), size).flip(-2, -1)


def _color_space_convert(image: torch.Tensor, space: str) -> torch.Tensor:
    match space:
        case "hsv" | "hls":
            numbers = color.rgb_to_hsv(image) if space == "hsv" else color.rgb_to_hls(image)
            return torch.cat([numbers[:, :1] / math.tau, numbers[:, 1:]], dim=1)
        case "yuv":
            return color.rgb_to_yuv(image) + image.new_tensor([0.0, 0.5, 0.5]).view(1, 3, 1, 1)
        case "ycrcb":
            return color.rgb_to_ycbcr(image)[:, [0, 2, 1]]
        case "xyz":
            return color.rgb_to_xyz(image)
        case _:
            shifted = color.rgb_to_lab(image) + image.new_tensor([0.0, 128.0, 128.0]).view(1, 3, 1, 1)
            return shifted / image.new_tensor([100.0, 255.0, 255.0]).view(1, 3, 1, 1)


_REFLECTS = "Outside the picture Kornia's mirror image leaves out the edge pixel (d c b | a b c d | c b a)."
_SMALL = f"Windows wider than {_LARGEST} pixels run as in the torch reference."
_BOTH = ("morphology.erosion", "morphology.dilation")
EQUIVALENTS: Mapping[str, Equivalent] = MappingProxyType(
    {
        "black_hat": Equivalent(_BOTH, lambda image, size: _closed(image, size) - image, differs=_SMALL),
        "box_blur": Equivalent(("filters.box_blur",), _box_blur, _box_reach, _REFLECTS),
        "brightness": Equivalent(("enhance.adjust_brightness_accumulative", "enhance.adjust_brightness"), _brightness),
        "brightness_contrast": Equivalent(("enhance.add_weighted",), _brightness_contrast),
        "color_jitter": Equivalent(
            (
                "enhance.adjust_brightness_accumulative",
                "enhance.adjust_contrast_with_mean_subtraction",
                "enhance.adjust_saturation_with_gray_subtraction",
                "enhance.adjust_hue",
            ),
            _color_jitter,
        ),
        "color_space_convert": Equivalent(
            tuple(f"color.rgb_to_{space}" for space in ("hls", "hsv", "lab", "xyz", "ycbcr", "yuv")), _color_space_convert
        ),
        "contrast": Equivalent(
            ("enhance.adjust_contrast_with_mean_subtraction",),
            lambda image, factor: enhance.adjust_contrast_with_mean_subtraction(image, float(factor)),
        ),
        "convolve": Equivalent(("filters.filter2d",), _convolve, _kernel_reach, _REFLECTS),
        "edge_enhance": Equivalent(
            ("color.rgb_to_grayscale", "filters.spatial_gradient", "enhance.add_weighted"), _edge_enhance
        ),
        "edge_map": Equivalent(("color.rgb_to_grayscale", "filters.spatial_gradient"), _edge_map),
        "equalize": Equivalent(("enhance.equalize",), _equalize, differs="Kornia knows no table of the grey picture."),
        "gamma": Equivalent(
            ("enhance.adjust_gamma",), lambda image, exponent: enhance.adjust_gamma(image, float(exponent))
        ),
        "gaussian_blur": Equivalent(("filters.gaussian_blur2d",), _gaussian_blur, _gaussian_reach, _REFLECTS),
        "grayscale": Equivalent(("color.rgb_to_grayscale", "enhance.add_weighted"), _grayscale),
        "hsv_shift": Equivalent(("color.rgb_to_hsv", "color.hsv_to_rgb"), _hsv_shift),
        "hue": Equivalent(("enhance.adjust_hue",), _hue),
        "invert": Equivalent(("enhance.invert",), _invert),
        "laplacian": Equivalent(("filters.laplacian",), _laplacian, lambda gain: 1, _REFLECTS),
        "log_contrast": Equivalent(("enhance.adjust_log",), lambda image, gain: enhance.adjust_log(image, float(gain))),
        "max_filter": Equivalent(("morphology.dilation",), _max_filter, differs=_SMALL),
        "min_filter": Equivalent(("morphology.erosion",), _min_filter, differs=_SMALL),
        "morph_close": Equivalent(_BOTH, _closed, differs=_SMALL),
        "morph_gradient": Equivalent(
            _BOTH, lambda image, size: _max_filter(image, size) - _min_filter(image, size), differs=_SMALL
        ),
        "morph_open": Equivalent(_BOTH, _opened, differs=_SMALL),
        "motion_blur": Equivalent(("filters.motion_blur",), _motion_blur, _motion_reach, _REFLECTS),
        "percentile_filter": Equivalent(
            ("filters.median_blur",),
            _percentile_filter,
            _median_reach,
            f"{_REFLECTS} Only medians of 3 x 3 and 5 x 5 are Kornia's; other windows run as in the torch reference.",
        ),
        "posterize": Equivalent(
            ("enhance.posterize",),
            lambda image, bits: enhance.posterize(image, int(bits)),
            differs="Kornia drops the fraction of a level that earlier steps have left; it is rounded first otherwise.",
        ),
        "rgb_shift": Equivalent(("enhance.shift_rgb",), _rgb_shift),
        "saturation": Equivalent(
            ("enhance.adjust_saturation_with_gray_subtraction",),
            lambda image, factor: enhance.adjust_saturation_with_gray_subtraction(image, float(factor)),
        ),
        "sepia": Equivalent(("color.sepia_from_rgb", "enhance.add_weighted"), _sepia),
        "sharpness": Equivalent(("enhance.sharpness",), _sharpness),
        "sigmoid_contrast": Equivalent(
            ("enhance.adjust_sigmoid",),
            lambda image, gain, cutoff: enhance.adjust_sigmoid(image, float(cutoff), float(gain)),
        ),
        "solarize": Equivalent(("enhance.solarize",), lambda image, threshold: enhance.solarize(image, float(threshold))),
        "tint": Equivalent(("enhance.shift_rgb",), _tint),
        "top_hat": Equivalent(_BOTH, lambda image, size: image - _opened(image, size), differs=_SMALL),
        "unsharp_mask": Equivalent(("filters.unsharp_mask",), _unsharp_mask, _unsharp_reach, _REFLECTS),
    }
)
"""The operations that Kornia has, by name."""
