"""Keeps programs running: restarts them with a growing pause, and stops them in order when a signal asks for it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from service.system.processes import Child, Program, tail

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A program that ran this long has recovered: the pause before its next restart is short again."""
_TURN_S = 0.5
_UNTIL_S = 0.1

Say = Callable[[str], None]


class StopRequested(Exception):
    """A signal asked us to stop."""


class Signals:
    """The signals that matter, noted instead of striking between two steps, and waited for."""

    def __init__(self, wake: int) -> None:
        """wake: the reading end of the pipe that every signal writes to."""
        self._wake = wake
        self._stop = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler of each of them."""
        self._stop = self._stop or number != signal.SIGCHLD

    def stop_requested(self, timeout_s: float = 0.0) -> bool:
        """Whether a stop signal came since this was last true; waits at most `timeout_s`, less when any signal comes."""
        if not self._stop and select.select([self._wake], [], [], timeout_s)[0]:
            os.read(self._wake, 4096)
        asked, self._stop = self._stop, False
        return asked


@contextmanager
def signals_held() -> Iterator[Signals]:
    """Inside, the signals that matter are noted. Main thread only; whichever thread the kernel gives a signal to."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    held = Signals(reading)
    waking = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, held.note) for number in (*STOP, signal.SIGCHLD)}
    try:
        yield held
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(waking)
        os.close(reading)
        os.close(writing)


class Kept:
    """One program that is kept running."""

    def __init__(self, program: Program, child: Child | None = None) -> None:
        self.program = program
        self.child: Child | None = child or Child(program)
        self.failures = 0
        self._due_s = 0.0

    def look(self, say: Say) -> None:
        """Restarts the program where it has ended and its pause is over."""
        now_s = time.monotonic()
        if self.child is not None:
            status = self.child.exit_status()
            if status is None:
                if self.child.hangs():
                    say(f"{self.program.name} has said nothing for {self.program.silence_s:g} s: it is killed")
                    self.child.kill()
                return
            self.failures = 1 if now_s - self.child.started_s > STEADY_S else self.failures + 1
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self.failures - 1))
            self.child, self._due_s = None, now_s + pause_s
            where = f"; its log: {self.program.log}" if self.program.log else ""
            say(f"{self.program.name} ended ({ended(status)}); starting it again in {pause_s:g} s{where}")
        if now_s >= self._due_s:
            self.child = Child(self.program)


class Supervisor:
    """Programs in the order they were added; they are stopped the other way round, those of one group together."""

    def __init__(self, signals: Signals, say: Say) -> None:
        self._signals, self._say = signals, say
        self._groups: list[list[Kept]] = []

    def keep(self, programs: Sequence[Program]) -> None:
        """Starts programs as one group."""
        self._groups.append([])
        for program in programs:
            self._groups[-1].append(Kept(program))

    def keep_running(self, child: Child) -> None:
        """Takes over a program that was started already, as a group of its own."""
        self._groups.append([Kept(child.program, child)])

    @property
    def failures(self) -> dict[str, int]:
        """How often each program has ended in a row."""
        return {kept.program.name: kept.failures for group in self._groups for kept in group if kept.failures}

    def log_end(self, name: str) -> str:
        """The end of a program's log."""
        return next((tail(kept.program.log) for group in self._groups for kept in group if kept.program.name == name), "")

    def watch(self, until: Callable[[], bool] | None = None) -> None:
        """Keeps the programs running until `until()` is true. Errors: StopRequested when a signal comes first."""
        while not self._signals.stop_requested(_TURN_S if until is None else _UNTIL_S):
            for group in self._groups:
                for kept in group:
                    kept.look(self._say)
            if until is not None and until():
                return
        raise StopRequested

    def stop(self) -> None:
        """Stops all; a second stop signal meanwhile kills what may be killed at any moment, and nothing is left behind."""
        hurry = False
        for group in reversed(self._groups):
            children = [kept.child for kept in group if kept.child is not None]
            for child in children:
                child.ask_to_stop()
            for child in children:
                hurry = self._await_end(child, hurry)
        self._groups.clear()

    def _await_end(self, child: Child, hurry: bool) -> bool:
        """Waits for a child that was asked to stop; whether the rest is to hurry."""
        deadline_s = time.monotonic() + child.program.grace_s
        while child.exit_status() is None:
            hurry = self._signals.stop_requested(0.05) or hurry
            # PostgreSQL's fast stop is soon over, and killed it would have to recover at the next start
            may_be_killed = child.program.stop_signal != signal.SIGINT
            if (hurry and may_be_killed) or time.monotonic() > deadline_s:
                child.kill()
                child.wait(child.program.grace_s)
        return hurry


def ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
