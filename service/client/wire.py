"""How the client speaks: requests that are tried again while it makes sense, streams, pages, problems as exceptions."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from pydantic import JsonValue

from service.client.errors import Busy, Conflict, CutOff, Unreachable, problem_of
from service.client.retries import Clock, Patience, retry_after_s

Json = Mapping[str, JsonValue]
LONGEST_WAIT_S = 20.0
"""Longest time that one request waits for a batch."""
_IN_PROGRESS = "idempotency_in_progress"


@dataclass(frozen=True)
class Body:
    """What a request carries; iterating `content` again sends it again."""

    content: Iterable[bytes] | bytes
    headers: Mapping[str, str]


class Wire:
    """Connections to one service; may be shared by threads."""

    def __init__(self, base_url: str, api_key: str | None, patience_s: float, clock: Clock) -> None:
        self.base_url = base_url.rstrip("/")
        self._patience_s, self._clock = patience_s, clock
        self._http = httpx2.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx2.Timeout(connect=5.0, read=LONGEST_WAIT_S + 40.0, write=60.0, pool=None),
            follow_redirects=True,  # to the store; the key stays with the service that it is for
            trust_env=not _is_local(self.base_url),  # a proxy would look for this machine's service on its own
        )

    def close(self) -> None:
        self._http.close()

    def answers(self, path: str) -> bool:
        """Whether a GET succeeds, asked once, without patience."""
        try:
            return self._http.get(path).is_success
        except httpx2.TransportError:
            return False

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> JsonValue:
        """The decoded answer."""
        document: JsonValue = json.loads(self.send(method, path, body=body, headers=headers, params=params).content)
        return document

    def pages(self, path: str, field: str, filters: Mapping[str, str | None]) -> Iterator[JsonValue]:
        """Every row of a list that is answered in pages."""
        params = {name: value for name, value in filters.items() if value is not None}
        while True:
            page = self.json("GET", path, params=params)
            assert isinstance(page, dict), "a page is an object"
            rows, cursor = page.get(field), page.get("next")
            assert isinstance(rows, list), "a page has its rows"
            yield from rows
            if not isinstance(cursor, str):
                return
            params["cursor"] = cursor

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """The answer, read; ApiProblem or Unreachable once patience is over. The content is iterated once a try."""
        sent = {**(headers or {}), **(body.headers if body else {})}

        def once() -> httpx2.Response:
            content = None if body is None else body.content if isinstance(body.content, bytes) else iter(body.content)
            return self._http.request(method, path, content=content, headers=sent, params=params)

        return self._patiently(once)

    @contextmanager
    def stream(self, path: str, params: Mapping[str, str]) -> Iterator[httpx2.Response]:
        """A response whose body is still to be read. Only opening it is tried again."""

        def once() -> httpx2.Response:
            response = self._http.send(self._http.build_request("GET", path, params=params), stream=True)
            if not response.is_success:
                response.read()
            return response

        response = self._patiently(once)
        try:
            yield response
        except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.TimeoutException) as error:
            raise CutOff(self.base_url, f"the answer was cut off: {error or type(error).__name__}") from error
        finally:
            response.close()

    def _patiently(self, once: Callable[[], httpx2.Response]) -> httpx2.Response:
        patience = Patience(self._patience_s, self._clock)
        while True:
            try:
                response = once()
            except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.TimeoutException) as error:
                if patience.pause():
                    continue
                raise Unreachable(self.base_url, str(error) or type(error).__name__) from error
            if response.is_success:
                return response
            after_s = retry_after_s(response.headers.get("Retry-After"))
            problem = problem_of(response, after_s)
            later = isinstance(problem, Busy) or (isinstance(problem, Conflict) and problem.code == _IN_PROGRESS)
            if not later or not patience.pause(after_s):
                raise problem


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
