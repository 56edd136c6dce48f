"""Every statement that a route runs names the tenant whose rows it may see."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from service.truth import account_queries, batch_moves, queries, recipe_queries, seed_queries, submissions, usage_queries

MODULES = (account_queries, batch_moves, queries, recipe_queries, seed_queries, submissions, usage_queries)
WITHOUT = {
    "queries.states": "ids that this process watches, each found by its tenant before; tells states alone",
    "queries.outputs_of_new": "each batch is asked for with its tenant",
    "queries.unfinished": "sums of all tenants, for /metrics",
    "queries.writable": "reads no table",
    "account_queries.create_tenant": "for operators",
    "account_queries.change_tenant": "for operators, by the tenant's name",
    "account_queries.tenants": "for operators",
    "account_queries.tenant": "by the tenant's name",
    "account_queries.usable_by_sha256": "says who the tenant is",
    "submissions.write": "a batch names its tenant",
    "usage_queries.add_requests": "counts by tenant",
    "seed_queries.sign_up": "makes the tenant",
    "seed_queries.user_of": "says who the tenant is",
    "seed_queries.user": "says who the tenant is",
    "seed_queries.keep_upload": "its owner names the tenant",
    "seed_queries.remove_user": "by the user, who is the tenant",
}
"""Functions without a tenant, each with its reason."""


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in MODULES:
        for name, value in vars(module).items():
            if inspect.iscoroutinefunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{short(module)}.{name}", value


def short(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


@pytest.mark.parametrize(("name", "function"), list(functions()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_statement_of_a_route_names_the_tenant(name: str, function: Callable[..., Any]) -> None:
    takes_it = "tenant" in inspect.signature(function).parameters
    assert takes_it != (name in WITHOUT), name


def test_reasons_are_about_functions_that_there_are() -> None:
    assert set(WITHOUT) <= {name for name, _ in functions()}
