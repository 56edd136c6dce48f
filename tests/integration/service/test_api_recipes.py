"""Recipes by name: versions that never change, ready recipes, lineage; and pipelines of other libraries over REST."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from kernels.corruptions import corrupted
from kernels.recipe import Recipe
from service.app import create_app
from service.catalogue.ready import READY
from service.ids import new_id
from service.parts import Parts
from service.settings import Settings
from service.truth import recipe_queries
from tests.helpers.api import jpeg, running_api

pytestmark = pytest.mark.asyncio(loop_scope="module")

TURN: dict[str, Any] = {"steps": [{"op": "rotate", "degrees": [-5, 5]}]}
BLUR: dict[str, Any] = {"steps": [{"op": "gaussian_blur"}], "output": {"format": "png"}}


async def save(api: httpx2.AsyncClient, name: str, recipe: Any) -> httpx2.Response:
    return await api.post("/v1/recipes", json={"name": name, "recipe": recipe})


def form(request: Any) -> list[tuple[str, Any]]:
    return [("request", (None, json.dumps(request))), ("images", ("cat.jpg", jpeg()))]


async def submitted(api: httpx2.AsyncClient, recipe: Any, **fields: Any) -> dict[str, Any]:
    answer = await api.post("/v1/batches", files=form({"recipe": recipe, **fields}))
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def test_versions_count_and_never_change(api: httpx2.AsyncClient) -> None:
    first, second = await save(api, "mine", TURN), await save(api, "mine", BLUR)

    assert (first.status_code, second.status_code) == (201, 201)
    assert [answer.json()["version"] for answer in (first, second)] == [1, 2]
    assert first.headers["location"] == first.json()["url"] == "/v1/recipes/mine?version=1"
    assert first.json()["recipe_digest"] == Recipe.parse(TURN).digest
    assert (await api.get(first.headers["location"])).json() == first.json()
    assert (await api.get("/v1/recipes/mine")).json() == second.json()
    assert Recipe.parse(first.json()["recipe"]) == Recipe.parse(TURN)


async def test_the_same_content_is_the_same_version(api: httpx2.AsyncClient) -> None:
    first = await save(api, "same", TURN)
    await save(api, "same", BLUR)
    again = await save(api, "same", {"steps": [{"op": "rotate", "degrees": [-5.0, 5.0], "chance": 1}], "profile": "fused"})

    assert (again.status_code, again.json()) == (200, first.json())
    assert (await api.get("/v1/recipes/same")).json()["version"] == 2


async def test_at_one_moment_every_content_becomes_one_version(api: httpx2.AsyncClient) -> None:
    contents = [{"steps": [{"op": "rotate", "degrees": degrees}]} for degrees in (1, 2, 3, 4)]
    answers = await asyncio.gather(*(save(api, "race", content) for content in contents * 3))

    assert sorted(answer.status_code for answer in answers) == [200] * 8 + [201] * 4
    versions = {answer.json()["recipe_digest"]: answer.json()["version"] for answer in answers}
    assert sorted(versions.values()) == [1, 2, 3, 4]
    assert {(a.json()["recipe_digest"], a.json()["version"]) for a in answers} == set(versions.items())


async def test_a_name_stands_for_its_newest_version(api: httpx2.AsyncClient) -> None:
    await save(api, "named", TURN)
    one = await submitted(api, "named")
    await save(api, "named", BLUR)
    two, old = await submitted(api, "named"), await submitted(api, "named@1")
    other = await submitted(api, "named@1", output={"format": "webp"})

    assert [batch["recipe_name"] for batch in (one, two, old, other)] == ["named@1", "named@2", "named@1", "named@1"]
    assert one["recipe_digest"] == old["recipe_digest"] == Recipe.parse(TURN).digest
    assert two["recipe_digest"] == Recipe.parse(BLUR).digest
    assert (other["output"]["format"], other["recipe_digest"] == one["recipe_digest"]) == ("webp", False)
    assert (await submitted(api, TURN))["recipe_name"] is None
    assert (await api.get(f"/v1/batches/{two['id']}")).json()["recipe_name"] == "named@2"


async def test_a_repeated_submit_is_the_same_whatever_its_name_means_now(api: httpx2.AsyncClient) -> None:
    await save(api, "moving", TURN)
    request, key = form({"recipe": "moving", "seed": 1}), {"Idempotency-Key": "moving-1"}
    first = await api.post("/v1/batches", files=request, headers=key)
    await save(api, "moving", BLUR)
    again = await api.post("/v1/batches", files=request, headers=key)

    assert again.json()["id"] == first.json()["id"]
    assert again.json()["recipe_name"] == "moving@1"


async def test_one_picture_by_name(api: httpx2.AsyncClient) -> None:
    await save(api, "single", TURN)
    raw = await api.post("/v1/augment", params={"recipe": "single@1", "seed": "3"}, content=jpeg())
    checked = await api.post("/v1/recipes/validate", json={"recipe": "single"})

    assert (raw.status_code, raw.json()["recipe_name"]) == (202, "single@1")
    assert checked.json()["recipe_digest"] == raw.json()["recipe_digest"]


async def test_ready_recipes_are_version_0(api: httpx2.AsyncClient) -> None:
    ready = await submitted(api, "medium")
    own = await save(api, "medium", TURN)
    mine, theirs = await submitted(api, "medium"), await submitted(api, "medium@0")

    assert ready["recipe_name"] == theirs["recipe_name"] == "medium@0"
    assert ready["recipe_digest"] == theirs["recipe_digest"] == READY["medium"].recipe.digest
    assert (own.json()["version"], mine["recipe_name"]) == (1, "medium@1")
    shown = (await api.get("/v1/recipes/light")).json()
    assert (shown["version"], shown["created_at"]) == (0, None)
    assert Recipe.parse(shown["recipe"]) == READY["light"].recipe
    assert Recipe.parse((await api.get("/v1/recipes/corruption-fog-3")).json()["recipe"]) == corrupted("fog", 3)
    assert (await api.get("/v1/recipes/corruption-fog-6")).status_code == 404


async def test_the_list_is_paged_by_name(api: httpx2.AsyncClient) -> None:
    for name in ("list-b", "list-a", "list-C"):
        await save(api, name, TURN)
    await save(api, "list-b", BLUR)
    names, cursor, ready = [], None, None
    while True:
        page = (await api.get("/v1/recipes", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        names += [(one["name"], one["version"]) for one in page["recipes"] if one["name"].startswith("list-")]
        ready, cursor = page["ready"], page["next"]
        if cursor is None:
            break

    assert names == [("list-C", 1), ("list-a", 1), ("list-b", 2)]
    assert [one["name"] for one in ready] == list(READY)
    assert all(one["summary"] and one["version"] == 0 for one in ready)


async def test_what_is_not_there(api: httpx2.AsyncClient, app: FastAPI) -> None:
    parts: Parts = app.state.parts
    recipe = Recipe.parse(TURN)
    await recipe_queries.keep(parts.engine, "another", new_id(), "theirs", recipe.document(), recipe.digest, 1)
    await save(api, "here", TURN)

    for path in ("theirs", "theirs?version=1", "here?version=2", "here?version=0", "no%00pe", "nope", "light?version=1"):
        assert (await api.get(f"/v1/recipes/{path}")).status_code == 404, path
    for name in ("theirs", "theirs@1", "here@2", "here@0", "nope"):
        answer = await api.post("/v1/batches", files=form({"recipe": name}))
        assert (answer.status_code, answer.json()["code"], answer.json()["pointer"]) == (404, "not_found", "/recipe")
    assert (await save(api, "theirs", BLUR)).json()["version"] == 1


async def test_a_deleted_recipe_is_gone_but_for_its_numbers_and_what_was_made_with_it(api: httpx2.AsyncClient) -> None:
    await save(api, "gone", TURN)
    await save(api, "gone", BLUR)
    batch = await submitted(api, "gone@1")

    assert (await api.delete("/v1/recipes/gone")).status_code == 204
    assert (await api.delete("/v1/recipes/gone")).status_code == 404
    for path in ("gone", "gone?version=1", "gone?version=2"):
        assert (await api.get(f"/v1/recipes/{path}")).status_code == 404
    assert "gone" not in [one["name"] for one in (await api.get("/v1/recipes")).json()["recipes"]]
    assert (await api.post("/v1/batches", files=form({"recipe": "gone"}))).json()["pointer"] == "/recipe"
    kept = (await api.get(f"/v1/batches/{batch['id']}")).json()
    assert (kept["recipe_name"], kept["recipe_digest"]) == ("gone@1", Recipe.parse(TURN).digest)
    # the same content again is a version of its own: what the old numbers meant they mean nowhere else
    again, other = await save(api, "gone", TURN), await save(api, "gone", BLUR)
    assert [(one.status_code, one.json()["version"]) for one in (again, other)] == [(201, 3), (201, 4)]
    assert (await api.delete("/v1/recipes/gone")).status_code == 204
    assert (await save(api, "gone", TURN)).json()["version"] == 5


async def test_only_one_s_own_recipes_can_be_deleted(api: httpx2.AsyncClient, app: FastAPI) -> None:
    parts: Parts = app.state.parts
    recipe = Recipe.parse(TURN)
    await recipe_queries.keep(parts.engine, "another", new_id(), "private", recipe.document(), recipe.digest, 99)
    await save(api, "strong", TURN)

    for name in ("private", "light", "never", "no%00pe"):
        answer = await api.delete(f"/v1/recipes/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), name
    assert await recipe_queries.find(parts.engine, "another", "private", 1) is not None
    assert (await api.delete("/v1/recipes/strong")).status_code == 204
    assert (await submitted(api, "strong"))["recipe_name"] == "strong@0", "the ready recipe of that name"


async def test_a_tenant_keeps_only_so_many_versions(shared_settings: Settings) -> None:
    async with running_api(create_app(shared_settings.model_copy(update={"max_recipe_versions": 1}))) as few:
        for one in (await few.get("/v1/recipes", params={"limit": 1000})).json()["recipes"]:
            await few.delete(f"/v1/recipes/{one['name']}")
        assert (await save(few, "first", TURN)).status_code == 201
        for name in ("first", "second"):
            refused = await save(few, name, BLUR)
            assert (refused.status_code, refused.json()["code"]) == (422, "validation_error")
            assert (refused.json()["pointer"], refused.json()["limit"]) == ("/name", 1)
            assert "1 versions of recipes are kept already; delete" in refused.json()["detail"]
        assert (await save(few, "first", TURN)).status_code == 200, "what is there already is found"
        await few.delete("/v1/recipes/first")
        assert (await save(few, "second", BLUR)).status_code == 201


@pytest.mark.parametrize("name", ["", "@1", "a@", "a@x", "a@-1", "a b", "é", "a@1@2", "../a", "a" * 65, "a@9999999999"])
async def test_names_that_are_none(api: httpx2.AsyncClient, name: str) -> None:
    answer = await api.post("/v1/batches", files=form({"recipe": name}))
    assert (answer.status_code, answer.json()["code"], answer.json()["pointer"]) == (422, "recipe_invalid", "/recipe")
    stored = await save(api, name, TURN)
    assert (stored.status_code, stored.json()["pointer"]) == (422, "/name")


async def test_a_wrong_recipe_is_not_kept(api: httpx2.AsyncClient) -> None:
    answer = await save(api, "wrong", {"steps": [{"op": "RandomRotation", "p": 1}]})
    assert (answer.status_code, answer.json()["code"], answer.json()["pointer"]) == (
        422,
        "unknown_op",
        "/recipe/steps/0/op",
    )
    assert "called rotate here" in answer.json()["detail"]
    assert (await api.get("/v1/recipes/wrong")).status_code == 404


async def test_another_library_s_name_of_an_operation(api: httpx2.AsyncClient) -> None:
    found = await api.get("/v1/ops/HorizontalFlip")
    assert (found.status_code, found.json()["name"]) == (200, "hflip")
    assert found.json()["aliases"]["imgaug"] == ["Fliplr"]
    assert found.json() == (await api.get("/v1/ops/hflip")).json()
    assert (await api.get("/v1/ops/NoSuchFlip")).status_code == 404


async def test_a_pipeline_is_imported(api: httpx2.AsyncClient) -> None:
    pipeline = ["RandomHorizontalFlip", {"RandomRotation": {"degrees": 10}}, {"Normalize": {"mean": [0.5], "std": [0.5]}}]
    answer = await api.post("/v1/recipes/import", json={"pipeline": pipeline, "format": "torchvision"})

    report = answer.json()
    assert answer.status_code == 200, answer.text
    assert report["recipe"] == {"steps": [{"op": "hflip", "chance": 0.5}, {"op": "rotate", "degrees": [-10.0, 10.0]}]}
    assert report["counts"] == {"exact": 1, "different": 1, "missing": 1}
    assert [item["steps"] for item in report["items"]] == [["/steps/0"], ["/steps/1"], []]
    assert (await save(api, "imported", report["recipe"])).json()["recipe_digest"] == report["recipe_digest"]


@pytest.mark.parametrize(
    ("pipeline", "pointer"),
    [
        ('[{"RandomRotation": {"degrees": NaN}}]', "/pipeline/0/RandomRotation/degrees"),
        ('[{"RandomRotation": {"degrees": "far"}}]', "/pipeline/0/RandomRotation/degrees"),
        ("[" + '"RandomInvert",' * 5000 + '"RandomInvert"]', "/pipeline"),
        ('{"Compose": {"transforms": [' * 12 + "]}}" * 12, "/pipeline" + "/Compose/transforms/0" * 8),
        ("17", "/pipeline"),
    ],
    ids=["NaN", "text", "long", "deep", "number"],
)
async def test_a_pipeline_that_is_none(api: httpx2.AsyncClient, pipeline: str, pointer: str) -> None:
    body = f'{{"format": "torchvision", "pipeline": {pipeline}}}'
    answer = await api.post("/v1/recipes/import", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe_invalid"), answer.text
    assert answer.json()["pointer"] == pointer
