"""Submitting through the API: what is accepted, what is refused and how, and that it is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from service.app import create_app
from service.settings import Settings
from tests.helpers.api import jpeg, running_api

RECIPE = {"steps": [{"op": "solarize"}]}


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with running_api(create_app(settings)) as client:
        yield client


async def test_one_picture_as_multipart_is_accepted(api: httpx2.AsyncClient) -> None:
    answer = await api.post(
        "/v1/augment",
        files={
            "request": (None, json.dumps({"recipe": RECIPE}), "application/json"),
            "image": ("cat.jpg", jpeg(), "image/jpeg"),
        },
    )

    assert answer.status_code == 202, answer.text
    view = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{view['id']}"
    assert (await api.get(answer.headers["location"])).json() == view
    [item] = (await api.get(view["links"]["items"])).json()["items"]
    assert item["custom_id"] == "cat.jpg"
