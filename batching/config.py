"""WorkerConfig: what a worker process is told. `service` fills it from its settings."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal

from batching.items import Budget
from kernels.codec import Limits
from kernels.codec.gpu import GpuCodecs


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker process is told."""

    redis_url: str
    name: str = ""
    """Unique among live workers; empty: made of host, process number and chance."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0
    """Engine threads; 0: one for each core this process may use."""
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)
    """Limits of source pictures."""
    codecs: GpuCodecs = field(default_factory=GpuCodecs)
    """What a GPU decodes."""
    max_output_pixels: int = 200_000_000
    """Most output pixels of one item, all variants."""
    lease_s: float = 30.0
    """Life of a lease; renewed every fifth of it, and not trusted for its last fifth."""
    slice_s: float = 60.0
    """How long one RQ job serves before it enqueues itself again."""
    linger_s: float = 2.0
    """How long a job waits on empty lanes before it ends."""
    drain_s: float = 20.0
    """How long what is begun may take to finish once the worker is told to leave."""
    item_timeout_s: float = 60.0
    """Longest time for one item, looked at between variants; a worker whose item goes on well beyond it leaves."""
    sandbox: Literal["suspects", "always"] = "suspects"
    """Which pictures are decoded in the sandbox: those that a worker died with, which are run there whole, or all."""
    sandbox_bytes: int = 4 * 2**30
    """Memory that one picture may take in the sandbox."""
    kept_sandbox: int | None = None
    """Socket to the sandbox's program that is kept for all workers of this machine; None: this one starts its own."""
    max_crashes: int = 3
    """Deaths in the sandbox after which a picture is given up."""
    beats: int | None = None
    """A descriptor that the heartbeat writes a byte to, for the one who watches over this process."""
    failpoints: str = ""
    """Faults planted on purpose, as `batching.failpoints` reads them."""

    @property
    def engine_threads(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
