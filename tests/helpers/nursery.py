"""The nursery: one process that has loaded all that the service loads, and forks its programs for the tests.

The start of an API or a worker is some 4 s of CPU time, nearly all of it imports; forked, it is a tenth of a second. Each
is a process of its own all the same, with its own environment, log, signals and end. Those that start by themselves are
tried in tests/e2e.

    python -m tests.helpers.nursery DESCRIPTOR     the nursery; it ends, and all that it forked, when the socket is closed
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import json
import os
import pickle
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from service.system.processes import Child, Program
from service.system.tuning import ALLOCATOR, ONE_THREAD

ROOT = Path(__file__).parents[2]
LOAD_S = 300.0
"""Longest time to load; kernels that were never compiled are compiled then."""
MOST_BYTES = 2**16
"""Of a request: the settings of a worker, as environment."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Request:
    """What a process is asked for with; the descriptors come beside it."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: str
    descriptors: tuple[int, ...]
    """The numbers that they are to have."""
    before: Callable[[], None]


def nothing() -> None:
    """Does nothing."""


@cache
def nursery() -> Nursery:
    """That of this process of pytest, which ends with it."""
    return Nursery()


def start(program: Program, before: Callable[[], None] = nothing) -> Forked:
    """A running program of the service, which is to know no GPU: no process may fork that does.

    before: what it does before all else; a function of a module, so that it can be sent there.
    """
    assert program.bare or program.environment["AUGMENT_DEVICE"] == "cpu"
    return nursery().start(program, before)


class Nursery:
    """The tests' side. Used by one thread."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            descriptor = theirs.fileno()
            command = (sys.executable, "-m", __name__, str(descriptor))
            path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
            environment = {"PYTHONPATH": path, **ALLOCATOR, **ONE_THREAD}  # as a worker's, which it is read only once for
            self._program = Child(Program("nursery", command, None, environment, keep_fds=(descriptor,)))
        self._control.settimeout(LOAD_S)
        threads = json.loads(self._control.recv(MOST_BYTES) or b"0")
        assert threads == 1, f"{threads} threads: a lock that another one holds would stay locked in every fork"
        self._control.settimeout(10)
        atexit.register(self.close)

    def close(self) -> None:
        """Ends it, and what is left of what it forked."""
        self._control.close()
        self._program.wait(10)

    def start(self, program: Program, before: Callable[[], None] = nothing) -> Forked:
        """A forked process instead of one that is started."""
        if program.log is not None:
            program.log.parent.mkdir(parents=True, exist_ok=True)
        request = Request(
            program.command,
            program.whole_environment,
            os.devnull if program.log is None else str(program.log),
            program.keep_fds,
            before,
        )
        status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._control, [pickle.dumps(request)], [theirs.fileno(), *program.keep_fds])
        status.settimeout(10)
        return Forked(program, json.loads(status.recv(64)), status)


@dataclass(eq=False)
class Forked:
    """A forked process, used like a `Child`."""

    program: Program
    pid: int
    _status: socket.socket
    _ended: int | None = field(default=None, init=False)

    def exit_status(self) -> int | None:
        """None while it runs; a negative number is the signal that ended it."""
        return self._ended if self._ended is not None else self.wait(0)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status, or None when it still runs after `timeout_s`."""
        if self._ended is None:
            self._status.settimeout(timeout_s)
            with suppress(TimeoutError, BlockingIOError):
                said = self._status.recv(64)
                self._ended = json.loads(said) if said else -signal.SIGKILL  # the nursery's end is theirs too
                self._status.close()
        return self._ended

    def ask_to_stop(self) -> None:
        self._send(self.program.stop_signal)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def stop(self) -> int:
        """Asks it to stop, kills it after its grace, and returns its exit status."""
        self.ask_to_stop()
        if self.wait(self.program.grace_s) is None:
            self.kill()
        status = self.wait(10)
        assert status is not None, f"{self.program.name} cannot be killed"
        return status

    def _send(self, number: signal.Signals) -> None:
        if self.exit_status() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


# the program


@dataclass(frozen=True)
class _Running:
    pid: int
    status: socket.socket


def serve(descriptor: int) -> Request:
    """Returns in each forked process, with what was asked for. The nursery ends when the tests' end of the socket does."""
    control = socket.socket(fileno=descriptor)
    _load()
    gc.collect()
    gc.freeze()
    control.send(json.dumps(len(os.listdir("/proc/self/task"))).encode())
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not control:
                selector.unregister(key.fd)
                _report(key.fd, key.data)
                continue
            message, (*descriptors,), _, _ = socket.recv_fds(control, MOST_BYTES, 8)
            if not message:
                os._exit(0)
            status, kept, ours = socket.socket(fileno=descriptors[0]), descriptors[1:], os.getpid()
            pid = os.fork()
            if pid == 0:
                status.close()
                _leave_behind(ours, selector)
                request: Request = pickle.loads(message)
                _keep(kept, request.descriptors)
                return request
            for copied in kept:
                os.close(copied)
            status.send(json.dumps(pid).encode())
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ, _Running(pid, status))


def _load() -> None:
    import cv2
    import torch

    import batching.sandbox.task  # noqa: F401
    import service.cli
    import service.repair.reconciler
    import service.system.api_main
    import service.system.worker_main  # noqa: F401  # all that they import
    from kernels.run import warm

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    warm(torch.device("cpu"))


def _report(handle: int, ended: _Running) -> None:
    _, status = os.waitpid(ended.pid, 0)
    os.close(handle)
    with ended.status, suppress(OSError):  # who asked for it may not want to know any more
        ended.status.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def _leave_behind(nursery: int, selector: selectors.BaseSelector) -> None:
    """A process by itself: a session of its own, nothing open that is the nursery's, ended by the kernel when that ends."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != nursery:
        os._exit(1)
    for key in selector.get_map().values():
        if isinstance(key.data, _Running):
            key.data.status.close()
            os.close(key.fd)
        else:
            key.fileobj.close()  # type: ignore[union-attr]  # the socket to the tests
    selector.close()


def _keep(descriptors: Sequence[int], numbers: Sequence[int]) -> None:
    """Gives descriptors the numbers that they had in the tests' process."""
    out_of_the_way = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 512) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(out_of_the_way, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def become(request: Request) -> None:
    """Takes environment, log and arguments, does what is to be done before all else, and runs the program to its end."""
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    os.environ.clear()
    os.environ.update(request.environment)
    _python, _m, module, *arguments = request.command
    sys.argv = [module, *arguments]
    request.before()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    from tests.helpers import nursery as ours  # where requests say that they are from

    ours.become(ours.serve(int(sys.argv[1])))
