"""What is fetched by address is metered as what it turned out to be, and refused where there is no quota for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from batching.errors import ResourceExhausted
from batching.items import Item
from service.app import create_app
from service.references.pin import References
from service.settings import Settings
from service.store import open_store
from service.truth.database import AsyncEngine, statement
from service.truth.ledger import SqlLedger
from tests.helpers.api import jpeg, running_api
from tests.helpers.file_server import Page, Site, served
from tests.helpers.rows import one

SMALL, LARGE = jpeg(64, 48), jpeg(1600, 1200)
ESTIMATE = 2 * 2**20
"""Of a picture that is to be fetched, and of its one result."""
USED = "SELECT pictures, pixels, bytes_stored AS bytes FROM usage_days WHERE tenant = 'default'"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served({"/small.jpg": Page(SMALL), "/large.jpg": Page(LARGE)}) as started:
        yield started


@pytest.fixture
def fetching(settings: Settings, site: Site) -> Settings:
    ours = {"url_sources": True, "url_ports": (site.port,), "url_networks": (ip_network("127.0.0.1/32"),)}
    return settings.model_copy(update=ours)


async def leased(settings: Settings, engine: AsyncEngine, addresses: Sequence[str]) -> Sequence[Item]:
    """Items of a new batch of these addresses, leased by a worker that is to fetch them."""
    async with running_api(create_app(settings)) as api:
        images = [{"url": url, "custom_id": str(place)} for place, url in enumerate(addresses)]
        answer = await api.post("/v1/batches", json={"recipe": {"steps": [{"op": "hflip"}]}, "images": images})
        assert answer.status_code == 202, answer.text
    values = {"id": answer.json()["id"]}
    found = await statement(engine, "SELECT id FROM items WHERE batch_id = :id ORDER BY position", values)
    by_id = {item.id: item for item in await SqlLedger(engine, 60.0).lease([row["id"] for row in found], "w")}
    return [by_id[row["id"]] for row in found]


def references(settings: Settings, engine: AsyncEngine, **limits: Any) -> References:
    return References(engine, open_store(settings), settings.model_copy(update=limits))


def stored_files(settings: Settings) -> int:
    return sum(path.is_file() for path in Path(settings.store_url.removeprefix("file://")).rglob("*"))


@pytest.mark.parametrize(("path", "pixels"), [("/small.jpg", 2 * 64 * 48), ("/large.jpg", 2 * 1600 * 1200)])
async def test_the_day_has_what_the_picture_costs(
    fetching: Settings, engine: AsyncEngine, site: Site, path: str, pixels: int
) -> None:
    [item] = await leased(fetching, engine, [site.url(path)])
    assert await one(engine, USED) == {"pictures": 1, "pixels": ESTIMATE, "bytes": 0}
    pins = references(fetching, engine)
    for _ in range(2):  # again changes nothing
        await pins.pin(item)
        assert await one(engine, USED) == {"pictures": 1, "pixels": pixels, "bytes": len(site.pages[path].content)}
    assert await one(engine, "SELECT cost_pixels FROM items") == {"cost_pixels": pixels}


async def test_what_yesterday_was_charged_too_much_is_not_taken_off_today(
    fetching: Settings, engine: AsyncEngine, site: Site
) -> None:
    small, large = await leased(fetching, engine, [site.url("/small.jpg"), site.url("/large.jpg")])
    await statement(engine, "UPDATE items SET created_at = created_at - interval '1 day'", {})
    await statement(engine, "UPDATE usage_days SET day = day - 1", {})
    pins = references(fetching, engine)
    await pins.pin(small)
    assert (await one(engine, f"{USED} ORDER BY day DESC LIMIT 1"))["pixels"] == 0
    await pins.pin(large)
    assert (await one(engine, f"{USED} ORDER BY day DESC LIMIT 1"))["pixels"] == 2 * 1600 * 1200 - ESTIMATE


async def test_pixels_that_the_day_has_not_left(fetching: Settings, engine: AsyncEngine, site: Site) -> None:
    large, small = await leased(fetching, engine, [site.url("/large.jpg"), site.url("/small.jpg")])
    pins = references(fetching, engine, max_pixels_per_day=2 * ESTIMATE)
    with pytest.raises(ResourceExhausted, match="pixels were submitted today"):
        await pins.pin(large)
    assert stored_files(fetching) == 0
    await pins.pin(small)
    assert (await one(engine, USED))["pixels"] == ESTIMATE + 2 * 64 * 48
    await pins.pin(large)  # now there is room


async def test_bytes_that_there_is_no_room_for(fetching: Settings, engine: AsyncEngine, site: Site) -> None:
    """Of those that are fetched at the same time no more are kept than fit."""
    items = await leased(fetching, engine, [site.url("/small.jpg")] * 6)
    pins = references(fetching, engine, max_stored_bytes=2 * len(SMALL) + 1)
    results = await asyncio.gather(*(pins.pin(item) for item in items), return_exceptions=True)
    assert sum(result is None for result in results) == 2
    assert all(isinstance(result, ResourceExhausted) for result in results if result is not None)
    assert (await one(engine, USED))["bytes"] == 2 * len(SMALL)


async def test_limits_of_the_tenants_own_hold(fetching: Settings, engine: AsyncEngine, site: Site) -> None:
    [item] = await leased(fetching, engine, [site.url("/small.jpg")])
    await statement(engine, """UPDATE tenants SET limits = '{"max_stored_bytes": 9}' WHERE name = 'default'""", {})
    with pytest.raises(ResourceExhausted, match="bytes are stored"):
        await references(fetching, engine).pin(item)
