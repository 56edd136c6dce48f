"""A web server of a test, on a thread: paths and what each answers, slow and endless answers among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Page:
    """What one path answers."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    """Before each kilobyte."""
    sized: bool = True
    """Whether it says how long it is."""


class Site:
    """A running server."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self.pages = pages
        self.asked: list[str] = []
        """Paths, in order."""
        self.hosts: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def served(pages: dict[str, Page]) -> Iterator[Site]:
    """A server of these pages on a port of its own."""
    site = Site(pages)
    thread = Thread(target=site._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site._server.shutdown()
        site._server.server_close()


def _answering(site: Site) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            site.hosts.append(self.headers.get("Host", ""))
            page = site.pages.get(self.path, Page(status=404))
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            if page.sized and "Content-Length" not in page.headers:
                self.send_header("Content-Length", str(len(page.content)))
            self.end_headers()
            try:
                for start in range(0, len(page.content), 1024):
                    time.sleep(page.pause_s)
                    self.wfile.write(page.content[start : start + 1024])
            except OSError:
                pass  # the caller has had enough

        log_message: Callable[..., None] = lambda *_: None  # it would print

    return Answering
