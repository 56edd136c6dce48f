"""Named places where a test may plant a fault. Not armed, a hit costs one look-up in an empty mapping."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping

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
NAMES = SUBMIT + RUN


class PlantedFault(Exception):
    """What the action `error` raises."""


_armed: dict[str, str] = {}


def parse(text: str) -> dict[str, str]:
    """Actions by failpoint of `NAME=ACTION[,...]`. Errors: ValueError names what is not one."""
    actions: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, action = part.partition("=")
        if name not in NAMES:
            raise ValueError(f"there is no failpoint {name!r}; there are {', '.join(NAMES)}")
        verb, _, seconds = action.partition(":")
        if verb not in ("kill", "stop", "error", "sleep") or (verb == "sleep") != bool(seconds):
            raise ValueError(f"{part!r}: an action is kill, stop, error or sleep:SECONDS")
        if seconds:
            float(seconds)
        actions[name] = action
    return actions


def arm(actions: Mapping[str, str]) -> None:
    """Replaces what is planted in this process."""
    _armed.clear()
    _armed.update(actions)


def hit(name: str) -> None:
    """Does what is planted at `name`: nothing, unless a test armed it."""
    action = _armed.get(name)
    if action is None:
        return
    match action.partition(":"):
        case "kill", _, _:
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop", _, _:
            os.kill(os.getpid(), signal.SIGSTOP)
        case "error", _, _:
            raise PlantedFault(name)
        case _, _, seconds:
            time.sleep(float(seconds))
