"""Sandbox: the worker's side. Runs items, or decodes pictures, each in a process that may only compute."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from batching.execute import Broken, Died, Lacking, Result, SandboxDied, Work
from batching.items import Item
from batching.retries import back_off
from batching.sandbox.confine import CPU_MARGIN_S, MEASURES, WALL_MARGIN_S, environment
from batching.sandbox.messages import Asked, DecodeAsked, Garbled, Rules, RunAsked, receive_decoded, receive_ran, send
from kernels import codec
from kernels.codec import Limits
from kernels.recipe import Recipe

log = logging.getLogger(__name__)
T = TypeVar("T")

LOAD_S = 180.0
"""Longest time to load everything; kernels that were never compiled are compiled then."""
KEPT_S = 20.0
"""So long the one that is kept for all workers may take to answer, before a worker starts its own."""
REST_S = 1.0
"""Pause before another one is made ready, where the last is gone."""
DECODE_S = 10.0
ANSWER_MARGIN_S = 5.0
"""Beyond the time after which the sandbox kills a process itself; then the sandbox is what hangs."""


@dataclass(frozen=True)
class SandboxConfig:
    """What a sandbox allows."""

    limits: Limits = field(default_factory=Limits)
    max_output_pixels: int = 200_000_000
    item_timeout_s: float = 60.0
    memory_bytes: int = 4 * 2**30
    """Of one picture, beyond what the program itself takes."""
    failpoints: str = ""
    kept: int | None = None
    """Socket to the program that is kept for all workers of this machine; None: each has its own."""

    @property
    def decode_s(self) -> float:
        return min(DECODE_S, self.item_timeout_s)


class Sandbox:
    """Has a program fork the processes: the one that is kept for all workers, or, where none is or it does not answer, one
    of the worker's own, started at the first request or before it, and again whenever it is gone. Any thread may ask,
    several at once.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._zygote: _Zygote | None = None
        """The last that was gone to; it may still be loading."""
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def prepare(self) -> None:
        """Has it ready before anybody asks, from now on and in a thread. One of our own is patient as it loads."""

        def keep_ready() -> None:
            with suppress(SandboxDied):
                while True:
                    self._ready(patient=True).wait_until_gone()
                    self._closed.wait(REST_S)

        threading.Thread(target=keep_ready, name="sandbox", daemon=True).start()

    def run(self, work: Work) -> Result:
        """What becomes of an item, decode to encode: `Died` where it killed its process.

        A partner that kills the process that decodes it makes the item `Lacking`, like one that cannot be decoded.
        """
        for key, guest in work.guests.items():
            try:
                self._decoded(guest.content, work.item.recipe.output.alpha)
            except SandboxDied as died:
                if died.late:  # who is whose partner must not depend on load
                    continue
                return self._blamed(work, Lacking(work.item, key))
            except Exception:  # noqa: S112  # it is found out again, and said, where it is decoded for good
                continue
        try:
            return self._run(work)
        except SandboxDied as died:
            return self._blamed(work, Died(work.item, died.reason))

    def _blamed(self, work: Work, verdict: Lacking | Died) -> Result:
        """The verdict on a picture, unless the sandbox fails our own as well."""
        try:
            self.check()
        except Broken as broken:
            return Died(work.item, str(broken), to_blame=False)
        return verdict

    def decode(self, content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        """The pixels of a picture. Errors: the decoder's, SandboxDied, Broken."""
        try:
            return self._decoded(content, alpha)
        except SandboxDied:
            self.check()
            raise

    def check(self) -> None:
        """Returns when a picture of our own comes through. Errors: Broken."""
        try:
            result = self._run(own_work())
        except SandboxDied as died:
            raise Broken(f"the sandbox fails a picture that is known to be good: {died.reason}") from died
        if isinstance(result, Lacking) or not hasattr(result, "outputs"):
            raise Broken(f"the sandbox fails a picture that is known to be good: {result}")

    def measures(self) -> frozenset[str]:
        """Which of `confine.MEASURES` hold here."""
        return self._ready().measures

    def close(self) -> None:
        """Ends everything in the sandbox, one that is loading too; what was asked for has died."""
        self._closed.set()
        if (loading := self._zygote) is not None:
            loading.kill()
        with self._lock:
            if self._zygote is not None:
                self._zygote.kill()
                self._zygote = None

    def _run(self, work: Work) -> Result:
        most = self._config.max_output_pixels
        return self._ask(RunAsked(work), self._config.item_timeout_s, lambda channel: receive_ran(channel, work, most))

    def _decoded(self, content: bytes, alpha: Literal["drop", "keep"]) -> NDArray[np.uint8]:
        asked = DecodeAsked(content, alpha)
        return self._ask(asked, self._config.decode_s, lambda channel: receive_decoded(channel, self._config.limits))

    def _ask(self, asked: Asked, limit_s: float, receive: Callable[[socket.socket], T]) -> T:
        zygote = self._ready()
        channel, theirs = socket.socketpair()
        status, their_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with channel, status:
            for end in (channel, status):
                end.settimeout(limit_s + CPU_MARGIN_S + WALL_MARGIN_S + ANSWER_MARGIN_S)
            with theirs, their_status:
                zygote.fork(limit_s, theirs, their_status)
            try:
                send(channel, asked)
                return receive(channel)
            except (Garbled, OSError) as error:
                log.debug("a process of the sandbox gave no answer: %r", error)
            status.settimeout(ANSWER_MARGIN_S)
            channel.close()  # what waits to be heard hears that nobody listens
            raise self._end_of(zygote, status)

    def _end_of(self, zygote: _Zygote, status: socket.socket) -> SandboxDied:
        """How a process ended that gave no answer. A sandbox that cannot say it is ended too."""
        try:
            said = json.loads(status.recv(4096))
            late = bool(said["late"])
            return SandboxDied(ended(int(said["exit"]), late), late)
        except (OSError, ValueError, KeyError, TypeError):
            zygote.kill()
            return SandboxDied("the sandbox ended", late=True)

    def _ready(self, patient: bool = False) -> _Zygote:
        """The program, loaded. Errors: SandboxDied, once it is closed."""
        with self._lock:
            pauses, kept = back_off(), self._config.kept
            while self._zygote is None or not self._zygote.alive:
                if self._closed.is_set():
                    raise SandboxDied("the worker leaves")
                try:
                    self._zygote = _own(self._config, patient) if kept is None else _kept(self._config, kept)
                    if self._closed.is_set():  # since it was looked at: whoever closed may have seen none
                        self._zygote.kill()
                    self._zygote.load()
                except (OSError, ValueError, EOFError) as error:
                    if self._closed.is_set():
                        continue
                    if kept is not None:
                        log.warning(
                            "the sandbox that is kept for all workers does not answer, so one is started: %r", error
                        )
                        kept = None
                        continue
                    log.error("the sandbox does not start: %r", error)
                    self._closed.wait(next(pauses))
            return self._zygote


class _Zygote:
    """The program as one worker sees it: what is asked of it, and whether it is still there."""

    def __init__(
        self, config: SandboxConfig, door: socket.socket, longest_s: float, program: _Program | None = None
    ) -> None:
        """door: where workers come; longest_s: to load everything; program: what ends with this one. Errors: OSError."""
        self.measures: frozenset[str] = frozenset()
        """What holds, once it has loaded."""
        self._longest_s, self._program = longest_s, program
        self._ending, self._ended = threading.Lock(), False
        rules = Rules(
            config.limits, config.max_output_pixels, config.item_timeout_s, config.memory_bytes, config.failpoints
        )
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                # it does not wait: where nobody takes workers in, their queue may be full
                socket.send_fds(door, [pickle.dumps(rules)], [theirs.fileno()], socket.MSG_DONTWAIT)
            except BaseException:
                self.kill()
                raise

    def load(self) -> None:
        """Returns when everything is loaded. It is left by errors: OSError, ValueError, EOFError."""
        try:
            self._control.settimeout(self._longest_s)
            said = self._control.recv(4096)
            if not said:
                raise EOFError("it ended while it was loading")
            self.measures = frozenset(json.loads(said)["measures"])
        except BaseException:
            self.kill()
            raise
        if missing := set(MEASURES) - self.measures:
            log.warning("the sandbox cannot take away here: %s", ", ".join(sorted(missing)))

    @property
    def alive(self) -> bool:
        return not (self._ended or self._heard_of(0))

    def wait_until_gone(self) -> None:
        """Returns when it has ended, or was left."""
        self._heard_of(None)

    def _heard_of(self, timeout_s: float | None) -> bool:
        """Whether something comes from it, which is its end: all else it says when it has loaded."""
        poll = select.poll()
        try:
            poll.register(self._control, select.POLLIN)
        except ValueError:  # it was left
            return True
        return bool(poll.poll(None if timeout_s is None else 1000 * timeout_s))

    def fork(self, limit_s: float, *ends: socket.socket) -> None:
        """Makes it start a process that is asked over the first of `ends`, and say on the second how that ended."""
        with suppress(OSError):  # it has just ended: so will the conversation
            socket.send_fds(self._control, [str(limit_s).encode()], [end.fileno() for end in ends])

    def kill(self) -> None:
        """Ends all that was asked for, and the program where it is the worker's own. More than once is as once."""
        with self._ending:
            if not self._ended:
                self._ended = True
                with suppress(OSError):  # it has ended before
                    self._control.shutdown(socket.SHUT_RDWR)  # which wakes who waits for it, too
                if self._program is not None:
                    self._program.end()
                self._control.close()


class _Program:
    """A program of the worker's own. Errors, as it starts: OSError."""

    def __init__(self, patient: bool) -> None:
        self.door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603  # our own program
                (sys.executable, "-m", "batching.sandbox.zygote", str(theirs.fileno()), *(["patient"] if patient else [])),
                pass_fds=(theirs.fileno(),),
                env=environment(os.environ),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def end(self) -> None:
        """Ends it and all its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.door.close()


def _own(config: SandboxConfig, patient: bool) -> _Zygote:
    """One that is started. Errors: OSError."""
    program = _Program(patient)
    return _Zygote(config, program.door, LOAD_S, program)


def _kept(config: SandboxConfig, kept: int) -> _Zygote:
    """The one that is kept for all workers. Errors: OSError."""
    with socket.socket(fileno=os.dup(kept)) as door:
        return _Zygote(config, door, KEPT_S)


def ended(code: int, late: bool) -> str:
    """How a process ended, in words for people."""
    if late:
        return "it did not come to an end in time"
    if code >= 0:
        return f"it ended with status {code}"
    if -code == signal.SIGXCPU:
        return "it used up its time"
    return f"it was ended by {signal.Signals(-code).name}"


def own_work() -> Work:
    """A small picture of our own, that comes through wherever anything does."""
    pixels = np.add.outer(np.arange(24, dtype=np.uint8) * 9, np.arange(32, dtype=np.uint8))[..., None].repeat(3, axis=2)
    recipe = Recipe.parse({"steps": [{"op": "rotate", "degrees": 10}, {"op": "brightness", "factor": 1.2}]})
    content = codec.encode(pixels, recipe.output)
    item = Item(
        id=UUID(int=0),
        batch_id=UUID(int=0),
        tenant="",
        priority="bulk",
        day="",
        token=0,
        source_key="",
        source_sha256=hashlib.sha256(content).hexdigest(),
        name="",
        key=0,
        seed=0,
        variants=1,
        recipe=recipe,
        labels=None,
        cost_pixels=0,
        executions=0,
    )
    return Work(item, content)
