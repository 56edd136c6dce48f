"""Pillow, picture by picture: its images are 8-bit pixels of its own, so nothing is converted while it is timed."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.kernels.peers.peer import Peer, box_of, matrix_of
from kernels.op import Places
from kernels.ops import OPS
from kernels.plan import PlannedStep

Form = Callable[[Any, PlannedStep], Any]
_LINEAR = Image.Resampling.BILINEAR


def unload(image: Image.Image) -> NDArray[np.uint8]:
    return np.array(image)


def _warp(image: Image.Image, step: PlannedStep) -> Image.Image:
    back = np.linalg.inv(np.array(matrix_of(step)).reshape(3, 3))
    height, width = step.size_out
    return image.transform((width, height), Image.Transform.AFFINE, back[:2].ravel().tolist(), _LINEAR)


def _perspective(image: Image.Image, step: PlannedStep) -> Image.Image:
    back = np.linalg.inv(np.array(matrix_of(step)).reshape(3, 3))
    height, width = step.size_out
    return image.transform((width, height), Image.Transform.PERSPECTIVE, (back / back[2, 2]).ravel().tolist()[:8], _LINEAR)


def _crop(image: Image.Image, step: PlannedStep) -> Image.Image:
    return image.crop(box_of(step))


def _resized(image: Image.Image, step: PlannedStep) -> Image.Image:
    height, width = step.size_out
    return image.resize((width, height), _LINEAR, box_of(step))


def _pad(image: Image.Image, step: PlannedStep) -> Image.Image:
    return ImageOps.expand(image, tuple(step.fields[name] for name in ("left", "top", "right", "bottom")))


def _transposed(method: Image.Transpose) -> Form:
    return lambda image, _: image.transpose(method)


def _enhanced(kind: Any) -> Form:
    return lambda image, step: kind(image).enhance(step.fields["factor"])


def _by_table(levels: Callable[[NDArray[np.float64], PlannedStep], NDArray[np.float64]]) -> Form:
    """Each level 0..1 by what `levels` makes of it."""

    def applied(image: Image.Image, step: PlannedStep) -> Image.Image:
        table = np.clip(np.rint(255.0 * levels(np.arange(256) / 255.0, step)), 0, 255).astype(int).tolist()
        return image.point(table * 3)

    return applied


def _threshold(image: Image.Image, step: PlannedStep) -> Image.Image:
    edge = 255.0 * step.fields["level"]
    return image.convert("L").point([255 if level >= edge else 0 for level in range(256)]).convert("RGB")


def _grayscale(image: Image.Image, _: PlannedStep) -> Image.Image:
    return image.convert("L").convert("RGB")


def _filtered(made: Callable[[PlannedStep], Any]) -> Form:
    return lambda image, step: image.filter(made(step))


def _through(form: str) -> Form:
    def written(image: Image.Image, step: PlannedStep) -> Image.Image:
        file = io.BytesIO()
        image.save(file, form, quality=step.fields["quality"])
        return Image.open(file).convert("RGB")

    return written


PEER = Peer(
    "pillow",
    ("pillow",),
    is_batched=False,
    load=Image.fromarray,
    unload=unload,
    forms={
        **{op.name: _warp for op in OPS.values() if isinstance(op.kind, Places)},
        "perspective": _perspective,
        "center_crop": _crop,
        "crop": _crop,
        "random_crop": _crop,
        "random_crop_from_borders": _crop,
        "resize": _resized,
        "random_resize": _resized,
        "random_resized_crop": _resized,
        "random_scale": _resized,
        "longest_max_size": _resized,
        "smallest_max_size": _resized,
        "pad": _pad,
        "hflip": _transposed(Image.Transpose.FLIP_LEFT_RIGHT),
        "vflip": _transposed(Image.Transpose.FLIP_TOP_BOTTOM),
        "rot90": _transposed(Image.Transpose.ROTATE_90),
        "transpose": _transposed(Image.Transpose.TRANSPOSE),
        "brightness": _enhanced(ImageEnhance.Brightness),
        "contrast": _enhanced(ImageEnhance.Contrast),
        "saturation": _enhanced(ImageEnhance.Color),
        "sharpness": _enhanced(ImageEnhance.Sharpness),
        "auto_contrast": lambda x, s: ImageOps.autocontrast(x, 100.0 * s.fields["cutoff"]),
        "equalize": lambda x, s: ImageOps.equalize(x),
        "grayscale": _grayscale,
        "invert": lambda x, s: ImageOps.invert(x),
        "posterize": lambda x, s: ImageOps.posterize(x, s.fields["bits"]),
        "solarize": lambda x, s: ImageOps.solarize(x, round(255 * s.fields["threshold"])),
        "solarize_add": _by_table(lambda v, s: np.where(v < s.fields["threshold"], v + s.fields["addition"], v)),
        "gamma": _by_table(lambda v, s: v ** s.fields["exponent"]),
        "log_contrast": _by_table(lambda v, s: s.fields["gain"] * np.log2(1.0 + v)),
        "brightness_contrast": _by_table(lambda v, s: (v - 0.5) * s.fields["contrast"] + 0.5 + s.fields["brightness"]),
        "threshold": _threshold,
        "box_blur": _filtered(lambda s: ImageFilter.BoxBlur(s.fields["size"] // 2)),
        "gaussian_blur": _filtered(lambda s: ImageFilter.GaussianBlur(s.fields["sigma"])),
        "unsharp_mask": _filtered(lambda s: ImageFilter.UnsharpMask(s.fields["sigma"], round(100 * s.fields["amount"]), 0)),
        "max_filter": _filtered(lambda s: ImageFilter.MaxFilter(s.fields["size"])),
        "min_filter": _filtered(lambda s: ImageFilter.MinFilter(s.fields["size"])),
        "percentile_filter": _filtered(lambda s: ImageFilter.MedianFilter(s.fields["size"])),
        "jpeg": _through("JPEG"),
        "webp": _through("WEBP"),
    },
)
