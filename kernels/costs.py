"""Costs: nanoseconds of CPU that a pixel takes, measured once on one machine, for estimates only.

`python -m benchmarks.kernels.costs` measures the table anew.
"""

from __future__ import annotations

from kernels.op import Op

MACHINE = "one core of an AMD EPYC (AVX-512), 512 x 512 photographs"
PASS_US = 20.0
"""What a pass costs beside its pixels: building its program, calling it."""
PICTURE_US = 25.0
"""What a picture costs beside its passes: planning, cutting into stages, labels apart."""
_NS_A_PIXEL = {
    "sweep": 0.55,
    "brightness": 0.20,
    "channel_dropout": 0.11,
    "channel_swap": 0.37,
    "color_jitter": 2.57,
    "contrast": 0.43,
    "gamma": 2.23,
    "grayscale": 0.29,
    "hue": 0.94,
    "invert": 0.14,
    "posterize": 0.75,
    "saturation": 0.27,
    "solarize": 0.22,
    "tint": 0.15,
    "cutout": 0.48,
    "gaussian_noise": 3.71,
    "grid_mask": 0.39,
    "impulse_noise": 1.47,
    "pepper": 0.61,
    "salt": 0.64,
    "salt_and_pepper": 0.93,
    "box_blur": 3.55,
    "edge_enhance": 9.35,
    "edge_map": 9.11,
    "gaussian_blur": 5.11,
    "max_filter": 1.78,
    "min_filter": 1.79,
    "percentile_filter": 133.15,
    "adaptive_threshold": 37.39,
    "advanced_blur": 74.28,
    "beta_noise": 499.03,
    "bilateral_blur": 201.35,
    "black_hat": 23.59,
    "blend_alpha_frequency_noise": 34.71,
    "blend_alpha_simplex_noise": 693.42,
    "canny": 26.22,
    "cartoon": 798.98,
    "clahe": 40.17,
    "color_space_convert": 102.46,
    "convolve": 7.16,
    "corner_illumination": 0.75,
    "defocus_blur": 83.94,
    "directed_edge_detect": 10.41,
    "downscale": 15.40,
    "emboss": 8.06,
    "equalize": 44.25,
    "glass_blur": 141.20,
    "halftone": 4.47,
    "he_stain": 4.07,
    "kmeans_color_quantize": 374.11,
    "laplacian": 12.08,
    "lens_flare": 112.61,
    "lookup_table": 29.75,
    "mean_shift_blur": 726.67,
    "morph_close": 19.11,
    "morph_gradient": 14.92,
    "morph_open": 19.74,
    "motion_blur": 80.25,
    "multiplicative_noise": 1.39,
    "otsu_threshold": 28.29,
    "photometric_distort": 2.17,
    "pixelate": 8.29,
    "plasma_brightness": 56.61,
    "plasma_contrast": 61.06,
    "plasma_shadow": 57.49,
    "ringing_overshoot": 79.02,
    "sharpen": 6.03,
    "sharpness": 27.73,
    "sun_flare": 93.33,
    "superpixels": 630.00,
    "top_hat": 29.95,
    "unsharp_mask": 41.89,
    "voronoi": 634.42,
    "zoom_blur": 303.16,
    "chain": 2.98,
    "elastic": 13.86,
    "shrink": 0.39,
    "resample": 3.36,
    "rearrange": 0.67,
    "kornia step": 20.0,
    "decode jpeg": 3.06,
    "encode jpeg": 2.59,
    "decode png": 21.85,
    "encode png": 31.82,
    "decode webp": 13.05,
    "encode webp": 86.10,
}
_OF_KIND = {
    "pixels": 0.5,
    "statistic": 1.0,
    "stencil": 5.0,
    "whole": 10.0,
    "field": 14.0,
    "places": 0.0,
    "mix": 15.0,
    "blend": 2.0,
    "within": 2.0,
}
"""For operations that were not measured: about the median of their kind."""


def of_work(name: str) -> float:
    """Nanoseconds a pixel of a part of the machinery: sweep, chain, shrink, resample, rearrange, kornia step, decode
    and encode FORM."""
    return _NS_A_PIXEL[name]


def of_op(op: Op) -> float:
    """Nanoseconds a pixel of one operation, beside what the pass that it is in costs anyway."""
    return _NS_A_PIXEL.get(op.name, _OF_KIND[op.kind_name])
