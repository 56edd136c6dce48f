"""Answers of the REST contract, as they are on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from batching.items import Priority
from kernels.recipe import Output as OutputForm
from kernels.recipe import Recipe


class Counts(BaseModel):
    """Pictures of a batch by final state."""

    total: int
    succeeded: int
    failed: int
    cancelled: int


class OutputCounts(BaseModel):
    """Results of a batch: asked for, and made."""

    total: int
    done: int


class BatchLinks(BaseModel):
    """Where to go from a batch."""

    self: str
    items: str
    outputs: str
    events: str
    archive: str


BatchState = Literal["queued", "running", "completed", "cancelled", "expired"]
ItemState = Literal["queued", "leased", "succeeded", "failed", "cancelled"]


class BatchView(BaseModel):
    """One batch."""

    id: UUID
    state: BatchState
    counts: Counts
    outputs: OutputCounts
    recipe_digest: str
    recipe_name: str | None
    """Name and version that the recipe was asked for by, as `strong@3`."""
    seed: int
    variants: int
    priority: Priority
    output: OutputForm
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: BatchLinks


class BatchPage(BaseModel):
    """Batches, newest first."""

    batches: list[BatchView]
    next: str | None


class OutputView(BaseModel):
    """One result, and everything it came from."""

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
    recipe_name: str | None
    draws: list[dict[str, Any]]
    labels: dict[str, Any] | None
    device: str
    engine_version: str
    cached: bool
    """Whether it is a copy of an earlier result of yours, of the same picture, recipe, seed, name and variant."""
    created_at: datetime
    url: str


class ReplayView(BaseModel):
    """A result that was made again, beside what it was."""

    identical: bool
    """Whether the bytes are the same."""
    sha256: str
    original_sha256: str
    engine_version: str
    original_engine_version: str
    device: str
    original_device: str
    changed: list[Literal["sha256", "draws", "labels", "device", "engine_version"]]
    """What differs between the two; within one engine version nothing does."""


class ItemError(BaseModel):
    """Why a picture has no results."""

    code: str
    detail: str


class ItemView(BaseModel):
    """One picture of a batch."""

    id: UUID
    custom_id: str
    state: ItemState
    executions: int
    width: int | None
    height: int | None
    error: ItemError | None
    outputs: list[OutputView]


class ItemPage(BaseModel):
    """Pictures of a batch, in the order they were sent."""

    items: list[ItemView]
    next: str | None


class ImageView(BaseModel):
    """One uploaded picture. Width and height are those it is seen with (EXIF orientation applied)."""

    id: UUID
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    filename: str
    created_at: datetime
    url: str


class ImagePage(BaseModel):
    """Uploaded pictures, newest first."""

    images: list[ImageView]
    next: str | None


class OpSpeed(BaseModel):
    """How fast an operation is, codecs apart: as measured on one machine on photographs of 512 x 512, or an estimate."""

    speed: Literal["fast", "moderate", "slow"] = Field(serialization_alias="class", validation_alias="class")
    ns_a_pixel: float
    """Nanoseconds of CPU for each pixel of the source."""
    by: list[str]
    """Who computes it: compiled kernels, OpenCV or torch."""
    is_estimate: bool
    """Whether it was worked out from what its parts cost, for its usual fields, not measured."""


class OpField(BaseModel):
    """One field of an operation, in words."""

    name: str
    drawn: bool
    """Whether a pair [from, to] gives each picture its own number."""
    takes: str
    unit: str
    default: str
    meaning: str


class OpSteps(BaseModel):
    """Steps to put into a recipe."""

    example: dict[str, Any]
    drawn: dict[str, Any]
    """With its usual fields written out, ranges included."""


class OpView(BaseModel):
    """One operation of the catalogue."""

    model_config = ConfigDict(protected_namespaces=())

    name: str
    section: str
    """The group it is shown in."""
    summary: str
    kind: str
    labels: Literal["follow", "stay", "merged", "inside"]
    """What becomes of labels; merged: with those of the other pictures; inside: as the steps inside say."""
    moves_labels: bool
    speed: OpSpeed
    aliases: dict[str, list[str]]
    """What other libraries call it, by library; their fields may differ."""
    fields: list[OpField]
    fields_schema: dict[str, Any] = Field(serialization_alias="schema", validation_alias="schema")
    examples: list[dict[str, Any]]
    steps: OpSteps
    picture: str
    """Where a small picture of what it does is."""


class OpPage(BaseModel):
    """The catalogue."""

    ops: list[OpView]


class Stage(BaseModel):
    """Steps that are worked off together: one resampling of a geometric chain, pixels in place, or pictures mixed.

    Of containers and policies only the draws say what they are: each is by itself, with all steps in it.
    """

    stage: Literal["resample", "pixels", "mix", "blend", "within", "policy", "container"]
    steps: list[int]
    ops: list[str]


class Cost(BaseModel):
    """Estimated work in pixels: of the source and the results together, and of the results alone."""

    pixels: int
    output_pixels: int
    variants: int


class FusedStage(BaseModel):
    """One trip of a picture's pixels through memory, and the steps that are worked off in it."""

    stage: int
    kind: Literal["rearrange", "sweep", "resample", "weigh", "function", "measure", "mix", "blend", "step"]
    does: str
    steps: list[int]
    ops: list[str]
    backend: Literal["compiled", "OpenCV", "torch", "Kornia"]
    size_in: tuple[int, int]
    size_out: tuple[int, int]
    shrink: tuple[int, int]
    """Columns and rows of the boxes that the source is averaged over first, where the chain shrinks."""
    readings: int
    """How often the source is read for each pixel that comes out, where the chain shrinks last."""
    why_not_fused: str | None
    """Why it is not one with the stage before it."""
    cost_us: float


class StepChance(BaseModel):
    """A step that is not applied to every picture."""

    step: int
    op: str
    chance: float
    says: str


class StepBranch(BaseModel):
    """A container that does not carry out all steps in it, each repetition counted."""

    step: int
    op: str
    inside: list[int]
    """Numbers of the steps in it."""
    says: str


class StepLook(BaseModel):
    """A step that draws by a picture's labels; a recipe is explained without any."""

    step: int
    op: str
    says: str


class SizeRange(BaseModel):
    """Sizes of results, [height, width], over some draws."""

    least: tuple[int, int]
    most: tuple[int, int]


class CostEstimate(BaseModel):
    """Estimated microseconds of CPU a picture, from a table measured on the machine that is named."""

    is_estimate: Literal[True]
    machine: str
    decode_us: float
    pixels_us: float
    encode_us: float
    picture_us: float


class Explanation(BaseModel):
    """How the recipe is run on a CPU with compiled kernels: its stages with every step applied, as one draw has them."""

    size_in: tuple[int, int]
    size_out: SizeRange
    stages: list[FusedStage]
    chances: list[StepChance]
    branches: list[StepBranch]
    looks: list[StepLook]
    cost: CostEstimate


class RecipeReport(BaseModel):
    """A recipe that is right, with every default written out, and how it is run."""

    valid: Literal[True]
    recipe: Recipe
    recipe_digest: str
    stages: list[Stage]
    moves_labels: bool
    size_in: tuple[int, int]
    size_out: tuple[int, int]
    draws: list[dict[str, Any]]
    cost: Cost
    explanation: Explanation


class RecipeVersion(BaseModel):
    """One version of a recipe by name."""

    name: str
    version: int
    """Counts from 1; 0 is a ready recipe, which every installation has."""
    recipe_digest: str
    created_at: datetime | None
    url: str


class StoredRecipe(RecipeVersion):
    """One version of a recipe, whole."""

    recipe: Recipe


class ReadyRecipe(RecipeVersion):
    """A recipe that every installation has."""

    summary: str


class RecipePage(BaseModel):
    """The newest versions of the tenant's recipes by name, and the ready ones."""

    recipes: list[RecipeVersion]
    ready: list[ReadyRecipe]
    next: str | None


class ImportedItem(BaseModel):
    """What became of one item of a pipeline."""

    pointer: str
    """Where it is in the pipeline."""
    name: str
    verdict: Literal["exact", "different", "missing"]
    says: list[str]
    """How it differs, or why it is missing."""
    nearest: list[str]
    """Operations that come close to what is missing."""
    steps: list[str]
    """JSON pointers to what it became, in the recipe."""


class ImportCounts(BaseModel):
    """Items by verdict."""

    exact: int
    different: int
    missing: int


class ImportReport(BaseModel):
    """A pipeline of another library as a recipe, item by item."""

    format: Literal["torchvision", "albumentations", "kornia", "seed"]
    recipe: dict[str, Any]
    recipe_digest: str
    counts: ImportCounts
    items: list[ImportedItem]


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    item: str | None = None
    limit: float | None = None
    pointer: str | None = None
    request_id: str
