"""The system's own processes as programs: what `augment up` and `augment worker` start."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batching.sandbox import confine
from service.settings import Settings, as_environment
from service.system.cannot_start import CannotStart
from service.system.processes import Program
from service.system.tuning import api_environment, threads_of, worker_environment

STOP_MARGIN_S = 5.0
LEAST_SILENCE_S = 10.0
"""So long a worker may be silent where leases are shorter: more than any call that keeps Python's lock takes, on busy cores
too, but one that hangs."""


class AddressInUse(CannotStart):
    """Something else listens on the address."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that children inherit, so that connections wait while the API restarts. Errors: AddressInUse."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressInUse(f"cannot listen on {host}: {error.strerror}") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise AddressInUse(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port") from None
    return listener


def api_program(settings: Settings, listener: int, log: Path | None = None) -> Program:
    """One API process on an inherited listening socket."""
    return Program(
        name="api",
        command=(sys.executable, "-m", "service", "api", "--fd", str(listener)),
        log=log,
        environment=as_environment(settings) | api_environment(os.environ),
        keep_fds=(listener,),
    )


def reconciler_program(settings: Settings, log: Path | None = None) -> Program:
    return Program("reconciler", (sys.executable, "-m", "service", "reconciler"), log, as_environment(settings))


@dataclass(frozen=True)
class Doors:
    """The two ends of the socket over which workers come to the sandbox that is kept for them.

    Nobody else has them, and they have no place in the file system. While both ends are open here, the sandbox and the
    workers can be started again at any time: who comes meanwhile waits in the socket.
    """

    inside: socket.socket
    outside: socket.socket

    @classmethod
    def made(cls) -> Doors:
        return cls(*socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))

    def close(self) -> None:
        self.inside.close()
        self.outside.close()


def sandbox_program(settings: Settings, doors: Doors, log: Path | None = None) -> Program:
    """The sandbox that is kept for all workers. It sees neither settings nor addresses nor credentials."""
    seen = confine.environment({**os.environ, **_compute_environment(settings, log)})
    inside = doors.inside.fileno()
    command = (sys.executable, "-m", "batching.sandbox.zygote", str(inside), "patient")
    return Program("sandbox", command, log, seen, bare=True, keep_fds=(inside,))


def worker_program(
    settings: Settings, name: str, log: Path | None = None, number: int = 0, doors: Doors | None = None
) -> Program:
    """One worker process; `number` chooses its GPU where there are several. doors: to the sandbox that is kept for all."""
    outside = () if doors is None else (doors.outside.fileno(),)
    return Program(
        name=name,
        command=(sys.executable, "-m", "service.system.worker_main", *(f"--sandbox={door}" for door in outside)),
        log=log,
        environment=as_environment(settings) | _compute_environment(settings, log) | gpu_of(number, settings, os.environ),
        grace_s=settings.drain_s + STOP_MARGIN_S,
        keep_fds=outside,
        # silent for longer than a lease it has renewed none: all that it held is others' by now
        silence_s=max(settings.lease_s, LEAST_SILENCE_S),
    )


def worker_programs(settings: Settings, logs: Path | None = None, doors: Doors | None = None) -> list[Program]:
    """As many as the settings say, the cores divided among them where the settings leave that open."""
    divided = settings.model_copy(update={"threads": threads_of(settings)})
    names = [f"worker-{number + 1}" for number in range(settings.workers)]
    return [
        worker_program(divided, name, None if logs is None else logs / f"{name}.log", number, doors)
        for number, name in enumerate(names)
    ]


def _compute_environment(settings: Settings, log: Path | None) -> dict[str, str]:
    """What is chosen for a process that computes pictures, where our own environment does not."""
    # a system with a folder of its own keeps its compiled kernels there too; other workers, in their user's cache
    folder = str(settings.data.resolve() / "kernels")
    kernels = {} if log is None else {"NUMBA_CACHE_DIR": folder, "TRITON_CACHE_DIR": folder}
    return worker_environment(os.environ) | {key: value for key, value in kernels.items() if key not in os.environ}


def gpu_of(number: int, settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Where there are several GPUs, the variable that shows one of them to the worker: in turn, by its number."""
    if settings.device == "cpu":
        return {}
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        found = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
        devices = [str(index) for index in range(found)]
    else:
        devices = [name for name in named.split(",") if name]
    return {"CUDA_VISIBLE_DEVICES": devices[number % len(devices)]} if len(devices) > 1 else {}
