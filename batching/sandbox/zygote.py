"""The sandbox's program: it loads everything, touches no picture, and forks one process for each request.

    python -m batching.sandbox.zygote DESCRIPTOR [patient]

Over the socket DESCRIPTOR workers come, one or many: each sends its rules and a socket of its own, over which it is told
what holds here. On that it sends two more sockets for each request: one that the new process is asked and answers over,
one on which is said how that process ended. What a worker asked for ends when its socket is closed; the program, when
nobody has the other end of DESCRIPTOR any more.

Until the first worker comes it is an interpreter that waits: nobody who starts has to share the cores with it. Patient,
it loads in what time others leave over, for a while.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from batching.sandbox import confine, syscalls

if TYPE_CHECKING:
    from batching.sandbox.messages import Rules

YIELD_S = 3.0
"""So long it loads in what time others leave over."""
MOST_BYTES = 2**16
"""Of a worker's rules."""


@dataclass(frozen=True)
class _Arrival:
    """A worker that has come, with its rules as it sent them."""

    control: socket.socket
    said: bytes


@dataclass(frozen=True)
class _Worker:
    """A worker whose requests are served."""

    control: socket.socket
    rules: Rules


@dataclass(frozen=True)
class _Forked:
    """A process that works on a request."""

    pid: int
    handle: int
    """Its pidfd, readable when it has ended."""
    status: socket.socket
    deadline_s: float
    worker: int
    """Descriptor of the socket of whoever asked for it."""

    def kill(self) -> None:
        signal.pidfd_send_signal(self.handle, signal.SIGKILL)


def main(descriptor: int, patient: bool) -> None:
    """Serves until nobody can come any more."""
    door = socket.socket(fileno=descriptor)
    first = _arrival(door)
    if first is None:
        return
    with _yielding(YIELD_S if patient else 0.0):
        from batching.sandbox import task

        task.load()
    confine.prefer_to_kill()
    threads = len(os.listdir("/proc/self/task"))  # a lock that another thread holds would stay locked in every fork
    program_bytes, nowhere = confine.address_space(), os.open(os.devnull, os.O_RDWR)
    measures = confine.fence(task.FOLDERS) | _filtered()
    gc.collect()
    gc.freeze()
    holds = json.dumps({"measures": sorted(measures), "threads": threads}).encode()
    _Serving(door, holds, program_bytes, nowhere).serve(first)


def _arrival(door: socket.socket) -> _Arrival | None:
    """The next worker; None: there will be none."""
    while True:
        said, descriptors, _, _ = socket.recv_fds(door, MOST_BYTES, 1)
        if descriptors:
            return _Arrival(socket.socket(fileno=descriptors[0]), said)
        if not said:
            return None


@contextmanager
def _yielding(most_s: float) -> Iterator[None]:
    """Inside, for so long at most, this process takes what time of the cores nobody else wants; nothing where it may not
    come back from that, as only those may who may raise priorities."""
    if not most_s or not _may_come_back():
        yield
        return
    _schedule(os.SCHED_IDLE)
    previous = signal.signal(signal.SIGALRM, lambda number, frame: _schedule(os.SCHED_OTHER))
    signal.setitimer(signal.ITIMER_REAL, most_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        _schedule(os.SCHED_OTHER)


def _may_come_back() -> bool:
    """Whether a process that yields may take turns again as all do; found out by one of its own."""
    pid = os.fork()
    if pid == 0:
        with suppress(OSError):
            _schedule(os.SCHED_IDLE)
            _schedule(os.SCHED_OTHER)
            os._exit(0)
        os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _schedule(policy: int) -> None:
    os.sched_setscheduler(0, policy, os.sched_param(0))


def _filtered() -> set[str]:
    """Whether the filter of system calls can be had, found out by a process of its own."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if syscalls.forbid(os.getpid()) else 1)
    _, status = os.waitpid(pid, 0)
    return {"system calls"} if status == 0 else set()


class _Serving:
    """What is done once everything is loaded. holds: what each worker is told; nowhere: where output goes."""

    def __init__(self, door: socket.socket, holds: bytes, program_bytes: int, nowhere: int) -> None:
        self._door, self._holds, self._program_bytes, self._nowhere = door, holds, program_bytes, nowhere
        self._selector = selectors.DefaultSelector()
        self._selector.register(door, selectors.EVENT_READ)
        self._running: dict[int, _Forked] = {}
        """By handle."""

    def serve(self, first: _Arrival) -> NoReturn:
        """Serves to the end of the program."""
        self._welcome(first)
        while True:
            due_s = min((forked.deadline_s for forked in self._running.values()), default=float("inf")) - time.monotonic()
            for key, _ in self._selector.select(None if due_s == float("inf") else max(0.0, due_s)):
                if isinstance(key.data, _Forked):
                    self._report(key.data)
                elif isinstance(key.data, _Worker):
                    self._asked(key.data)
                elif arrival := _arrival(self._door):
                    self._welcome(arrival)
                else:
                    self._end()
            for forked in self._running.values():
                if forked.deadline_s < time.monotonic():
                    forked.kill()

    def _welcome(self, arrival: _Arrival) -> None:
        from batching.sandbox.task import rules_of

        worker = _Worker(arrival.control, rules_of(arrival.said, self._program_bytes))
        with suppress(OSError):  # it has gone, which is found out when it is asked for what it wants
            worker.control.send(self._holds)
        self._selector.register(worker.control, selectors.EVENT_READ, worker)

    def _asked(self, worker: _Worker) -> None:
        """A request of a worker, or its leave."""
        try:
            message, descriptors, _, _ = socket.recv_fds(worker.control, 64, 2)
        except ConnectionError:  # it was killed before it read what it was told
            message, descriptors = b"", []
        if message and len(descriptors) == 2:
            self._fork(worker, float(message), *descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        self._selector.unregister(worker.control)
        for forked in self._running.values():
            if forked.worker == worker.control.fileno():
                forked.kill()
        worker.control.close()

    def _fork(self, worker: _Worker, limit_s: float, channel: int, status: int) -> None:
        from batching.sandbox.task import work

        program = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # no room for it: whoever asked hears that nobody answers
            os.close(channel)
            os.close(status)
            return
        if pid == 0:
            work(worker.rules, self._nowhere, limit_s, channel, program)
        os.close(channel)
        deadline_s = time.monotonic() + limit_s + confine.CPU_MARGIN_S + confine.WALL_MARGIN_S
        forked = _Forked(pid, os.pidfd_open(pid), socket.socket(fileno=status), deadline_s, worker.control.fileno())
        self._running[forked.handle] = forked
        self._selector.register(forked.handle, selectors.EVENT_READ, forked)

    def _report(self, ended: _Forked) -> None:
        del self._running[ended.handle]
        self._selector.unregister(ended.handle)
        _, status = os.waitpid(ended.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        os.close(ended.handle)
        with ended.status, suppress(OSError):  # the worker does not want to know any more
            ended.status.send(json.dumps({"exit": code, "late": ended.deadline_s < time.monotonic()}).encode())

    def _end(self) -> NoReturn:
        for forked in self._running.values():
            forked.kill()
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), "patient" in sys.argv[2:])
