"""Workers that are not as others: what one does before all else, to be given as `before`."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

log = logging.getLogger(__name__)
TENANTS, MIXED_UP = "items of {} tenants run together", "two items have each other's pictures"
"""What the altered engines say."""


def clock(step_s: float) -> None:
    """Its clock is so far ahead."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + step_s
    time.time_ns = lambda: now_ns() + round(step_s * 1e9)


def release(version: str) -> None:
    """It is of another release: results say so."""
    from batching import life

    life.engine_version = lambda *_: version  # type: ignore[assignment]  # a name that `life` has imported


def stages(mixes_up: bool = False) -> None:
    """It runs micro-batches in stages on the CPU, as workers do on a GPU; mixes_up: two of each get the other's results."""
    from batching import worker
    from batching.engine import Engine, EngineConfig

    class Staged(Engine):
        def __init__(self, config: EngineConfig, *more: Any) -> None:
            super().__init__(replace(config, layout="stages"), *more)

        def _run_group(self, group: Sequence[Any]) -> list[Any]:
            tenants = {prepared.task.item.tenant for prepared in group}
            log.warning(TENANTS.format(len(tenants)))
            computed = super()._run_group(group)
            if mixes_up and len(computed) > 1:
                first, second = computed[:2]
                log.warning(MIXED_UP)
                computed[:2] = replace(first, pictures=second.pictures), replace(second, pictures=first.pictures)
            return computed

    worker.run_worker = partial(worker.run_worker, make_engine=Staged)
