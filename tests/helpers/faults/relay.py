"""A relay for TCP and Unix sockets that can be made a bad connection: cut, deaf, slow, or cut at a certain byte."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

Mode = Literal["pass", "refuse", "swallow", "mute"]
DEAF = ("swallow", "mute")


class Relay:
    """Listens on a free port of the loopback address and passes everything on to `target`, as `mode` and `delay_s` say.

    pass: as it is; refuse: connections are closed at once, those that there are too; swallow: nothing gets through any
    more, and nobody is told, as when a cable is cut; mute: only the server's answers vanish.
    """

    def __init__(self, target: str | tuple[str, int]) -> None:
        """target: a path, or a host and a port."""
        self._target = target
        self.delay_s = 0.0
        self.connections = 0
        self.swallowed = 0
        """Bytes."""
        self.cut = 0
        """Connections that were cut at a certain byte."""
        self._mode: Mode = "pass"
        self._marker: bytes | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self.port = 0
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="relay", daemon=True)
        self._thread.start()
        ready.wait(10)

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode not in DEAF:  # what was deaf for a while has lost bytes, so it must not go on
            self._do(self._close_all)

    def cut_at(self, marker: bytes | None) -> None:
        """From now on a connection is cut right after `marker` was passed to the server, and before its answer."""
        self._marker = marker

    def close(self) -> None:
        """Ends it."""
        self._do(self._close_all)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _do(self, what: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (what(), done.set()))
        done.wait(10)

    def _close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self._loop), return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while self._mode == "swallow":
                if not await reader.read(65536):
                    return
            if self._mode == "refuse":
                return
            if isinstance(self._target, str):
                there, back = await asyncio.open_unix_connection(self._target)
            else:
                there, back = await asyncio.open_connection(*self._target)
            self._writers.add(back)
            try:
                cut = asyncio.Event()
                await asyncio.gather(self._pump(reader, back, cut, True), self._pump(there, writer, cut, False))
            finally:
                back.transport.abort()
                self._writers.discard(back)
        except OSError:
            return
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event, to_server: bool
    ) -> None:
        with suppress(OSError):
            while content := await reader.read(65536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if cut.is_set():
                    break
                if self._mode == "swallow" or (self._mode == "mute" and not to_server):
                    self.swallowed += len(content)
                    continue
                is_cut = to_server and self._marker is not None and self._marker in content
                if is_cut:
                    cut.set()
                writer.write(content)
                await writer.drain()
                if is_cut:
                    self.cut += 1
                    await asyncio.sleep(0.3)  # the server has it, and has acted on it
                    break
        writer.transport.abort()
        for other in list(self._writers):
            if other is not writer and other.transport.is_closing():
                self._writers.discard(other)
