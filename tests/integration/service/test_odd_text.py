"""Text and numbers that PostgreSQL refuses: stopped at the edge, and where one came through it would fail alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from service.ids import new_id
from service.routes.shared import cursor_of
from service.settings import Settings
from service.truth.database import DataRefused, make_engine, statement
from service.truth.submissions import NewBatch, NewItem, Written, write
from tests.helpers.api import jpeg

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECIPE: dict[str, Any] = {"steps": [{"op": "solarize"}]}


def make_new(**changes: Any) -> NewBatch:
    """A batch of one picture, as a submit would write it; `item_` before a name changes the picture."""
    item = NewItem(new_id(), "cat", "cat", "0" * 16, None, "k", "0" * 64, 1, 1, None, 2)
    item = replace(item, **{name.removeprefix("item_"): changes[name] for name in changes if name.startswith("item_")})
    batch = NewBatch(new_id(), "odd", None, "bulk", RECIPE, "0" * 64, 1, 1, (item,))
    return replace(batch, **{name: changes[name] for name in changes if not name.startswith("item_")})


BAD = {
    "NUL in a name": {"item_custom_id": "a\0b"},
    "half a surrogate pair in a name": {"item_custom_id": "a\ud800b"},
    "half a surrogate pair in labels": {"item_labels": {"boxes": ["\udfff"]}},
    "NUL in labels": {"item_labels": {"a\0": 1}},
    "no number": {"item_labels": {"a": float("nan")}},
    "infinity": {"recipe": {"steps": [{"degrees": float("inf")}]}},
    "a number too large": {"seed": 2**63},
    "a cost too large": {"item_cost_pixels": 2**63},
    "text too long": {"recipe_digest": "0" * 65},
    "NUL in a group": {"group": "\0"},
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_member_fails_alone(shared_settings: Settings, name: str) -> None:
    engine = make_engine(shared_settings.database_url, pool_size=1)
    try:
        group = [make_new(), make_new(**BAD[name]), make_new(), make_new(**BAD[name]), make_new()]
        results = await write(engine, group)
        assert [type(result) for result in results] == [Written, DataRefused, Written, DataRefused, Written]
        rows = await statement(engine, "SELECT id FROM batches WHERE id = ANY(:ids)", {"ids": [one.id for one in group]})
        assert {row["id"] for row in rows} == {group[place].id for place in (0, 2, 4)}
    finally:
        await engine.dispose()


ODD = ("a\0b", "\ud800", "\udfff\ud800")


@pytest.mark.parametrize("text", ODD, ids=ascii)
async def test_odd_text_is_stopped_in_every_field(api: httpx2.AsyncClient, text: str) -> None:
    image = (await api.post("/v1/images", content=jpeg(seed=1))).json()["id"]
    box = {"format": "xyxy", "values": [[1, 1, 5, 5]]}
    for path, body in (
        ("augment", {"recipe": RECIPE, "image_id": image, "custom_id": text}),
        ("augment", {"recipe": RECIPE, "image_id": text}),
        ("augment", {"recipe": text, "image_id": image}),
        ("augment", {"recipe": {"steps": [{"op": text}]}, "image_id": image}),
        ("augment", {"recipe": RECIPE, "image_id": image, "labels": {"boxes": {**box, "classes": [text]}}}),
        ("augment", {"recipe": RECIPE, "image_id": image, text: 1}),
        ("batches", {"recipe": RECIPE, "images": [{"image_id": image}], "group": text}),
        ("batches", {"recipe": RECIPE, "images": [{"image_id": image, "custom_id": text}]}),
        ("batches", {"recipe": RECIPE, "images": [{"image_id": image}], "labels": {text: {"boxes": box}}}),
        ("recipes", {"name": text, "recipe": RECIPE}),
        ("recipes/import", {"pipeline": [text]}),
        ("keys", {"name": text}),
        ("tenants", {"name": text}),
        ("tokens", {"scopes": [text]}),
    ):
        answer = await api.post(f"/v1/{path}", content=json.dumps(body), headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, (path, body, answer.text)


@pytest.mark.parametrize("text", ["%00", "a%00b", "%ED%A0%80", "%FF"])
async def test_odd_text_is_stopped_in_addresses(api: httpx2.AsyncClient, text: str) -> None:
    for method, path in (
        ("GET", f"recipes/{text}"),
        ("GET", f"ops/{text}"),
        ("GET", f"batches/{text}"),
        ("DELETE", f"keys/{text}"),
        ("PATCH", f"tenants/{text}"),
        ("GET", f"batches?group={text}"),
        ("GET", f"batches?cursor={text}"),
        ("GET", f"usage?from={text}"),
        ("POST", f"images?filename={text}"),
        ("POST", f"augment?recipe={text}"),
        ("POST", f"augment?request={text}"),
    ):
        answer = await api.request(method, f"/v1/{path}", content=jpeg(seed=2) if method == "POST" else b"")
        # an address that is no UTF-8 is read with replacement characters, which every name may have
        assert answer.status_code < 500, (path, answer.text)
        assert "00" not in text or 400 <= answer.status_code < 500, (path, answer.text)


async def test_odd_cursors(api: httpx2.AsyncClient) -> None:
    for cursor in (cursor_of("\0"), cursor_of("a\0b"), cursor_of("\x1b[2J"), "AA", "////", "\u00e9"):
        for path in ("recipes", "tenants", "batches", "images", "keys", "audit"):
            answer = await api.get(f"/v1/{path}", params={"cursor": cursor})
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), (path, cursor)


async def test_neighbours_of_an_odd_request_are_accepted(api: httpx2.AsyncClient) -> None:
    def form(place: int) -> list[tuple[str, Any]]:
        name = "a\0b" if place % 5 == 0 else f"cat {place}"
        return [
            ("request", (None, json.dumps({"recipe": RECIPE, "custom_id": name}))),
            ("image", ("x.jpg", jpeg(seed=place))),
        ]

    answers = await asyncio.gather(*(api.post("/v1/augment", files=form(place)) for place in range(40)))
    assert [answer.status_code for answer in answers] == [422 if place % 5 == 0 else 202 for place in range(40)]
