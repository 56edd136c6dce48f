"""The records that flow from a lane to a result. All are whole and frozen; a change is a new record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from kernels.recipe import Recipe  # imports torch, which a process that only moves ids does without

Priority = Literal["interactive", "bulk"]
PRIORITIES: tuple[Priority, ...] = ("interactive", "bulk")
"""In the order they are served."""

Bell = Literal["interactive", "bulk", "newcomer"]
"""What a worker waits for: an item of a priority, or the first bulk item of a tenant who had none waiting."""


class LaneKey(NamedTuple):
    """Who waits together: one tenant's items of one priority."""

    priority: Priority
    tenant: str


@dataclass(frozen=True)
class Waiting:
    """What a lane holds of an item: its id, its estimated cost, and the channel that wants to know when it is final."""

    item_id: UUID
    cost_pixels: int
    channel: str = ""


@dataclass(frozen=True)
class Taken:
    """One entry of a micro-batch, with what is needed to settle it in its lane."""

    lane: LaneKey
    entry_id: str
    item_id: UUID
    cost_pixels: int
    channel: str
    waited_s: float = 0.0
    """In its lane, by the clock of Redis."""


@dataclass(frozen=True)
class MicroBatch:
    """Entries taken together, from any lanes, within the budget."""

    entries: tuple[Taken, ...]

    @property
    def cost_pixels(self) -> int:
        return sum(entry.cost_pixels for entry in self.entries)


@dataclass(frozen=True)
class Budget:
    """How much one micro-batch may hold, and how much may be in flight."""

    cost_pixels: int = 24_000_000
    """Estimated pixels of work in one micro-batch."""
    items: int = 64
    """Entries in one micro-batch."""
    interactive_share: float = 0.8
    """Most of a micro-batch that interactive work may take while bulk work waits."""
    tenant_share: float = 0.5
    """Most of a micro-batch that one tenant's interactive work may take while anything else waits."""


@dataclass(frozen=True)
class Item:
    """One leased picture with everything its run depends on."""

    id: UUID
    batch_id: UUID
    tenant: str
    priority: Priority
    day: str
    """Day its batch was made, YYYY-MM-DD (UTC): part of every object key."""
    token: int
    """The lease's fencing token: only its holder may write a result."""
    source_key: str
    """Object key of the picture's bytes."""
    source_sha256: str
    name: str
    """Its custom id: what the key is made of, and what says which sequence it is of."""
    key: int
    """64-bit item key of the draws."""
    seed: int
    variants: int
    recipe: Recipe
    labels: Mapping[str, Any] | None
    """Labels of the source picture in the shape of the REST contract."""
    cost_pixels: int
    executions: int
    source_url: str = ""
    """Address of a picture that is not among the stored ones yet; empty otherwise."""
    first_variant: int = 0
    """Number of the first of its variants; above 0 where one variant is made again."""
    company_of: UUID | None = None
    """The batch whose pictures it may take as partners, where that is not its own."""
    use_cache: bool = False
    """Whether earlier results of the same causes may answer for it."""
    suspect: bool = False
    """Whether a worker died while it held the item: it is run alone, in the sandbox."""
    crashes: int = 0
    """Deaths of processes that ran it alone, that of the run under way included where it is charged."""
    charged: bool = False
    """Whether the run under way is charged already: a suspect's is, before it begins, so that none can loop."""

    @property
    def numbers(self) -> range:
        """Numbers of the variants that are made of it."""
        return range(self.first_variant, self.first_variant + self.variants)

    @property
    def company(self) -> UUID:
        """The batch that its partners are in."""
        return self.company_of or self.batch_id

    @property
    def attempt(self) -> tuple[UUID, int]:
        """Tells this run of the item from every other: one worker may have two, where the first has lost its lease."""
        return self.id, self.token


@dataclass(frozen=True)
class Encoded:
    """One variant's result as bytes, not yet stored."""

    variant: int
    content: bytes
    sha256: str
    width: int
    height: int
    format: str
    draws: tuple[Mapping[str, Any], ...]
    labels: Mapping[str, Any] | None


@dataclass(frozen=True)
class Stored:
    """One variant's result, stored: what the ledger writes of it."""

    variant: int
    object_key: str
    bytes: int
    sha256: str
    width: int
    height: int
    format: str
    draws: tuple[Mapping[str, Any], ...]
    labels: Mapping[str, Any] | None


@dataclass(frozen=True)
class Done:
    """An item whose every variant is stored."""

    item: Item
    outputs: tuple[Stored, ...]
    device: str
    engine_version: str
    cached: bool = False
    """Whether they are copies of earlier results of the same causes."""


@dataclass(frozen=True)
class Failed:
    """An item that ended with an error and no outputs."""

    item: Item
    code: str
    detail: str


Outcome = Done | Failed
