"""augment: the library entry point. Bytes or arrays in, results in order, no server needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import rng
from kernels.codec import Limits, decode
from kernels.codec.limits import check_size
from kernels.errors import InputError, UnsupportedFormat
from kernels.inverses import Inverse, inverse
from kernels.labels import Labels
from kernels.partners import Partner, Partners, PartnerUnusable, Pool, most_partners
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Recipe
from kernels.run import run
from kernels.tensors import Picture

Source = bytes | NDArray[np.uint8] | torch.Tensor
"""A picture file's bytes, or (height, width, 3) uint8 pixels; also (height, width) grey and four channels with alpha."""
_LIMITS = Limits()
_PIXELS = "bytes of files and arrays of (height, width) or (height, width, 1, 3 or 4) uint8"


@dataclass(frozen=True)
class Augmented:
    """One variant of one picture: `image`, or the `error` that its picture has."""

    key: int | str
    variant: int
    image: torch.Tensor | None
    """(height, width, 3) uint8 on the CPU; (height, width, 4) where the recipe's output keeps alpha."""
    draws: tuple[Mapping[str, Any], ...] = ()
    """Each step's drawn numbers, as plain JSON."""
    labels: Labels | None = None
    error: InputError | None = None
    plan: Plan | None = None
    """All that happened to it."""

    def inverse(self) -> Inverse:
        """The way back to the picture's pixels. ValueError where there is none: see `kernels.inverses`."""
        if self.plan is None:
            raise ValueError("a picture that could not be read has no way back")
        return inverse(self.plan)


def augment(
    pictures: Sequence[Source],
    recipe: Recipe | Mapping[str, Any],
    seed: int,
    keys: Sequence[int | str] | None = None,
    variants: int = 1,
    device: str = "cpu",
    labels: Sequence[Any] | None = None,
) -> list[Augmented]:
    """Results in order: picture 0 variant 0, picture 0 variant 1, ...; a bad picture gives results with an `error`.

    A result depends on its picture and labels, recipe, seed, key and variant only; where the recipe mixes pictures, on
    those that it takes of this call too. keys: one for each picture, their places 0, 1, 2, ... if not given; no two alike
    where the recipe mixes. labels: one for each picture (None for none), as documents or `Labels`.
    RecipeInvalid and UnknownOp for a recipe given as a document that is wrong; ValueError for a key, a number of variants
    or a device that cannot be, TypeError for a key that is neither text nor a whole number.
    """
    checked = Recipe.parse(recipe)
    if variants < 1:
        raise ValueError(f"there is at least 1 variant of a picture, not {variants}")
    where = _device(device)
    keys = range(len(pictures)) if keys is None else keys
    labels = [None] * len(pictures) if labels is None else labels
    if not len(keys) == len(labels) == len(pictures):
        raise ValueError(f"{len(pictures)} pictures, but {len(keys)} keys and {len(labels)} labels")
    for key in keys:
        rng.item_key(key)

    keep_alpha = checked.output.alpha == "keep"

    def read(place: int) -> Picture:
        picture = _picture(pictures[place], keep_alpha)
        if labels[place] is None:
            return picture
        return Picture(picture.pixels, Labels.parse(labels[place], picture.size, f"/labels/{place}"))

    pool, find = _pool(checked, keys, read)

    def one(place: int) -> list[Augmented]:
        return _variants(lambda: read(place), checked, seed, keys[place], variants, where, pool, find)

    allowed = torch.get_num_threads()
    threads = min(allowed, len(pictures)) if where.type == "cpu" else 1
    if threads <= 1:
        return [output for place in range(len(pictures)) for output in one(place)]
    # whole pictures side by side: each is computed by one thread, so the number of threads changes no result
    try:
        with ThreadPoolExecutor(threads, "augment", initializer=torch.set_num_threads, initargs=(1,)) as workers:
            done = list(workers.map(one, range(len(pictures))))
    finally:
        torch.set_num_threads(allowed)
    return [output for outputs in done for output in outputs]


def _device(name: str) -> torch.device:
    """The device of that name. ValueError where it is not here."""
    device = torch.device(name)
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"a device is cpu or cuda, not {name}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"there is no device {name}: torch finds {torch.cuda.device_count()} GPUs here")
    return device


def _pool(recipe: Recipe, keys: Sequence[int | str], read: Callable[[int], Picture]) -> tuple[Pool, Partners]:
    """The pictures of a call as partners, and where they are found; empty where the recipe mixes nothing."""
    mixes = most_partners(recipe) > 0
    places = {rng.item_key(key): place for place, key in enumerate(keys)} if mixes else {}

    def find(partner: Partner) -> Picture:
        try:
            return read(places[partner.key])
        except InputError as error:
            raise PartnerUnusable(partner, error) from error

    return Pool(keys if mixes else ()), find


def _variants(
    read: Callable[[], Picture],
    recipe: Recipe,
    seed: int,
    key: int | str,
    variants: int,
    device: torch.device,
    pool: Pool,
    find: Partners,
) -> list[Augmented]:
    try:
        picture = read()
        planned, results = _run(recipe, seed, key, variants, picture, device, pool, find)
    except InputError as error:
        return [Augmented(key, variant, None, error=error) for variant in range(variants)]
    return [
        Augmented(key, variant, result.pixels, plan.draws, result.labels, plan=plan)
        for variant, (plan, result) in enumerate(zip(planned, results, strict=True))
    ]


def _run(
    recipe: Recipe,
    seed: int,
    key: int | str,
    variants: int,
    picture: Picture,
    device: torch.device,
    pool: Pool,
    find: Partners,
) -> tuple[list[Plan], list[Picture]]:
    """Plans and results of a picture's variants. A partner that cannot be read is passed over for the next in rank."""
    wanted = [Variant(rng.item_key(key), variant, picture.size, picture.labels, str(key)) for variant in range(variants)]
    while True:
        try:
            planned = plans(recipe, seed, wanted, pool, find)
            return planned, run(planned, [picture] * variants, device, [find] * variants)
        except PartnerUnusable as error:
            pool = pool.without(error.partner.key)


def _picture(source: Source, keep_alpha: bool) -> Picture:
    """Any source as pixels: grey tripled, alpha kept or composited over black. The source itself is not changed."""
    if isinstance(source, bytes | bytearray | memoryview):
        return Picture(decode(bytes(source), alpha="keep" if keep_alpha else "drop"))
    channels = _checked(source)
    # a copy, because torch warns of arrays that may not be written to, though nothing here would
    pixels = source if isinstance(source, torch.Tensor) else torch.from_numpy(np.array(source, order="C"))
    if channels == 1:
        pixels = pixels.reshape(*pixels.shape[:2], 1).expand(-1, -1, 3)
    if channels < 4 or keep_alpha:
        return Picture(pixels)
    colour, alpha = pixels[:, :, :3].to(torch.int32), pixels[:, :, 3:].to(torch.int32)
    return Picture(torch.div(colour * alpha + 127, 255, rounding_mode="floor").to(torch.uint8))


def _checked(source: object) -> int:
    """How many channels an array or a tensor has. Looked at before it is copied: it may be anything, of any size.

    UnsupportedFormat, ImageDimensions, ImageTooManyPixels.
    """
    if not isinstance(source, torch.Tensor):
        if not (hasattr(source, "__array__") or hasattr(source, "__array_interface__")):
            raise UnsupportedFormat(f"a {type(source).__name__}", _PIXELS)
        source = np.asarray(source)
    shape, kind = tuple(source.shape), str(source.dtype).removeprefix("torch.")
    channels = shape[2] if len(shape) == 3 else 1
    if kind != "uint8" or len(shape) not in (2, 3) or channels not in (1, 3, 4):
        raise UnsupportedFormat(f"an array of {shape} {kind}", _PIXELS)
    check_size(shape[1], shape[0], _LIMITS)
    return channels
