"""Replays in this process: the engine of the workers on the pictures of a folder, without a service."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from kernels import codec
from kernels.errors import AugmentationError, RecipeInvalid, UnknownOp
from kernels.labels import Labels
from kernels.partners import Partner, Pool
from kernels.plan import Variant, plans
from kernels.recipe import Recipe
from kernels.rng import item_key
from kernels.run import run
from kernels.tensors import Picture
from kernels.version import engine_version
from service.expansion.labelled import labels_of
from service.expansion.recipe_file import RecipeFileInvalid, load_recipe
from service.expansion.sidecars import NO_SIDECARS, Labelling
from service.expansion.walk import Found, walk
from service.replaying.lines import Line, ManifestInvalid, Verdict, brief


class Folder:
    """The pictures of a folder by custom id, with the label files that belong to them."""

    def __init__(self, folder: Path, labelling: Labelling) -> None:
        """Reads which files there are; nothing of what is in them."""
        self._folder, self._labelling = folder, labelling
        nowhere = folder / ".augment"
        self._found = {one.custom_id: one for one in walk(folder, nowhere, labelling) if isinstance(one, Found)}

    def has_labels(self, custom_id: str) -> bool:
        """Whether label files belong to a picture."""
        found = self._found.get(custom_id)
        return found is not None and found.sidecars != NO_SIDECARS

    def picture(self, custom_id: str, alpha: str, labelled: bool) -> Picture:
        """A picture's pixels, and its labels where they are wanted. Missing, InputError, OSError."""
        found = self._found.get(custom_id)
        if found is None:
            raise Missing(f"{custom_id} is not in {self._folder}")
        path = self._folder / found.relative
        pixels = codec.decode(path.read_bytes(), alpha="keep" if alpha == "keep" else "drop")
        picture = Picture(pixels)
        if not labelled:
            return picture
        document = labels_of(found.sidecars, path, self._labelling.text)
        return picture if document is None else Picture(pixels, Labels.parse(document, picture.size, "/labels"))


class Missing(Exception):
    """What a result was made of is not there."""


class Recipes:
    """The recipes of lines: their own, or the one of a file where they carry none. Each is parsed once."""

    def __init__(self, file: Path | None) -> None:
        """ManifestInvalid where the file is no recipe."""
        self._known: dict[str, Recipe] = {}
        if file is not None:
            try:
                recipe = load_recipe(file)
            except RecipeFileInvalid as error:
                raise ManifestInvalid(str(error)) from None
            self._known[recipe.digest] = recipe

    def of(self, line: Line) -> Recipe:
        """The recipe that made a line's result. ManifestInvalid: it is not known."""
        known = self._known.get(line.recipe_digest)
        if known is None:
            if line.recipe is None:
                raise ManifestInvalid(
                    f"{line.custom_id}, {line.variant} carries no recipe, and none was given of its digest"
                    f" {line.recipe_digest[:12]}...: give the recipe, output included, with --recipe"
                )
            try:
                known = self._known[line.recipe_digest] = Recipe.parse(line.recipe)
            except (RecipeInvalid, UnknownOp) as error:
                raise ManifestInvalid(
                    f"{line.custom_id}, {line.variant}: its recipe is none any more: {error.message}"
                ) from None
        return known


def replay_here(folder: Folder, line: Line, recipe: Recipe) -> Verdict:
    """One result made again on this machine's CPU, and compared."""
    try:
        content, draws, labels = _made(folder, line, recipe)
    except (Missing, OSError) as error:
        return Verdict(line.custom_id, line.variant, "gone", {}, str(error))
    except AugmentationError as error:
        return Verdict(line.custom_id, line.variant, "failed", {}, f"{error.code}: {error.message}")
    sha256 = hashlib.sha256(content).hexdigest()
    pairs: dict[str, tuple[object, object]] = {
        "sha256": (line.sha256, sha256),
        "draws": (list(line.draws), draws),
        "labels": (_without_mask(line.labels), _without_mask(labels)),
        "device": (line.device, "cpu"),
        "engine_version": (line.engine_version, engine_version("cpu")),
    }
    changed = {name: (brief(was), brief(now)) for name, (was, now) in pairs.items() if was != now}
    return Verdict(line.custom_id, line.variant, "identical" if sha256 == line.sha256 else "different", changed)


def _made(folder: Folder, line: Line, recipe: Recipe) -> tuple[bytes, list[Any], Any]:
    """The result's file, its draws and its labels as a manifest has them.

    The pool is what the line says was taken: leaving out those that were not chosen changes no choice.
    """
    labelled = line.labels is not None
    picture = folder.picture(line.custom_id, recipe.output.alpha, labelled)
    names = {item_key(name): name for name in (line.custom_id, *partners_of(line.draws))}
    if labelled and not any(map(folder.has_labels, names.values())):
        raise Missing(f"there are no label files of {line.custom_id}")

    def find(partner: Partner) -> Picture:
        return folder.picture(names[partner.key], recipe.output.alpha, labelled)

    [plan] = plans(recipe, line.seed, [Variant(item_key(line.custom_id), line.variant, picture.size)], Pool(names.values()))
    [result] = run([plan], [picture], torch.device("cpu"), [find])
    labels = None if result.labels is None else result.labels.document()
    draws = json.loads(json.dumps(plan.draws))
    return codec.encode(result.levels, recipe.output), draws, json.loads(json.dumps(labels))


def _without_mask(labels: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Labels less the mask, which `augment expand` writes to a file of its own."""
    return labels if labels is None else {name: value for name, value in labels.items() if name != "mask"}


def partners_of(draws: object) -> Iterator[str]:
    """Custom ids of all partners that draws name, at whatever depth."""
    if isinstance(draws, Mapping):
        for name, value in draws.items():
            if name == "partners" and isinstance(value, list):
                yield from (partner["custom_id"] for partner in value)
            else:
                yield from partners_of(value)
    elif isinstance(draws, list | tuple):
        for value in draws:
            yield from partners_of(value)
