"""Recipes by name: a tenant's own versions, and the ready ones that every installation has.

`strong` is the newest version of `strong`, `strong@3` that one. Version 0 of a name is the ready recipe of that name: it
is what `light` means until the tenant has stored a `light` of its own, and what `light@0` always means. A name that was
deleted is as if it had never been, but for its numbers, which go on where they ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from kernels.errors import RecipeInvalid
from kernels.partners import most_partners
from kernels.recipe import Recipe
from service.catalogue.ready import ready
from service.errors import NotFound, ValidationError
from service.ids import new_id
from service.parts import Parts
from service.truth import recipe_queries

MAX_VERSION = 999_999_999
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ASKED = re.compile(rf"({NAME.pattern})(?:@([0-9]{{1,9}}))?")
_NAMES = "a recipe's name has up to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit"


@dataclass(frozen=True)
class Named:
    """One version of a named recipe."""

    name: str
    version: int
    document: Mapping[str, Any]
    digest: str
    created_at: datetime | None
    """None: a ready recipe."""

    @property
    def label(self) -> str:
        """Name and version, as lineage states them."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Chosen:
    """The effective recipe of a request, and the name and version that it was asked for by."""

    recipe: Recipe
    name: str | None = None

    @cached_property
    def mixes(self) -> bool:
        """Whether it may take other pictures."""
        return most_partners(self.recipe) > 0

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The recipe as plain JSON; not to be changed, for later requests of the same share it."""
        return self.recipe.document()


async def choose(parts: Parts, tenant: str, recipe: Any, output: Any) -> Chosen:
    """The recipe of a request, by itself or by name, its `output` replaced where the request has one.

    RecipeInvalid, UnknownOp, NotFound.
    """
    if not isinstance(recipe, str):
        return Chosen(parts.recipes.effective(recipe, output))
    asked = _ASKED.fullmatch(recipe)
    if asked is None:
        raise RecipeInvalid(f"{_NAMES}; `@` and a version may follow", "/recipe")
    try:
        found = await find(parts, tenant, asked[1], int(asked[2]) if asked[2] else None)
    except NotFound as error:
        error.pointer = "/recipe"
        raise
    return Chosen(parts.recipes.effective(found.document, output), found.label)


async def find(parts: Parts, tenant: str, name: str, version: int | None) -> Named:
    """A version of a recipe, the newest where none is named. NotFound."""
    if version != 0 and NAME.fullmatch(name):
        stored = await recipe_queries.find(parts.engine, tenant, name, version)
        if stored is not None:
            return _named(stored)
    found = ready(name) if version in (None, 0) else None
    if found is not None:
        return Named(name, 0, found.recipe.document(), found.recipe.digest, None)
    raise NotFound("recipe" if version is None else "version of the recipe")


async def save(parts: Parts, tenant: str, name: str, recipe: Any) -> tuple[Named, bool]:
    """Keeps a recipe as the next version of `name`, or finds the version of the same content; and whether it is new.

    ValidationError, RecipeInvalid, UnknownOp, NotFound.
    """
    if not NAME.fullmatch(name):
        raise ValidationError(_NAMES, "/name")
    checked = (await choose(parts, tenant, recipe, None)).recipe
    most = parts.settings.max_recipe_versions
    kept = await recipe_queries.keep(parts.engine, tenant, new_id(), name, checked.document(), checked.digest, most)
    if kept is None:
        raise ValidationError(
            f"{most} versions of recipes are kept already; delete a name that is not needed", "/name", most
        )
    stored, new = kept
    return _named(stored), new


async def delete(parts: Parts, tenant: str, name: str) -> None:
    """Deletes all versions of the tenant's recipe. Batches keep the recipe that they were sent with. NotFound."""
    if not NAME.fullmatch(name) or not await recipe_queries.delete(parts.engine, tenant, name):
        raise NotFound("recipe of yours")


async def listed(parts: Parts, tenant: str, after: str, limit: int) -> list[Named]:
    """The newest versions of the tenant's recipes by name, from the one behind `after` on."""
    return [_named(stored) for stored in await recipe_queries.newest(parts.engine, tenant, after, limit)]


def _named(stored: recipe_queries.Stored) -> Named:
    return Named(stored.name, stored.version, stored.recipe, stored.digest, stored.created_at)
