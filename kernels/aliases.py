"""What other libraries call our operations, so that a name from elsewhere leads to the one here.

A name leads somewhere; it is no second name of the operation. Fields and units differ from library to library, and a
recipe has one spelling, so that it has one digest. `service.importing` translates whole pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import MappingProxyType

LIBRARIES = MappingProxyType(
    {
        "torchvision": "torchvision v2",
        "albumentations": "Albumentations",
        "kornia": "Kornia",
        "imgaug": "imgaug",
        "dali": "DALI",
    }
)
"""The libraries whose names are known, as they are written."""


@dataclass(frozen=True)
class Elsewhere:
    """Names of one operation in other libraries, several of one library with blanks between."""

    torchvision: str = ""
    albumentations: str = ""
    kornia: str = ""
    imgaug: str = ""
    dali: str = ""


_L = Elsewhere
ALIASES: Mapping[str, Elsewhere] = MappingProxyType(
    {
        # moving pixels
        "shift_scale_rotate": _L("", "ShiftScaleRotate"),
        "affine": _L("RandomAffine", "Affine ShiftScaleRotate", "RandomAffine", "Affine", "warp_affine"),
        "center_crop": _L("CenterCrop", "CenterCrop", "CenterCrop", "CenterCropToFixedSize", "crop"),
        "crop_and_pad": _L("", "CropAndPad", "", "CropAndPad"),
        "crop": _L("", "Crop", "", "CropToFixedSize", "slice"),
        "d4": _L("", "D4 SquareSymmetry"),
        "elastic": _L("ElasticTransform", "ElasticTransform", "RandomElasticTransform", "ElasticTransformation"),
        "fisheye": _L("", "", "RandomFisheye", "", "sphere"),
        "grid_distortion": _L("", "GridDistortion"),
        "grid_elastic_deform": _L("", "GridElasticDeform"),
        "chromatic_aberration": _L("", "ChromaticAberration"),
        "pixel_jitter": _L("", "", "", "", "jitter"),
        "grid_shuffle": _L("", "RandomGridShuffle", "RandomJigsaw", "Jigsaw"),
        "hflip": _L("RandomHorizontalFlip", "HorizontalFlip", "RandomHorizontalFlip", "Fliplr", "flip"),
        "longest_max_size": _L("", "LongestMaxSize", "LongestMaxSize"),
        "optical_distortion": _L("", "OpticalDistortion"),
        "pad": _L("Pad", "Pad", "", "Pad", "pad"),
        "pad_to_multiple": _L("", "", "", "PadToMultiplesOf"),
        "pad_if_needed": _L("", "PadIfNeeded", "PadTo", "PadToFixedSize"),
        "perspective": _L(
            "RandomPerspective", "Perspective", "RandomPerspective", "PerspectiveTransform", "warp_perspective"
        ),
        "piecewise_affine": _L("", "PiecewiseAffine", "", "PiecewiseAffine"),
        "random_crop": _L("RandomCrop", "RandomCrop", "RandomCrop"),
        "random_resized_crop": _L("RandomResizedCrop", "RandomResizedCrop RandomSizedCrop", "RandomResizedCrop"),
        "resize": _L("Resize", "Resize", "Resize", "Resize"),
        "rot90": _L("", "RandomRotate90", "RandomRotation90", "Rot90"),
        "rotate": _L("RandomRotation", "Rotate", "RandomRotation", "Rotate"),
        "random_crop_from_borders": _L("", "RandomCropFromBorders"),
        "random_resize": _L("RandomResize RandomShortestSize"),
        "random_scale": _L("", "RandomScale"),
        "safe_rotate": _L("", "SafeRotate"),
        "scale": _L("", "", "", "ScaleX ScaleY", "transforms.scale"),
        "scale_jitter": _L("ScaleJitter"),
        "shear": _L("", "", "RandomShear", "ShearX ShearY", "transforms.shear"),
        "smallest_max_size": _L("", "SmallestMaxSize", "SmallestMaxSize"),
        "thin_plate_spline": _L("", "ThinPlateSpline", "RandomThinPlateSpline"),
        "translate": _L("", "", "RandomTranslate", "TranslateX TranslateY", "transforms.translation"),
        "transpose": _L("", "Transpose"),
        "vflip": _L("RandomVerticalFlip", "VerticalFlip", "RandomVerticalFlip", "Flipud", "flip"),
        "water": _L("", "WaterRefraction", "", "", "water"),
        "zoom_out": _L("RandomZoomOut"),
        "box_safe_crop": _L(
            "RandomIoUCrop", "BBoxSafeRandomCrop RandomSizedBBoxSafeCrop", "", "", "random_bbox_crop ssd_random_crop"
        ),
        "crop_near_box": _L("", "RandomCropNearBBox"),
        "non_empty_crop": _L("", "CropNonEmptyMaskIfExists AtLeastOneBBoxRandomCrop"),
        # changing pixels
        "auto_contrast": _L("RandomAutocontrast", "AutoContrast", "RandomAutoContrast", "pillike.Autocontrast"),
        "brightness": _L("", "", "RandomBrightness", "MultiplyBrightness AddToBrightness Multiply", "brightness"),
        "brightness_contrast": _L("", "RandomBrightnessContrast", "", "MultiplyAndAddToBrightness"),
        "channel_dropout": _L("", "ChannelDropout", "RandomChannelDropout", "Dropout2d"),
        "channel_shuffle": _L("RandomChannelPermutation", "ChannelShuffle", "RandomChannelShuffle", "ChannelShuffle"),
        "channel_swap": _L("", "ChannelSwap"),
        "clahe": _L("", "CLAHE", "RandomClahe", "AllChannelsCLAHE", "clahe"),
        "color_jitter": _L("ColorJitter", "ColorJitter", "ColorJitter ColorJiggle", "", "color_twist"),
        "color_quantize": _L("", "", "", "UniformColorQuantization KMeansColorQuantization"),
        "contrast": _L("", "", "RandomContrast", "LinearContrast"),
        "equalize": _L(
            "RandomEqualize", "Equalize", "RandomEqualize", "HistogramEqualization AllChannelsHistogramEqualization"
        ),
        "fancy_pca": _L("", "FancyPCA"),
        "gamma": _L("", "RandomGamma", "RandomGamma", "GammaContrast"),
        "gaussian_illumination": _L("", "Illumination", "RandomGaussianIllumination"),
        "grayscale": _L("RandomGrayscale Grayscale", "ToGray", "RandomGrayscale", "Grayscale", "color_space_conversion"),
        "hsv_shift": _L("", "HueSaturationValue", "", "AddToHueAndSaturation WithHueAndSaturation", "hsv"),
        "hue": _L("", "", "RandomHue", "AddToHue MultiplyHue"),
        "invert": _L("RandomInvert", "InvertImg", "RandomInvert", "Invert"),
        "linear_illumination": _L("", "", "RandomLinearIllumination"),
        "corner_illumination": _L("", "", "RandomLinearCornerIllumination"),
        "log_contrast": _L("", "", "", "LogContrast"),
        "photometric_distort": _L("RandomPhotometricDistort"),
        "planckian_jitter": _L("", "PlanckianJitter", "RandomPlanckianJitter", "ChangeColorTemperature"),
        "plasma_brightness": _L("", "PlasmaBrightnessContrast", "RandomPlasmaBrightness"),
        "plasma_contrast": _L("", "", "RandomPlasmaContrast"),
        "plasma_shadow": _L("", "PlasmaShadow", "RandomPlasmaShadow"),
        "polygon_shadow": _L("", "RandomShadow"),
        "posterize": _L("RandomPosterize", "Posterize", "RandomPosterize", "Posterize UniformColorQuantizationToNBits"),
        "rgb_shift": _L("", "RGBShift", "RandomRGBShift"),
        "saturation": _L("", "", "RandomSaturation", "MultiplySaturation RemoveSaturation"),
        "sepia": _L("", "ToSepia"),
        "sigmoid_contrast": _L("", "", "", "SigmoidContrast"),
        "solarize": _L("RandomSolarize", "Solarize", "RandomSolarize", "Solarize"),
        "solarize_add": _L("", "", "SolarizeAdd"),
        "sun_flare": _L("", "RandomSunFlare"),
        "tone_curve": _L("", "RandomToneCurve"),
        "vignetting": _L("", "Vignetting"),
        # noise and masks
        "coarse_dropout": _L("", "CoarseDropout", "", "CoarseDropout"),
        "coarse_salt_and_pepper": _L("", "", "", "CoarseSaltAndPepper CoarseSalt CoarsePepper"),
        "cutout": _L("", "", "", "Cutout"),
        "film_grain": _L("", "FilmGrain"),
        "gaussian_noise": _L(
            "GaussianNoise", "GaussNoise", "RandomGaussianNoise", "AdditiveGaussianNoise", "noise.gaussian"
        ),
        "grid_mask": _L("", "GridDropout GridMask", "", "", "grid_mask"),
        "impulse_noise": _L("", "", "", "ImpulseNoise ReplaceElementwise"),
        "iso_noise": _L("", "ISONoise"),
        "laplace_noise": _L("", "", "", "AdditiveLaplaceNoise"),
        "label_aware_dropout": _L("", "ConstrainedCoarseDropout"),
        "mask_dropout": _L("", "MaskDropout"),
        "pepper": _L("", "", "", "Pepper"),
        "pixel_dropout": _L("", "PixelDropout", "", "Dropout"),
        "random_erasing": _L("RandomErasing", "Erasing", "RandomErasing", "", "erase"),
        "salt": _L("", "", "", "Salt"),
        "salt_and_pepper": _L("", "SaltAndPepper", "RandomSaltAndPepperNoise", "SaltAndPepper", "noise.salt_and_pepper"),
        "shot_noise": _L("", "ShotNoise", "", "AdditivePoissonNoise", "noise.shot"),
        "speckle_noise": _L("", "", "", "SpeckleNoise"),
        "multiplicative_noise": _L("", "MultiplicativeNoise", "", "MultiplyElementwise"),
        "uniform_noise": _L("", "AdditiveNoise", "", "AddElementwise"),
        "xy_masking": _L("", "XYMasking TimeMasking FrequencyMasking"),
        # neighbourhoods
        "box_blur": _L("", "Blur", "RandomBoxBlur", "AverageBlur"),
        "defocus_blur": _L("", "Defocus", "", "imgcorruptlike.DefocusBlur"),
        "edge_enhance": _L("", "", "", "FilterEdgeEnhance FilterEdgeEnhanceMore"),
        "edge_map": _L("", "", "Sobel", "EdgeDetect DirectedEdgeDetect", "laplacian"),
        "emboss": _L("", "Emboss", "", "Emboss"),
        "gaussian_blur": _L("GaussianBlur", "GaussianBlur", "RandomGaussianBlur", "GaussianBlur"),
        "glass_blur": _L("", "GlassBlur", "", "imgcorruptlike.GlassBlur"),
        "max_filter": _L("", "Morphological", "", "MaxPooling", "experimental.dilate"),
        "min_filter": _L("", "Morphological", "", "MinPooling", "experimental.erode"),
        "motion_blur": _L("", "MotionBlur", "RandomMotionBlur", "MotionBlur"),
        "percentile_filter": _L("", "MedianBlur", "RandomMedianBlur", "MedianBlur", "experimental.median_blur"),
        "downscale": _L("", "Downscale"),
        "pixelate": _L("", "", "", "imgcorruptlike.Pixelate AveragePooling"),
        "sharpen": _L("", "Sharpen", "", "Sharpen"),
        "sharpness": _L("RandomAdjustSharpness", "", "RandomSharpness", "EnhanceSharpness"),
        "advanced_blur": _L("", "AdvancedBlur"),
        "bilateral_blur": _L("", "", "", "BilateralBlur"),
        "mean_shift_blur": _L("", "", "", "MeanShiftBlur"),
        "ringing_overshoot": _L("", "RingingOvershoot"),
        "superpixels": _L("", "Superpixels", "", "Superpixels"),
        "voronoi": _L("", "", "", "Voronoi"),
        "cartoon": _L("", "", "", "Cartoon"),
        "halftone": _L("", "Halftone"),
        "he_stain": _L("", "HEStain"),
        "total_dropout": _L("", "", "", "TotalDropout"),
        "color_space_convert": _L("", "", "", "ChangeColorspace"),
        "convolve": _L("", "", "", "Convolve", "filter"),
        "multi_crop": _L("FiveCrop TenCrop"),
        "unsharp_mask": _L("", "UnsharpMask"),
        "zoom_blur": _L("", "ZoomBlur", "", "imgcorruptlike.ZoomBlur"),
        # compression and weather
        "jpeg": _L("JPEG", "ImageCompression", "RandomJPEG", "JpegCompression", "jpeg_compression_distortion"),
        "snowflakes": _L("", "", "", "Snowflakes"),
        "webp": _L("", "ImageCompression"),
        "fog": _L("", "RandomFog AtmosphericFog", "", "Fog"),
        "rain": _L("", "RandomRain", "RandomRain", "Rain RainLayer"),
        "snow": _L("", "RandomSnow", "RandomSnow", "FastSnowyLandscape"),
        "gravel": _L("", "RandomGravel"),
        "frost": _L("", "", "", "imgcorruptlike.Frost"),
        "clouds": _L("", "", "", "Clouds CloudLayer"),
        "spatter": _L("", "Spatter", "", "imgcorruptlike.Spatter"),
        # several pictures
        "copy_paste": _L("", "CopyAndPaste", "RandomTransplantation", "", "multi_paste"),
        "cutmix": _L("CutMix", "", "RandomCutMixV2"),
        "fda": _L("", "FDA"),
        "histogram_matching": _L("", "HistogramMatching"),
        "pixel_distribution_adaptation": _L("", "PixelDistributionAdaptation"),
        "patchmix": _L("", "", "PatchMix"),
        "mixup": _L("MixUp", "", "RandomMixUpV2"),
        "mosaic": _L("", "Mosaic", "RandomMosaic"),
        # policies and containers
        "aug_mix": _L("AugMix"),
        "auto_augment": _L("AutoAugment", "", "AutoAugment", "", "auto_aug.auto_augment"),
        "channel_subset": _L("", "SelectiveChannelTransform", "", "WithChannels"),
        "one_of": _L("RandomChoice", "OneOf OneOrOther", "", "OneOf"),
        "patchwise": _L("", "", "PatchSequential"),
        "rand_augment": _L("RandAugment", "", "RandAugment", "RandAugment", "auto_aug.rand_augment"),
        "random_order": _L("RandomOrder", "RandomOrder"),
        "region_limited": _L("", "", "", "BlendAlphaMask BlendAlphaBoundingBoxes BlendAlphaSegMapClassIds"),
        "same_draws": _L("", "", "VideoSequential"),
        "some_of": _L("", "SomeOf", "ImageSequential", "SomeOf"),
        "sometimes": _L("RandomApply", "Sequential", "", "Sometimes"),
        "trivial_augment": _L("TrivialAugmentWide", "", "TrivialAugment", "", "auto_aug.trivial_augment_wide"),
    }
)
"""Our names of operations, each with its names elsewhere. Some are of operations that not every release has."""


def elsewhere(op: str) -> dict[str, list[str]]:
    """Names of our operation `op` by library; empty where no other library has it."""
    names = ALIASES.get(op, Elsewhere())
    return {one.name: getattr(names, one.name).split() for one in fields(names) if getattr(names, one.name)}


def ops_called(name: str) -> tuple[str, ...]:
    """Our names of what other libraries call `name`, whatever its case; () where none does.

    The nearest comes first, and not every one need be in the catalogue of this release.
    """
    return _by_name().get(name.casefold(), ())


@cache
def _by_name() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for op in ALIASES:
        for name in {name.casefold() for names in elsewhere(op).values() for name in names}:
            found[name] = (*found.get(name, ()), op)
    return found
