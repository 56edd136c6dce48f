"""No API process ever runs pixels: without a worker a picture waits, with one it is done."""

from __future__ import annotations

import json

from service.settings import Settings
from tests.helpers.http import items, jpeg
from tests.helpers.stack import running


def test_a_picture_waits_for_a_worker(settings: Settings) -> None:
    with running(settings, workers=0) as stack:
        parts = [("request", (None, json.dumps({"recipe": {"steps": [{"op": "invert"}]}}))), ("image", ("a.jpg", jpeg()))]
        answer = stack.client.post("/v1/augment", files=parts, headers={"Prefer": "wait=1"})
        assert answer.status_code == 202
        batch = answer.json()["id"]
        assert answer.headers["location"] == f"/v1/batches/{batch}"
        assert [item["state"] for item in items(stack.client, batch)] == ["queued"]
        assert stack.client.get("/readyz", params={"workers": 1}).status_code == 503
        assert stack.client.get("/readyz").status_code == 200
        stack.add_worker()
        assert stack.batch(batch)["counts"]["succeeded"] == 1
