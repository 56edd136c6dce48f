"""Requests made from the OpenAPI document, right ones and wrong ones: every answer is one that the document promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as how
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from service.app import create_app
from service.settings import Settings
from tests.helpers.http import jpeg, submit
from tests.helpers.stack import Stack, running

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
MODES = {"right": GenerationMode.POSITIVE, "wrong": GenerationMode.NEGATIVE}
SCHEMA = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS = {operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()}
PATIENCE_S = 30.0


def may_be_wrong(operation: Any) -> bool:
    """Whether there is anything in a request that the document forbids."""
    raw = operation.definition.raw
    told = [one["schema"] for one in raw.get("parameters", [])]
    return "requestBody" in raw or any(schema.keys() - {"title", "description"} != {"type"} for schema in told)


WAYS = [(label, mode) for label, one in OPERATIONS.items() for mode in MODES if mode == "right" or may_be_wrong(one)]


@dataclass(frozen=True)
class Known:
    """A running system, and ids of things that are in it."""

    stack: Stack
    ids: dict[str, str]


@pytest.fixture(scope="module")
def known(shared_settings: Settings) -> Iterator[Known]:
    with running(shared_settings.model_copy(update={"max_wait_s": 0.5})) as stack:
        batch = submit(stack.client, {"a.jpg": jpeg(), "b.jpg": b"none"}, [{"op": "hflip"}])["id"]
        stack.batch(batch)
        image = stack.client.post("/v1/images", content=jpeg()).json()["id"]
        [output] = [json.loads(line) for line in stack.client.get(f"/v1/batches/{batch}/outputs").text.splitlines()]
        yield Known(stack, {"batch_id": batch, "image_id": image, "output_id": output["id"], "name": "light"})


def fuzz(known: Known, label: str, mode: str, examples: int) -> None:
    operation: Any = OPERATIONS[label]

    @how(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(case=operation.as_strategy(generation_mode=MODES[mode]), there=st.booleans())
    def ask(case: Any, there: bool) -> None:
        for name in case.path_parameters or {}:
            if there and name in known.ids:
                case.path_parameters[name] = known.ids[name]
        answer = case.call(base_url=str(known.stack.client.base_url), timeout=PATIENCE_S)
        case.validate_response(answer, checks=CHECKS)

    ask()


@pytest.mark.parametrize(("label", "mode"), WAYS)
def test_every_answer_is_promised(known: Known, label: str, mode: str) -> None:
    fuzz(known, label, mode, examples=4)


ENDLESS = {("POST /v1/recipes", "wrong")}
"""schemathesis 4.32 follows this schema, in which steps hold steps, round and round when it makes many wrong requests."""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("label", "mode"), [way for way in WAYS if way not in ENDLESS])
def test_every_answer_of_many_is_promised(known: Known, label: str, mode: str) -> None:
    fuzz(known, label, mode, examples=25)
