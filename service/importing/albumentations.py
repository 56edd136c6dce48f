"""Albumentations: what `A.to_dict` and `A.save` write. Names, defaults and units are those of its documentation.

    {"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": [
        {"__class_fullname__": "HorizontalFlip", "p": 0.5}]}}

Arguments of versions 1 and 2 are both read; where a name was changed, the newer stands first. Values of pixels and limits
of colours are those of 8-bit pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kernels.errors import RecipeInvalid
from service.importing.albumentations_steps import (
    BORDER,
    MASKS,
    READ,
    affine,
    boxes,
    brightness_contrast,
    channels,
    clip_limit,
    coarse_dropout,
    color_jitter,
    crop,
    crop_and_pad,
    crop_box,
    downscale,
    erasing,
    erosion,
    fill,
    filled,
    gauss_noise,
    gaussian_blur,
    hue_saturation_value,
    illumination,
    jpeg,
    line,
    longest,
    matched,
    morphology,
    multiplicative,
    objects,
    of_classes,
    pad,
    points,
    reach,
    shift,
    shift_scale_rotate,
    solarize,
    sun,
    unsharp,
    up_to,
    warp,
    whole_seen,
)
from service.importing.convert import Call, Library, calls_in, probability
from service.importing.rules import (
    BITS,
    Container,
    Entry,
    LabelRule,
    Missing,
    Nothing,
    Rule,
    color,
    deviation,
    in_pixels,
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
from service.importing.torchvision import EVEN_RATIO, MIRROR, SHRINKS

_REFERENCES = Missing(
    "its pictures come with the pipeline there, from the batch here",
    ("fda", "histogram_matching", "pixel_distribution_adaptation"),
)
_DRAWN = "the object is drawn from the picture's labels"
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
    "SomeOf": Container("some_of", notes=(matched,)),
    "RandomOrder": Container("some_of", notes=(matched,)),
    "SelectiveChannelTransform": Container("channel_subset", notes=(whole_seen,), fields={"channels": channels}),
    # moving pixels
    "Affine": Rule(affine, p=0.5),
    "BBoxSafeRandomCrop": rule("box_safe_crop", "without boxes a window about the middle is cut out", erode=erosion),
    "AtLeastOneBBoxRandomCrop": rule(
        "non_empty_crop",
        "the box that is drawn is shown whole where it fits",
        passed_over("erosion_factor"),
        size=sides(),
    ),
    "RandomSizedBBoxSafeCrop": rule(
        "box_safe_crop",
        "without boxes a window about the middle is cut out",
        passed_over("interpolation|mask_interpolation"),
        size=sides(),
        erode=erosion,
    ),
    "RandomCropNearBBox": rule(
        "crop_near_box",
        _DRAWN,
        passed_over("cropping_bbox_key|cropping_box_key"),
        left=shift(1),
        top=shift(0),
        right=shift(1),
        bottom=shift(0),
    ),
    "CropNonEmptyMaskIfExists": rule(
        "non_empty_crop",
        "where there are boxes or outlines too they say where objects are",
        passed_over("ignore_values|ignore_channels"),
        size=sides(),
    ),
    "CenterCrop": crop("center_crop"),
    "Crop": Rule(crop_box),
    "CropAndPad": Rule(crop_and_pad),
    "D4": rule("d4", p=1.0),
    "ElasticTransform": warp(
        "elastic",
        in_pixels(
            "alpha|sigma|alpha_affine|approximate|same_dxdy|noise_distribution|keypoint_remapping_method",
            "strength and smoothness",
        ),
    ),
    "GridDistortion": rule(
        "grid_distortion",
        READ,
        MASKS,
        "cells get wider or narrower by even shares here",
        passed_over("normalized|keypoint_remapping_method|map_resolution_range|border_mode|fill|value"),
        p=0.5,
        steps=lambda arguments: [arguments.whole("num_steps", 5)] * 2,
        limit=reach("distort_limit", 0.3),
    ),
    "GridElasticDeform": Missing("points are moved by pixels there", ("grid_elastic_deform", "elastic")),
    "HorizontalFlip": rule("hflip", p=0.5),
    "LongestMaxSize": longest("longest_max_size"),
    "Morphological": Rule(morphology, p=0.5),
    "OpticalDistortion": warp(
        "optical_distortion",
        "the lens is another one here: `distort_limit` is k of r^2",
        unmapped("shift_limit|mode"),
        passed_over("keypoint_remapping_method|map_resolution_range"),
        k=limit("distort_limit", 0.05),
    ),
    "Pad": Rule(pad),
    "PadIfNeeded": rule(
        "pad_if_needed",
        MASKS,
        unmapped("pad_height_divisor|pad_width_divisor|position"),
        p=1.0,
        size=sides("min_height", "min_width"),
        border=BORDER,
        fill=fill,
    ),
    "Perspective": warp(
        "perspective",
        "corners are pulled inwards by even shares here, moved by normal ones there",
        unless("keep_size", True, (True,), "the canvas is kept here"),
        unless("fit_output", False, (False,), "the canvas is kept here"),
        distortion=pair("scale", (0.05, 0.1), of=0.5),
    ),
    "PiecewiseAffine": rule(
        "piecewise_affine",
        READ,
        MASKS,
        unless("absolute_scale", False, (False,), "`scale` is a share of the sides here"),
        passed_over("nb_cols|mode|keypoints_threshold|keypoint_remapping_method|map_resolution_range|fill|cval"),
        p=0.5,
        scale=pair("scale", (0.03, 0.05)),
        points=whole_pair("nb_rows", 4),
    ),
    "RandomCrop": crop("random_crop"),
    "RandomCropFromBorders": rule(
        "random_crop_from_borders",
        p=1.0,
        left=up_to("crop_left", 0.1),
        top=up_to("crop_top", 0.1),
        right=up_to("crop_right", 0.1),
        bottom=up_to("crop_bottom", 0.1),
    ),
    "RandomGridShuffle": rule("grid_shuffle", unmapped("grid"), p=0.5),
    "RandomResizedCrop": rule(
        "random_resized_crop",
        EVEN_RATIO,
        SHRINKS,
        READ,
        MASKS,
        passed_over("area_for_downscale"),
        p=1.0,
        size=sides(),
        scale=pair("scale", (0.08, 1.0)),
        ratio=pair("ratio", (0.75, 4 / 3)),
    ),
    "RandomRotate90": rule("rot90", p=0.5),
    "RandomScale": rule(
        "random_scale",
        READ,
        MASKS,
        SHRINKS,
        passed_over("area_for_downscale"),
        p=0.5,
        factor=limit("scale_limit", 0.1, plus=1.0),
    ),
    "RandomSizedCrop": Missing("the window is in pixels there", ("random_resized_crop",)),
    "Resize": rule("resize", SHRINKS, READ, MASKS, passed_over("area_for_downscale"), p=1.0, size=sides()),
    "Rotate": warp(
        "rotate",
        passed_over("rotate_method"),
        unless("crop_border", False, (False,), "the canvas is kept here"),
        degrees=limit("limit", 90),
    ),
    "SafeRotate": warp("safe_rotate", passed_over("rotate_method"), degrees=limit("limit", 90)),
    "ShiftScaleRotate": Rule(shift_scale_rotate, p=0.5),
    "SmallestMaxSize": longest("smallest_max_size"),
    "SquareSymmetry": rule("d4", p=1.0),
    "ThinPlateSpline": warp(
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
    "AdvancedBlur": rule(
        "advanced_blur",
        MIRROR,
        p=0.5,
        size=odd_sides("blur_limit", (3, 7)),
        sigma_x=pair("sigma_x_limit", (0.2, 1.0)),
        sigma_y=pair("sigma_y_limit", (0.2, 1.0)),
        degrees=limit("rotate_limit", 90),
        beta=pair("beta_limit", (0.5, 8.0)),
        noise=lambda arguments: [max(abs(end - 1.0) for end in pair("noise_limit", (0.9, 1.1))(arguments))] * 2,
    ),
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
        clip=clip_limit,
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
    "ColorJitter": Rule(color_jitter, p=0.5),
    "Defocus": rule(
        "defocus_blur",
        "the disk's edge has the softness of our defaults",
        passed_over("alias_blur"),
        p=0.5,
        radius=pair("radius", (3, 10)),
    ),
    "Downscale": Rule(downscale, p=0.5),
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
    "GaussianBlur": Rule(gaussian_blur, p=0.5),
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
    "HueSaturationValue": Rule(hue_saturation_value, p=0.5),
    "Illumination": Rule(illumination, p=0.5),
    "ImageCompression": Rule(jpeg, p=0.5),
    "InvertImg": rule("invert", p=0.5),
    "MedianBlur": rule(
        "percentile_filter", MIRROR, p=0.5, percentile=same([50.0, 50.0]), size=odd_sides("blur_limit", (3, 7))
    ),
    "MotionBlur": Rule(line, p=0.5),
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
    "RandomBrightnessContrast": Rule(brightness_contrast, p=0.5),
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
    "RandomSunFlare": Rule(sun, p=0.5),
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
    "Solarize": Rule(solarize, p=0.5),
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
    "TextImage": Missing("its words and fonts come with the pipeline there, one line of text here", ("text_overlay",)),
    "OverlayElements": Missing("its elements come with the pipeline there, from the batch here", ("overlay",)),
    "ToGray": rule(
        "grayscale",
        passed_over("num_output_channels"),
        unless("method", "weighted_average", ("weighted_average",), "grey is 0.299 red + 0.587 green + 0.114 blue here"),
        p=0.5,
    ),
    "ToSepia": rule("sepia", p=0.5),
    "UnsharpMask": Rule(unsharp, p=0.5),
    "Vignetting": rule("vignetting", passed_over("center_range"), p=0.5, intensity=pair("intensity_range", (0.2, 0.5))),
    "ZoomBlur": rule(
        "zoom_blur",
        "the picture is enlarged to 1.3 times at most here",
        p=0.5,
        factor=lambda arguments: [min(end, 1.3) for end in pair("max_factor", (1, 1.31))(arguments)],
        step=pair("step_factor", (0.01, 0.03)),
    ),
    # noise and masks
    "CoarseDropout": Rule(coarse_dropout, p=0.5),
    "ConstrainedCoarseDropout": rule(
        "label_aware_dropout",
        "holes lie within the objects' boxes; without labels they lie anywhere",
        MASKS,
        passed_over("fill_mask"),
        p=0.5,
        share=same([1.0, 1.0]),
        holes=whole_pair("num_holes_range", (1, 1)),
        height=pair("hole_height_range", (0.1, 0.1)),
        width=pair("hole_width_range", (0.1, 0.1)),
        color=filled,
        classes=of_classes,
    ),
    "Erasing": Rule(erasing, p=0.5),
    "GaussNoise": Rule(gauss_noise, p=0.5),
    "GridDropout": rule(
        "grid_mask",
        "the grid has 4 to 8 cells along the shorter side here; it is black",
        MASKS,
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
    "MaskDropout": rule(
        "mask_dropout",
        "objects are the outlines or boxes, where there are some, and go with all their labels",
        passed_over("fill_mask"),
        p=0.5,
        n=objects,
        color=filled,
    ),
    "MultiplicativeNoise": Rule(multiplicative, p=0.5),
    "PixelDropout": rule(
        "pixel_dropout",
        MASKS,
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
    "BboxParams": LabelRule(boxes),
    "KeypointParams": LabelRule(points),
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
