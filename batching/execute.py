"""What is done with one item: bytes -> pixels -> plans -> variants -> bytes. Plain functions, no threads."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from batching import failpoints
from batching.device import run_within_memory
from batching.errors import Internal, ItemTimeout, ResourceExhausted, SourceMissing
from batching.items import Encoded, Failed, Item, Stored
from batching.ledger import Member
from batching.telemetry import Tally
from kernels import codec
from kernels.codec.gpu import Codec, GpuCodecs, decode_with
from kernels.errors import AugmentationError, DeviceLost, DeviceOutOfMemory, ImageCorrupt, InputError, WorkTooLarge
from kernels.labels import Labels
from kernels.partners import Partner, Partners, PartnerUnusable, Pool
from kernels.plan import Plan, Variant, plans
from kernels.run import prepared
from kernels.tensors import Picture

log = logging.getLogger(__name__)
T = TypeVar("T")
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
    stored: tuple[Stored, ...] | None = None
    """The same results, where they are all stored already."""


@dataclass(frozen=True)
class Unread:
    """An item whose picture cannot be read at once: it is to be submitted again with its bytes."""

    item: Item


@dataclass(frozen=True)
class Lacking:
    """An item that cannot be run as it is: a partner cannot be decoded, so it is to be submitted again without it."""

    item: Item
    partner: int
    """Item key of the partner."""


@dataclass(frozen=True)
class Died:
    """An item that killed the process of the sandbox that ran it, or decoded its picture."""

    item: Item
    reason: str
    to_blame: bool = True
    """Whether it was the picture; False: the sandbox fails pictures that are known to be good."""


class Broken(Exception):
    """The sandbox fails pictures that it must not fail: nobody's picture is to blame."""


class SandboxDied(Exception):
    """A process of the sandbox died, or did not come to an end; `late`: it may only have been kept waiting."""

    def __init__(self, reason: str, late: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.late = reason, late


Result = Ran | Failed | Lacking | Died | Unread


def decoder(limits: codec.Limits, config: GpuCodecs = GpuCodecs(), on_gpu: Codec | None = None) -> Decode:  # noqa: B008  # frozen
    """The decoder of `kernels.codec` with these limits; `on_gpu`, if given, decodes what `config` says it does."""

    def decode(content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        failpoints.taste(content)
        if on_gpu is None:
            return codec.decode(content, alpha=alpha, limits=limits)
        return decode_with(on_gpu, content, alpha, limits, config)

    return decode


def decoded(work: Work, decode: Decode) -> Picture:
    """The picture of an item, its bytes checked against their hash. Errors: SourceMissing, and the decoder's."""
    item = work.item
    if item.source_sha256 and hashlib.sha256(work.content).hexdigest() != item.source_sha256:
        raise SourceMissing("its bytes are not the ones that were accepted")
    pixels = decode(work.content, item.recipe.output.alpha)
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
            return _labelled(decode(guest.content, work.item.recipe.output.alpha), labels)
        except InputError as error:
            raise PartnerUnusable(partner, error) from error
        except SandboxDied as died:
            if died.late:  # who is whose partner must not depend on load
                raise
            raise PartnerUnusable(partner, ImageCorrupt(died.reason)) from died

    return found


def _labelled(pixels: NDArray[np.uint8], labels: Mapping[str, Any] | None) -> Picture:
    picture = Picture(pixels)
    return picture if labels is None else Picture(pixels, Labels.parse(labels, picture.size, "/labels"))


def planned(work: Work, picture: Picture, find: Partners, max_output_pixels: int) -> list[Plan]:
    """One plan for each variant. find: its partners, asked for where a step looks at labels after one that mixes.

    The pixels of partners count like those of results. Errors: RecipeInvalid, those of `find`, and WorkTooLarge if they
    add up to too many pixels.
    """
    item = work.item
    wanted = [Variant(item.key, variant, picture.size, picture.labels, item.name) for variant in item.numbers]
    found = plans(item.recipe, item.seed, wanted, work.pool, find)
    pixels = sum(plan.size_out.pixels for plan in found)
    taken = [partner for plan in found for step in plan.steps for partner in step.partners]
    pixels += sum(work.guests[partner.key].member.pixels for partner in taken)
    if pixels > max_output_pixels:
        raise WorkTooLarge(pixels, max_output_pixels)
    return found


def encoded(item: Item, variant: int, plan: Plan, picture: Picture) -> Encoded:
    """A variant's result as bytes, with all that its row says of it."""
    content = codec.encode(picture.levels, item.recipe.output)
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


def complete(
    work: Work, decode: Decode, device: torch.device, max_output_pixels: int, item_timeout_s: float, tally: Tally
) -> Ran:
    """One item all the way. Errors: those of its steps, and ItemTimeout, looked at between variants."""
    start, outputs = time.perf_counter(), []
    with tally.stage("decode"):
        picture = decoded(work, decode)
        guests = partners(work, decode)
        found = prepared(planned(work, picture, guests, max_output_pixels), device)
    for variant, plan in zip(work.item.numbers, found, strict=True):
        with tally.stage("run"):
            made = run_within_memory([plan], [picture], [guests], device)[0]
        failpoints.hit("ran")
        with tally.stage("encode"):
            outputs.append(encoded(work.item, variant, plan, made))
        failpoints.hit("encoded")
        if time.perf_counter() - start > item_timeout_s and len(outputs) < len(found):
            raise ItemTimeout(item_timeout_s)
    return Ran(work.item, tuple(outputs))


def isolated(item: Item, attempt: Callable[[], T]) -> T | Failed | Lacking | Died:
    """What `attempt` returns, or why the item failed; what is not the picture's fault is tried twice. Raises DeviceLost."""
    error: BaseException = Internal()
    for _ in range(2):
        try:
            return attempt()
        except DeviceLost:
            raise
        except PartnerUnusable as unusable:
            return Lacking(item, unusable.partner.key)
        except SandboxDied as died:
            return Died(item, died.reason)
        except Broken as broken:
            return Died(item, str(broken), to_blame=False)
        except AugmentationError as known:
            if not known.retryable:
                return Failed(item, known.code, known.message)
            error = known
        except MemoryError as memory:
            error = memory
        except Exception as unknown:
            log.exception("item %s failed", item.id)
            error = unknown
    failure = ResourceExhausted() if _of_memory(error) else Internal()
    return Failed(item, failure.code, failure.message)


def _of_memory(error: BaseException) -> bool:
    """Whether there was too little memory; torch and OpenCV say so of the host in words only."""
    said = str(error)
    return isinstance(error, MemoryError | DeviceOutOfMemory) or "can't allocate memory" in said or "(-4:" in said
