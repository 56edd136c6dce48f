"""What the API says of itself: operations, recipes explained, the OpenAPI document."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx2
import pytest
from PIL import Image

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}


async def test_the_catalogue(api: httpx2.AsyncClient) -> None:
    ops = (await api.get("/v1/ops")).json()["ops"]
    rotate = (await api.get("/v1/ops/rotate")).json()

    assert rotate in ops
    assert rotate["moves_labels"] is True
    assert rotate["schema"]["properties"]["degrees"]["unit"] == "degrees"
    assert rotate["examples"]
    assert (rotate["section"], rotate["labels"], rotate["speed"]["class"]) == ("geometry", "follow", "moderate")
    assert rotate["fields"][0]["unit"] == "degrees"
    assert rotate["steps"]["drawn"] == {"op": "rotate", "degrees": [-15, 15]}


async def test_a_picture_of_an_operation(api: httpx2.AsyncClient) -> None:
    path = (await api.get("/v1/ops/rotate")).json()["picture"]
    shown = await api.get(path)
    again = await api.get(path, headers={"If-None-Match": shown.headers["etag"]})

    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(shown.content)) as strip:
        assert strip.format == "WEBP"
        assert strip.height == 160
    assert (again.status_code, again.content) == (304, b"")
    assert (await api.get("/v1/ops/rotat/picture")).json()["code"] == "not_found"


async def test_a_recipe_is_explained(api: httpx2.AsyncClient) -> None:
    steps = [{"op": "hflip"}, {"op": "rotate", "degrees": 10}, {"op": "solarize"}, {"op": "resize", "size": [100, 200]}]
    report = (
        await api.post("/v1/recipes/validate", json={"recipe": {"steps": steps}, "size": [300, 400], "variants": 4})
    ).json()
    wrong = await api.post("/v1/recipes/validate", json={"recipe": {"steps": [{"op": "rotate", "degrees": "far"}]}})
    stepwise = (
        await api.post("/v1/recipes/validate", json={"recipe": {"steps": steps, "profile": "kornia"}, "size": [300, 400]})
    ).json()

    assert [stage["steps"] for stage in report["stages"]] == [[0, 1], [2], [3]]
    assert [stage["steps"] for stage in stepwise["stages"]] == [[0], [1], [2], [3]]
    assert stepwise["recipe"]["profile"] == "kornia"
    assert stepwise["recipe_digest"] != report["recipe_digest"]
    assert (report["size_in"], report["size_out"]) == ([300, 400], [100, 200])
    assert report["cost"] == {"pixels": 300 * 400 + 4 * 100 * 200, "output_pixels": 4 * 100 * 200, "variants": 4}
    stages = report["explanation"]["stages"]
    assert [stage["steps"] for stage in stages] == [[0, 1, 2], [3], []]
    assert stages[1]["why_not_fused"].startswith("a chain that shrinks, or moves whole pixels, after steps on pixels")
    assert report["explanation"]["cost"]["is_estimate"] is True
    assert (wrong.status_code, wrong.json()["pointer"]) == (422, "/recipe/steps/0/degrees")


async def test_a_tree_of_steps_is_explained(api: httpx2.AsyncClient) -> None:
    inside = [{"op": "rotate"}, {"op": "sequence", "steps": [{"op": "vflip", "chance": 0.5}, {"op": "solarize"}]}]
    branches = {"op": "one_of", "steps": inside, "weights": [1, 3]}
    steps = [{"op": "hflip"}, branches, {"op": "rand_augment"}, {"op": "aug_mix"}]
    answer = await api.post("/v1/recipes/validate", json={"recipe": {"steps": steps}, "size": [60, 80]})
    report = answer.json()
    wrong = {"op": "one_of", "steps": [{"op": "hflip"}, {"op": "repeat", "steps": [{"op": "rotate", "degrees": "far"}]}]}
    refused = await api.post("/v1/recipes/validate", json={"recipe": {"steps": [wrong]}})
    listed = {op["name"]: op for op in (await api.get("/v1/ops")).json()["ops"]}

    assert answer.status_code == 200, answer.text
    assert [(stage["stage"], stage["steps"]) for stage in report["stages"]] == [
        ("resample", [0]),
        ("container", [1, 2, 3, 4, 5]),
        ("policy", [6]),
        ("blend", [7]),
    ]
    assert report["moves_labels"] is True
    assert report["recipe"]["steps"][1]["weights"] == [1.0, 3.0]
    assert report["recipe"]["steps"][1]["steps"][1]["steps"][0] == {"op": "vflip", "chance": 0.5}
    assert [each["step"] for each in report["draws"]] == list(range(8))
    assert report["draws"][1]["taken"] in ([2], [3])
    assert len(report["draws"][7]["strands"]) == 4
    (branch,) = report["explanation"]["branches"]
    assert (branch["step"], branch["inside"], branch["says"]) == (1, [2, 3], "carries out 1 of the 2 steps in it")
    assert report["explanation"]["chances"][0]["step"] == 4
    assert report["explanation"]["stages"][-1]["kind"] in ("blend", "sweep")
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/recipe/steps/0/steps/1/steps/0/degrees")
    assert [listed[name]["kind"] for name in ("one_of", "rand_augment", "aug_mix")] == ["container", "policy", "blend"]
    assert listed["repeat"]["schema"]["required"] == ["steps"]


async def test_the_openapi_document_leads_into_containers(api: httpx2.AsyncClient) -> None:
    models = (await api.get("/openapi.json")).json()["components"]["schemas"]
    step = {"$ref": "#/components/schemas/Step"}
    assert models["Recipe"]["properties"]["steps"]["items"] == step
    (one_of,) = [form for form in models["Step"]["oneOf"] if form["properties"]["op"]["const"] == "one_of"]
    assert one_of["properties"]["steps"]["items"] == step


async def test_the_openapi_document_names_what_is_served(api: httpx2.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()

    paths = {path for path in document["paths"] if path.startswith("/v1")}
    assert "/v1/batches/{batch_id}/archive" in paths
    assert set(document["paths"]["/v1/augment"]["post"]["requestBody"]["content"]) >= {
        "multipart/form-data",
        "application/json",
    }
    text = json.dumps(document)
    for reference in set(text.split('"#/components/schemas/')[1:]):
        assert reference.partition('"')[0] in document["components"]["schemas"]
    assert "HTTPValidationError" not in text
    for model in document["components"]["schemas"].values():
        for field in model.get("properties", {}).values():
            if "default" in field and field["default"] is None:  # a default that its own schema refuses is no OpenAPI
                assert {"type": "null"} in field["anyOf"]
    answers = document["paths"]["/v1/augment"]["post"]["responses"]
    assert set(answers["200"]["headers"]) == {
        "X-Batch-Id",
        "X-Seed",
        "X-Output-Id",
        "ETag",
        "Content-Location",
        "Cache-Status",
    }
    assert set(answers["202"]["headers"]) == {"Location", "Retry-After"}
    for kind in ("images/{image_id}", "outputs/{output_id}"):
        assert set(document["paths"][f"/v1/{kind}/content"]["get"]["responses"]["200"]["content"]) == {"image/*"}
