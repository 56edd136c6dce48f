"""A server that speaks S3, for tests: moto, in a process of its own, with the bucket `pictures`."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """The environment variables that lead a program to the server."""
    if importlib.util.find_spec("moto") is None:
        pytest.skip("moto, the stand-in for S3, is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        endpoint = f"http://127.0.0.1:{port}"
        try:
            _make_bucket(endpoint, until_s=time.monotonic() + 60)
            yield {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "a",
                "AWS_SECRET_ACCESS_KEY": "b",
                "AWS_REGION": "us-east-1",
            }
        finally:
            server.terminate()


def _make_bucket(endpoint: str, until_s: float) -> None:
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{endpoint}/pictures", method="PUT"), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)
