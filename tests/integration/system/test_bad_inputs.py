"""The whole system over files that are odd or damaged: each ends as it should, and no good picture notices."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.settings import Settings
from tests.helpers.bad_inputs import SAMPLES, made
from tests.helpers.http import items, jpeg, outputs, png, submit
from tests.helpers.processes import descendants, is_fenced, resident_mib
from tests.helpers.stack import Stack, running
from tests.helpers.truth import contents, rows

STEPS = [{"op": "rotate"}, {"op": "solarize"}]
SEED = 5
GOOD = {f"good/{number:02}": (jpeg if number % 2 else png)(60 + number, 80, seed=number) for number in range(20)}
ITEM_TIMEOUT_S = 20.0
AT_ONCE = 50
MAY_GROW_MIB = 64
CLIENTS = 4


@pytest.fixture(scope="module")
def stack(shared_settings: Settings) -> Iterator[Stack]:
    with running(shared_settings.model_copy(update={"item_timeout_s": ITEM_TIMEOUT_S, "lease_s": 10.0})) as started:
        yield started


def memory(stack: Stack) -> dict[int, float]:
    """MiB that each process of the system holds, by its number."""
    assert stack.reconciler is not None
    roots = [stack.api.pid, stack.reconciler.pid, stack.sandbox.pid, *(worker.pid for worker in stack.workers)]
    return {pid: resident_mib(pid) for root in roots for pid in {root} | descendants(root)}


def in_batches(stack: Stack) -> dict[str, str | None]:
    """The code of every file, sent among good pictures, whose results are those they have alone."""
    alone = submit(stack.client, GOOD, STEPS, seed=SEED)
    stack.batch(alone["id"])
    wanted = contents(outputs(stack.client, alone["id"]))
    assert len(wanted) == len(GOOD)
    found: dict[str, str | None] = {}
    for start in range(0, len(SAMPLES), AT_ONCE):
        bad = {sample.name: sample.content for sample in SAMPLES[start : start + AT_ONCE]}
        # a good picture after every few of the others, so that they run side by side
        order = sorted([*bad, *GOOD], key=lambda name: name[-5:])
        view = submit(stack.client, {name: (bad | GOOD)[name] for name in order}, STEPS, seed=SEED)
        stack.batch(view["id"])
        ended = {item["custom_id"]: item for item in items(stack.client, view["id"])}
        made = contents(outputs(stack.client, view["id"]))
        assert {key: made[key] for key in wanted} == wanted
        for name in bad:
            assert ended[name]["state"] == ("failed" if ended[name]["error"] else "succeeded")
            assert ((name, 0) in made) == (ended[name]["error"] is None)
            found[name] = ended[name]["error"]["code"] if ended[name]["error"] else None
    return found


def one_by_one(stack: Stack, name: str, content: bytes) -> str | None:
    """The code that `POST /v1/augment` answers, in the form of the contract."""
    request = {"recipe": {"steps": STEPS}, "seed": SEED, "custom_id": name}
    answer = stack.client.post(
        "/v1/augment",
        params={"request": json.dumps(request)},
        content=content,
        headers={"Content-Type": "application/octet-stream", "Prefer": "wait=30"},
    )
    if answer.status_code == 200:
        assert answer.headers["content-type"] == "image/jpeg"
        assert b"secret" not in answer.content
        return None
    assert answer.headers["content-type"] == "application/problem+json"
    code: str = answer.json()["code"]
    at_submit = {"unsupported_format": 415}.get(code, 422)
    # 422 is what it is as well where the worker found it
    assert answer.status_code in (at_submit, 422), answer.text
    return code


def test_every_file_ends_as_it_should_and_harms_nobody(stack: Stack) -> None:
    url = stack.settings.database_url
    with ThreadPoolExecutor(CLIENTS) as clients:
        warm = submit(stack.client, GOOD, STEPS)
        stack.batch(warm["id"])
        while not is_fenced(stack.sandbox.pid):  # it loads in the background
            time.sleep(0.1)
        before = memory(stack)
        found = in_batches(stack)
        alone = dict(
            zip(found, clients.map(lambda sample: one_by_one(stack, sample.name, sample.content), SAMPLES), strict=True)
        )
        after = memory(stack)
        slowest = rows(url, "SELECT max(finished_at - started_at) AS taken FROM items")
        crashes = rows(url, "SELECT count(*) AS items FROM items WHERE crashes > 0 OR executions > 1")
    assert {sample.name: found[sample.name] for sample in SAMPLES if found[sample.name] not in sample.codes} == {}
    assert alone == found
    assert slowest[0]["taken"].total_seconds() < ITEM_TIMEOUT_S
    assert crashes == [{"items": 0}]
    assert before.keys() == after.keys()
    grown = {pid: round(after[pid] - before[pid], 1) for pid in before}
    assert max(grown.values()) < MAY_GROW_MIB, grown


def test_made_files_of_every_other_class(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        files = made(f"http://127.0.0.1:{listener.getsockname()[1]}")
        contents_of = {name: content for name, (content, _) in files.items()}
        alone = {name: one_by_one(stack, name, content) for name, content in contents_of.items()}
        view = submit(stack.client, contents_of, STEPS, seed=SEED)
        stack.batch(view["id"])
        together = {item["custom_id"]: item["error"] for item in items(stack.client, view["id"])}
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()  # nobody came
    wanted = {name: code for name, (_, code) in files.items()}
    assert alone == wanted
    assert {name: error and error["code"] for name, error in together.items()} == wanted
