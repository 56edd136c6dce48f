"""The walk of a picture through real processes."""

from __future__ import annotations

from tests.helpers.http import jpeg, outputs, submit
from tests.helpers.stack import Stack


def test_walk(stack: Stack) -> None:
    view = submit(stack.client, {"a.jpg": jpeg(), "b.jpg": jpeg(seed=1)}, [{"op": "hflip"}, {"op": "rotate"}], variants=3)
    assert stack.batch(view["id"])["counts"]["succeeded"] == 2
    assert len(outputs(stack.client, view["id"])) == 6
