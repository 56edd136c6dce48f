"""An object store that speaks as much of S3 as the service does, and breaks as a seeded plan says."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote, urlsplit

Fault = Literal["error", "hang", "slow", "cut short", "lies"]
HANG_S, SLOW_S = 4.0, 0.3


class Objects:
    """Serves the bucket `pictures` on a free port. error: 500; hang: no answer; slow: a late one; cut short: an answer that
    ends too early; lies: a put that says yes and keeps the first half."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.hits: Counter[str] = Counter()
        self._rates: dict[Fault, float] = {}
        self._random = random.Random(0)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="objects", daemon=True).start()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_REGION": "us-east-1",
        }

    def break_down(self, seed: int, **rates: float) -> None:
        """From now on each request fails with these chances, by the fault's name with _ for blanks; none: it works."""
        with self._lock:
            self._random = random.Random(seed)
            self._rates = {name.replace("_", " "): rate for name, rate in rates.items()}  # type: ignore[misc]  # the names

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    def _fault(self) -> Fault | None:
        with self._lock:
            at = self._random.random()
            for name, rate in self._rates.items():
                at -= rate
                if at < 0:
                    self.hits[name] += 1
                    return name
            return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        objects = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = self._delayed()
                if fault == "error":
                    return self._say(500)
                if fault == "cut short":
                    self.close_connection = True
                    return None
                objects.kept[self._key()] = content[: len(content) // 2] if fault == "lies" else content
                return self._say(200, headers={"ETag": _tag(content)})

            def do_GET(self) -> None:
                fault = self._delayed()
                if fault == "error":
                    return self._say(500)
                content = objects.kept.get(self._key())
                if content is None:
                    return self._say(404, b"<Error><Code>NoSuchKey</Code></Error>")
                headers = {"ETag": _tag(content), "Last-Modified": formatdate(usegmt=True)}
                first, status = 0, 200
                if (wanted := self.headers.get("Range", "")).startswith("bytes="):
                    begin, _, end = wanted[6:].partition("-")
                    first, last = int(begin), int(end) if end else len(content) - 1
                    headers["Content-Range"], status = f"bytes {first}-{last}/{len(content)}", 206
                    content = content[first : last + 1]
                return self._say(status, content, headers, short=fault == "cut short")

            def do_HEAD(self) -> None:
                return self.do_GET()

            def do_DELETE(self) -> None:
                objects.kept.pop(self._key(), None)
                self._say(204)

            def log_message(self, *args: object) -> None:
                """Nothing."""

            def _key(self) -> str:
                return unquote(urlsplit(self.path).path).removeprefix("/pictures/")

            def _delayed(self) -> Fault | None:
                fault = objects._fault()
                if fault in ("hang", "slow"):
                    time.sleep(HANG_S if fault == "hang" else SLOW_S)
                return fault

            def _say(
                self, status: int, content: bytes = b"", headers: dict[str, str] | None = None, short: bool = False
            ) -> None:
                self.send_response(status)
                for name, text in {"Content-Length": str(len(content)), **(headers or {})}.items():
                    self.send_header(name, text)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content[: len(content) // 2] if short else content)
                if short:
                    self.close_connection = True

        return Handler


def _tag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
