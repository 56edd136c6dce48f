"""Codes, their HTTP status and their page: every error a caller can meet is in the one table."""

from __future__ import annotations

import inspect

import pytest

import batching.errors
import kernels.errors
import service.errors
from kernels.errors import AugmentationError
from service.errors import STATUS, ItemFailed
from service.problems import problem_document

INNER = {"lanes_full", "device_out_of_memory", "device_lost", "ledger_unavailable", "store_unavailable", "item_failed"}
"""Codes that never leave the system as they are."""


def errors() -> list[type[AugmentationError]]:
    modules = (kernels.errors, batching.errors, service.errors)
    found = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    parents = {parent for one in found for parent in one.__mro__[1:]} - {batching.errors.Unavailable}
    return sorted((one for one in found - parents if issubclass(one, AugmentationError)), key=lambda one: one.code)


@pytest.mark.parametrize("error", errors(), ids=lambda error: error.code)
def test_every_error_has_a_status_and_says_what_it_means(error: type[AugmentationError]) -> None:
    assert error.code in STATUS or error.code in INNER
    assert (error.__doc__ or "").strip().endswith((".", "?"))


def test_reasons_of_ours_are_not_told() -> None:
    status, body = problem_document(batching.errors.StoreUnavailable("s3://secret:9000 refused"), "r1")

    assert (status, body["code"]) == (503, "unavailable")
    assert "secret" not in str(body)


def test_a_failed_item_answers_with_its_own_code() -> None:
    status, body = problem_document(ItemFailed("internal", "a fault", "cat.jpg"), "r1")

    assert (status, body["status"], body["code"], body["item"]) == (422, 422, "internal", "cat.jpg")
