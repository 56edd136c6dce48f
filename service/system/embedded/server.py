"""A server of ours: a program, its address, and how to see that it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.system.embedded.folder import EmbeddedError
from service.system.processes import Child, Program, tail, wait_until

_START_S = 60.0


@dataclass(frozen=True)
class Server:
    """A server that can be started."""

    program: Program
    url: str
    answers: Callable[[], bool]

    def start(self) -> Child:
        """Starts it and waits until it answers. Errors: EmbeddedError with the end of its log."""
        child = Child(self.program)
        try:
            if wait_until(self.answers, child, _START_S):
                return child
        except BaseException:
            child.stop()
            raise
        child.stop()
        raise EmbeddedError(f"{self.program.name} did not start; its log ends with:\n{tail(self.program.log)}")
