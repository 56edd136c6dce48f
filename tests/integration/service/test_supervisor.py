"""Child processes: kept running, stopped in order, never outliving their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from service.system.processes import Child, Program, tail, wait_until
from service.system.supervisor import StopRequested, Supervisor, signals_held
from tests.helpers.processes import gone

SLEEP = ("sleep", "60")
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def stubborn(log: Path, grace_s: float) -> Program:
    return Program("stubborn", (sys.executable, "-c", STUBBORN), log, grace_s=grace_s)


def started(program: Program) -> Child:
    child = Child(program)
    assert wait_until(lambda: program.log is None or "ready" in tail(program.log), child, 10)
    return child


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    child = Child(Program("echo", ("sh", "-c", "echo said; echo shouted >&2"), tmp_path / "logs" / "echo.log"))
    assert child.wait(10) == 0
    assert tail(child.program.log) == "said\nshouted"


def test_the_environment_is_added(tmp_path: Path) -> None:
    child = Child(Program("env", ("sh", "-c", 'echo "$AUGMENT_X $HOME"'), tmp_path / "log", {"AUGMENT_X": "7"}))
    child.wait(10)
    assert tail(tmp_path / "log") == f"7 {os.environ.get('HOME', '')}".rstrip()


def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    child = started(stubborn(tmp_path / "log", grace_s=0.3))
    assert child.stop() == -signal.SIGKILL
    assert gone(child.pid)


def test_a_child_is_not_in_our_terminal_session(tmp_path: Path) -> None:
    child = Child(Program("sleep", SLEEP))
    try:
        assert os.getsid(child.pid) == child.pid
        assert child.stop() == -signal.SIGTERM
    finally:
        child.kill()


def test_only_the_main_thread_starts_children() -> None:
    caught: list[Exception] = []

    def start() -> None:
        try:
            Child(Program("sleep", SLEEP))
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert caught


def test_what_ends_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    said: list[str] = []
    with signals_held() as signals:
        supervisor = Supervisor(signals, said.append)
        supervisor.keep([Program("brief", ("sh", "-c", "echo once >> $0; exit 3", str(tmp_path / "runs")))])
        supervisor.watch(until=lambda: supervisor.failures.get("brief", 0) >= 3)
        supervisor.stop()
    assert (tmp_path / "runs").read_text().count("once") >= 3
    pauses = [line.partition("again in ")[2].split()[0] for line in said]
    assert pauses[:3] == ["0.5", "1", "2"]
    assert "exit status 3" in said[0]


def test_what_falls_silent_is_killed_but_not_while_it_is_stopped(tmp_path: Path) -> None:
    said: list[str] = []
    code = "for i in 1 2 3; do echo . > /dev/fd/$1; sleep 0.1; done; echo quiet; exec sleep 60"
    program = Program("singer", ("sh", "-c", code, "singer"), tmp_path / "log", silence_s=1.0)
    with signals_held() as signals:
        supervisor = Supervisor(signals, said.append)
        supervisor.keep([program])
        supervisor.watch(until=lambda: "quiet" in tail(tmp_path / "log"))
        [[kept]] = supervisor._groups
        assert kept.child is not None
        os.kill(kept.child.pid, signal.SIGSTOP)
        until_s = time.monotonic() + 2.0
        supervisor.watch(until=lambda: time.monotonic() > until_s)
        assert said == []
        os.kill(kept.child.pid, signal.SIGCONT)
        supervisor.watch(until=lambda: len(said) >= 2)
        supervisor.stop()
    assert said[0] == "singer has said nothing for 1 s: it is killed"
    assert "SIGKILL" in said[1]


def test_where_nobody_could_look_silence_does_not_count(tmp_path: Path) -> None:
    """As on a machine that gives nobody a turn, or stands still for a while."""
    code = "echo . > /dev/fd/$1; echo quiet; exec sleep 60"
    child = Child(Program("singer", ("sh", "-c", code, "singer"), tmp_path / "log", silence_s=1.5))
    try:
        assert wait_until(lambda: "quiet" in tail(tmp_path / "log"), child, 10)
        assert not child.hangs()
        time.sleep(2.0)
        assert not child.hangs()
        time.sleep(1.0)
        assert child.hangs()
    finally:
        child.kill()
        child.wait(10)


def test_groups_stop_the_other_way_round(tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = "trap 'echo $0 >> {}; exit 0' TERM; echo ready; while :; do sleep 0.02; done"

    def program(name: str) -> Program:
        return Program(name, ("sh", "-c", code.format(order), name), tmp_path / f"{name}.log")

    with signals_held() as signals:
        supervisor = Supervisor(signals, lambda _: None)
        for name in ("first", "second", "third"):
            supervisor.keep([program(name)])
        supervisor.watch(
            until=lambda: all("ready" in tail(tmp_path / f"{name}.log") for name in ("first", "second", "third"))
        )
        supervisor.stop()
    assert order.read_text().split() == ["third", "second", "first"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_watch(number: signal.Signals) -> None:
    idle = threading.Event()
    # the kernel may give a signal to any thread: one that does not hold it must not end the process
    thread = threading.Thread(target=idle.wait)
    thread.start()
    with signals_held() as signals:
        supervisor = Supervisor(signals, lambda _: None)
        supervisor.keep([Program("sleep", SLEEP)])
        signal.pthread_kill(thread.ident or 0, number)
        with pytest.raises(StopRequested):
            supervisor.watch()
        supervisor.stop()
    idle.set()
    thread.join()


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with signals_held() as signals:
        supervisor = Supervisor(signals, lambda _: None)
        log = tmp_path / "log"
        supervisor.keep([stubborn(log, grace_s=60)])
        supervisor.watch(until=lambda: "ready" in tail(log))
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        begun_s = time.monotonic()
        supervisor.stop()
    assert time.monotonic() - begun_s < 10


PARENT = """
import sys, time
from service.system.processes import Child, Program
children = [Child(Program("sleep", ("sleep", "60"))), Child(Program("stubborn", (sys.executable, "-c", sys.argv[1])))]
print(*(child.pid for child in children), flush=True)
time.sleep(60)
"""


def test_children_die_with_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, STUBBORN], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        parent.kill()
    deadline_s = time.monotonic() + 5
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
