"""Named places where a test may plant a fault. Not armed, a hit costs one look-up in an empty mapping."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import time
from collections.abc import Mapping

from kernels.errors import DeviceLost, DeviceOutOfMemory

SUBMIT = ("body_read", "object_put", "before_commit", "committed", "handed_off")
"""Steps of a submit, in order."""
RUN = (
    "taken",
    "leased",
    "fetched",
    "decoded",
    "ran",
    "encoded",
    "stored",
    "before_finish",
    "finished",
    "before_settle",
)
"""Steps of a picture in a worker, in order."""
DEVICE = "running"
"""Each time that pictures are given to the device, inside of what watches its memory."""
DECODER = "decoding"
"""Before a picture is decoded; takes `poison` alone."""
REPAIR = "repairing"
"""In a reconciler, after it has read what is to be repaired and before it writes."""
NAMES = (*SUBMIT, *RUN, DEVICE, DECODER, REPAIR)

VERBS = ("kill", "stop", "error", "sleep", "oom", "lost", "poison")
POISON_MARK = b"augment-poison:"
"""At the end of a file, with what it is to do to its decoder: segv, abort, loop, balloon or grip."""
BALLOON_BYTES = 2**28


class PlantedFault(Exception):
    """What the action `error` raises."""


_armed: dict[str, str] = {}
_left: dict[str, int] = {}


def parse(text: str) -> dict[str, str]:
    """Actions by failpoint of `NAME=ACTION[,...]`. Errors: ValueError names what is not one."""
    actions: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, action = part.partition("=")
        if name not in NAMES:
            raise ValueError(f"there is no failpoint {name!r}; there are {', '.join(NAMES)}")
        verb, _, number = action.partition(":")
        if verb not in VERBS or (verb == "sleep" and not number) or (verb == "poison") != (name == DECODER):
            raise ValueError(
                f"{part!r}: an action is kill, stop, error, oom or lost, each [:TIMES], sleep:SECONDS, or poison"
            )
        if number:
            _ = float(number) if verb == "sleep" else int(number)
        actions[name] = action
    return actions


def arm(actions: Mapping[str, str]) -> None:
    """Replaces what is planted in this process."""
    _armed.clear()
    _armed.update(actions)
    _left.clear()


def hit(name: str) -> None:
    """Does what is planted at `name`: nothing, unless a test armed it."""
    action = _armed.get(name)
    if action is None:
        return
    verb, _, number = action.partition(":")
    if number and verb != "sleep":
        left = _left.setdefault(name, int(number))
        if left <= 0:
            return
        _left[name] = left - 1
    match verb:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "error":
            raise PlantedFault(name)
        case "oom":
            raise DeviceOutOfMemory("planted")
        case "lost":
            raise DeviceLost("planted", "an illegal memory access")
        case "sleep":
            time.sleep(float(number))


def taste(content: bytes) -> None:
    """Does to this process what a poisoned picture asks for in its last bytes, where a test armed that."""
    if DECODER not in _armed or POISON_MARK not in content[-64:]:
        return
    match content.rpartition(POISON_MARK)[2]:
        case b"segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"abort":
            os.abort()
        case b"loop":
            while True:
                pass
        case b"grip":  # hangs in native code, and nothing else of this process gets a turn
            ctypes.PyDLL(None).pause()
        case b"balloon":
            _inflate()


def _inflate() -> None:
    """Takes memory until there is none; without a limit of its own, what the kernel does in the end is done at once."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        os.kill(os.getpid(), signal.SIGKILL)
    held = []
    while True:
        try:
            held.append(mmap.mmap(-1, BALLOON_BYTES))
        except OSError as error:
            raise MemoryError from error
