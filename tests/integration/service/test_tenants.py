"""Every route, walked without credentials, with too few rights, and as the wrong tenant."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.routing import Route

from service.accounts.roles import ROLES, Role
from service.app import create_app
from service.ids import new_id
from service.settings import Settings
from service.truth.database import make_engine
from service.truth.ledger import SqlLedger
from tests.helpers.accounts import bearing, make_keys
from tests.helpers.api import jpeg, running_api
from tests.helpers.rows import make_done

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}
SECRET = "walk:" + "w" * 40

OPEN_TO_ALL = {"livez", "readyz", "openapi", "swagger_ui_html", "swagger_ui_redirect", "redoc_html"}
"""What shows nothing of anybody."""
OF_THE_SEED = {
    "healthcheck",
    "sign_up",
    "sign_in",
    "delete_user",
    "upload",
    "augment_upload",
    "unprocessed_image",
    "processed_image",
}
"""Their identity is a header that a gateway sets: tests/integration/service/test_seed_api.py."""
LEAST: dict[str, Role] = {
    "augment": "submit",
    "create_batch": "submit",
    "list_batches": "read",
    "view_batch": "read",
    "list_items": "read",
    "list_outputs": "read",
    "follow_batch": "read",
    "read_archive": "read",
    "cancel_batch": "submit",
    "retry_batch": "submit",
    "remove_batch": "submit",
    "upload_image": "submit",
    "list_images": "read",
    "view_image": "read",
    "read_image": "read",
    "remove_image": "submit",
    "view_output": "read",
    "read_output": "read",
    "remove_output": "submit",
    "replay_output": "submit",
    "save_recipe": "submit",
    "list_recipes": "read",
    "view_recipe": "read",
    "delete_recipe": "submit",
    "import_recipe": "read",
    "validate": "read",
    "list_ops": "read",
    "view_op": "read",
    "picture_op": "read",
    "issue_key": "admin",
    "list_keys": "admin",
    "revoke_key": "admin",
    "issue_token": "metrics",
    "list_changes": "admin",
    "read_usage": "admin",
    "create_tenant": "operator",
    "list_tenants": "operator",
    "change_tenant": "operator",
    "metrics": "metrics",
}
"""The least role that may use a route."""
OWNED = ("batch_id", "image_id", "output_id", "key_id")


@dataclass(frozen=True)
class World:
    """A service that demands keys, two tenants, and what the first one has."""

    app: FastAPI
    api: httpx2.AsyncClient
    keys: dict[str, dict[Role, str]]
    owned: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shared_settings: Settings) -> AsyncIterator[World]:
    guarded = Settings(**{**shared_settings.model_dump(), "host": "0.0.0.0", "require_auth": True, "token_keys": SECRET})
    keys = {tenant: await make_keys(guarded.database_url, tenant) for tenant in ("acme", "other")}
    app = create_app(guarded)
    async with running_api(app) as api:
        mine = bearing(keys["acme"]["admin"])
        image = await api.post("/v1/images", content=jpeg(seed=1), headers=mine)
        batch = await api.post("/v1/batches", files=form({"recipe": RECIPE, "group": "mine"}, seed=2), headers=mine)
        recipe = await api.post("/v1/recipes", json={"name": "mine", "recipe": RECIPE}, headers=mine)
        key = await api.post("/v1/keys", json={"name": "spare"}, headers=mine)
        assert [answer.status_code for answer in (image, batch, recipe, key)] == [201, 202, 201, 201]
        owned = {"image_id": image.json()["id"], "batch_id": batch.json()["id"], "key_id": key.json()["id"]}
        owned["output_id"] = await made_output(guarded, api, owned["batch_id"], mine)
        yield World(app, api, keys, owned)


async def made_output(settings: Settings, api: httpx2.AsyncClient, batch_id: str, mine: dict[str, str]) -> str:
    """The id of a result, written as a worker writes it."""
    items = (await api.get(f"/v1/batches/{batch_id}/items", headers=mine)).json()["items"]
    engine = make_engine(settings.database_url, pool_size=1)
    ledger = SqlLedger(engine, 30.0)
    await ledger.finish([make_done(item) for item in await ledger.lease([items[0]["id"]], "a test")])
    await engine.dispose()
    outputs = await api.get(f"/v1/batches/{batch_id}/outputs", headers=mine)
    identity: str = json.loads(outputs.text.splitlines()[0])["id"]
    return identity


def form(request: Any, seed: int) -> list[tuple[str, Any]]:
    return [("request", (None, json.dumps(request))), ("images", (f"{seed}.jpg", jpeg(seed=seed)))]


def routes(app: FastAPI) -> Iterator[tuple[str, Route]]:
    """Every method and route of the app."""
    found = [*(route for route in app.routes if isinstance(route, Route)), *app.state.own_routes]
    for route in found:
        assert isinstance(route, Route)
        for method in sorted(route.methods or ()):
            yield method, route


def path_of(route: Route, owned: dict[str, str]) -> str:
    """The path, with ids where it has places for them."""
    return route.path.format_map({name: owned.get(name, "solarize") for name in route.param_convertors})


async def test_the_walk_knows_every_route(world: World) -> None:
    names = {route.name for _, route in routes(world.app)}
    assert names == OPEN_TO_ALL | set(LEAST)
    seed_too = create_app(Settings(seed_api=True))
    assert {route.name for _, route in routes(seed_too)} - names == OF_THE_SEED
    assert set(world.app.openapi()["paths"]) <= {route.path for _, route in routes(world.app)}


async def test_nothing_without_a_key(world: World) -> None:
    for method, route in routes(world.app):
        path = path_of(route, world.owned)
        if route.name in OPEN_TO_ALL:
            assert (await world.api.request(method, path)).status_code == 200, path
            continue
        for headers in ({}, bearing("augk_" + "0" * 38), bearing("a.b.c"), {"x-api-key": "wrong"}):
            answer = await world.api.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path, headers)
            if method != "HEAD":
                assert answer.json()["code"] == "unauthorized"
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_nothing_without_the_scope_and_everything_with_it(world: World) -> None:
    nobodys = {name: str(new_id()) for name in OWNED}
    for method, route in routes(world.app):
        if route.name in OPEN_TO_ALL:
            continue
        needed = LEAST[route.name]
        for role, scopes in ROLES.items():
            headers = bearing(world.keys["other"][role])
            answer = await world.api.request(method, path_of(route, nobodys), headers=headers)
            if route.name == "issue_token":
                assert answer.status_code == 200
            elif needed in scopes:
                assert answer.status_code not in (401, 403), (method, route.path, role)
                assert answer.status_code < 500
            else:
                assert answer.status_code == 403, (method, route.path, role)


async def test_what_another_tenant_has_is_as_good_as_absent(world: World) -> None:
    theirs = bearing(world.keys["other"]["operator"])
    walked = 0
    for method, route in routes(world.app):
        if not set(route.param_convertors) & set(OWNED):
            continue
        walked += 1
        absent = {name: str(new_id()) for name in OWNED}
        other = await world.api.request(method, path_of(route, world.owned), headers=theirs)
        none = await world.api.request(method, path_of(route, absent), headers=theirs)
        assert other.status_code == none.status_code == 404, (method, route.path)
        assert unnumbered(other) == unnumbered(none)
    assert walked >= 17
    mine = bearing(world.keys["acme"]["admin"])
    for path in ("batches/{batch_id}", "images/{image_id}", "outputs/{output_id}"):
        assert (await world.api.get(f"/v1/{path.format_map(world.owned)}", headers=mine)).status_code == 200
    [key] = [
        key for key in (await world.api.get("/v1/keys", headers=mine)).json()["keys"] if key["id"] == world.owned["key_id"]
    ]
    assert key["revoked_at"] is None


def unnumbered(answer: httpx2.Response) -> Any:
    """The body without the id of its request."""
    return {**answer.json(), "request_id": ""} if answer.content else None


async def test_what_another_tenant_has_cannot_be_referred_to(world: World) -> None:
    theirs = bearing(world.keys["other"]["admin"])
    image = world.owned["image_id"]
    for path, body in (
        ("/v1/augment", {"recipe": RECIPE, "image_id": image}),
        ("/v1/batches", {"recipe": RECIPE, "images": [{"image_id": image}]}),
        ("/v1/augment", {"recipe": "mine", "image_id": image}),
        ("/v1/recipes/validate", {"recipe": "mine"}),
        ("/v1/recipes", {"name": "copy", "recipe": "mine"}),
    ):
        answer = await world.api.post(path, json=body, headers=theirs)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert (await world.api.get("/v1/recipes/mine", headers=theirs)).status_code == 404


async def test_lists_hold_nothing_of_another_tenant(world: World) -> None:
    theirs = bearing(world.keys["other"]["admin"])
    for path in ("batches", "batches?group=mine", "images"):
        answer = (await world.api.get(f"/v1/{path}", headers=theirs)).json()
        assert [value for value in answer.values() if value] == [], path
    assert (await world.api.get("/v1/recipes", headers=theirs)).json()["recipes"] == []
    ours = {key["id"] for key in (await world.api.get("/v1/keys", headers=theirs)).json()["keys"]}
    assert len(ours) == len(ROLES)
    assert world.owned["key_id"] not in ours
    changes = (await world.api.get("/v1/audit", headers=theirs)).json()["changes"]
    assert {change["subject"] for change in changes if change["action"] != "issue_token"} == {"other", *ours}


async def test_the_same_bytes_key_and_name_of_two_tenants_are_two_things(world: World) -> None:
    mine, theirs = (bearing(world.keys[tenant]["submit"]) for tenant in ("acme", "other"))
    uploads = [await world.api.post("/v1/images", content=jpeg(seed=9), headers=who) for who in (mine, theirs, theirs)]
    assert [answer.status_code for answer in uploads] == [201, 201, 200]
    assert uploads[0].json()["id"] != uploads[1].json()["id"] == uploads[2].json()["id"]
    batches = [
        await world.api.post("/v1/batches", files=form({"recipe": RECIPE}, seed), headers={**who, "Idempotency-Key": "one"})
        for who, seed in ((mine, 3), (theirs, 4))
    ]
    assert [answer.status_code for answer in batches] == [202, 202]
    assert batches[0].json()["id"] != batches[1].json()["id"]
    named = [
        await world.api.post("/v1/recipes", json={"name": "both", "recipe": RECIPE}, headers=who) for who in (mine, theirs)
    ]
    assert [answer.status_code for answer in named] == [201, 201]


async def test_the_seeds_routes_keep_users_apart_too(shared_settings: Settings) -> None:
    seed = Settings(**{**shared_settings.model_dump(), "seed_api": True, "seed_gateway_secret": "gateway"})
    app = create_app(seed)
    async with running_api(app) as api:

        def of(user: str) -> dict[str, str]:
            return {"X-External-User-ID": user, "X-Gateway-Secret": "gateway"}

        users = [(await api.post("/users-api/sign-up", headers=of(name))).json()["id"] for name in ("ann", "bob")]
        upload = await api.post("/image-api/upload", files={"image": ("a.jpg", jpeg(seed=5))}, headers=of("ann"))
        image = upload.json()["unprocessed_image_id"]
        theirs = {"unprocessed_image_id": image, "image_id": image, "user_id": users[0]}
        absent = {name: str(new_id()) for name in theirs}
        call = {"json": {"arguments": {"processing": "invert"}}}
        for method, route in routes(app):
            if route.name not in OF_THE_SEED or route.name == "healthcheck":
                continue
            path, missing = path_of(route, theirs), path_of(route, absent)
            assert (await api.request(method, path, headers={"X-External-User-ID": "ann"})).status_code == 403
            assert (await api.request(method, path, headers={"X-Gateway-Secret": "gateway"})).status_code == 401
            if route.param_convertors and route.name != "delete_user":  # whose another user is, its contract tells: 403
                answers = [await api.request(method, one, headers=of("bob"), **call) for one in (path, missing)]
                assert [answer.status_code for answer in answers] == [404, 404], path
                assert unnumbered(answers[0]) == unnumbered(answers[1])
        assert (await api.delete(f"/users-api/user/{users[0]}", headers=of("bob"))).status_code == 403
        assert (await api.get(f"/image-api/unprocessed-image/{image}/", headers=of("ann"))).status_code == 200
        tenants = (await api.get("/v1/tenants", headers={})).json()["tenants"]
        assert not [tenant for tenant in tenants if tenant["name"].startswith("seed:")]
