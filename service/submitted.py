"""What follows a commit: items that wait go to their lanes, in the order they were accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from batching.items import LaneKey, Priority
from batching.items import Waiting as Entry
from service.handoff import HandOff


@dataclass(frozen=True)
class Fresh:
    """Items of one tenant that have just begun to wait: id and cost in pixels."""

    tenant: str
    items: tuple[tuple[UUID, int], ...]
    epoch: str | None = None
    """The epoch that their rows were written as handed off to."""


async def hand_off_all(handing: HandOff, priority: Priority, channel: str, group: Sequence[Fresh]) -> Sequence[None]:
    """Hands off items that were committed, each telling `channel` when it is final. Never raises."""
    lanes: dict[LaneKey, list[Entry]] = {}
    stamped: dict[UUID, str] = {}
    for fresh in group:
        entries = lanes.setdefault(LaneKey(priority, fresh.tenant), [])
        entries += [Entry(item_id, cost_pixels, channel) for item_id, cost_pixels in fresh.items]
        if fresh.epoch is not None:
            stamped |= {item_id: fresh.epoch for item_id, _ in fresh.items}
    await handing.hand_off(lanes, stamped)
    return [None] * len(group)
