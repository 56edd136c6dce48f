"""Bodies made to exhaust a server, against a real API process: refused while they still arrive, in little memory."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import tarfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from service.settings import Settings
from tests.helpers.api import jpeg
from tests.helpers.archives import tar_of, zip_of
from tests.helpers.processes import forget_peak, peak_mib
from tests.helpers.sockets import Answer, chunked, connected, exchanged, head
from tests.helpers.stack import Stack, running

MOST_MIB = 64
SOON_S = 30.0
FORM = "multipart/form-data; boundary=b"
REQUEST = json.dumps({"recipe": {"steps": [{"op": "solarize"}]}}).encode()
PATIENCE_S = 1.5


@pytest.fixture(scope="module")
def stack(shared_settings: Settings) -> Iterator[Stack]:
    settings = shared_settings.model_copy(update={"body_timeout_s": PATIENCE_S, "log_level": "info"})
    with running(settings, workers=0, reconciler=False) as started:
        assert started.client.post("/v1/batches", files=[("request", (None, REQUEST)), *files(4)]).status_code == 202
        for batch in started.client.get("/v1/batches").json()["batches"]:
            started.client.delete(batch["links"]["self"])
        yield started


@pytest.fixture(autouse=True)
def bounded(stack: Stack) -> Iterator[None]:
    """After each test: little memory was taken, nothing was kept, nothing went wrong inside, and the API answers."""
    forget_peak(stack.api.pid)
    before, begun_s = peak_mib(stack.api.pid), time.monotonic()
    yield
    assert peak_mib(stack.api.pid) - before < MOST_MIB
    assert time.monotonic() - begun_s < SOON_S
    assert stack.client.get("/v1/batches").json()["batches"] == []
    assert stack.client.get("/readyz").status_code == 200
    assert not list(stack.settings.data.glob("spool-*"))
    lines = [json.loads(line) for line in stack.log(stack.api).splitlines() if line.startswith("{")]
    assert [line for line in lines if line.get("level") == "error" or line.get("status", 0) >= 500] == []


def files(count: int) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (f"{number}.jpg", jpeg(seed=number))) for number in range(count)]


def part(name: str, content: bytes, filename: str = "") -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def parts(count: int, name: str, content: bytes = b"x") -> Iterator[bytes]:
    yield part("request", REQUEST)
    for number in range(count):
        yield part(name, content, f"{number}.jpg")
    yield b"--b--\r\n"


def test_a_gigabyte_of_json(stack: Stack) -> None:
    text = (b"[" + b"0," * 32_768 for _ in range(2**30 // 65_537))
    answer = exchanged(stack.client, head("/v1/batches", "application/json", "Transfer-Encoding: chunked"), chunked(text))
    assert (answer.status, answer.code) == (413, "payload_too_large")
    assert answer.sent_bytes < 40 * 2**20
    declared = exchanged(
        stack.client,
        head("/v1/augment", "application/json", f"Content-Length: {2**30}"),
        (b" " * 65_536 for _ in range(2**14)),
    )
    assert (declared.status, declared.code) == (413, "payload_too_large")
    assert declared.sent_bytes < 20 * 2**20, "what the sockets hold"


@pytest.mark.parametrize(("name", "status", "code"), [("images", 413, "too_many_items"), ("other", 400, "bad_request")])
def test_a_hundred_thousand_parts(stack: Stack, name: str, status: int, code: str) -> None:
    begin = head("/v1/batches", FORM, "Transfer-Encoding: chunked")
    answer = exchanged(stack.client, begin, chunked(parts(100_000, name)))
    assert (answer.status, answer.code) == (status, code)


def test_one_part_without_an_end(stack: Stack) -> None:
    begin = head("/v1/augment", FORM, "Transfer-Encoding: chunked")
    endless = itertools.chain([part("request", REQUEST), b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n'])
    answer = exchanged(stack.client, begin, chunked(itertools.chain(endless, itertools.repeat(bytes(65_536), 2**14))))
    assert (answer.status, answer.code) == (413, "payload_too_large")
    assert answer.sent_bytes < 60 * 2**20


def test_one_header_without_an_end(stack: Stack) -> None:
    begin = head("/v1/augment", FORM, "Transfer-Encoding: chunked")
    endless = itertools.chain([b"--b\r\nContent-Disposition: form-data; x="], itertools.repeat(b"y" * 65_536, 2**14))
    answer = exchanged(stack.client, begin, chunked(endless))
    assert (answer.status, answer.code) == (400, "bad_request")
    assert answer.sent_bytes < 20 * 2**20


def packed(pieces: Iterator[bytes]) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=5, mtime=0) as file:
        for piece in pieces:
            file.write(piece)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/json", lambda: packed(itertools.repeat(b" " * 2**20, 100))),
        ("image/jpeg", lambda: packed(itertools.repeat(bytes(2**20), 100))),
        (FORM, lambda: packed(parts(12, "images", bytes(10 * 2**20)))),
    ],
    ids=["json", "picture", "many parts"],
)
def test_a_gzip_bomb(stack: Stack, content_type: str, content: Any) -> None:
    bomb = content()
    path = "/v1/images" if content_type == "image/jpeg" else "/v1/batches"
    begin = head(path, content_type, "Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
    answer = exchanged(stack.client, begin, [bomb])
    assert (answer.status, answer.code) == (413, "payload_too_large")


@pytest.mark.parametrize("pause_s", [0.2, 2 * PATIENCE_S], ids=["drop by drop", "not at all"])
def test_a_body_that_comes_too_slowly(stack: Stack, pause_s: float) -> None:
    def drops() -> Iterator[bytes]:
        for _ in range(60):
            yield b" "
            time.sleep(pause_s)

    begun_s = time.monotonic()
    begin = head("/v1/batches", "application/json", "Transfer-Encoding: chunked")
    answer = exchanged(stack.client, begin, chunked(drops()))
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert time.monotonic() - begun_s < 10


def test_a_sender_that_hangs_up(stack: Stack) -> None:
    for path, content_type, body in (
        ("/v1/batches", FORM, part("request", REQUEST) + part("images", jpeg(), "a.jpg") + part("images", b"\xff\xd8\xff")),
        ("/v1/batches", FORM, part("request", REQUEST) + part("archive", zip_of({"a.jpg": jpeg()}), "a.zip")),
        ("/v1/augment?recipe=light", "image/jpeg", jpeg()),
        ("/v1/images", "image/jpeg", jpeg()),
    ):
        with connected(stack.client) as connection:
            connection.sendall(head(path, content_type, f"Content-Length: {len(body) + 1000}") + body)
            time.sleep(0.2)
    assert stack.client.get("/v1/images").json()["images"] == []


def archive(content: bytes) -> Iterator[bytes]:
    yield part("request", REQUEST)
    yield b'--b\r\nContent-Disposition: form-data; name="archive"; filename="a"\r\n\r\n'
    yield from (content[start : start + 65_536] for start in range(0, len(content), 65_536))
    yield b"\r\n--b--\r\n"


def pax_tar(kind: bytes, records: bytes, times: int, *, then: bytes = b"", mode: str = "w") -> bytes:
    """A tar of extended headers in a row, then one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.USTAR_FORMAT) as made:  # type: ignore[call-overload]  # a string
        for _ in range(times):
            info = tarfile.TarInfo("PaxHeaders")
            info.type, info.size = kind, len(records)
            made.addfile(info, io.BytesIO(records))
        info = tarfile.TarInfo("a.jpg")
        info.size = len(then)
        made.addfile(info, io.BytesIO(then))
    return out.getvalue()


def empty_folders(count: int) -> bytes:
    block = bytearray(tarfile.TarInfo("d/").tobuf(tarfile.USTAR_FORMAT))
    block[156:157] = b"5"
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 0x20)
    return bytes(block) * count + bytes(1024)


def zip_with_directory(entries: int) -> bytes:
    """A zip whose directory is long, and whose members all lie in the same place."""
    one = zip_of({"a": b""}, zipfile.ZIP_STORED)
    directory, end = one.rindex(b"PK\x01\x02"), bytearray(one[one.rindex(b"PK\x05\x06") :])
    entry = one[directory : one.rindex(b"PK\x05\x06")]
    end[8:12] = b"\xff\xff" * 2
    end[12:16] = (len(entry) * entries).to_bytes(4, "little")
    return one[:directory] + entry * entries + bytes(end)


ARCHIVES: dict[str, tuple[Any, int, str]] = {
    "tar of extended headers": (lambda: pax_tar(b"x", b"9 a=bcd\n\n", 5000), 422, "archive_corrupt"),
    "tar of global headers": (lambda: pax_tar(b"g", b"9 a=bcd\n\n", 5000), 422, "archive_corrupt"),
    "tar of long names": (lambda: pax_tar(b"L", b"name", 5000), 422, "archive_corrupt"),
    "extended header of digits": (lambda: pax_tar(b"x", b"1" * 60_000, 1), 422, "archive_corrupt"),
    "extended header too long": (lambda: pax_tar(b"x", b"1" * 70_000, 1), 422, "archive_corrupt"),
    "sparse map without an end": (
        lambda: pax_tar(
            b"x", b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n", 1, then=b"9999999\n" + b"0\n" * 2_000_000, mode="w:gz"
        ),
        422,
        "archive_corrupt",
    ),
    "sparse of the old form": (lambda: pax_tar(b"S", b"", 1), 422, "archive_corrupt"),
    "tar of folders": (lambda: empty_folders(100_000), 413, "too_many_items"),
    "tar.gz of folders": (lambda: gzip.compress(empty_folders(100_000)), 422, "archive_ratio"),
    "zip of a long directory": (lambda: zip_with_directory(200_000), 422, "archive_corrupt"),
    "zip of many entries": (lambda: zip_with_directory(30_000), 413, "too_many_items"),
    "gzip of zeros": (lambda: gzip.compress(bytes(150 * 2**20), 1), 422, "archive_ratio"),
    "gzip of a name without an end": (lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"A" * 8_000_000, 422, "archive_corrupt"),
    "gzip of empty members": (lambda: gzip.compress(b"") * 400_000, 422, "archive_corrupt"),
    "tar that goes on behind its end": (lambda: tar_of({"a.jpg": jpeg()}) + bytes(70 * 2**20), 422, "archive_corrupt"),
    "a gzip in a gzip": (lambda: gzip.compress(gzip.compress(bytes(10**6))), 422, "archive_corrupt"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_made_to_exhaust(stack: Stack, name: str) -> None:
    make, status, code = ARCHIVES[name]
    begin = head("/v1/batches", FORM, "Transfer-Encoding: chunked")
    answer = exchanged(stack.client, begin, chunked(archive(make())))
    assert (answer.status, answer.code) == (status, code), answer.body


def told(stack: Stack, sent: Iterable[bytes]) -> Answer:
    answer = exchanged(stack.client, b"POST /v1/images HTTP/1.1\r\nHost: t\r\nContent-Type: image/jpeg\r\n", sent)
    assert b"request_id" in answer.body
    return answer


@pytest.mark.parametrize(
    "sent",
    [
        lambda: (b"a:b\r\n" * 10_000 for _ in range(400)),
        lambda: [b"a:b\r\n" * 200 + b"\r\n"],
        lambda: (b"x-%d: %s\r\n" % (number, b"v" * 1000) for number in range(100_000)),
        lambda: itertools.chain([b"x: "], (b"v" * 65_536 for _ in range(2000))),
        lambda: itertools.chain([b"Transfer-Encoding: chunked\r\n\r\n"], (b"1;" + b"e" * 65_536 for _ in range(2000))),
    ],
    ids=["short", "short in one piece", "long", "one without an end", "an extension without an end"],
)
def test_headers_made_to_exhaust(stack: Stack, sent: Any) -> None:
    answer = told(stack, sent())
    assert (answer.status, answer.code) == (431, "bad_request")
    assert answer.sent_bytes < 30_000_000


@pytest.mark.parametrize("sent", [[], [b"x: "], [b"x: y\r\n"]])
def test_headers_that_do_not_come(stack: Stack, sent: list[bytes]) -> None:
    begun_s = time.monotonic()
    answer = told(stack, sent)
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert time.monotonic() - begun_s < 10


def test_a_connection_that_asks_nothing_is_closed(stack: Stack) -> None:
    for sent in (b"", b"\r\n"):
        with connected(stack.client) as connection:
            connection.sendall(sent)
            while connection.recv(65_536):
                pass


def test_what_is_no_http(stack: Stack) -> None:
    answer = told(stack, [b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"])
    assert (answer.status, answer.code) == (400, "bad_request")


def test_names_with_line_ends_do_not_reach_logs_or_headers(stack: Stack) -> None:
    with connected(stack.client) as connection:
        connection.sendall(
            b"GET /v1/batches/%0d%0aSet-Cookie:%20a=b%00%e2%80%ae HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
        )
        connection.sendall(b"X-Request-Id: a%0d%0ab\xff\r\nIdempotency-Key: \xff\r\n\r\n")
        said = b""
        while piece := connection.recv(65_536):
            said += piece
    assert said.startswith(b"HTTP/1.1 404 ")
    assert b"Set-Cookie" not in said
    log = stack.log(stack.api)
    assert "Set-Cookie" in log, "the path is in the log as it was sent"
    assert "\\u202e" not in log
    assert all(json.loads(line) for line in log.splitlines()[1:])
