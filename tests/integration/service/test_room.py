"""Room that is kept on a disk: with less, nothing more is accepted, by whatever way it would come in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batching.errors import StorageFull
from service.app import create_app
from service.room import check_room
from service.settings import Settings
from service.truth.database import AsyncEngine, statement
from service.truth.ledger import SqlLedger
from service.uploads.unpack import Spool
from tests.helpers.api import jpeg, running_api
from tests.helpers.archives import tar_of
from tests.helpers.rows import make_done, make_failed

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}
REQUEST = ("request", (None, json.dumps({"recipe": RECIPE})))
ENDLESS = 2**60
"""Bytes that no disk has left."""


@asynccontextmanager
async def reserving(settings: Settings, disk_reserve_bytes: int) -> AsyncIterator[httpx2.AsyncClient]:
    async with running_api(create_app(settings.model_copy(update={"disk_reserve_bytes": disk_reserve_bytes}))) as api:
        yield api


def parts(*seeds: int, field: str = "images") -> list[tuple[str, Any]]:
    return [REQUEST, *((field, (f"{seed}.jpg", jpeg(seed=seed))) for seed in seeds)]


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def test_with_no_more_than_the_reserve_nothing_is_accepted(settings: Settings, engine: AsyncEngine) -> None:
    async with reserving(settings, 0) as api:
        image = (await api.post("/v1/images", content=jpeg(seed=1))).json()["id"]
        batch = (await api.post("/v1/batches", files=parts(1, 2))).json()["id"]
    ledger = SqlLedger(engine, 30.0)
    ids = [row["id"] for row in await statement(engine, "SELECT id FROM items ORDER BY position", {})]
    done, failed = await ledger.lease(ids, "w")
    await ledger.finish([make_done(done), make_failed(failed)])
    [output] = await statement(engine, "SELECT id FROM outputs", {})
    store = Path(settings.store_url.removeprefix("file://"))
    before = files(store)
    archive = [REQUEST, ("archive", ("a.tar", tar_of({"a.jpg": jpeg(seed=3)})))]
    by_id = {"recipe": RECIPE, "images": [{"image_id": image}]}
    async with reserving(settings, ENDLESS) as api:
        for answer in (
            await api.post("/v1/augment", files=parts(3, field="image")),
            await api.post("/v1/batches", files=parts(3, 4)),
            await api.post("/v1/batches", files=archive),
            await api.post("/v1/batches", json=by_id),
            await api.post("/v1/images", content=jpeg(seed=3)),
            await api.post(f"/v1/batches/{batch}/retry"),
            await api.post(f"/v1/outputs/{output['id']}/replay"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (507, "storage_full"), answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert "nothing was accepted" in answer.json()["detail"]
        assert files(store) == before
        ready = await api.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["store"]) == (503, "full")
        assert (await api.post("/v1/images", content=jpeg(seed=1))).status_code == 200  # what is there needs no room
        assert (await api.get(f"/v1/batches/{batch}")).status_code == 200
        assert (await api.delete(f"/v1/batches/{batch}")).status_code == 204
    async with reserving(settings, 1) as api:
        assert (await api.post("/v1/batches", json=by_id)).status_code == 202


async def test_an_archive_is_spooled_only_while_there_is_room(settings: Settings, tmp_path: Path) -> None:
    for reserve_bytes, fits in ((0, True), (1, True), (ENDLESS, False)):
        changed = settings.model_copy(update={"data": tmp_path, "disk_reserve_bytes": reserve_bytes})
        async with Spool(changed) as spool:
            await spool.write(b"x")
            if fits:
                await spool.flush()
            else:
                with pytest.raises(StorageFull, match=f"{ENDLESS} are kept"):
                    await spool.flush()
            assert spool.file.tell() == int(fits)


async def test_what_was_stored_of_a_refused_batch_is_removed(settings: Settings) -> None:
    store = Path(settings.store_url.removeprefix("file://"))
    async with reserving(settings, 0) as api:
        twice = [REQUEST, *(("images", ("a.jpg", jpeg(seed=seed))) for seed in range(3))]
        refused = await api.post("/v1/batches", files=twice)
        assert (refused.status_code, refused.json()["code"]) == (422, "duplicate_custom_id")
        assert files(store) == set()
        assert (await api.post("/v1/batches", files=parts(0, 1, 2))).status_code == 202
        assert len(files(store)) == 3


def test_room_that_is_not_known_is_enough(tmp_path: Path) -> None:
    check_room(tmp_path / "missing", ENDLESS)
    check_room(Path("/proc"), ENDLESS)
    with pytest.raises(StorageFull, match=r"the object store is full: [0-9]+ bytes are left"):
        check_room(tmp_path, ENDLESS)
