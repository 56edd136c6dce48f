"""Stepwise: profile kornia. Every step by itself, through Kornia 0.9.0, on float32 planes, clamped to 0..1 after it.

Each geometric step reads the picture anew onto its own canvas, bilinearly and without smoothing where it shrinks, as a
library does that knows no chains; steps on colours go through `equivalents`. Draws, canvases and labels are the fused
profile's, so the two can be compared picture by picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from kornia.geometry.transform import remap, warp_affine, warp_perspective

from kernels import reference, warp
from kernels.blending import blended
from kernels.chain import BLACK, Link, locate
from kernels.equivalents import EQUIVALENTS
from kernels.matrices import is_affine, product, translation
from kernels.mixing import Mixture, composed
from kernels.op import Matrix, asked
from kernels.plan import PlannedStep
from kernels.stages import Blending, Chain, Stage

_PADDING = {"constant": "zeros", "replicate": "border", "reflect": "reflection"}
"""Kornia's names of our borders; with `align_corners=False` a reflection holds the edge pixel twice, as ours does."""


def computed(cut: Sequence[Stage], pixels: torch.Tensor) -> torch.Tensor:
    """The picture after all steps, (H, W, C) uint8 as it came, on its device; rounded once, at the end."""
    return warp.to_pixels(_through(warp.to_planes(pixels), cut))


def _through(planes: torch.Tensor, cut: Sequence[Stage]) -> torch.Tensor:
    for stage in cut:
        if isinstance(stage, Chain):
            for link in stage.links:
                planes = _moved(planes[None], link)[0].clamp(0.0, 1.0)
        elif isinstance(stage, Mixture):
            planes = composed(planes, stage)
        elif isinstance(stage, Blending):
            planes = torch.cat([blended(planes[:3], stage, _through), planes[3:]])
        else:
            for step in stage.steps:
                planes = _painted(planes, step)
    return planes


def kornia_matrix(matrix: Matrix, like: torch.Tensor) -> torch.Tensor:
    """A matrix of continuous coordinates as Kornia takes it, (1, 3, 3): its pixel i has its centre at i, not i + 0.5."""
    centred = product(translation(-0.5, -0.5), matrix, translation(0.5, 0.5))
    return torch.tensor(centred, dtype=like.dtype, device=like.device).view(1, 3, 3)


def _moved(image: torch.Tensor, link: Link) -> torch.Tensor:
    """(1, C, H, W) moved by one step. Kornia knows no picture that repeats itself: under `wrap` it is told each place."""
    if link.displacement is not None or link.border == "wrap":
        return _remapped(image, link)
    matrix = kornia_matrix(link.forward, image)
    padding = "fill" if link.border == "constant" and link.fill != BLACK else _PADDING[link.border]
    fill = warp.color_of(link.fill, image.shape[1], image.device)
    if is_affine(link.forward):
        return warp_affine(image, matrix[:, :2], link.size_out, "bilinear", padding, False, fill)
    return warp_perspective(image, matrix, link.size_out, "bilinear", padding, False, fill)


def _remapped(image: torch.Tensor, link: Link) -> torch.Tensor:
    """(1, C, H, W) read at places worked out here."""
    x, y = locate(link.back, None, link.size_out, image.device)
    if link.displacement is not None:
        shift = link.displacement.to(image.device)
        x, y = x + shift[0], y + shift[1]
    fill = warp.color_of(link.fill, image.shape[1], image.device)[:, None, None] if link.border == "constant" else None
    if link.border == "wrap":
        # brought back onto the picture, then read from it with one more pixel on every side
        x, y = torch.remainder(x, image.shape[3]) + 1.0, torch.remainder(y, image.shape[2]) + 1.0
        image = torch.nn.functional.pad(image, (1, 1, 1, 1), mode="circular")
    elif fill is not None:
        image = image - fill
    height, width = image.shape[2:]
    across, down = (x * (2.0 / width) - 1.0)[None], (y * (2.0 / height) - 1.0)[None]
    padding = _PADDING.get(link.border, "border")
    read = remap(image, across, down, "bilinear", padding, align_corners=False, normalized_coordinates=True)
    return read if fill is None else read + fill


def _painted(planes: torch.Tensor, step: PlannedStep) -> torch.Tensor:
    """Planes (3 or 4, H, W) after a step that moves nothing; a fourth one, alpha, is passed by."""
    equivalent = EQUIVALENTS.get(step.op.name)
    if equivalent is None:
        return torch.stack([*reference.stepped((planes[0], planes[1], planes[2]), step), *planes[3:]])
    image = equivalent.function(planes[None, :3], **asked(equivalent.function, step.fields))
    return torch.cat([image[0].clamp(0.0, 1.0), planes[3:]])
