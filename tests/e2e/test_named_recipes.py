"""A recipe is kept under a name, used by it, and named by what it made; from the command line and over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.helpers.http import batch_parts, jpeg, outputs


def augment(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AUGMENT_URL": url}
    return subprocess.run(
        (sys.executable, "-m", "service", *words), env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_save_submit_and_look_at_lineage(client: httpx2.Client, tmp_path: Path) -> None:
    url = str(client.base_url)
    (tmp_path / "mine.yaml").write_text("steps:\n  - {op: rotate, degrees: [-20, 20]}\n")
    saved = augment(url, "recipe", "save", "mine", str(tmp_path / "mine.yaml"), "--json")
    assert saved.returncode == 0, saved.stderr
    kept = json.loads(saved.stdout)
    assert (kept["name"], kept["version"]) == ("mine", 1)

    answer = client.post(
        "/v1/batches", files=batch_parts({"a.jpg": jpeg()}, {"recipe": "mine@1", "variants": 2, "seed": 4})
    )
    assert answer.status_code == 202, answer.text
    view = client.get(answer.json()["links"]["self"], headers={"Prefer": "wait=30"}).json()
    assert (view["state"], view["recipe_name"]) == ("completed", "mine@1")
    for output in outputs(client, view["id"]):
        assert (output["recipe_name"], output["recipe_digest"]) == ("mine@1", kept["recipe_digest"])
        assert output["draws"][0]["op"] == "rotate"
        assert client.get(f"/v1/outputs/{output['id']}").json()["recipe_name"] == "mine@1"

    listed = augment(url, "recipe", "list")
    assert "mine@1" in listed.stdout
    assert "light" in listed.stdout
    shown = augment(url, "recipe", "show", "mine")
    assert shown.stdout.endswith("steps:\n  - {op: rotate, degrees: [-20, 20]}\n")
    deleted = augment(url, "recipe", "delete", "mine")
    assert deleted.stdout == "mine is deleted\n"
    assert client.get("/v1/recipes/mine").status_code == 404
    assert client.get(view["links"]["self"]).json()["recipe_name"] == "mine@1"


def test_a_ready_recipe_by_name(client: httpx2.Client) -> None:
    done = client.post(
        "/v1/augment", params={"recipe": "light", "seed": "1"}, content=jpeg(), headers={"Prefer": "wait=20"}
    )
    assert done.status_code == 200, done.text
    output = client.get(f"/v1/outputs/{done.headers['x-output-id']}").json()
    assert output["recipe_name"] == "light@0"


def test_a_folder_is_expanded_by_a_name(client: httpx2.Client, tmp_path: Path) -> None:
    url, photos = str(client.base_url), tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(jpeg())
    done = augment(url, "expand", str(photos), "--recipe", "light", "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    [line] = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert json.loads(line)["recipe"] == client.get("/v1/recipes/light").json()["recipe"]
    newest = client.get("/v1/batches").json()["batches"][0]
    assert (newest["recipe_name"], newest["counts"]["total"]) == ("light@0", 1)
    unknown = augment(url, "expand", str(photos), "--recipe", "nope", "--out", str(tmp_path / "none"))
    assert unknown.returncode == 2
    assert "neither a file nor a recipe called nope" in unknown.stderr
