"""JSON from outside that is made to cost: refused in time that grows with its length alone."""

from __future__ import annotations

import time

import pytest

from service.errors import BadRequest, ValidationError
from service.uploads.json_text import parse_json


def test_one_double_name_among_very_many() -> None:
    names = ",".join(f'"{number}":0' for number in range(200_000))
    begun_s = time.process_time()
    with pytest.raises(ValidationError, match="'199999' appears twice"):
        parse_json(f'{{{names},"199999":1}}'.encode())
    assert time.process_time() - begun_s < 5, "looking for each name among all takes minutes"


@pytest.mark.parametrize("piece", [b"[]", b"{}"])
def test_very_many_empty_containers(piece: bytes) -> None:
    assert len(parse_json(b"[" + b",".join([piece] * 99_999) + b"]")) == 99_999
    with pytest.raises(BadRequest, match="lists and objects"):
        parse_json(b"[" + b",".join([piece] * 1_000_000) + b"]")
