"""Fetching what an address names: looked up once, connected to what was checked, in bounded time and memory."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import httpcore2

from batching.errors import SourceUnreachable, SourceUrlForbidden
from service.references.addresses import Address, Allowed, parse_address

MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_CONNECT_S = 5.0
_TRIED = 3
"""Most addresses of one name that are tried."""
_LOOKUPS = 16
_HEADERS = [("User-Agent", "image-augmentation-service"), ("Accept", "image/*"), ("Accept-Encoding", "identity")]
_FAILED = (
    TimeoutError,
    OSError,
    ValueError,
    ssl.SSLError,
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""resolve(host, port) -> IP addresses, best first; none where there is no such name."""


class Fetcher:
    """Gets files by their addresses, for one event loop."""

    def __init__(self, allowed: Allowed, most_bytes: int, timeout_s: float, resolve: Resolve | None = None) -> None:
        """most_bytes: of one file. timeout_s: for one file, redirects included."""
        self._allowed, self._most_bytes, self._timeout_s = allowed, most_bytes, timeout_s
        self._resolve = resolve or _system_lookup()
        self._tls = ssl.create_default_context()

    async def fetch(self, url: str) -> bytes:
        """The bytes under `url`. SourceUrlForbidden, decided before any connection; SourceUnreachable for all the rest."""
        try:
            async with asyncio.timeout(self._timeout_s):
                for _ in range(MAX_REDIRECTS + 1):
                    found = await self._get(parse_address(url, self._allowed))
                    if isinstance(found, bytes):
                        return found
                    url = _joined(url, found)
        except _FAILED as error:
            raise SourceUnreachable(self._most_bytes) from error
        raise SourceUnreachable(self._most_bytes)

    async def _get(self, address: Address) -> bytes | str:
        """The file, or where it is said to be."""
        backend = _Checked(self._allowed, self._resolve)
        url = httpcore2.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target)
        patience = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)}
        async with (
            httpcore2.AsyncConnectionPool(self._tls, max_connections=1, network_backend=backend) as pool,
            pool.stream("GET", url, headers=_HEADERS, extensions=patience) as answer,
        ):
            headers = {name.lower(): value for name, value in answer.headers}
            if answer.status in _REDIRECTS and b"location" in headers:
                return headers[b"location"].decode("latin-1")
            packed = headers.get(b"content-encoding", b"identity").lower() != b"identity"
            declared = headers.get(b"content-length", b"0")
            if answer.status != 200 or packed or not declared.isdigit() or int(declared) > self._most_bytes:
                raise SourceUnreachable(self._most_bytes)
            content = bytearray()
            async for piece in answer.aiter_stream():
                content += piece
                if len(content) > self._most_bytes:
                    raise SourceUnreachable(self._most_bytes)
            return bytes(content)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise SourceUrlForbidden from None


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to the IP addresses of a name when all of them may be reached: no second lookup can change them."""

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed, self._resolve = allowed, resolve
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        found = await self._resolve(host, port)
        # a name that is not there answers as one that leads inside, or names of inner hosts could be tried out
        if not found or not all(map(self._allowed.reachable, found)):
            raise SourceUrlForbidden
        for address in found[:_TRIED]:
            try:
                return await self._inner.connect_tcp(address, port, _CONNECT_S, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _system_lookup() -> Resolve:
    # threads of its own: a name server that does not answer holds one for long
    threads = ThreadPoolExecutor(_LOOKUPS, "lookup")

    def look_up(host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def resolve(host: str, port: int) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(threads, look_up, host, port)

    return resolve
