"""What comes out of the API, through a real worker: pictures, lists, lines, events and archives."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from typing import Any

import httpx2
import pytest
from PIL import Image

from tests.helpers.api import form, jpeg, picture
from tests.helpers.stack import Stack

RECIPE: dict[str, Any] = {"steps": [{"op": "rotate", "degrees": [-30, 30]}, {"op": "hflip", "chance": 0.5}]}
WAIT = {"Prefer": "wait=30"}


@pytest.fixture(scope="module")
def system(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture
def client(system: Stack) -> httpx2.Client:
    return system.client


def finished_batch(client: httpx2.Client, request: Any, *pictures: tuple[str, bytes]) -> dict[str, Any]:
    answer = client.post("/v1/batches", files=form(request, *pictures))
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = client.get(answer.headers["location"], headers=WAIT).json()
    assert view["state"] == "completed", view
    return view


def lines(client: httpx2.Client, view: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.get(view["links"]["outputs"])
    assert answer.headers["content-type"] == "application/jsonl"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_one_picture_comes_back(client: httpx2.Client) -> None:
    answer = client.post(
        "/v1/augment", headers=WAIT, files=form({"recipe": RECIPE, "seed": 7}, ("cat.jpg", jpeg()), field="image")
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-seed"] == "7"
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert Image.open(io.BytesIO(answer.content)).size == (32, 24)
    assert client.get(answer.headers["content-location"]).content == answer.content
    output = client.get(f"/v1/outputs/{answer.headers['x-output-id']}").json()
    assert (output["custom_id"], output["seed"], output["variant"]) == ("cat.jpg", 7, 0)
    assert output["url"] == answer.headers["content-location"]
    assert client.get(f"/v1/batches/{answer.headers['x-batch-id']}").json()["counts"]["succeeded"] == 1


def test_the_three_ways_to_send_a_picture_give_the_same_result(client: httpx2.Client) -> None:
    request = {"recipe": RECIPE, "seed": 11, "custom_id": "one", "output": {"format": "png"}}
    image_id = client.post("/v1/images", content=jpeg(seed=3), headers={"content-type": "image/jpeg"}).json()["id"]

    answers = [
        client.post("/v1/augment", headers=WAIT, files=form(request, ("x.jpg", jpeg(seed=3)), field="image")),
        client.post("/v1/augment", headers=WAIT, json={**request, "image_id": image_id}),
        client.post("/v1/augment", headers=WAIT, params={"request": json.dumps(request)}, content=jpeg(seed=3)),
    ]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].headers["content-type"] == "image/png"
    assert len({answer.content for answer in answers}) == 1


def test_several_variants_come_back_as_a_list(client: httpx2.Client) -> None:
    request = {"recipe": RECIPE, "variants": 3}
    answer = client.post("/v1/augment", headers=WAIT, files=form(request, ("cat.jpg", jpeg()), field="image"))

    outputs = answer.json()
    assert [output["variant"] for output in outputs] == [0, 1, 2]
    assert {str(output["seed"]) for output in outputs} == {answer.headers["x-seed"]}
    for output in outputs:
        content = client.get(output["url"])
        assert hashlib.sha256(content.content).hexdigest() == output["sha256"]
        assert len(content.content) == output["bytes"]


def test_labels_follow_and_make_the_answer_a_list(client: httpx2.Client) -> None:
    labels = {"boxes": {"format": "xyxy", "values": [[2, 3, 10, 20]], "classes": ["cat"]}}
    request = {"recipe": {"steps": [{"op": "hflip"}]}, "labels": labels}

    answer = client.post("/v1/augment", headers=WAIT, files=form(request, ("cat.jpg", jpeg(32, 24)), field="image"))

    [output] = answer.json()
    assert output["labels"]["boxes"]["values"] == [[22, 3, 30, 20]]


def test_label_rules_of_the_recipe_say_what_is_dropped(client: httpx2.Client) -> None:
    labels = {"boxes": {"format": "xyxy", "values": [[2, 3, 10, 20], [2, 3, 30, 20]]}}
    recipe = {"steps": [{"op": "hflip"}], "labels": {"min_area": 200}}
    cat = ("cat.jpg", jpeg(32, 24))

    answer = client.post("/v1/augment", headers=WAIT, files=form({"recipe": recipe, "labels": labels}, cat, field="image"))
    wrong = client.post("/v1/augment", files=form({"recipe": recipe | {"labels": {"min_side": -1}}}, cat, field="image"))

    [output] = answer.json()
    assert output["labels"]["boxes"]["values"] == [[2, 3, 30, 20]]
    assert output["labels"]["dropped"] == [{"kind": "box", "index": 0, "reason": "low_area"}]
    assert (wrong.status_code, wrong.json()["code"]) == (422, "recipe_invalid")
    assert wrong.json()["pointer"] == "/recipe/labels/min_side"


def test_a_picture_that_fails_in_the_worker_is_a_problem(client: httpx2.Client) -> None:
    cut = picture(200, 200, seed=1)[:-600]
    answer = client.post("/v1/augment", headers=WAIT, files=form({"recipe": RECIPE}, ("cut.jpg", cut), field="image"))

    assert answer.status_code == 422
    assert answer.json()["code"] == "image_truncated"
    assert answer.json()["item"] == "cut.jpg"


def test_preferences_may_stand_in_several_headers(client: httpx2.Client) -> None:
    headers = [("Prefer", "respond-async"), ("Prefer", "wait=30")]
    answer = client.post("/v1/augment", headers=headers, files=form({"recipe": RECIPE}, ("a.jpg", jpeg()), field="image"))
    assert answer.status_code == 200


def test_without_prefer_the_batch_is_the_answer(client: httpx2.Client) -> None:
    answer = client.post("/v1/augment", files=form({"recipe": RECIPE}, ("cat.jpg", jpeg()), field="image"))

    assert answer.status_code == 202
    assert int(answer.headers["retry-after"]) >= 1
    view = client.get(answer.headers["location"], headers=WAIT).json()
    assert view["state"] == "completed"
    assert view["outputs"] == {"total": 1, "done": 1}


def test_bad_pictures_fail_alone(client: httpx2.Client) -> None:
    view = finished_batch(
        client,
        {"recipe": RECIPE, "variants": 2},
        *((f"{number}.jpg", jpeg(seed=number)) for number in range(12)),
        ("text.jpg", b"this is text"),
        ("cut.jpg", picture(200, 200)[:-600]),
        ("empty.jpg", b""),
    )

    assert view["counts"] == {"total": 15, "succeeded": 12, "failed": 3, "cancelled": 0}
    assert view["outputs"] == {"total": 30, "done": 24}
    failed = client.get(view["links"]["items"], params={"state": "failed"}).json()["items"]
    assert {item["custom_id"]: item["error"]["code"] for item in failed} == {
        "text.jpg": "unsupported_format",
        "cut.jpg": "image_truncated",
        "empty.jpg": "unsupported_format",
    }
    assert len(lines(client, view)) == 24


def test_items_and_outputs_keep_the_order_they_were_sent_in_over_pages(client: httpx2.Client) -> None:
    names = [f"{number * 7 % 10}.png" for number in range(10)]
    view = finished_batch(client, {"recipe": RECIPE, "variants": 2}, *((name, jpeg(seed=3)) for name in names))

    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(view["links"]["items"], params={"limit": 4, **cursor}).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [item["custom_id"] for item in found] == names
    assert [[output["variant"] for output in item["outputs"]] for item in found] == [[0, 1]] * 10
    assert [line["custom_id"] for line in lines(client, view)] == [name for name in names for _ in range(2)]


@pytest.mark.parametrize("form_of_archive", ["zip", "tar"])
def test_the_archive_holds_every_result_and_a_manifest(client: httpx2.Client, form_of_archive: str) -> None:
    view = finished_batch(
        client,
        {"recipe": RECIPE, "variants": 2, "output": {"format": "webp"}},
        ("a/cat.jpg", jpeg(seed=1)),
        ("a/cat.png", picture(seed=2, form="PNG")),
        ("../naïve dog.jpg", jpeg(seed=3)),
        ("bad.jpg", b"bad"),
    )

    answer = client.get(view["links"]["archive"], params={"format": form_of_archive})

    members = unpacked(answer.content, form_of_archive)
    manifest = [json.loads(line) for line in members.pop("manifest.jsonl").splitlines()]
    assert sorted(members) == [
        "a/cat.jpg/0.webp",
        "a/cat.jpg/1.webp",
        "a/cat.png/0.webp",
        "a/cat.png/1.webp",
        "naïve dog/0.webp",
        "naïve dog/1.webp",
    ]
    assert {hashlib.sha256(content).hexdigest() for content in members.values()} == {line["sha256"] for line in manifest}
    assert manifest == lines(client, view)


def unpacked(content: bytes, form_of_archive: str) -> dict[str, bytes]:
    if form_of_archive == "zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]


def events_of(client: httpx2.Client, view: dict[str, Any], **headers: str) -> list[tuple[str, str, dict[str, Any]]]:
    with client.stream("GET", view["links"]["events"], headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(stream.iter_text()).split("\n\n")
    found = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return found


def test_events_tell_failures_progress_and_the_end(client: httpx2.Client) -> None:
    files = form(
        {"recipe": RECIPE, "variants": 4},
        *((f"{number}.jpg", jpeg(256, 256, seed=number)) for number in range(30)),
        ("text.jpg", b"text"),
        ("cut.jpg", picture(200, 200)[:-600]),
    )
    view = client.post("/v1/batches", files=files).json()

    told = events_of(client, view)

    assert [kind for kind, _, _ in told].count("completed") == 1
    kind, last_id, final = told[-1]
    assert (kind, final["state"], final["counts"]["failed"]) == ("completed", "completed", 2)
    assert sorted(item["custom_id"] for kind, _, item in told if kind == "item_failed") == ["cut.jpg", "text.jpg"]
    progress = [body for kind, _, body in told if kind == "progress"]
    assert all(body["id"] == view["id"] for body in progress)
    assert [body["outputs"]["done"] for body in progress] == sorted(body["outputs"]["done"] for body in progress)

    assert client.get(view["links"]["events"], headers={"Last-Event-ID": last_id}).status_code == 204
    first_failure = next(identity for kind, identity, _ in told if kind == "item_failed")
    again = events_of(client, view, **{"Last-Event-ID": first_failure})
    assert "cut.jpg" in [item["custom_id"] for kind, _, item in again if kind == "item_failed"]
    assert again[-1][0] == "completed"


def test_retry_runs_only_what_failed(client: httpx2.Client) -> None:
    view = finished_batch(
        client, {"recipe": RECIPE}, ("good.jpg", jpeg()), ("cut.jpg", picture(200, 200)[:-600]), ("text.jpg", b"text")
    )
    [before] = [line for line in lines(client, view) if line["custom_id"] == "good.jpg"]

    answer = client.post(f"{view['links']['self']}/retry")

    assert answer.status_code == 202
    assert answer.json()["state"] in ("running", "completed")  # it takes milliseconds
    assert answer.json()["counts"]["failed"] >= 1  # the text was refused when it was sent, and has no bytes to run again
    after = client.get(view["links"]["self"], headers=WAIT).json()
    assert (after["state"], after["counts"]) == (view["state"], view["counts"])
    assert [line for line in lines(client, view) if line["custom_id"] == "good.jpg"] == [before]
    items = client.get(view["links"]["items"]).json()["items"]
    assert {item["custom_id"]: item["executions"] for item in items} == {"good.jpg": 1, "cut.jpg": 1, "text.jpg": 0}


def test_a_cancelled_batch_ends_and_keeps_what_was_done(client: httpx2.Client) -> None:
    files = form({"recipe": RECIPE, "variants": 16}, *((f"{n}.jpg", jpeg(512, 512, seed=n)) for n in range(40)))
    view = client.post("/v1/batches", files=files).json()

    cancelled = client.post(f"{view['links']['self']}/cancel")

    assert cancelled.status_code == 200, cancelled.text
    final = client.get(view["links"]["self"], headers=WAIT).json()
    assert final["state"] == "cancelled"
    assert sum(final["counts"][name] for name in ("succeeded", "failed", "cancelled")) == 40
    assert final["counts"]["cancelled"] > 0
    assert len(lines(client, final)) == 16 * final["counts"]["succeeded"] == final["outputs"]["done"]
    assert client.post(f"{view['links']['self']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{view['links']['self']}/retry").status_code == 409
    assert client.get(view["links"]["archive"]).status_code == 200


def test_deleting_a_batch_removes_it_and_its_results(client: httpx2.Client) -> None:
    view = finished_batch(client, {"recipe": RECIPE}, ("a.jpg", jpeg()))
    [line] = lines(client, view)

    assert client.delete(view["links"]["self"]).status_code == 204

    for path in (*view["links"].values(), line["url"], f"/v1/outputs/{line['id']}"):
        assert client.get(path).status_code == 404
    assert view["id"] not in [batch["id"] for batch in client.get("/v1/batches").json()["batches"]]
    assert client.delete(view["links"]["self"]).status_code == 404


def test_deleting_an_output(client: httpx2.Client) -> None:
    view = finished_batch(client, {"recipe": RECIPE, "variants": 2}, ("a.jpg", jpeg()))
    gone, kept = lines(client, view)

    assert client.delete(f"/v1/outputs/{gone['id']}").status_code == 204

    assert client.get(gone["url"]).status_code == 404
    assert lines(client, view) == [kept]


def test_content_by_range_and_condition(client: httpx2.Client) -> None:
    view = finished_batch(client, {"recipe": RECIPE}, ("a.jpg", jpeg(64, 64)))
    [output] = lines(client, view)
    whole = client.get(output["url"])
    size = len(whole.content)

    def part(asked: str, **headers: str) -> httpx2.Response:
        return client.get(output["url"], headers={"Range": asked, **headers})

    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-security-policy"] == "sandbox"
    assert int(whole.headers["content-length"]) == size
    for asked, expected in (
        ("bytes=0-9", slice(0, 10)),
        (f"bytes={size - 5}-", slice(-5, None)),
        ("bytes=-7", slice(-7, None)),
    ):
        answer = part(asked)
        assert (answer.status_code, answer.content) == (206, whole.content[expected])
    assert part("bytes=2-4").headers["content-range"] == f"bytes 2-4/{size}"
    assert part(f"bytes={size}-").status_code == 416
    assert part(f"bytes={size}-").headers["content-range"] == f"bytes */{size}"
    assert part("bytes=0-9", **{"If-Range": '"other"'}).status_code == 200
    assert part("bytes=0-9", **{"If-Range": whole.headers["etag"]}).status_code == 206
    assert part("chapters=1").status_code == 200
    assert part(f"bytes=5-{10**30}").content == whole.content[5:]
    same = client.get(output["url"], headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    head = client.head(output["url"])
    assert (head.status_code, head.content, int(head.headers["content-length"])) == (200, b"", size)


def test_health_and_metrics(system: Stack) -> None:
    client = system.client
    client.post("/v1/augment", headers=WAIT, files=form({"recipe": RECIPE}, ("a.jpg", jpeg()), field="image"))

    assert client.get("/livez").json() == {"status": "alive"}
    ready = client.get("/readyz", params={"workers": 1}).json()
    assert ready["status"] == "ready"
    assert ready["workers"][0]["device"] == "cpu"
    # workers say what they did every second or so
    system.wait_for(lambda: 'augment_outcomes_total{code="succeeded"}' in client.get("/metrics").text, 20)
    text = client.get("/metrics").text
    for sample in (
        'augment_lane_entries{priority="interactive"}',
        'augment_unfinished_items{priority="bulk",state="leased"}',
        'augment_micro_batch_items_bucket{le="1.0"}',
        'augment_stage_seconds_total{stage="decode"}',
        "augment_fenced_total ",  # above 0 where what was cancelled above was running
        "# TYPE augment_repaired_total counter",
        'augment_http_requests_total{method="POST",route="/v1/augment",status="200"}',
    ):
        assert f"\n{sample}" in text
    assert "default" not in text  # the tenant
