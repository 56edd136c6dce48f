"""Starting and stopping: nothing outlives `augment up`, nothing is lost with it, and people are told what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import pytest

from service.system.embedded import exclusive
from tests.e2e.conftest import Up
from tests.helpers.http import jpeg, outputs, submit
from tests.helpers.processes import descendants, gone

STEPS = [{"op": "hflip"}, {"op": "rotate"}]
SECRET = "tell-nobody-of-these-forty-eight-characters-here"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Up]:
    """Started with a home and a folder for temporary files that show what is left in them."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    home, temporary = str(tmp_path / "home"), str(tmp_path / "temporary")
    started = Up(tmp_path / "data", HOME=home, TMPDIR=temporary, AUGMENT_TOKEN_KEYS=f"a:{SECRET}")
    try:
        yield started
    finally:
        started.stop()


def all_gone(pids: set[int], timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not all(gone(pid) for pid in pids):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def running(pids: set[int], module: str) -> set[int]:
    """Those that run a module as their program."""
    return {pid for pid in pids if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")}


def keeps(pid: int, secret: str) -> bool:
    """Whether a secret is in the environment that a process began with, or anywhere in its memory."""
    if secret.encode() in Path(f"/proc/{pid}/environ").read_bytes():
        return True
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, rights, *_ = line.split()
            begin, end = (int(address, 16) for address in addresses.split("-"))
            if rights.startswith("rw") and secret.encode() in at(memory, begin, end):
                return True
    return False


def at(memory: FileIO, begin: int, end: int) -> bytes:
    """What is between two addresses, as far as it can be read."""
    memory.seek(begin)
    try:
        return memory.read(end - begin)
    except OSError:
        return b""


def test_ctrl_c_leaves_nothing_and_the_work_is_there_again(system: Up) -> None:
    text = system.ready()
    assert str(system.data) in text
    pids = descendants(system.process.pid)
    assert len(pids) >= 6  # postgres, valkey, api, worker, reconciler, sandbox
    with system.client() as client:
        view = submit(client, {f"{n}.jpg": jpeg(seed=n) for n in range(3)}, STEPS)
        client.get(f"/v1/batches/{view['id']}", headers={"Prefer": "wait=30"})
    [worker], [sandbox] = running(pids, "service.system.worker_main"), running(pids, "batching.sandbox.zygote")
    assert not keeps(sandbox, SECRET)
    assert keeps(worker, SECRET)  # or looking would prove nothing
    os.kill(worker, signal.SIGKILL)
    assert all_gone({worker}, 5)
    assert not gone(sandbox)
    pids |= descendants(system.process.pid)
    system.interrupt()
    assert system.wait() == 0, system.said
    assert all_gone(pids, 0.5)
    written = {str(path.relative_to(system.data.parent)) for path in system.data.parent.glob("*/**/*")}
    assert {path for path in written if not path.startswith("data/")} == set()
    assert not (system.data / "run").exists()

    again = Up(system.data)
    try:
        again.ready()
        with again.client() as client:
            assert client.get(f"/v1/batches/{view['id']}").json()["counts"]["succeeded"] == 3
            assert len(outputs(client, view["id"])) == 3
    finally:
        again.stop()


def test_kill_leaves_nothing_and_accepted_work_goes_on(system: Up) -> None:
    system.ready()
    pids = descendants(system.process.pid)
    with system.client() as client:
        view = submit(client, {f"{n}.jpg": jpeg(600, 800, seed=n) for n in range(20)}, STEPS, variants=10)
    system.process.kill()
    system.process.wait()
    assert all_gone(pids, 20), [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids if not gone(pid)]

    again = Up(system.data, AUGMENT_LEASE_S="2")
    try:
        again.ready()
        with again.client() as client:
            deadline_s = time.monotonic() + 90
            while (found := client.get(f"/v1/batches/{view['id']}", headers={"Prefer": "wait=5"}).json())[
                "state"
            ] != "completed":
                assert time.monotonic() < deadline_s, found
            assert found["counts"] == {"total": 20, "succeeded": 20, "failed": 0, "cancelled": 0}
            made = outputs(client, view["id"])
            assert len(made) == len({(output["item_id"], output["variant"]) for output in made}) == 200
    finally:
        again.stop()


@pytest.mark.long
def test_a_second_ctrl_c_is_safe(system: Up) -> None:
    system.ready()
    pids = descendants(system.process.pid)
    with system.client() as client:
        submit(client, {f"{n}.jpg": jpeg(1200, 1600, seed=n) for n in range(10)}, STEPS, variants=20)
    system.interrupt()
    time.sleep(0.3)
    system.interrupt()
    system.wait()
    assert all_gone(pids, 1)
    assert not (system.data / "postgres" / "postmaster.pid").exists()


def test_ctrl_c_while_it_starts(system: Up) -> None:
    deadline_s = time.monotonic() + 30
    while not descendants(system.process.pid) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    pids = descendants(system.process.pid)
    system.interrupt()
    assert system.wait() in (0, -signal.SIGINT, 130)
    assert all_gone(pids, 1)


def test_the_folder_is_in_use(tmp_path: Path) -> None:
    with exclusive(tmp_path / "data"):
        told = refused(tmp_path, "up", "--port", "0", "--data", str(tmp_path / "data"))
    assert f"in use by another `augment up` (pid {os.getpid()})" in told


def test_the_port_is_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = refused(tmp_path, "up", "--port", str(port), "--data", str(tmp_path / "data"))
    assert f"port {port}: Address already in use; choose another with --port" in told
    assert not (tmp_path / "data").exists()


def test_bad_settings_are_told_together(tmp_path: Path) -> None:
    told = refused(tmp_path, "up", AUGMENT_PORT="x", AUGMENT_WORKERS="-1", AUGMENT_SIZE="3")
    for name in ("AUGMENT_PORT", "AUGMENT_WORKERS", "AUGMENT_SIZE"):
        assert name in told
    assert "DATABASE_URL is required" in refused(tmp_path, "worker")


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    told = refused(tmp_path, "migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert "the database does not answer" in told


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is a GPU here")
def test_a_worker_that_cannot_run(tmp_path: Path) -> None:
    told = refused(tmp_path, "up", "--port", "0", "--data", str(tmp_path / "data"), "--device", "cuda")
    assert "augment: worker-1 does not start" in told
    assert "this process sees no CUDA device" in told
    assert not (tmp_path / "data" / "run").exists()


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """What a command says that cannot start."""
    done = subprocess.run(
        (sys.executable, "-m", "service", *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
    )
    assert done.returncode == 2
    assert "augment: " in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr
