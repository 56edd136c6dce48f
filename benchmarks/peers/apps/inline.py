"""FastAPI, pictures computed in the event loop, several uvicorn processes.  Takes a port and a number of processes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response

from benchmarks.peers.apps.work import answered, prepare


@asynccontextmanager
async def _prepared(_: FastAPI) -> AsyncIterator[None]:
    prepare()
    yield


app = FastAPI(lifespan=_prepared)


@app.get("/")
async def ready() -> str:
    return "ready"


@app.post("/augment")
async def augment(request: Request) -> Response:
    return Response(answered(await request.body()), media_type="application/octet-stream")


if __name__ == "__main__":
    application = "benchmarks.peers.apps.inline:app"
    uvicorn.run(application, port=int(sys.argv[1]), workers=int(sys.argv[2]), log_level="warning", access_log=False)
