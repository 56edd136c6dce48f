"""The API in this process, and small pictures to send it."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import numpy as np
import structlog
from fastapi import FastAPI
from PIL import Image


@asynccontextmanager
async def running_api(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the app, which runs in the test's own loop and logs plainly."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer(["event"])])
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield client


def picture(width: int = 32, height: int = 24, seed: int = 0, form: str = "JPEG") -> bytes:
    """A small picture of smooth colours with its own content for each seed, as a file."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    out = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(out, form)
    return out.getvalue()


def jpeg(width: int = 32, height: int = 24, seed: int = 0) -> bytes:
    """A small JPEG."""
    return picture(width, height, seed)


def form(request: Any, *pictures: tuple[str, bytes], field: str = "images") -> list[tuple[str, Any]]:
    """A multipart body: the request first."""
    content = request if isinstance(request, bytes) else json.dumps(request)
    return [("request", (None, content)), *((field, one) for one in pictures)]


async def custom_ids(api: httpx2.AsyncClient, answer: httpx2.Response) -> list[str]:
    """The ids that the pictures of an accepted batch have."""
    assert answer.status_code == 202, answer.text
    return [item["custom_id"] for item in (await api.get(answer.json()["links"]["items"])).json()["items"]]
