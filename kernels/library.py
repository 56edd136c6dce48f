"""augment: the library entry point. Bytes or arrays in, results in order, no server needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import rng
from kernels.codec import decode
from kernels.errors import InputError
from kernels.labels import Labels
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Recipe
from kernels.run import run
from kernels.tensors import Picture, Size

Source = bytes | NDArray[np.uint8] | torch.Tensor
"""A picture file's bytes, or (height, width, 3) uint8 pixels; also (height, width) grey and four channels with alpha."""


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

    A result depends on its picture, recipe, seed, key and variant only. keys: one for each picture, their places
    0, 1, 2, ... if not given. labels: one for each picture (None for none), as documents or `Labels`.
    RecipeInvalid and UnknownOp for a recipe given as a document that is wrong.
    """
    checked = Recipe.parse(recipe)
    keys = range(len(pictures)) if keys is None else keys
    labels = [None] * len(pictures) if labels is None else labels
    if not len(keys) == len(labels) == len(pictures):
        raise ValueError(f"{len(pictures)} pictures, but {len(keys)} keys and {len(labels)} labels")

    def one(place: int) -> list[Augmented]:
        return _variants(pictures[place], checked, seed, keys[place], variants, torch.device(device), labels[place], place)

    allowed = torch.get_num_threads()
    threads = min(allowed, len(pictures)) if device == "cpu" else 1
    if threads <= 1:
        return [output for place in range(len(pictures)) for output in one(place)]
    # whole pictures side by side: each is computed by one thread, so the number of threads changes no result
    try:
        with ThreadPoolExecutor(threads, "augment", initializer=torch.set_num_threads, initargs=(1,)) as pool:
            done = list(pool.map(one, range(len(pictures))))
    finally:
        torch.set_num_threads(allowed)
    return [output for outputs in done for output in outputs]


def _variants(
    source: Source,
    recipe: Recipe,
    seed: int,
    key: int | str,
    variants: int,
    device: torch.device,
    labels: Any,
    place: int,
) -> list[Augmented]:
    try:
        picture = _picture(source, recipe.output.alpha == "keep")
        if labels is not None:
            picture = replace(picture, labels=Labels.parse(labels, picture.size, f"/labels/{place}"))
        planned = _plans(recipe, seed, key, variants, picture.size)
        results = run(planned, [picture] * variants, device)
    except InputError as error:
        return [Augmented(key, variant, None, error=error) for variant in range(variants)]
    return [
        Augmented(key, variant, result.pixels, plan.draws, result.labels)
        for variant, (plan, result) in enumerate(zip(planned, results, strict=True))
    ]


def _plans(recipe: Recipe, seed: int, key: int | str, variants: int, size: Size) -> list[Plan]:
    number = rng.item_key(key)
    return plans(recipe, seed, [Variant(number, variant, size) for variant in range(variants)])


def _picture(source: Source, keep_alpha: bool) -> Picture:
    """Any source as pixels: grey tripled, alpha kept or composited over black. The source itself is not changed."""
    if isinstance(source, bytes | bytearray | memoryview):
        return Picture(torch.from_numpy(decode(bytes(source), alpha="keep" if keep_alpha else "drop")))
    # a copy, because torch warns of arrays that may not be written to, though nothing here would
    pixels = source if isinstance(source, torch.Tensor) else torch.from_numpy(np.array(source, order="C"))
    if pixels.dim() == 2:
        pixels = pixels[:, :, None]
    if pixels.dim() == 3 and pixels.shape[2] == 1:
        pixels = pixels.expand(-1, -1, 3)
    picture = Picture(pixels)
    if pixels.shape[2] == 3 or keep_alpha:
        return picture
    colour, alpha = pixels[:, :, :3].to(torch.int32), pixels[:, :, 3:].to(torch.int32)
    return Picture(torch.div(colour * alpha + 127, 255, rounding_mode="floor").to(torch.uint8))
