"""Whether this process lives, whether it can accept pictures, and its numbers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic_core import to_json

from batching.errors import StorageFull
from batching.lanes import LANES_DOWN
from kernels.errors import AugmentationError
from service.auth import observer_of
from service.metrics import CONTENT_TYPE, queue_metrics, repair_metrics, worker_metrics
from service.parts import Parts
from service.routes.documented import described
from service.routes.shared import PartsOf
from service.truth import fleet, queries

router = APIRouter(tags=["health"])

CHECK_S = 2.0
"""A part that has not answered by then counts as down."""
FRESH_S = 1.0
DYING, FULL = "dying", "full"
"""What the checks `fleet` and `store` say then."""


@router.get("/livez", response_class=Response, responses=described({200: "It lives."}))
async def livez() -> Response:
    """Answers while the event loop turns; asks nobody else."""
    return _json({"status": "alive"})


@router.get("/readyz", response_class=Response, responses=described({200: "Ready.", 503: "Not ready."}))
async def readyz(request: Request, parts: PartsOf, workers: Annotated[int, Query(ge=0, le=1)] = 0) -> Response:
    """Whether pictures are accepted: PostgreSQL and the store can be written, and workers do not die one after the other.

    The store is `full` where less room is left than is kept for what was accepted.
    Without Redis, or with one that takes nothing more, the status is `degraded`, and pictures are accepted all the same.
    With `workers=1` it also takes a live worker, and the answer lists them.
    """
    report = await _checked(request, parts)
    ready = report["checks"]["database"] == report["checks"]["store"] == "ok" and report["checks"]["fleet"] != DYING
    status = "ready" if ready and report["checks"]["redis"] == "ok" else "degraded" if ready else "unavailable"
    body: dict[str, Any] = {"status": status, "checks": report["checks"]}
    if workers:
        body["workers"] = report["workers"]
        if not report["workers"]:
            ready, body["status"] = False, "unavailable"
    return _json(body, 200 if ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    dependencies=[Depends(observer_of)],
    responses={200: {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(parts: PartsOf) -> Response:
    """Prometheus metrics: queue depths, micro-batch sizes, stage times, outcomes, requests."""
    handed_off = await _or_empty(parts.lanes.depths)
    unfinished = await _or_empty(lambda: queries.unfinished(parts.engine))
    workers = await _or_empty(parts.lanes.workers)
    text = parts.metrics.exposition(
        queue_metrics({str(key): value for key, value in handed_off.items()}, unfinished),
        worker_metrics(workers.values()),
        repair_metrics(await _or_empty(lambda: parts.lanes.recall("reconciler"))),
    )
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


async def _checked(request: Request, parts: Parts) -> dict[str, Any]:
    """The last report, or a new one where that is older than a second: probes must not become a load."""
    state = request.app.state
    async with state.readiness_lock:
        made_at_s, report = getattr(state, "readiness", (0.0, None))
        if report is None or time.monotonic() - made_at_s > FRESH_S:
            report = await _report(parts)
            state.readiness = time.monotonic(), report
    return dict(report)


async def _report(parts: Parts) -> dict[str, Any]:
    workers: list[dict[str, str]] = []

    async def redis() -> None:
        facts = await parts.lanes.workers()
        workers.extend({"name": name, **_shown(fields)} for name, fields in sorted(facts.items()))
        await parts.lanes.takes_more()

    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "database": lambda: queries.writable(parts.engine),
        "fleet": lambda: _dying(parts),
        "store": parts.store.ready,
        "redis": redis,
    }
    results = await asyncio.gather(*(_ok(check) for check in checks.values()))
    return {"checks": dict(zip(checks, results, strict=True)), "workers": workers}


def _shown(facts: dict[str, str]) -> dict[str, str]:
    return {name: facts[name] for name in ("device", "engine_version", "state") if name in facts}


class _Dying(Exception):
    """Workers die one after the other."""


async def _dying(parts: Parts) -> None:
    if await fleet.dying(parts.engine):
        raise _Dying


async def _ok(check: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            await check()
    except _Dying:
        return DYING
    except StorageFull:
        return FULL
    except TimeoutError:
        return "slow"
    except (AugmentationError, *LANES_DOWN):
        return "down"
    return "ok"


async def _or_empty(read: Callable[[], Awaitable[dict[Any, Any]]]) -> dict[Any, Any]:
    """What `read` says, or nothing where that part is down: the other numbers are still worth showing."""
    found: dict[Any, Any] = {}
    try:
        async with asyncio.timeout(CHECK_S):
            found = await read()
    except (TimeoutError, AugmentationError, *LANES_DOWN):
        pass
    return found


def _json(document: Any, status: int = 200) -> Response:
    return Response(to_json(document), status, media_type="application/json", headers={"Cache-Control": "no-store"})
