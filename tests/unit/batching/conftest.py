"""What several tests of the worker use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from batching import failpoints
from batching.engine import Engine, EngineConfig
from batching.execute import Decode, decoder
from batching.items import Budget
from batching.telemetry import Tally
from kernels.codec import Limits
from kernels.errors import DeviceLost
from tests.helpers.engines import Layout, Started


@pytest.fixture
def start() -> Iterator[Started]:
    """Starts engines, and ends them after the test."""
    engines: list[Engine] = []

    def started(
        layout: Layout = "whole",
        decode: Decode | None = None,
        threads: int = 2,
        lost: Callable[[DeviceLost], None] | None = None,
        tally: Tally | None = None,
        item_timeout_s: float = 60.0,
        max_output_pixels: int = 10**6,
    ) -> Engine:
        config = EngineConfig(
            layout=layout,
            threads=threads,
            budget=Budget(cost_pixels=20_000),
            item_timeout_s=item_timeout_s,
            max_output_pixels=max_output_pixels,
        )
        engine = Engine(config, decode or decoder(Limits()), tally or Tally(), lost or (lambda error: None))
        engines.append(engine)
        return engine

    yield started
    failpoints.arm({})
    for engine in engines:
        assert engine.close()
