"""Requests that no client library would send, byte by byte over a socket."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Answer:
    """What came back, and how much had been sent by then."""

    status: int
    body: bytes
    sent_bytes: int

    @property
    def code(self) -> Any:
        return json.loads(self.body)["code"]


def connected(client: httpx2.Client) -> socket.socket:
    """A connection to the API that the client speaks to."""
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=60)


def head(path: str, content_type: str, *lines: str) -> bytes:
    """The beginning of a POST request."""
    fields = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Type: {content_type}", "Connection: close", *lines]
    return "\r\n".join([*fields, "", ""]).encode("latin-1")


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as a body of unknown length."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def exchanged(client: httpx2.Client, begin: bytes, body: Iterable[bytes]) -> Answer:
    """Sends the pieces until they end or an answer comes."""
    with connected(client) as connection:
        connection.sendall(begin)
        sent = 0
        try:
            for piece in body:
                if select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(piece)
                sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused and closed; the answer is there to be read
        answer = b""
        try:
            while piece := connection.recv(65_536):
                answer += piece
        except ConnectionResetError:
            pass  # what was still on its way met a closed connection
    begun, _, content = answer.partition(b"\r\n\r\n")
    return Answer(int(begun.split(b" ", 2)[1]), content, sent)
