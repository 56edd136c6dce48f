"""Through REST: a result made again from its row has the same bytes, whatever made it, and nothing of the replay stays."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

import pytest

from service.settings import Settings
from tests.helpers.http import Json, items, jpeg, outputs, png, submit
from tests.helpers.stack import Stack, running
from tests.helpers.truth import Row, rows

STEPS = [
    {"op": "one_of", "steps": [{"op": "mosaic", "size": [64, 80]}, {"op": "copy_paste"}, {"op": "rotate"}]},
    {"op": "mixup", "chance": 0.5},
    {"op": "repeat", "times": [1, 2], "steps": [{"op": "cutout"}, {"op": "gaussian_noise"}]},
    {"op": "rand_augment"},
    {"op": "hflip", "chance": 0.5},
]
REMOVED_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


def make(stack: Stack, steps: list[Json], number: int = 1, **fields: object) -> list[Json]:
    """The results of a finished batch of small pictures with labels."""
    pictures = {f"{n}": (jpeg if n % 2 else png)(50 + n, 70, seed=n) for n in range(number)}
    labels = {name: {"boxes": {"values": [[2, 2, 30, 30]], "classes": [name]}} for name in pictures}
    view = submit(stack.client, pictures, steps, seed=5, labels=labels, **fields)
    assert stack.batch(view["id"])["counts"]["succeeded"] == number
    return outputs(stack.client, view["id"])


def sql(stack: Stack, text: str, **values: object) -> list[Row]:
    return rows(stack.settings.database_url, text, values)


def stored(settings: Settings) -> set[str]:
    folder = Path(settings.store_url.removeprefix("file://"))
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "_ready" not in path.parts}


def check_nothing_stays(stack: Stack, before: set[str]) -> None:
    def gone() -> bool:
        left = sql(stack, "SELECT id FROM batches WHERE replay_of IS NOT NULL")
        return not left and stored(stack.settings) == before

    stack.wait_for(gone, REMOVED_WITHIN_S, "the replays to be removed")


def test_partners_labels_and_containers_come_out_the_same(stack: Stack) -> None:
    made = make(stack, STEPS, number=4, variants=3, output={"format": "png"})
    before, listed = stored(stack.settings), stack.client.get("/v1/batches").json()
    for output in made:
        answer = stack.client.post(f"/v1/outputs/{output['id']}/replay")
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "identical": True,
            "sha256": output["sha256"],
            "original_sha256": output["sha256"],
            "engine_version": output["engine_version"],
            "original_engine_version": output["engine_version"],
            "device": "cpu",
            "original_device": "cpu",
            "changed": [],
        }
    assert stack.client.get("/v1/batches").json() == listed
    assert [len(item["outputs"]) for item in items(stack.client, listed["batches"][0]["id"])] == [3] * 4
    check_nothing_stays(stack, before)


def test_what_changed_is_said(stack: Stack) -> None:
    [output] = make(stack, [{"op": "rotate"}])
    sql(
        stack,
        """UPDATE outputs SET sha256 = repeat('0', 64), engine_version = 'older', device = 'cuda' WHERE id = %(id)s
           RETURNING id""",
        id=output["id"],
    )
    told = stack.client.post(f"/v1/outputs/{output['id']}/replay").json()
    assert (told["identical"], told["sha256"], told["original_sha256"]) == (False, output["sha256"], "0" * 64)
    assert (told["original_engine_version"], told["original_device"]) == ("older", "cuda")
    assert told["changed"] == ["sha256", "device", "engine_version"]


def test_what_is_not_there_is_404_and_a_lost_picture_410(stack: Stack) -> None:
    ours, theirs, lost = (make(stack, [{"op": "rotate"}])[0] for _ in range(3))
    sql(stack, "UPDATE outputs SET tenant = 'other' WHERE id = %(id)s RETURNING id", id=theirs["id"])
    assert stack.client.post(f"/v1/outputs/{theirs['id']}/replay").json()["code"] == "not_found"
    assert stack.client.post(f"/v1/outputs/{uuid4()}/replay").status_code == 404
    assert stack.client.post(f"/v1/outputs/{ours['id']}/replay").json()["identical"] is True
    sql(stack, "UPDATE items SET source_key = 'gone' WHERE id = %(id)s RETURNING id", id=lost["item_id"])
    answer = stack.client.post(f"/v1/outputs/{lost['id']}/replay")
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")
    stack.client.delete(f"/v1/outputs/{ours['id']}")
    assert stack.client.post(f"/v1/outputs/{ours['id']}/replay").status_code == 404


def test_a_recipe_that_is_no_recipe_any_more_is_422(stack: Stack) -> None:
    [output] = make(stack, [{"op": "solarize"}])
    changed = """UPDATE batches SET recipe = '{"steps": [{"op": "no_such_op"}]}', recipe_digest = 'another'
                 WHERE id = (SELECT batch_id FROM items WHERE id = %(id)s) RETURNING id"""
    sql(stack, changed, id=output["item_id"])
    answer = stack.client.post(f"/v1/outputs/{output['id']}/replay")
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_op")


def test_without_a_worker_it_is_503_and_nothing_stays(settings: Settings) -> None:
    with running(settings) as stack:
        [output] = make(stack, [{"op": "rotate"}])
        before = stored(settings)
        stack.workers[0].stop()
        began_s = time.monotonic()
        answer = stack.client.post(f"/v1/outputs/{output['id']}/replay", headers={"Prefer": "wait=1"})
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert time.monotonic() - began_s < 30
        check_nothing_stays(stack, before)
        assert stack.client.get(f"/v1/outputs/{output['id']}").json() == output
