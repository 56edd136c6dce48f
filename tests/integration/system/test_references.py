"""Batches of addresses through real processes: acknowledged at once, fetched by a worker once, then as if uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import httpx2
import pytest

from service.settings import Settings
from tests.helpers.file_server import Page, Site, served
from tests.helpers.http import Json, items, jpeg, outputs, png, submit
from tests.helpers.stack import Stack, running
from tests.helpers.truth import check_log, contents, rows

STEPS = [{"op": "rotate"}, {"op": "solarize"}]
PICTURES = {f"{number}.jpg": jpeg(60 + number, 80, seed=number) for number in range(6)} | {"x y.png": png()}
MOST_BYTES = 50_000


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    pages = {f"/{name.replace(' ', '%20')}": Page(content) for name, content in PICTURES.items()} | {
        "/page.html": Page(b"<!doctype html>"),
        "/cut.jpg": Page(PICTURES["0.jpg"][:-900]),
        "/large.jpg": Page(PICTURES["0.jpg"] + bytes(MOST_BYTES)),
        "/slow.jpg": Page(bytes(40_000), pause_s=0.5),
        "/inside.jpg": Page(status=302, headers={"Location": "http://169.254.169.254/"}),
        "/huge.png": Page(png()[:16] + b"\0\1\0\0\0\1\0\0" + png()[24:]),
    }
    with served(pages) as started:
        yield started


@pytest.fixture(scope="module")
def stack(shared_settings: Settings, site: Site) -> Iterator[Stack]:
    settings = shared_settings.model_copy(
        update={
            "url_sources": True,
            "url_ports": (80, site.port),
            "url_networks": (ip_network("127.0.0.1/32"),),
            "url_timeout_s": 2.0,
            "max_image_bytes": MOST_BYTES,
        }
    )
    with running(settings) as started:
        yield started


def asked(stack: Stack, entries: list[Json], **fields: object) -> httpx2.Response:
    return stack.client.post("/v1/batches", json={"recipe": {"steps": STEPS}, "seed": 3, "images": entries, **fields})


def test_addresses_end_as_uploads_do(stack: Stack, site: Site) -> None:
    paths = [path for path in site.pages if path.strip("/").replace("%20", " ") in PICTURES]
    answer = asked(stack, [{"url": site.url(path)} for path in paths], variants=2)
    assert answer.status_code == 202, answer.text
    view = stack.batch(answer.json()["id"])
    assert view["counts"]["succeeded"] == len(PICTURES), items(stack.client, view["id"])
    uploaded = stack.batch(submit(stack.client, PICTURES, STEPS, seed=3, variants=2)["id"])
    assert contents(outputs(stack.client, view["id"])) == contents(outputs(stack.client, uploaded["id"]))
    assert sorted(path for path in site.asked if path in paths) == sorted(paths), "each was fetched once"
    check_log(stack, view["id"])
    told = rows(
        stack.settings.database_url,
        "SELECT a.executions, a.source_sha256 = b.source_sha256 AS same, a.width = b.width"
        " AND a.height = b.height AND a.cost_pixels = b.cost_pixels AS alike"
        " FROM items a JOIN items b USING (custom_id) WHERE a.batch_id = %(a)s AND b.batch_id = %(b)s",
        {"a": view["id"], "b": uploaded["id"]},
    )
    assert told == [{"executions": 1, "same": True, "alike": True}] * len(PICTURES)


def test_what_cannot_be_had_fails_alone_and_may_be_tried_again(stack: Stack, site: Site) -> None:
    wanted = {
        "/0.jpg": None,
        "/page.html": "unsupported_format",
        "/cut.jpg": "image_truncated",
        "/huge.png": "image_too_many_pixels",
        "/large.jpg": "source_unreachable",
        "/slow.jpg": "source_unreachable",
        "/absent.jpg": "source_unreachable",
        "/inside.jpg": "source_url_forbidden",
    }
    entries = [{"url": site.url(path), "custom_id": path} for path in wanted]
    entries.append({"url": "http://name-of-nobody.invalid/a.jpg", "custom_id": "nobody"})
    batch = asked(stack, entries).json()["id"]
    stack.batch(batch)
    found = {item["custom_id"]: item["error"] for item in items(stack.client, batch)}
    assert {name: error and error["code"] for name, error in found.items()} == wanted | {"nobody": "source_url_forbidden"}
    assert "169.254" not in str(found)
    site.pages["/absent.jpg"] = Page(PICTURES["1.jpg"])
    assert stack.client.post(f"/v1/batches/{batch}/retry").status_code == 202
    stack.batch(batch)
    assert [item["custom_id"] for item in items(stack.client, batch, state="succeeded")] == ["/0.jpg", "/absent.jpg"]
    check_log(stack, batch)


def test_what_there_is_no_quota_for_fails_and_may_be_tried_again(stack: Stack, site: Site) -> None:
    def limit(**limits: int) -> None:
        assert stack.client.patch("/v1/tenants/default", json={"limits": limits}).status_code == 200

    stored = rows(stack.settings.database_url, "SELECT coalesce(sum(bytes_stored), 0) AS n FROM tenant_counters")[0]["n"]
    limit(max_stored_bytes=int(stored) + 100)  # less than any picture has, and room enough to submit some
    batch = asked(stack, [{"url": site.url("/3.jpg")}]).json()["id"]
    stack.batch(batch)
    [item] = items(stack.client, batch)
    assert item["error"]["code"] == "resource_exhausted"
    assert "bytes are stored" in item["error"]["detail"]
    limit()
    assert stack.client.post(f"/v1/batches/{batch}/retry").status_code == 202
    assert stack.batch(batch)["counts"]["succeeded"] == 1
    check_log(stack, batch)


@pytest.mark.parametrize(
    ("entry", "code", "pointer"),
    [
        ({"url": "http://10.0.0.1/a.jpg"}, "source_url_forbidden", "/images/0/url"),
        ({"url": "http://user:pass@example.com/a.jpg"}, "source_url_forbidden", "/images/0/url"),
        ({"url": "http://example.com:22/a.jpg"}, "source_url_forbidden", "/images/0/url"),
        ({"url": "http://0x7f.1/a.jpg"}, "source_url_forbidden", "/images/0/url"),
        ({"url": ""}, "source_url_forbidden", "/images/0/url"),
        ({"url": "http://example.com/" + "a" * 2048}, "validation_error", "/images/0/url"),
        ({"url": "http://example.com/"}, "validation_error", "/images/0/custom_id"),
        ({"url": "http://example.com/a%00.jpg"}, "validation_error", "/custom_id"),
        ({"url": "http://example.com/a.jpg", "image_id": "0" * 32}, "validation_error", "/images/0/url"),
    ],
)
def test_addresses_that_are_refused_at_once(stack: Stack, entry: Json, code: str, pointer: str) -> None:
    answer = asked(stack, [entry])
    assert (answer.status_code, answer.json()["code"], answer.json()["pointer"]) == (422, code, pointer), answer.text


def test_what_needs_the_pictures_from_the_start_is_refused(stack: Stack, site: Site) -> None:
    entries = [{"url": site.url(f"/{number}.jpg")} for number in range(2)]
    mixed = asked(stack, entries, recipe={"steps": [{"op": "mixup"}]})
    labelled = asked(stack, entries, labels={"0.jpg": {"boxes": {"values": [[1, 1, 2, 2]]}}})
    assert (mixed.status_code, mixed.json()["code"]) == (422, "validation_error")
    assert (labelled.status_code, labelled.json()["code"]) == (422, "label_invalid")
    assert (
        stack.client.post("/v1/batches", json={"recipe": {}, "source": "s3://a/b"}).json()["code"] == "source_url_forbidden"
    )
