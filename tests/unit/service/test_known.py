"""Requests that were read before: the same bytes are the same request, and only what is worth it is kept."""

from __future__ import annotations

import json
from typing import Any

from service.known import Known, KnownRequests
from service.schemas import AugmentRequest, checked

RECIPE: dict[str, Any] = {"steps": [{"op": "hflip"}]}


def known(document: dict[str, Any]) -> tuple[bytes, Known]:
    return json.dumps(document).encode(), Known(document, checked(AugmentRequest, document))


def test_the_same_bytes_are_the_same_request_in_the_same_place_only() -> None:
    requests = KnownRequests()
    sent, one = known({"recipe": RECIPE})
    assert requests.get("query", sent) is None
    assert requests.keep("query", sent, one) is one
    assert requests.get("query", sent) is one
    assert requests.get("part", sent) is None
    assert requests.get("query", sent + b" ") is None


def test_labels_and_long_requests_are_not_kept() -> None:
    requests = KnownRequests()
    labelled, one = known({"recipe": RECIPE, "labels": {"boxes": []}})
    assert requests.keep("part", labelled, one) is one
    assert requests.get("part", labelled) is None
    long, other = known({"recipe": {"steps": [{"op": "hflip"}] * 2000}})
    assert requests.keep("part", long, other) is other
    assert requests.get("part", long) is None


def test_the_oldest_leaves_first() -> None:
    requests = KnownRequests()
    for seed in range(300):
        requests.keep("query", *known({"recipe": RECIPE, "seed": seed}))
    assert requests.get("query", known({"recipe": RECIPE, "seed": 0})[0]) is None
    assert requests.get("query", known({"recipe": RECIPE, "seed": 299})[0]) is not None
