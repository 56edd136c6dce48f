"""The system as a user starts it: `augment up` in a folder, spoken to over HTTP only."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

START_S = 240.0
STOP_S = 60.0


class Up:
    """A running `augment up`."""

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        """Starts it; `ready()` waits."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUGMENT_")}
        for name in ("DATABASE_URL", "REDIS_URL"):
            inherited.pop(name, None)
        self.data = data
        self.process = subprocess.Popen(
            (sys.executable, "-m", "service", "up", "--port", "0", "--data", str(data), *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**inherited, "AUGMENT_DEVICE": "cpu", **environment},
            text=True,
        )
        self.said: list[str] = []
        self.url = ""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ready(self) -> str:
        """The text of the ready block, once it is there."""
        assert self.process.stdout is not None
        timer = threading.Timer(START_S, self.process.kill)
        timer.start()
        text = ""
        try:
            for line in self.process.stdout:
                text += line
                if "Ctrl-C" in line:
                    break
        finally:
            timer.cancel()
        found = re.search(r"API\s+(http://\S+)", text)
        assert found, f"it did not become ready: {text}\n{''.join(self.said)}"
        self.url = found[1]
        return text

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=60, trust_env=False)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        return self.process.wait(STOP_S)

    def stop(self) -> None:
        """Whatever happened, nothing of it runs after this."""
        if self.process.poll() is None:
            self.interrupt()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.communicate()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One running system for a module's tests."""
    started = Up(tmp_path_factory.mktemp("up") / "data")
    try:
        started.ready()
        yield started
    finally:
        started.stop()


@pytest.fixture
def client(up: Up) -> Iterator[httpx2.Client]:
    with up.client() as opened:
        yield opened
