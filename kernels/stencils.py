"""Neighbourhoods of pixels: weighted sums, extremes and edges of (1, C, H, W) float32 images.

Windows may be larger than the picture: outside it is its mirror image, edge pixel included (d c b a | a b c d |
d c b a). An even window reaches one pixel further to the top and left. On the CPU OpenCV runs them, plane by plane; on
CUDA Kornia and torch. Each output value is summed in one fixed order, so threads change nothing.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from kornia.filters import filter2d, filter2d_separable
from numpy.typing import NDArray
from torch.nn.functional import max_pool2d, pad

from kernels.colors import luma

Weights = NDArray[np.float32]
REACH_SIGMAS = 4.0
"""Where a Gaussian is cut off; scipy.ndimage's default."""
_WHOLE = 2.0**22
FLAT = 1e-5


def gaussian(sigma: float) -> Weights:
    """Weights of a Gaussian, adding up to 1; one single weight for a sigma (in pixels) below 1/8."""
    reach = int(REACH_SIGMAS * sigma + 0.5)
    places = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (places / sigma) ** 2) if reach else np.ones(1)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def weighed(image: torch.Tensor, weights: Weights) -> torch.Tensor:
    """Sums over a row, then over a column, of neighbours times `weights`."""
    if len(weights) == 1:
        return image * float(weights[0])
    if image.device.type != "cpu":
        return weighed_by_torch(image, weights)
    result = torch.empty_like(image, memory_format=torch.contiguous_format)
    for source, target in _planes(image, result):
        cv2.sepFilter2D(source, cv2.CV_32F, weights, weights, dst=target, borderType=cv2.BORDER_REFLECT)
    return result


def weighed_by_torch(image: torch.Tensor, weights: Weights) -> torch.Tensor:
    """`weighed`, by Kornia on the image's device."""
    kernel = torch.from_numpy(weights)[None].to(image.device)
    return filter2d_separable(mirrored(image, len(weights)), kernel, kernel, padding="valid")


def filtered(image: torch.Tensor, kernel: Weights) -> torch.Tensor:
    """Sums of neighbours times a kernel of odd sides, which is laid on as it is written: not mirrored."""
    if image.device.type != "cpu":
        return filtered_by_torch(image, kernel)
    result = torch.empty_like(image, memory_format=torch.contiguous_format)
    for source, target in _planes(image, result):
        cv2.filter2D(source, cv2.CV_32F, kernel, dst=target, borderType=cv2.BORDER_REFLECT)
    return result


def filtered_by_torch(image: torch.Tensor, kernel: Weights) -> torch.Tensor:
    """`filtered`, by Kornia on the image's device."""
    rows, columns = (
        torch.from_numpy(mirror(length, side // 2, side // 2)).to(image.device)
        for length, side in zip(image.shape[-2:], kernel.shape, strict=True)
    )
    around = image.index_select(-2, rows).index_select(-1, columns)
    return filter2d(around, torch.from_numpy(kernel)[None].to(image.device), padding="valid")


def averaged(image: torch.Tensor, size: int) -> torch.Tensor:
    """The mean of a size x size window."""
    if size == 1:
        return image.clone()
    if image.device.type != "cpu":
        return weighed_by_torch(image, np.full(size, 1.0 / size, dtype=np.float32))
    # OpenCV runs sums along in float64: whole numbers stay exact, so a value does not depend on where its sum began
    whole = (image * _WHOLE).round_().contiguous()
    result = torch.empty_like(whole)
    for source, target in _planes(whole, result):
        cv2.boxFilter(source, cv2.CV_32F, (size, size), dst=target, anchor=_anchor(size), borderType=cv2.BORDER_REFLECT)
    return result.mul_(1.0 / _WHOLE)


def lowest(image: torch.Tensor, size: int) -> torch.Tensor:
    """The smallest value of a size x size window."""
    if image.device.type != "cpu":
        return -highest_by_torch(-image, size)
    result = torch.empty_like(image, memory_format=torch.contiguous_format)
    # OpenCV leaves out what is outside: the same as a mirror, whose values are all inside the window too
    window = np.ones((size, size), dtype=np.uint8)
    for source, target in _planes(image, result):
        cv2.erode(source, window, dst=target, anchor=_anchor(size))
    return result


def highest(image: torch.Tensor, size: int) -> torch.Tensor:
    """The largest value of a size x size window."""
    if image.device.type != "cpu":
        return highest_by_torch(image, size)
    result = torch.empty_like(image, memory_format=torch.contiguous_format)
    window = np.ones((size, size), dtype=np.uint8)
    for source, target in _planes(image, result):
        cv2.dilate(source, window, dst=target, anchor=_anchor(size))
    return result


def highest_by_torch(image: torch.Tensor, size: int) -> torch.Tensor:
    """`highest`, by torch on the image's device."""
    rows = max_pool2d(mirrored(image, size), (1, size), stride=1)
    return max_pool2d(rows, (size, 1), stride=1)


def opened(image: torch.Tensor, size: int) -> torch.Tensor:
    """The lowest, then the highest of windows that lie the other way round: bright parts smaller than a window are gone."""
    return _turned(highest(_turned(lowest(image, size)), size))


def closed(image: torch.Tensor, size: int) -> torch.Tensor:
    """The highest, then the lowest of windows that lie the other way round: dark parts smaller than a window are gone."""
    return _turned(lowest(_turned(highest(image, size)), size))


def _turned(image: torch.Tensor) -> torch.Tensor:
    """By half a turn: what reaches further to the top and left now reaches further to the bottom and right."""
    return image.flip(-2, -1)


def edges(image: torch.Tensor) -> torch.Tensor:
    """(1, 1, H, W): Sobel magnitude of the grey picture, scaled so that its maximum is 1; 0 where all is flat."""
    # differences first: exactly 0 where the picture is flat, and no TF32, which a convolution on CUDA would use
    # one pixel beyond the edge its mirror image is the edge again
    grey = pad(luma(image[:, 0:1], image[:, 1:2], image[:, 2:3]), (1, 1, 1, 1), mode="replicate")
    down = grey[..., 2:, :] - grey[..., :-2, :]
    down = torch.add(down[..., :-2], down[..., 1:-1], alpha=2.0).add_(down[..., 2:])
    across = grey[..., 2:] - grey[..., :-2]
    across = torch.add(across[..., :-2, :], across[..., 1:-1, :], alpha=2.0).add_(across[..., 2:, :])
    magnitude = down.square_().add_(across.square_()).sqrt_()
    steepest = magnitude.amax()
    return magnitude.div_(torch.where(steepest > FLAT, steepest, torch.inf))


def mirrored(image: torch.Tensor, size: int) -> torch.Tensor:
    """The image with its mirror image around it, as far as a window of `size` reaches."""
    before, after = size // 2, size - 1 - size // 2
    rows = torch.from_numpy(mirror(image.shape[-2], before, after)).to(image.device)
    columns = torch.from_numpy(mirror(image.shape[-1], before, after)).to(image.device)
    return image.index_select(-2, rows).index_select(-1, columns)


@lru_cache(maxsize=64)
def mirror(length: int, before: int, after: int) -> NDArray[np.int64]:
    """Which of `length` places is seen at -before ... length - 1 + after; not to be written to, it is kept."""
    places = np.arange(-before, length + after) % (2 * length)
    return np.minimum(places, 2 * length - 1 - places)


def _planes(image: torch.Tensor, result: torch.Tensor) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Each plane of both, as views of their memory."""
    return list(zip(image.contiguous()[0].numpy(), result[0].numpy(), strict=True))


def _anchor(size: int) -> tuple[int, int]:
    return size // 2, size // 2
