"""The client towards a service that is busy, away, or answers oddly."""

from __future__ import annotations

import json
import socket
import uuid

import pytest

from service.client import Client
from service.client.errors import (
    ApiProblem,
    Busy,
    Conflict,
    CutOff,
    Invalid,
    NotFound,
    ServiceFault,
    Unauthorized,
    Unreachable,
)
from service.client.retries import Clock
from tests.helpers.scripted_server import Answer, problem, scripted_server

BATCH = {
    "id": str(uuid.uuid4()),
    "state": "completed",
    "counts": {"total": 1, "succeeded": 1, "failed": 0, "cancelled": 0},
    "outputs": {"total": 1, "done": 1},
    "recipe_digest": "0" * 64,
    "seed": 1,
    "variants": 1,
    "priority": "bulk",
    "output": {"format": "jpeg"},
    "a_field_of_tomorrow": True,
}
OK = Answer(202, json.dumps(BATCH).encode())
RECIPE = {"steps": []}


class Patient:
    """A clock that jumps instead of waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def client(self, url: str, patience_s: float = 60.0) -> Client:
        return Client(url, "key", patience_s=patience_s, clock=Clock(lambda: self.now_s, self.sleep, lambda: 0.0))


def test_busy_answers_are_waited_out_and_the_same_body_and_key_are_sent_again() -> None:
    busy = problem(503, "overloaded")
    limited = Answer(429, problem(429, "rate_limited").body, {"Retry-After": "7"})
    patient = Patient()
    with (
        scripted_server(busy, limited, problem(409, "idempotency_in_progress"), OK) as server,
        patient.client(server.url) as client,
    ):
        batch = client.submit_batch({"a.jpg": b"picture"}, RECIPE)
    assert str(batch.id) == BATCH["id"]
    assert patient.slept[1] == pytest.approx(7.0)
    assert len(server.seen) == 4
    assert len({seen.body for seen in server.seen}) == 1
    assert len({seen.headers["Idempotency-Key"] for seen in server.seen}) == 1
    assert server.seen[0].headers["Authorization"] == "Bearer key"


def test_patience_ends() -> None:
    patient = Patient()
    with (
        scripted_server(problem(503, "overloaded")) as server,
        patient.client(server.url, patience_s=10.0) as client,
        pytest.raises(Busy) as raised,
    ):
        client.batch(uuid.uuid4())
    assert (raised.value.code, raised.value.status) == ("overloaded", 503)
    assert 1.0 < patient.now_s <= 10.0


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "bad_request", Invalid),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Unauthorized),
        (404, "not_found", NotFound),
        (409, "batch_not_final", Conflict),
        (410, "gone", NotFound),
        (413, "payload_too_large", Invalid),
        (422, "recipe_invalid", Invalid),
        (500, "internal", ServiceFault),
    ],
)
def test_problems_become_errors_at_once(status: int, code: str, kind: type[ApiProblem]) -> None:
    answer = problem(status, code, pointer="/recipe/steps/0", item="a.jpg", detail="say what to do")
    patient = Patient()
    with scripted_server(answer) as server, patient.client(server.url) as client, pytest.raises(kind) as raised:
        client.batch(uuid.uuid4())
    error = raised.value
    assert (error.status, error.code, error.detail) == (status, code, "say what to do")
    assert (error.pointer, error.item, error.request_id) == ("/recipe/steps/0", "a.jpg", "r")
    assert patient.slept == []


def test_an_answer_that_is_not_the_services_is_still_an_error_that_says_something() -> None:
    answer = Answer(418, b"<h1>I am a teapot</h1>")
    with scripted_server(answer) as server, Client(server.url) as client, pytest.raises(Invalid, match="teapot") as raised:
        client.batch(uuid.uuid4())
    assert raised.value.code == "http_418"


def test_a_cut_connection_is_tried_again() -> None:
    cut = Answer(202, b'{"id":', cut=True)
    patient = Patient()
    with scripted_server(cut, OK) as server, patient.client(server.url) as client:
        assert client.submit_batch({"a.jpg": b"picture"}, RECIPE).final
    assert len(server.seen) == 2


def test_an_archive_that_is_cut_off_says_so() -> None:
    cut = Answer(200, b"half of it", cut=True)
    with (
        scripted_server(cut) as server,
        Client(server.url) as client,
        pytest.raises(CutOff),
        client.archive(uuid.uuid4()) as pieces,
    ):
        b"".join(pieces)


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        patient = Patient()
        with patient.client(url, patience_s=5.0) as client:
            assert not client.ready()
            with pytest.raises(Unreachable, match="no augmentation service answers at"):
                client.batch(uuid.uuid4())
    assert patient.slept


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with scripted_server(OK) as server, Client(server.url, patience_s=0.0) as client:
        assert client.batch(uuid.uuid4()).final


def test_pages_are_followed_to_the_end() -> None:
    pages = [{"batches": [BATCH, BATCH], "next": "more"}, {"batches": [BATCH], "next": None}]
    with (
        scripted_server(*(Answer(200, json.dumps(page).encode()) for page in pages)) as server,
        Client(server.url) as client,
    ):
        assert len(list(client.batches(group="g"))) == 3
    assert [seen.path for seen in server.seen] == ["/v1/batches?group=g", "/v1/batches?group=g&cursor=more"]
