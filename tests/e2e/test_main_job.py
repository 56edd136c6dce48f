"""The main job over HTTP: pictures in, varied pictures out, problems as documented."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.helpers.http import archive, batch_parts, events, items, jpeg, outputs, pixels, submit

RECIPE = {
    "steps": [
        {"op": "random_resized_crop", "size": [64, 64], "scale": [0.5, 1.0]},
        {"op": "hflip", "chance": 0.5},
        {"op": "rotate", "degrees": [-15, 15]},
        {"op": "color_jitter", "brightness": [0.8, 1.2], "contrast": [0.8, 1.2], "saturation": [0.8, 1.2]},
        {"op": "gaussian_blur", "sigma": [0.1, 2.0], "chance": 0.3},
    ]
}


def augment(
    client: httpx2.Client, picture: bytes, wait_s: int = 10, name: str = "a.jpg", *, fresh: bool = False, **fields: object
) -> httpx2.Response:
    request = {"recipe": RECIPE, **fields}
    parts = [("request", (None, json.dumps(request))), ("image", (name, picture))]
    headers = {"Prefer": f"wait={wait_s}", **({"Cache-Control": "no-cache"} if fresh else {})}
    return client.post("/v1/augment", files=parts, headers=headers)


def test_ready_with_its_workers(client: httpx2.Client) -> None:
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz", params={"workers": 1})
    assert answer.status_code == 200
    assert client.get("/docs").status_code == 200


def test_one_picture_comes_back_at_once(client: httpx2.Client) -> None:
    answer = augment(client, jpeg(), fresh=True, seed=7)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-seed"] == "7"
    assert pixels(answer.content).shape == (64, 64, 3)
    # it went through lane, lease and worker: the rows say so
    output = client.get(f"/v1/outputs/{answer.headers['x-output-id']}").json()
    assert output["device"] == "cpu"
    assert output["sha256"] in answer.headers["etag"]
    [item] = items(client, answer.headers["x-batch-id"])
    assert (item["state"], item["executions"]) == ("succeeded", 1)
    again = client.get(answer.headers["content-location"])
    assert again.content == answer.content


def test_the_same_request_gives_the_same_bytes(client: httpx2.Client) -> None:
    first, second = (augment(client, jpeg(), fresh=True, seed=7) for _ in range(2))
    assert first.content == second.content
    third = augment(client, jpeg(), seed=7)  # not computed again
    assert third.headers["cache-status"] == "augment; hit"
    assert third.content == first.content
    assert "cache-status" not in second.headers
    assert augment(client, jpeg(), seed=8).content != first.content


def test_an_uploaded_picture_is_augmented_by_id(client: httpx2.Client) -> None:
    picture = jpeg(seed=5)
    answer = client.post("/v1/images", content=picture, headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 201, answer.text
    again = client.post("/v1/images", content=picture, headers={"Content-Type": "image/jpeg"})
    assert again.status_code == 200
    assert again.json()["id"] == answer.json()["id"]
    request = {"recipe": RECIPE, "seed": 7, "image_id": answer.json()["id"], "variants": 3}
    done = client.post("/v1/augment", json=request, headers={"Prefer": "wait=10"})
    assert done.status_code == 200, done.text
    assert len(done.json()["outputs"] if isinstance(done.json(), dict) else done.json()) == 3


def test_a_batch_of_fifty(client: httpx2.Client) -> None:
    pictures = {f"shelf/{number:02}.jpg": jpeg(seed=number) for number in range(50)}
    view = submit(client, pictures, RECIPE["steps"], variants=2, seed=1)
    told = list(events(client, view["id"]))
    assert told[-1][0] == "completed"
    assert {event for event, _, _ in told} <= {"progress", "item_failed", "completed"}
    final = told[-1][2]
    assert final["state"] == "completed"
    assert final["counts"] == {"total": 50, "succeeded": 50, "failed": 0, "cancelled": 0}
    assert final["outputs"] == {"total": 100, "done": 100}
    made = outputs(client, view["id"])
    assert {(output["custom_id"], output["variant"]) for output in made} == {
        (name, v) for name in pictures for v in range(2)
    }
    files = archive(client, view["id"])
    assert len(files) == 101
    manifest = [json.loads(line) for line in files["manifest.jsonl"].decode().splitlines()]
    assert len(manifest) == 100
    assert "shelf/07/1.jpg" in files or "shelf/07/1.jpeg" in files, sorted(files)[:5]


PROBLEMS = [
    ({"steps": [{"op": "sparkle"}]}, "unknown_op", "/recipe/steps/0"),
    ({"steps": [{"op": "hflip"}, {"op": "rotate", "degrees": [-500, 500]}]}, "recipe_invalid", "/recipe/steps/1"),
    ({"steps": [{"op": "rotate", "degrees": [20, -20]}]}, "recipe_invalid", "/recipe/steps/0"),
    ({"steps": [{"op": "rotate", "angle": 3}]}, "recipe_invalid", "/recipe/steps/0"),
]


@pytest.mark.parametrize(("recipe", "code", "pointer"), PROBLEMS)
def test_a_wrong_recipe_is_pointed_at(client: httpx2.Client, recipe: object, code: str, pointer: str) -> None:
    parts = [("request", (None, json.dumps({"recipe": recipe}))), ("image", ("a.jpg", jpeg()))]
    answer = client.post("/v1/augment", files=parts)
    assert answer.status_code == 422
    problem = answer.json()
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert problem["code"] == code
    assert problem["pointer"].startswith(pointer)
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_an_empty_body(client: httpx2.Client) -> None:
    answer = client.post("/v1/augment", params={"request": json.dumps({"recipe": RECIPE})}, content=b"")
    assert (answer.status_code, answer.json()["code"]) == (400, "empty_body")


def test_a_text_file_named_jpg(client: httpx2.Client) -> None:
    answer = augment(client, b"This is not a picture.\n" * 40)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_format")


def test_one_bad_picture_fails_alone(client: httpx2.Client) -> None:
    pictures = {f"{number}.jpg": jpeg(seed=number) for number in range(12)}
    pictures["truncated.jpg"] = jpeg(seed=99)[:1500]
    pictures["text.jpg"] = b"just text, under a picture's name"
    view = submit(client, pictures, RECIPE["steps"], variants=2, seed=3)
    final = client.get(f"/v1/batches/{view['id']}", headers={"Prefer": "wait=30"}).json()
    assert final["state"] == "completed"
    assert final["counts"] == {"total": 14, "succeeded": 12, "failed": 2, "cancelled": 0}
    failed = {item["custom_id"]: item["error"]["code"] for item in items(client, view["id"], state="failed")}
    assert failed["text.jpg"] == "unsupported_format"
    assert failed["truncated.jpg"] in ("image_truncated", "image_unreadable", "image_corrupt")
    assert len(outputs(client, view["id"])) == 24


def test_a_repeated_submit_is_the_same_batch(client: httpx2.Client) -> None:
    parts = batch_parts({"a.jpg": jpeg(), "b.jpg": jpeg(seed=1)}, {"recipe": RECIPE, "seed": 1})
    first, second = (client.post("/v1/batches", files=parts, headers={"Idempotency-Key": "k-1"}) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    other = batch_parts({"a.jpg": jpeg()}, {"recipe": RECIPE, "seed": 1})
    answer = client.post("/v1/batches", files=other, headers={"Idempotency-Key": "k-1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_metrics(client: httpx2.Client) -> None:
    text = client.get("/metrics").text
    for name in ("augment_http_requests_total", "augment_lane_entries", "augment_workers"):
        assert name in text
