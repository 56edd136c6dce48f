"""What an engine does with one item: bytes -> pixels -> plans -> variants -> bytes. Plain functions, no threads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from batching import failpoints
from batching.errors import SourceMissing
from batching.items import Encoded, Failed, Item
from kernels import codec
from kernels.codec.gpu import Codec, GpuCodecs, decode_with
from kernels.errors import WorkTooLarge
from kernels.labels import Labels
from kernels.plan import Plan, Variant, plans
from kernels.tensors import Picture

Decode = Callable[[bytes, Literal["drop", "keep"]], NDArray[np.uint8]]
"""decode(content, alpha) -> (H, W, 3 or 4) uint8 pixels; raises the classes of `kernels.errors`."""


@dataclass(frozen=True)
class Work:
    """One item with the bytes of its picture."""

    item: Item
    content: bytes


@dataclass(frozen=True)
class Ran:
    """An item whose every variant is computed and encoded."""

    item: Item
    outputs: tuple[Encoded, ...]


Result = Ran | Failed


def decoder(limits: codec.Limits, config: GpuCodecs = GpuCodecs(), on_gpu: Codec | None = None) -> Decode:  # noqa: B008  # frozen
    """The decoder of `kernels.codec` with these limits; `on_gpu`, if given, decodes what `config` says it does."""

    def decode(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        if on_gpu is None:
            return codec.decode(content, alpha=alpha, limits=limits)
        return decode_with(on_gpu, content, alpha, limits, config)

    return decode


def decoded(work: Work, decode: Decode) -> Picture:
    """The picture of an item, its bytes checked against their hash. Errors: SourceMissing, and the decoder's."""
    item = work.item
    if item.source_sha256 and hashlib.sha256(work.content).hexdigest() != item.source_sha256:
        raise SourceMissing("its bytes are not the ones that were accepted")
    pixels = torch.from_numpy(decode(work.content, item.recipe.output.alpha))
    failpoints.hit("decoded")
    picture = Picture(pixels)
    if item.labels is None:
        return picture
    return Picture(pixels, Labels.parse(item.labels, picture.size, "/labels"))


def planned(item: Item, picture: Picture, max_output_pixels: int) -> list[Plan]:
    """One plan for each variant. Errors: RecipeInvalid, and WorkTooLarge if they add up to too many pixels."""
    wanted = [Variant(item.key, variant, picture.size) for variant in range(item.variants)]
    found = plans(item.recipe, item.seed, wanted)
    pixels = sum(plan.size_out.pixels for plan in found)
    if pixels > max_output_pixels:
        raise WorkTooLarge(pixels, max_output_pixels)
    return found


def encoded(item: Item, variant: int, plan: Plan, picture: Picture) -> Encoded:
    """A variant's result as bytes, with all that its row says of it."""
    content = codec.encode(picture.pixels.numpy(), item.recipe.output)
    return Encoded(
        variant=variant,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        width=picture.size.width,
        height=picture.size.height,
        format=item.recipe.output.format,
        draws=plan.draws,
        labels=None if picture.labels is None else picture.labels.document(),
    )
