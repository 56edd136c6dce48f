"""How long a request prefers to wait, by its `Prefer` headers."""

from __future__ import annotations

import pytest

from service.routes.shared import preferred_s

MOST_S = 60.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], 0.0),
        (["wait=5"], 5.0),
        (["wait=0.25"], 0.25),
        (["wait=1e1"], 10.0),
        (['respond-async, Wait = "7"; x=y'], 7.0),
        (["respond-async", "wait=3"], 3.0),
        (["wait=61"], MOST_S),
        (["wait=1e9999"], MOST_S),
        (["wait=" + "9" * 5000], MOST_S),
        (["wait=1e-9999"], 0.0),
        (["wait=soon"], 0.0),
        (["wait=-1"], 0.0),
        (["wait=1.2.3"], 0.0),
        (["wait=10s"], 0.0),
        (["wait=nan"], 0.0),
        (["wait=inf"], 0.0),
        (["await=5"], 0.0),
    ],
)
def test_the_seconds_that_are_preferred(headers: list[str], seconds: float) -> None:
    assert preferred_s(headers, MOST_S) == seconds
