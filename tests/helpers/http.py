"""Speaking to the service as a program of any language would: plain HTTP, nothing of ours imported."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2
import numpy as np
from PIL import Image

Json = dict[str, Any]


def jpeg(height: int = 96, width: int = 128, seed: int = 0) -> bytes:
    """A JPEG with smooth shapes and some noise, another for each seed."""
    return _encoded(height, width, seed, "JPEG", quality=90)


def png(height: int = 96, width: int = 128, seed: int = 0) -> bytes:
    """A PNG, another for each seed."""
    return _encoded(height, width, seed, "PNG")


def _encoded(height: int, width: int, seed: int, form: str, **options: Any) -> bytes:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(rows / (5 + 9 * random.random()) + columns / (5 + 9 * random.random()) + random.random()) for _ in range(3)
    ]
    pixels = 128 + 90 * np.stack(waves, axis=-1) + random.normal(0, 4, (height, width, 3))
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, form, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture file's pixels."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def submit(client: httpx2.Client, pictures: Mapping[str, bytes], steps: Sequence[Json], **fields: Any) -> Json:
    """The view of a new batch."""
    answer = client.post("/v1/batches", files=batch_parts(pictures, {"recipe": {"steps": list(steps)}, **fields}))
    assert answer.status_code == 202, answer.text
    view: Json = answer.json()
    return view


def batch_parts(pictures: Mapping[str, bytes], request: Json) -> list[tuple[str, tuple[str | None, bytes | str]]]:
    """The parts of a multipart batch: the request first, then the pictures."""
    parts: list[tuple[str, tuple[str | None, bytes | str]]] = [("request", (None, json.dumps(request)))]
    return parts + [("images", (name, content)) for name, content in pictures.items()]


def items(client: httpx2.Client, batch_id: str, **query: str) -> list[Json]:
    """All items of a batch, page by page."""
    found: list[Json] = []
    cursor: str | None = None
    while True:
        answer = client.get(f"/v1/batches/{batch_id}/items", params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


def outputs(client: httpx2.Client, batch_id: str) -> list[Json]:
    """All outputs of a batch."""
    answer = client.get(f"/v1/batches/{batch_id}/outputs")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def archive(client: httpx2.Client, batch_id: str) -> dict[str, bytes]:
    """The files of a batch's zip."""
    answer = client.get(f"/v1/batches/{batch_id}/archive", params={"format": "zip"})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def events(client: httpx2.Client, batch_id: str, last_id: str | None = None) -> Iterator[tuple[str, str, Json]]:
    """Server-Sent Events of a batch as (event, id, document), until the stream ends."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
    with client.stream("GET", f"/v1/batches/{batch_id}/events", headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif fields:
                yield fields.get("event", "message"), fields.get("id", ""), json.loads(fields.get("data", "null"))
                fields = {}
