"""An HTTP server that answers as it is told: for the client's behaviour towards services that are busy, broken or odd."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """One answer. `cut` closes the connection after the headers and what there is of the body."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Scripted:
    """Where it listens, what it will answer in this order, and what it was asked."""

    url: str
    answers: list[Answer]
    seen: list[Seen]


def problem(status: int, code: str, **members: str) -> Answer:
    document = {
        "type": "about:blank",
        "title": code,
        "status": status,
        "code": code,
        "detail": code,
        "request_id": "r",
        **members,
    }
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/problem+json"})


@contextmanager
def scripted_server(*answers: Answer) -> Iterator[Scripted]:
    """Serves on a free port of this machine; the last answer is repeated."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            scripted.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            answer = scripted.answers.pop(0) if len(scripted.answers) > 1 else scripted.answers[0]
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + (1000 if answer.cut else 0)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut

        do_GET = do_POST = do_PUT = _answer  # noqa: N815  # the names that http.server looks for

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted = Scripted(f"http://127.0.0.1:{server.server_address[1]}", list(answers), [])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
