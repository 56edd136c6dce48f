"""The program that a sandbox starts: it has loaded everything, touches no picture, and forks one process for each request.

    python -m batching.sandbox.zygote DESCRIPTOR

Over the socket DESCRIPTOR come the rules, then two more sockets for each request: one that the new process is asked and
answers over, one on which is said how that process ended. It ends, and all that it forked, when the socket is closed.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import cv2
import torch

import batching
import kernels
from batching import failpoints
from batching.device import CPU
from batching.execute import Died, complete, decoder, isolated
from batching.sandbox import confine, syscalls
from batching.sandbox.messages import Answer, Rules, RunAsked, decoded, ran, receive, send_answer
from batching.telemetry import Tally
from kernels.errors import AugmentationError
from kernels.run import warm

MOST_DESCRIPTORS = 1024
"""More than are ever open here."""


@dataclass(frozen=True)
class _Forked:
    """A process that works on a request."""

    pid: int
    handle: int
    """Its pidfd, readable when it has ended."""
    status: socket.socket
    deadline_s: float


def main(descriptor: int) -> None:
    """Serves until the worker's end of the socket is closed."""
    control = socket.socket(fileno=descriptor)
    rules: Rules = pickle.loads(control.recv(2**16))  # noqa: S301  # the worker's
    _load()
    confine.prefer_to_kill()
    threads = len(os.listdir("/proc/self/task"))  # a lock that another thread holds would stay locked in every fork
    rules = replace(rules, memory_bytes=rules.memory_bytes + confine.address_space())
    nowhere = os.open(os.devnull, os.O_RDWR)
    taken = confine.fence([Path(package.__path__[0]) for package in (batching, kernels)])
    with suppress(ConnectionError):  # the worker was killed while this loaded, which is found out below
        control.send(json.dumps({"measures": sorted(taken | _filtered()), "threads": threads}).encode())
    gc.collect()
    gc.freeze()
    _serve(control, rules, nowhere)


def _load() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    warm(CPU)


def _filtered() -> set[str]:
    """Whether the filter of system calls can be had, found out by a process of its own."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if syscalls.forbid(os.getpid()) else 1)
    _, status = os.waitpid(pid, 0)
    return {"system calls"} if status == 0 else set()


def _serve(control: socket.socket, rules: Rules, nowhere: int) -> None:
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    running: dict[int, _Forked] = {}
    while True:
        due_s = min((forked.deadline_s for forked in running.values()), default=float("inf")) - time.monotonic()
        ready = selector.select(None if due_s == float("inf") else max(0.0, due_s))
        for key, _ in ready:
            if key.fileobj is control:
                try:
                    message, descriptors, _, _ = socket.recv_fds(control, 64, 2)
                except ConnectionError:  # it was killed before it read what it was told
                    _end(running)
                if not message:
                    _end(running)
                forked = _fork(rules, nowhere, float(message), *descriptors)
                running[forked.handle] = forked
                selector.register(forked.handle, selectors.EVENT_READ)
            elif (ended := running.pop(key.fd, None)) is not None:
                selector.unregister(key.fd)
                _report(ended)
        for forked in running.values():
            if forked.deadline_s < time.monotonic():
                signal.pidfd_send_signal(forked.handle, signal.SIGKILL)


def _end(running: dict[int, _Forked]) -> NoReturn:
    for forked in running.values():
        signal.pidfd_send_signal(forked.handle, signal.SIGKILL)
    os._exit(0)


def _fork(rules: Rules, nowhere: int, limit_s: float, channel: int, status: int) -> _Forked:
    pid = os.fork()
    if pid == 0:
        _work(rules, nowhere, limit_s, channel)
    os.close(channel)
    deadline_s = time.monotonic() + limit_s + confine.CPU_MARGIN_S + confine.WALL_MARGIN_S
    return _Forked(pid, os.pidfd_open(pid), socket.socket(fileno=status), deadline_s)


def _report(ended: _Forked) -> None:
    _, status = os.waitpid(ended.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    os.close(ended.handle)
    with ended.status:
        try:
            ended.status.send(json.dumps({"exit": code, "late": ended.deadline_s < time.monotonic()}).encode())
        except OSError:
            return  # the worker does not want to know any more


def _work(rules: Rules, nowhere: int, limit_s: float, descriptor: int) -> NoReturn:
    """The new process: asked, answers, and ends."""
    status = 1
    try:
        for output in (1, 2):
            os.dup2(nowhere, output)
        os.closerange(3, descriptor)
        os.closerange(descriptor + 1, MOST_DESCRIPTORS)
        confine.limit(rules.memory_bytes, limit_s)
        syscalls.forbid(os.getpid())
        with socket.socket(fileno=descriptor) as channel:
            send_answer(channel, _answer(rules, channel))
        status = 0
    finally:
        os._exit(status)


def _answer(rules: Rules, channel: socket.socket) -> Answer:
    failpoints.arm(failpoints.parse(rules.failpoints))
    asked, decode = receive(channel), decoder(rules.limits)
    if not isinstance(asked, RunAsked):
        try:
            return decoded(decode(asked.content, asked.alpha))
        except AugmentationError as error:
            return decoded(error)
    work = asked.work
    whole = partial(complete, work, decode, CPU, rules.max_output_pixels, rules.item_timeout_s, Tally())
    result = isolated(work.item, whole)
    assert not isinstance(result, Died)  # nothing in here runs in another sandbox
    return ran(result)


if __name__ == "__main__":
    main(int(sys.argv[1]))
