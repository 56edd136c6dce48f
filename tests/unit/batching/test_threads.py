"""Threads that compute give way to those that answer, in a process and on a core."""

from __future__ import annotations

import os
import sys
import threading

from batching.threads import NICENESS, SWITCH_S, compute, switch_often


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_the_calling_thread_alone_gives_way() -> None:
    ours, found = niceness(), list[int]()

    def body() -> None:
        compute()
        found.append(niceness())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert found == [min(19, ours + NICENESS)]
    assert niceness() == ours


def test_threads_take_turns_more_often() -> None:
    before = sys.getswitchinterval()
    try:
        switch_often()
        assert abs(sys.getswitchinterval() - SWITCH_S) < 1e-6 < before
    finally:
        sys.setswitchinterval(before)
