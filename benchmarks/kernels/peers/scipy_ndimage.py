"""scipy.ndimage on 8-bit pixels: filters over windows, and places read by a matrix or by a map, linearly as ours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.kernels.peers.peer import Peer, displacement_of, matrix_of
from kernels import point_spreads
from kernels.op import Field, Places
from kernels.ops import OPS
from kernels.plan import PlannedStep

Pixels = NDArray[np.uint8]
_BORDERS = {"constant": "constant", "replicate": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}


def _mode(step: PlannedStep) -> str:
    return _BORDERS[getattr(step.params, "border", "replicate")]


def _clipped(numbers: NDArray[np.float32]) -> Pixels:
    return np.clip(np.rint(numbers), 0, 255).astype(np.uint8)


def _warp(pixels: Pixels, step: PlannedStep) -> Pixels:
    """Each channel by the inverse matrix; scipy counts rows first, and from the centre of the first pixel."""
    forward = np.array(matrix_of(step)).reshape(3, 3)
    swap = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    centre = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    back = swap @ np.linalg.inv(centre) @ np.linalg.inv(forward) @ centre @ swap
    result = np.empty((*step.size_out, 3), np.uint8)
    for channel in range(3):
        ndimage.affine_transform(
            pixels[..., channel],
            back[:2, :2],
            back[:2, 2],
            tuple(step.size_out),
            result[..., channel],
            order=1,
            mode=_mode(step),
        )
    return result


def _perspective(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = step.size_out
    y, x = np.mgrid[:height, :width] + 0.5
    back = np.linalg.inv(np.array(matrix_of(step)).reshape(3, 3))
    across, down, scale = (row[0] * x + row[1] * y + row[2] for row in back)
    return _read(pixels, down / scale - 0.5, across / scale - 0.5, step)


def _displaced(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = step.size_out
    across, down = displacement_of(step)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return _read(pixels, y + down, x + across, step)


def _read(pixels: Pixels, y: NDArray[np.floating], x: NDArray[np.floating], step: PlannedStep) -> Pixels:
    result = np.empty((*step.size_out, 3), np.uint8)
    for channel in range(3):
        ndimage.map_coordinates(pixels[..., channel], (y, x), result[..., channel], order=1, mode=_mode(step))
    return result


def _window(step: PlannedStep) -> tuple[int, int, int]:
    return step.fields["size"], step.fields["size"], 1


def _gaussian(pixels: Pixels, step: PlannedStep) -> Pixels:
    sigma = step.fields["sigma"]
    return np.asarray(ndimage.gaussian_filter(pixels, (sigma, sigma, 0), mode="reflect", truncate=4.0), np.uint8)


def _filtered(pixels: Pixels, kernel: NDArray[np.float32]) -> Pixels:
    return _clipped(ndimage.correlate(pixels.astype(np.float32), kernel[..., None], mode="reflect"))


def _unsharp_mask(pixels: Pixels, step: PlannedStep) -> Pixels:
    sigma, image = step.fields["sigma"], pixels.astype(np.float32)
    soft = ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="reflect")
    return _clipped(image + step.fields["amount"] * (image - soft))


def _edge_map(pixels: Pixels, _: PlannedStep) -> Pixels:
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    steep = np.hypot(ndimage.sobel(grey, 0, mode="reflect"), ndimage.sobel(grey, 1, mode="reflect"))
    return np.repeat(_clipped(steep * (255.0 / steep.max()))[..., None], 3, 2)


def _morphology(function: Callable[..., object]) -> Callable[[Pixels, PlannedStep], Pixels]:
    return lambda pixels, step: np.asarray(function(pixels, size=_window(step)), np.uint8)


PEER = Peer(
    "scipy",
    ("scipy",),
    is_batched=False,
    load=lambda pixels: pixels,
    unload=lambda pixels: pixels,
    forms={
        **{op.name: _warp for op in OPS.values() if isinstance(op.kind, Places)},
        **{op.name: _displaced for op in OPS.values() if isinstance(op.kind, Field)},
        "perspective": _perspective,
        "box_blur": lambda x, s: ndimage.uniform_filter(x, _window(s), mode="reflect"),
        "gaussian_blur": _gaussian,
        "unsharp_mask": _unsharp_mask,
        "max_filter": lambda x, s: ndimage.maximum_filter(x, _window(s)),
        "min_filter": lambda x, s: ndimage.minimum_filter(x, _window(s)),
        "percentile_filter": lambda x, s: ndimage.percentile_filter(x, s.fields["percentile"], _window(s)),
        "morph_close": _morphology(ndimage.grey_closing),
        "morph_open": _morphology(ndimage.grey_opening),
        "morph_gradient": _morphology(ndimage.morphological_gradient),
        "top_hat": _morphology(ndimage.white_tophat),
        "black_hat": _morphology(ndimage.black_tophat),
        "edge_map": _edge_map,
        "convolve": lambda x, s: _filtered(x, np.array(s.fields["kernel"], np.float32)),
        "motion_blur": lambda x, s: _filtered(
            x, point_spreads.motion(s.fields["size"], s.fields["degrees"], s.fields["direction"])
        ),
        "defocus_blur": lambda x, s: _filtered(x, point_spreads.disk(s.fields["radius"], s.fields["softness"])),
        "ringing_overshoot": lambda x, s: _filtered(x, point_spreads.sinc(s.fields["size"], s.fields["cutoff"])),
    },
)
