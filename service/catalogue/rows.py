"""What augmentation libraries offer between them, row by row, and which of our operations cover each row.

164 rows: the union of what torchvision v2, Kornia, Albumentations, DALI and imgaug have, by section. This is the one place
that says which section an operation is in, and what is missing: an operation that is named here and is not in the catalogue
shows as "not yet". A new operation is added to the row it covers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Section:
    """A group of operations, as the gallery shows them."""

    title: str
    says: str


@dataclass(frozen=True)
class Otherwise:
    """Covered by something that is not an operation."""

    by: str


@dataclass(frozen=True)
class LeftOut:
    """Not covered, on purpose."""

    because: str


Ops = tuple[str, ...]
Covered = Ops | Otherwise | LeftOut

SECTIONS: Mapping[str, Section] = MappingProxyType(
    {
        "colour": Section("Colour and light", "Arithmetic on the colours of each pixel; some of it depends on the place."),
        "tables": Section(
            "Value tables", "Each value becomes another one, by a curve, a threshold or the picture's histogram."
        ),
        "filters": Section("Filters", "Each pixel from its neighbours: blurs, sharpening, edges, ranks."),
        "noise": Section("Noise", "Random changes of pixels, each from the seed and the pixel's place."),
        "erase": Section("Erasing", "Parts of the picture are covered."),
        "geometry": Section(
            "Geometry", "Pixels move by a matrix; consecutive steps are resampled once, and labels follow."
        ),
        "fields": Section("Displacement fields", "Pixels move by a map of their own; labels follow by its inverse."),
        "mixing": Section(
            "Mixing pictures", "Other pictures of the same batch, chosen by the seed, are laid in; labels are merged."
        ),
        "compression": Section("Compression", "What encoders leave behind."),
        "weather": Section("Weather and scene", "Things between the camera and the scene."),
        "policies": Section("Policies and containers", "Steps that choose, order or limit other steps."),
    }
)
"""By their short names, in the order of the gallery."""

ROWS: Mapping[str, Mapping[str, Covered]] = MappingProxyType(
    {
        "colour": {
            "brightness": ("brightness",),
            "contrast": ("contrast",),
            "brightness_contrast": ("brightness_contrast",),
            "saturation": ("saturation",),
            "hue": ("hue",),
            "hsv_shift": ("hsv_shift",),
            "color_jitter": ("color_jitter",),
            "photometric_distort": ("photometric_distort",),
            "rgb_shift": ("rgb_shift",),
            "tint / channel_gain": ("tint", "channel_gain"),
            "planckian_jitter (colour temperature)": ("planckian_jitter",),
            "fancy_pca": ("fancy_pca",),
            "grayscale": ("grayscale",),
            "sepia": ("sepia",),
            "invert": ("invert",),
            "channel_shuffle": ("channel_shuffle",),
            "channel_swap": ("channel_swap",),
            "channel_dropout / mute_channel": ("channel_dropout",),
            "color_space_convert": ("color_space_convert",),
            "linear_illumination": ("linear_illumination",),
            "corner_illumination": ("corner_illumination",),
            "gaussian_illumination": ("gaussian_illumination",),
            "plasma_brightness": ("plasma_brightness",),
            "plasma_contrast": ("plasma_contrast",),
            "plasma_shadow": ("plasma_shadow",),
            "polygon_shadow": ("polygon_shadow",),
            "vignetting": ("vignetting",),
            "sun_flare / lens_flare": ("sun_flare", "lens_flare"),
            "he_stain (histology)": ("he_stain",),
            "normalize / denormalize": LeftOut(
                "results are pictures of 8 bits; a model's own input layer, or its loader, subtracts means"
            ),
            "dtype_convert": LeftOut("results are pictures of 8 bits; what a model takes is its loader's choice"),
        },
        "tables": {
            "equalize": ("equalize",),
            "auto_contrast": ("auto_contrast",),
            "clahe": ("clahe",),
            "color_quantize": ("color_quantize", "kmeans_color_quantize"),
            "gamma": ("gamma",),
            "sigmoid_contrast": ("sigmoid_contrast",),
            "log_contrast": ("log_contrast",),
            "tone_curve": ("tone_curve",),
            "custom_lut": ("lookup_table",),
            "solarize": ("solarize",),
            "solarize_add": ("solarize_add",),
            "posterize": ("posterize",),
            "threshold / binarize": ("threshold", "otsu_threshold", "adaptive_threshold"),
            "dithering": ("dithering",),
        },
        "filters": {
            "gaussian_blur": ("gaussian_blur",),
            "box_blur / uniform_blur": ("box_blur",),
            "median_blur": ("percentile_filter",),
            "motion_blur": ("motion_blur",),
            "defocus_blur": ("defocus_blur",),
            "zoom_blur": ("zoom_blur",),
            "glass_blur": ("glass_blur",),
            "advanced_blur (generalised normal)": ("advanced_blur",),
            "bilateral_blur": ("bilateral_blur",),
            "mean_shift_blur": ("mean_shift_blur",),
            "sharpness / sharpen": ("sharpen", "sharpness"),
            "unsharp_mask": ("unsharp_mask",),
            "emboss": ("emboss",),
            "edge_map": ("edge_map", "directed_edge_detect", "laplacian", "canny"),
            "edge_enhance": ("edge_enhance",),
            "min_filter (erode)": ("min_filter",),
            "max_filter (dilate)": ("max_filter",),
            "percentile_filter": ("percentile_filter",),
            "morph_open / close / gradient / tophat": (
                "morph_open",
                "morph_close",
                "morph_gradient",
                "top_hat",
                "black_hat",
            ),
            "convolve (custom kernel)": ("convolve",),
            "ringing_overshoot": ("ringing_overshoot",),
            "pixelate / downscale": ("pixelate", "downscale"),
            "superpixels": ("superpixels",),
            "voronoi": ("voronoi",),
            "cartoon / halftone": ("cartoon", "halftone"),
        },
        "noise": {
            "gaussian_noise": ("gaussian_noise",),
            "salt_and_pepper": ("salt_and_pepper",),
            "salt": ("salt",),
            "pepper": ("pepper",),
            "coarse_salt_pepper": ("coarse_salt_and_pepper",),
            "rainbow / impulse noise": ("impulse_noise",),
            "shot (Poisson) noise": ("shot_noise",),
            "speckle / multiplicative": ("speckle_noise", "multiplicative_noise"),
            "additive (uniform, laplace, beta)": ("uniform_noise", "laplace_noise", "beta_noise"),
            "iso_noise (camera)": ("iso_noise",),
            "film_grain": ("film_grain",),
            "pixel_dropout": ("pixel_dropout",),
            "noise_alpha_blend": ("blend_alpha_simplex_noise", "blend_alpha_frequency_noise"),
        },
        "erase": {
            "random_erasing": ("random_erasing",),
            "cutout / coarse_dropout": ("cutout", "coarse_dropout"),
            "grid_mask / grid_dropout": ("grid_mask",),
            "mask_dropout": ("mask_dropout",),
            "label_aware_dropout": ("label_aware_dropout",),
            "xy_masking (time / frequency strips)": ("xy_masking",),
            "total_dropout": ("total_dropout",),
        },
        "geometry": {
            "hflip": ("hflip",),
            "vflip": ("vflip",),
            "transpose": ("transpose",),
            "rot90": ("rot90",),
            "d4 (dihedral group)": ("d4",),
            "rotate": ("rotate",),
            "rotate_expand (keep all corners)": ("rotate_expand", "safe_rotate"),
            "translate / shift": ("translate",),
            "scale": ("scale", "random_scale"),
            "zoom (about the centre)": ("zoom",),
            "shear": ("shear",),
            "affine": ("affine",),
            "shift_scale_rotate": ("shift_scale_rotate",),
            "perspective": ("perspective",),
            "resize": ("resize", "random_resize"),
            "longest_max / smallest_max size": ("longest_max_size", "smallest_max_size"),
            "pad / pad_if_needed / letterbox": ("pad", "pad_if_needed", "pad_to_multiple", "letterbox"),
            "center_crop / crop": ("center_crop", "crop"),
            "random_crop": ("random_crop", "random_crop_from_borders"),
            "random_resized_crop": ("random_resized_crop",),
            "crop_and_pad": ("crop_and_pad",),
            "box_safe_crop (IoU crop)": ("box_safe_crop",),
            "crop_near_box / nonempty_mask_crop": ("crop_near_box", "non_empty_crop"),
            "zoom_out (expand canvas)": ("zoom_out",),
            "scale_jitter (LSJ)": ("scale_jitter",),
            "multi_crop (five / ten)": ("multi_crop",),
        },
        "fields": {
            "elastic": ("elastic",),
            "grid_distortion": ("grid_distortion",),
            "grid_elastic_deform": ("grid_elastic_deform",),
            "optical / barrel distortion": ("optical_distortion",),
            "fisheye / sphere": ("fisheye",),
            "thin_plate_spline": ("thin_plate_spline",),
            "piecewise_affine": ("piecewise_affine",),
            "water / ripple": ("water", "ripple", "swirl"),
            "polar_warp": ("polar_warp", "polar_unwarp"),
            "custom_remap": ("remap",),
            "chromatic_aberration": ("chromatic_aberration",),
            "pixel_jitter": ("pixel_jitter",),
            "grid_shuffle / jigsaw": ("grid_shuffle",),
        },
        "mixing": {
            "mixup": ("mixup",),
            "cutmix": ("cutmix",),
            "patchmix": ("patchmix",),
            "mosaic": ("mosaic",),
            "copy_paste": ("copy_paste",),
            "transplantation": ("transplantation",),
            "overlay / paste elements": ("overlay",),
            "alpha_blend_branches": ("alpha_blend",),
            "fda (Fourier domain adaptation)": ("fda",),
            "histogram_matching": ("histogram_matching",),
            "pixel_distribution_adaptation": ("pixel_distribution_adaptation",),
            "text_overlay": ("text_overlay",),
        },
        "compression": {
            "jpeg": ("jpeg",),
            "webp": ("webp",),
            "multi_pass_recompress": ("recompress",),
        },
        "weather": {
            "rain": ("rain",),
            "snow": ("snow", "snowflakes"),
            "fog": ("fog",),
            "clouds": ("clouds",),
            "frost": ("frost",),
            "spatter (rain, mud)": ("spatter",),
            "gravel": ("gravel", "sand"),
            "dissolving (diffusion model)": LeftOut("needs the weights of a diffusion model"),
        },
        "policies": {
            "auto_augment": ("auto_augment",),
            "rand_augment": ("rand_augment",),
            "trivial_augment": ("trivial_augment",),
            "aug_mix": ("aug_mix",),
            "one_of / some_of / sometimes / random_order": (
                "one_of",
                "some_of",
                "sometimes",
                "random_order",
                "sequence",
                "repeat",
            ),
            "patchwise": ("patchwise",),
            "channel_subset": ("channel_subset",),
            "region_limited (inside boxes / classes)": ("region_limited",),
            "sequence_consistent (same draw for n frames / views)": ("same_draws",),
            "corruption_suite (ImageNet-C)": Otherwise(
                "ready recipes, `corruption-fog-3` and so on: 19 kinds at 5 severities"
            ),
            "invertible / test-time": Otherwise(
                "`kernels.inverse`, and `inverse()` of each result: its points, labels and maps told on the picture"
            ),
            "box_hygiene": Otherwise("`labels` of a recipe: clip, min_visible, min_side, min_area"),
        },
    }
)
"""By section: a row, and the operations that cover it; the first row that names an operation says its section."""
