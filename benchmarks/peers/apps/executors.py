"""FastAPI, one uvicorn process, pictures computed by an executor.  Takes a port, `threads` or `processes`, and how many."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import uvicorn
from fastapi import FastAPI, Request, Response

from benchmarks.peers.apps.work import answered, prepare


def main(port: int, kind: str, workers: int) -> None:
    """Serves until it is told to stop."""
    with _executor(kind, workers) as executor:
        uvicorn.run(_app(executor), port=port, log_level="warning", access_log=False)


def _executor(kind: str, workers: int) -> Executor:
    if kind == "threads":
        prepare()
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=prepare)


def _app(executor: Executor) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def ready() -> str:
        return "ready"

    @app.post("/augment")
    async def augment(request: Request) -> Response:
        results = await asyncio.get_running_loop().run_in_executor(executor, answered, await request.body())
        return Response(results, media_type="application/octet-stream")

    return app


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
