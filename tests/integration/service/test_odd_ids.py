"""Ids that nobody made: whatever UUID a path names, it is as good as one that is not there."""

from __future__ import annotations

from uuid import UUID

import pytest

from service.app import create_app
from service.settings import Settings
from service.truth.partitions import EVERYTHING, bounds_of
from tests.helpers.api import running_api

_METHODS = ("get", "put", "post", "patch", "delete")


@pytest.mark.parametrize("identity", [EVERYTHING["low"], EVERYTHING["high"]], ids=["zeros", "ones"])
async def test_every_route_with_an_id_of_either_end(settings: Settings, identity: UUID) -> None:
    app = create_app(settings.model_copy(update={"seed_api": True}))
    walked = set()
    async with running_api(app) as api:
        user = {"X-External-User-ID": "ann"}
        await api.post("/users-api/sign-up", headers=user)
        for path, methods in app.openapi()["paths"].items():
            if "_id}" not in path:
                continue
            names = [part[1:-1] for part in path.split("/") if part.endswith("_id}")]
            asked = path.format_map(dict.fromkeys(names, identity))
            for method in sorted(set(_METHODS) & set(methods)):
                body = {"json": {"arguments": {"processing": "invert"}}} if method == "post" else {}
                answer = await api.request(method, asked, headers=user, **body)
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path)
                walked.add(path)
    assert {"/v1/outputs/{output_id}/replay", "/v1/outputs/{output_id}/content"} <= walked
    assert {"/image-api/processed-image/{image_id}/", "/v1/keys/{key_id}", "/v1/batches/{batch_id}/items"} <= walked


def test_bounds_of_the_last_ids_end_with_the_last() -> None:
    last = EVERYTHING["high"]
    assert bounds_of(last) == {"low": UUID(int=(last.int >> 80) << 80), "high": last}
    assert bounds_of(EVERYTHING["low"])["low"] == EVERYTHING["low"]
