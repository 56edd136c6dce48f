"""What an engine does with one item: bytes -> pixels -> plans -> variants -> bytes. Plain functions, no threads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from batching import failpoints
from batching.errors import SourceMissing
from batching.items import Encoded, Failed, Item
from batching.ledger import Member
from kernels import codec
from kernels.codec.gpu import Codec, GpuCodecs, decode_with
from kernels.errors import InputError, WorkTooLarge
from kernels.labels import Labels
from kernels.partners import Partner, Partners, PartnerUnusable, Pool
from kernels.plan import Plan, Variant, plans
from kernels.tensors import Picture

Decode = Callable[[bytes, Literal["drop", "keep"]], NDArray[np.uint8]]
"""decode(content, alpha) -> (H, W, 3 or 4) uint8 pixels; raises the classes of `kernels.errors`."""


@dataclass(frozen=True)
class Guest:
    """A picture of the same batch that an item takes as partner, with its bytes."""

    member: Member
    content: bytes


@dataclass(frozen=True)
class Work:
    """One item with the bytes of its picture, and where its recipe mixes pictures those that it takes."""

    item: Item
    content: bytes
    pool: Pool | None = None
    """The pictures that partners are chosen from."""
    guests: Mapping[int, Guest] = field(default_factory=dict)
    """By item key: all that this pool makes it take."""


@dataclass(frozen=True)
class Ran:
    """An item whose every variant is computed and encoded."""

    item: Item
    outputs: tuple[Encoded, ...]


@dataclass(frozen=True)
class Lacking:
    """An item that cannot be run as it is: a partner cannot be decoded, so it is to be submitted again without it."""

    item: Item
    partner: int
    """Item key of the partner."""


Result = Ran | Failed | Lacking


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
    return _labelled(pixels, item.labels)


def partners(work: Work, decode: Decode) -> Partners:
    """Where the item's plans find their partners: decoded each time, so that one at a time is in memory.

    Errors: PartnerUnusable for what cannot be decoded, SourceMissing for bytes that are not the ones accepted.
    """

    def found(partner: Partner) -> Picture:
        guest = work.guests[partner.key]
        if hashlib.sha256(guest.content).hexdigest() != guest.member.source_sha256:
            raise SourceMissing(f"the bytes of its partner {partner.name} are not the ones that were accepted")
        labels = None if guest.member.labels is None else json.loads(guest.member.labels)
        try:
            return _labelled(torch.from_numpy(decode(guest.content, work.item.recipe.output.alpha)), labels)
        except InputError as error:
            raise PartnerUnusable(partner, error) from error

    return found


def _labelled(pixels: torch.Tensor, labels: Mapping[str, Any] | None) -> Picture:
    picture = Picture(pixels)
    return picture if labels is None else Picture(pixels, Labels.parse(labels, picture.size, "/labels"))


def planned(work: Work, picture: Picture, find: Partners, max_output_pixels: int) -> list[Plan]:
    """One plan for each variant. find: its partners, asked for where a step looks at labels after one that mixes.

    The pixels of partners count like those of results. Errors: RecipeInvalid, those of `find`, and WorkTooLarge if they
    add up to too many pixels.
    """
    item = work.item
    wanted = [Variant(item.key, variant, picture.size, picture.labels, item.name) for variant in range(item.variants)]
    found = plans(item.recipe, item.seed, wanted, work.pool, find)
    pixels = sum(plan.size_out.pixels for plan in found)
    taken = [partner for plan in found for step in plan.steps for partner in step.partners]
    pixels += sum(work.guests[partner.key].member.pixels for partner in taken)
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
