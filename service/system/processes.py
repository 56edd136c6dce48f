"""Programs run as direct children: started with a log, stopped in order, gone when their parent is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_LOG_BYTES = 10 * 2**20
_TAIL_BYTES = 4000
_LOOK_S = 1.0
"""Longest silence that one look at a child counts."""


@dataclass(frozen=True)
class Program:
    """What to run, and how it is told to stop."""

    name: str
    command: tuple[str, ...]
    log: Path | None = None
    """Where its output goes; None leaves it on ours."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to our own environment."""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when we die without having stopped it."""
    grace_s: float = 10.0
    """How long it may take to stop before it is killed."""
    user: int | None = None
    """Runs under this user and group id (only root can ask for it)."""
    keep_fds: tuple[int, ...] = ()
    """Descriptors it inherits."""
    silence_s: float | None = None
    """It beats on the descriptor that is added to its command; once it has begun, it hangs when it is silent this long."""
    bare: bool = False
    """Whether it has that environment alone, and nothing of our own."""

    @property
    def whole_environment(self) -> dict[str, str]:
        return dict(self.environment) if self.bare else {**os.environ, **self.environment}


class Child:
    """A running program."""

    def __init__(self, program: Program) -> None:
        if threading.current_thread() is not threading.main_thread():
            # the death signal fires when the *thread* that spawned ends
            raise RuntimeError("child processes are started from the main thread only")
        self.program = program
        self.started_s = time.monotonic()
        self._beats: int | None = None
        self._silent_s: float | None = None
        """How long, once it has begun to beat."""
        self._looked_s = 0.0
        if program.silence_s is None:
            self._process = _spawn(program)
            return
        self._beats, theirs = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            beating = replace(program, command=(*program.command, str(theirs)), keep_fds=(*program.keep_fds, theirs))
            self._process = _spawn(beating)
        finally:
            os.close(theirs)

    def __del__(self) -> None:
        if getattr(self, "_beats", None) is not None:
            os.close(self._beats)  # type: ignore[arg-type]  # just looked at
            self._beats = None

    def hangs(self) -> bool:
        """Whether it has been silent for too long. One that somebody has stopped (SIGSTOP) is not: it may go on.

        Silence is counted from look to look, and between two of them no more than if we had looked in time: on a machine
        that gave us no turn, or stood still, the child need not have had one either.
        """
        if self._beats is None or self.program.silence_s is None:
            return False
        now_s = time.monotonic()
        try:
            heard = bool(os.read(self._beats, 65536))
        except BlockingIOError:
            heard = False
        passed_s, self._looked_s = min(_LOOK_S, now_s - self._looked_s), now_s
        if heard or (self._silent_s is not None and self._is_stopped()):
            self._silent_s = 0.0
        elif self._silent_s is not None:
            self._silent_s += passed_s
        return self._silent_s is not None and self._silent_s > self.program.silence_s

    def _is_stopped(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except (OSError, IndexError):
            return False

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs; a negative number is the signal that ended it."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        self._send(self.program.stop_signal)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status, or None when it still runs after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> int:
        """Asks it to stop, kills it after its grace, and returns its exit status."""
        self.ask_to_stop()
        status = self.wait(self.program.grace_s)
        if status is None:
            self.kill()
            status = self._process.wait()
        return status

    def _send(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)


def tail(log: Path | None, lines: int = 12) -> str:
    """The last lines of a log, for a message to a person."""
    if log is None or not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = stream.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-lines:])


def wait_until(ready: Callable[[], bool], child: Child, timeout_s: float, pause_s: float = 0.02) -> bool:
    """Whether `ready()` came true before the time was over or the child ended."""
    deadline_s = time.monotonic() + timeout_s
    while child.exit_status() is None and time.monotonic() < deadline_s:
        if ready():
            return True
        time.sleep(pause_s)
    return False


def run_once(program: Program, timeout_s: float) -> int:
    """Runs a program to its end; its exit status. A program that takes longer than `timeout_s` is killed."""
    child = Child(program)
    try:
        status = child.wait(timeout_s)
    finally:
        child.kill()
    return child.wait(program.grace_s) or 0 if status is None else status


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    death_signal = int(program.death_signal)

    def before_exec() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the signal was asked for
            os._exit(1)

    output = _open_log(program.log)
    try:
        # A session of its own: Ctrl-C in the terminal reaches the parent alone, which stops the children in order.
        return subprocess.Popen(  # noqa: S603  # commands are ours
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=program.whole_environment,
            start_new_session=True,
            pass_fds=program.keep_fds,
            preexec_fn=before_exec,  # noqa: PLW1509  # only two system calls, with everything they need made before
            user=program.user,
            group=program.user,
            extra_groups=None if program.user is None else (),
        )
    finally:
        if output is not None:
            os.close(output)


def _open_log(log: Path | None) -> int | None:
    if log is None:
        return None
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
