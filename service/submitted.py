"""What follows a commit: the new items go to their lanes, in the order they were accepted."""

from __future__ import annotations

from collections.abc import Sequence

from batching.items import LaneKey
from batching.items import Waiting as Entry
from service.handoff import HandOff
from service.submissions import NewBatch


async def hand_off_all(handing: HandOff, channel: str, group: Sequence[NewBatch]) -> Sequence[None]:
    """Hands off the items of a group of committed batches, each telling `channel` when it is final. Never raises."""
    lanes: dict[LaneKey, list[Entry]] = {}
    for batch in group:
        entries = lanes.setdefault(LaneKey(batch.priority, batch.tenant), [])
        entries += [Entry(item.id, item.cost_pixels, channel) for item in batch.items if item.error_code is None]
    await handing.hand_off(lanes)
    return [None] * len(group)
