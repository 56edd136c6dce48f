"""The body that the client sends, read by the parser that the service uses."""

from __future__ import annotations

import json
from pathlib import Path

import multipart
import pytest

from service.client.errors import PictureChanged
from service.client.multipart_body import MultipartBody


def parsed(body: MultipartBody) -> list[tuple[str, str | None, bytes]]:
    boundary = body.headers["Content-Type"].partition("boundary=")[2]
    found: list[tuple[str, str | None, bytes]] = []
    with multipart.PushMultipartParser(boundary) as parser:
        for event in parser.parse(b"".join(body)):
            if isinstance(event, multipart.MultipartSegment):
                found.append((event.name, event.filename, b""))
            elif event:
                name, filename, content = found[-1]
                found[-1] = (name, filename, content + event)
    return found


def test_parts_arrive_as_they_were_meant(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"from a file")
    body = MultipartBody({"variants": 2}, "images", {"dogs/a.jpg": b"bytes", "b.png": tmp_path / "b.png"})
    (request, *pictures) = parsed(body)
    assert (request[0], json.loads(request[2])) == ("request", {"variants": 2})
    assert pictures == [("images", "dogs/a.jpg", b"bytes"), ("images", "b.png", b"from a file")]


@pytest.mark.parametrize("name", ['say "hi".jpg', "zażółć/猫.png", "100%.jpg", "a;b=c.jpg", "spaces in it.jpg"])
def test_names_arrive_unchanged(name: str) -> None:
    assert parsed(MultipartBody({}, "images", {name: b""}))[1][1] == name


def test_the_length_is_known_before_and_the_body_can_be_sent_again() -> None:
    body = MultipartBody({}, "images", {"a.jpg": b"x" * 1000, "b.jpg": b""})
    first = b"".join(body)
    assert body.headers["Content-Length"] == str(len(first))
    assert b"".join(body) == first


def test_a_file_that_grew_meanwhile_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"short")
    body = MultipartBody({}, "images", {"a.jpg": path})
    path.write_bytes(b"longer than before")
    with pytest.raises(PictureChanged, match=r"a\.jpg"):
        b"".join(body)
