"""The sandbox that is kept for all workers of a machine: what they share, and what the end of one is to the others."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from batching.execute import Died, Ran, Result, Work
from batching.failpoints import POISON_MARK
from batching.sandbox import sandbox as sandbox_module
from batching.sandbox.sandbox import Sandbox, SandboxConfig, own_work
from service.settings import Settings
from service.system.programs import Doors, sandbox_program
from tests.helpers.nursery import Forked, start
from tests.helpers.processes import descendants, gone

SECRET = "tell-nobody"


@pytest.fixture
def doors() -> Iterator[Doors]:
    made = Doors.made()
    yield made
    made.close()


@pytest.fixture
def program(doors: Doors, compiled_kernels: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forked]:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{SECRET}@h/d")
    started = kept(doors)
    yield started
    started.kill()
    assert started.wait(10) is not None


def kept(doors: Doors) -> Forked:
    return start(sandbox_program(Settings(api_key=SECRET), doors))


def worker(doors: Doors, failpoints: str = "") -> Sandbox:
    """A worker's side."""
    return Sandbox(SandboxConfig(item_timeout_s=30.0, failpoints=failpoints, kept=doors.outside.fileno()))


def poisoned(poison: bytes) -> Work:
    own = own_work()
    content = own.content + POISON_MARK + poison
    return Work(replace(own.item, source_sha256=hashlib.sha256(content).hexdigest()), content)


def until(true: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.01)


def has_own(sandbox: Sandbox) -> bool:
    return sandbox._zygote is not None and sandbox._zygote._program is not None


def begun(sandbox: Sandbox, work: Work, program: Forked) -> tuple[threading.Thread, list[Result], int]:
    """A run that goes on in a thread, what comes of it, and the process that works on it."""
    before, found = descendants(program.pid), list[Result]()
    thread = threading.Thread(target=lambda: found.append(sandbox.run(work)))
    thread.start()
    until(lambda: descendants(program.pid) - before, "no process was forked")
    [pid] = descendants(program.pid) - before
    return thread, found, pid


def test_workers_share_it_each_by_its_own_rules(doors: Doors, program: Forked) -> None:
    first, second = worker(doors), worker(doors, "decoding=poison")
    assert isinstance(first.run(poisoned(b"segv")), Ran)  # nothing is planted in this one
    died = second.run(poisoned(b"segv"))
    assert isinstance(died, Died)
    assert (died.to_blame, "SIGSEGV" in died.reason) == (True, True)
    assert not has_own(first)
    assert not has_own(second)
    for leaving in (first, second):
        leaving.close()
    assert program.exit_status() is None


def test_what_a_worker_asked_for_ends_with_it_and_nothing_else(doors: Doors, program: Forked) -> None:
    leaving, staying = worker(doors, "decoding=poison"), worker(doors)
    staying.check()
    thread, found, pid = begun(leaving, poisoned(b"grip"), program)
    leaving.close()
    thread.join(30)
    assert isinstance(found[0], Died)
    until(lambda: gone(pid), "the process outlives its worker")
    staying.check()
    assert not has_own(staying)
    staying.close()
    assert program.exit_status() is None


def test_another_one_is_gone_to_when_it_is_gone(doors: Doors, program: Forked) -> None:
    """Nothing is left of the first, and the worker has the second ready although nobody asks."""
    sandbox = worker(doors, "decoding=poison")
    sandbox.prepare()
    until(lambda: sandbox._zygote is not None and sandbox._zygote.measures, "nobody went to it")
    thread, found, pid = begun(sandbox, poisoned(b"grip"), program)
    os.kill(program.pid, signal.SIGKILL)
    until(lambda: gone(pid), "a process outlives the program")
    again = kept(doors)
    thread.join(60)
    assert isinstance(found[0], Died)
    sandbox.check()
    assert not has_own(sandbox)
    again.kill()
    assert again.wait(10) is not None
    third = kept(doors)
    until(
        lambda: sandbox._zygote is not None and sandbox._zygote.alive and sandbox._zygote.measures, "it waits to be asked"
    )
    sandbox.close()
    third.kill()
    assert third.wait(10) is not None


def test_a_worker_starts_its_own_where_that_does_not_answer(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sandbox_module, "KEPT_S", 0.1)
    sandbox = worker(doors)
    assert isinstance(sandbox.run(own_work()), Ran)
    assert has_own(sandbox)
    assert "does not answer" in caplog.text
    sandbox.close()


def test_it_has_nothing_to_tell(doors: Doors, program: Forked) -> None:
    """No secret in its environment, no network, and none of the descriptors of who started it."""
    sandbox = worker(doors)
    sandbox.check()
    assert SECRET in os.environ["DATABASE_URL"]
    command = sandbox_program(Settings(api_key=SECRET), doors)
    assert SECRET not in str(command)
    assert {name for name in command.whole_environment if name.startswith(("AUGMENT", "DATABASE", "REDIS", "AWS"))} == set()
    if "network namespace" in sandbox.measures():
        assert os.readlink(f"/proc/{program.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    assert "NoNewPrivs:\t1" in Path(f"/proc/{program.pid}/status").read_text()
    sandbox.close()


YIELDING = """
import os
from batching.sandbox import zygote
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with zygote._yielding(60.0):
    inside = os.sched_getscheduler(0)
print(inside in (os.SCHED_OTHER, os.SCHED_IDLE), os.sched_getscheduler(0) == os.SCHED_OTHER)
"""


def test_it_yields_only_where_it_may_come_back_from_that() -> None:
    """As others than root may not, mostly: they would load, and compute, behind everything else for good."""
    done = subprocess.run([sys.executable, "-c", YIELDING], capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "True"]


def test_nothing_is_loaded_before_somebody_comes() -> None:
    code = "import sys, batching.sandbox.zygote; print(sorted({'torch', 'cv2', 'numpy', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
