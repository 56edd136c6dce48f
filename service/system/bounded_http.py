"""HTTP as uvicorn speaks it, but for what it leaves unbounded: the bytes, the number and the time of a request's headers.

Nobody has said who they are by then, so it is bounded here, not behind the credentials.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.ids import new_id
from service.problems import PROBLEM_TYPE, problem_body

MAX_HEAD_BYTES = 64 * 1024
"""Most bytes of a request line with its headers, of trailers, or of what else stands between pieces of a body."""
MAX_HEADERS = 128
"""Most headers, trailers included."""


def bounded_http(head_timeout_s: float) -> type[BoundedHttp]:
    """The protocol of a server that waits so long for a request."""
    return type("Http", (BoundedHttp,), {"head_timeout_s": head_timeout_s})


class _TooMany(Exception):
    pass


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 to what has too much of a head, 408 to one that does not come, 400 to what is no HTTP; then closes."""

    head_timeout_s = 60.0
    """Longest time from a connection, or the first byte of a request, to the end of its headers."""
    _unheard = 0
    """Bytes since the parser last told of a request, the end of its headers or a piece of its body."""
    _is_heading = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unheard += len(data)
        super().data_received(data)
        is_asked = self.cycle is not None and not self.cycle.response_complete
        if self._timer is None and (self._is_heading or not is_asked):
            self._start_timer()
        if self._unheard > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_message_begin(self) -> None:
        self._unheard, self._is_heading = 0, True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) == MAX_HEADERS:
            raise _TooMany
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unheard, self._is_heading = 0, False
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unheard = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for whatever the parser refuses, errors of the methods above among it."""
        if self.headers and len(self.headers) == MAX_HEADERS:
            self._refuse_head()
        else:
            self._refuse(400, "bad_request", "the request is not HTTP that can be read")

    def _refuse_head(self) -> None:
        told = f"a request may have {MAX_HEADERS} headers, and these with the request line {MAX_HEAD_BYTES} bytes"
        self._refuse(431, "bad_request", told)

    def _refuse_waiting(self) -> None:
        self._timer = None
        if self._is_heading:
            told = f"the headers did not come within {self.head_timeout_s:g} s"
            self._refuse(408, "request_timeout", told)
        else:
            self.transport.close()  # nothing was asked

    def _refuse(self, status: int, code: str, detail: str) -> None:
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            identity = new_id().hex
            body = json.dumps(problem_body(code, status, detail, identity)).encode()
            fields = (f"Content-Type: {PROBLEM_TYPE}", f"X-Request-Id: {identity}", f"Content-Length: {len(body)}")
            lines = "\r\n".join((f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *fields, "Connection: close", "", ""))
            self.transport.write(lines.encode() + body)
        self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.head_timeout_s, self._refuse_waiting)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
