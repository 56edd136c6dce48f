"""What the client hands to its callers: batches, items and outputs as the service describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

FINAL_STATES = frozenset({"completed", "cancelled", "expired"})


class View(BaseModel):
    """Parent of the views: frozen; fields that a newer service adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Counts(View):
    """Pictures of a batch by final state."""

    total: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def final(self) -> int:
        return self.succeeded + self.failed + self.cancelled


class OutputCounts(View):
    """Variants of a batch: how many are asked for and how many are made."""

    total: int
    done: int = 0


class Batch(View):
    """One batch: its state and counts."""

    id: UUID
    state: str
    counts: Counts
    outputs: OutputCounts
    recipe_digest: str
    recipe_name: str | None = None
    seed: int
    variants: int
    priority: str
    output: Mapping[str, JsonValue] = {}
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether nothing of it will change any more, unless failed pictures are retried."""
        return self.state in FINAL_STATES


class Output(View):
    """One variant's result and everything it came from."""

    id: UUID
    item_id: UUID
    custom_id: str
    variant: int
    width: int
    height: int
    bytes: int
    sha256: str
    format: str
    seed: int
    recipe_digest: str
    recipe_name: str | None = None
    draws: Sequence[JsonValue] = ()
    labels: JsonValue = None
    device: str
    engine_version: str
    cached: bool = False
    """Whether it is a copy of an earlier result of the same picture, recipe, seed, name and variant."""
    created_at: datetime | None = None
    url: str = ""


class Replay(View):
    """A result that was made again, beside what it was."""

    identical: bool
    sha256: str
    original_sha256: str
    engine_version: str
    original_engine_version: str
    device: str = ""
    original_device: str = ""
    changed: Sequence[str] = ()
    """What differs between the two."""


class ItemFailure(View):
    """Why a picture failed: a code of the REST contract, and what to do about it."""

    code: str
    detail: str = ""


class Item(View):
    """One picture of a batch."""

    id: UUID
    custom_id: str
    state: Literal["queued", "leased", "succeeded", "failed", "cancelled"]
    executions: int = 0
    width: int | None = None
    height: int | None = None
    error: ItemFailure | None = None
    outputs: Sequence[Output] = ()


class Image(View):
    """One uploaded picture."""

    id: UUID
    sha256: str
    format: str
    width: int
    height: int


class RecipeVersion(View):
    """One version of a recipe by name."""

    name: str
    version: int
    recipe_digest: str
    created_at: datetime | None = None


class StoredRecipe(RecipeVersion):
    """One version of a recipe, whole."""

    recipe: Mapping[str, JsonValue]
