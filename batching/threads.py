"""How the threads of a process, and those of processes on the same cores, take turns."""

from __future__ import annotations

import os
import sys
import threading

SWITCH_S = 0.0005
"""So long a thread may keep the interpreter when another one wants it; Python's own is ten times that."""
NICENESS = 5
"""More than their process's, of threads that compute: they get a third of a core that others want too."""


def switch_often() -> None:
    """From now on a thread of this process that answers somebody waits `SWITCH_S` at most for one that computes."""
    sys.setswitchinterval(SWITCH_S)


def compute() -> None:
    """The calling thread computes: what only hands on, here and in other processes, goes before it on the same core."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
