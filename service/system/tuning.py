"""Tuning: what the launcher chooses for the processes it starts, and why. `augment doctor` shows all of it.

Variables are read by the allocator and the libraries when a process starts, so they are set by whoever starts it, and by
nobody else. One that is in our own environment already is the operator's choice, and stays.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from batching.threads import NICENESS, SWITCH_S
from service.settings import Settings, environment_name

Source = Literal["launcher", "environment", "setting", "default"]

MALLOC_KEPT = "freed memory is kept: page faults of fresh large buffers cost more than the arithmetic on them"
ONE_PICTURE_A_THREAD = "each engine thread takes one picture through all stages; a library that splits one is in their way"

REASONS: Mapping[str, str] = {
    "GLIBC_TUNABLES": "huge pages for what malloc takes: fewer page faults, and fewer misses of the address cache",
    "THP_MEM_ALLOC_ENABLE": "huge pages for torch's own large buffers",
    "MALLOC_MMAP_MAX_": f"no buffer has pages of its own that go back when it is freed; {MALLOC_KEPT}",
    "MALLOC_TRIM_THRESHOLD_": f"the heap never shrinks; {MALLOC_KEPT}",
    "MALLOC_TOP_PAD_": "the heap grows by 64 MiB at a time: fewer system calls, and whole huge pages",
    "OMP_NUM_THREADS": f"OpenMP, in torch and others; {ONE_PICTURE_A_THREAD}",
    "OPENBLAS_NUM_THREADS": f"numpy's linear algebra; {ONE_PICTURE_A_THREAD}",
    "MKL_NUM_THREADS": f"torch's linear algebra; {ONE_PICTURE_A_THREAD}",
    "NUMBA_NUM_THREADS": f"compiled kernels, of which none is parallel; {ONE_PICTURE_A_THREAD}",
    "OPENCV_FOR_THREADS_NUM": f"OpenCV, which has a pool of its own; {ONE_PICTURE_A_THREAD}",
}

ALLOCATOR = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "99999999999",
    "MALLOC_TOP_PAD_": "67108864",
}
"""glibc's malloc, told to keep what it has. jemalloc without decay measured the same, and would have to be installed."""

KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "8388608", "MALLOC_TRIM_THRESHOLD_": "67108864", "MALLOC_TOP_PAD_": "4194304"}
"""Of API processes. A picture's bytes come from memory that was used before."""

API_REASONS: Mapping[str, str] = {
    "MALLOC_MMAP_THRESHOLD_": "pictures of up to 8 MiB lie in the heap: the system would clear new pages for each copy",
    "MALLOC_TRIM_THRESHOLD_": "the heap gives back what is beyond 64 MiB: an API has hours without a picture",
    "MALLOC_TOP_PAD_": "the heap grows by 4 MiB at a time: fewer system calls",
}

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}

OTHER_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")
OLDEST_GLIBC = (2, 35)
"""The first whose malloc can be told to use huge pages."""
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@dataclass(frozen=True)
class Choice:
    """One thing that is chosen for the processes of a system."""

    name: str
    value: str
    source: Source
    reason: str
    doubt: str = ""
    """Why it may not do what it is for on this machine."""


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a worker is given beside `environment`, which wins."""
    return {name: value for name, value in (ALLOCATOR | ONE_THREAD).items() if name not in environment}


def api_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of an API process."""
    return {name: value for name, value in KEPT_MEMORY.items() if name not in environment}


def threads_of(settings: Settings) -> int:
    """Engine threads of one worker: as set, or the cores that we may use, divided among the workers."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // max(1, settings.workers))


def choices(settings: Settings, environment: Mapping[str, str]) -> Iterator[Choice]:
    """All of them, those that come from `environment` or a setting included."""
    yield _allocator(environment)
    for name, ours in (ALLOCATOR | ONE_THREAD).items():
        yield _variable(name, name, ours, environment, REASONS[name])
    for name, ours in KEPT_MEMORY.items():
        yield _variable(f"API {name}", name, ours, environment, API_REASONS[name])
    yield from _processes(settings, environment)


def _variable(shown: str, name: str, ours: str, environment: Mapping[str, str], reason: str) -> Choice:
    if (given := environment.get(name)) is not None:
        return Choice(shown, given, "environment", reason)
    return Choice(shown, ours, "launcher", reason, _doubt(name))


def _allocator(environment: Mapping[str, str]) -> Choice:
    preloaded = environment.get("LD_PRELOAD", "")
    for name in OTHER_ALLOCATORS:
        if name in preloaded:
            reason = "LD_PRELOAD puts it before glibc's malloc, whose variables do nothing then"
            return Choice("allocator", name, "environment", reason)
    library, version = platform.libc_ver()
    reason = (
        "what every Linux has; with the variables below as fast as jemalloc without decay, faster than jemalloc as it comes"
    )
    return Choice("allocator", f"{library or 'libc'} {version}".strip(), "default", reason, _libc_doubt(library, version))


def _libc_doubt(library: str, version: str) -> str:
    if library != "glibc":
        return "the variables below are glibc's, and do nothing here"
    known = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    return "huge pages need glibc 2.35" if known < OLDEST_GLIBC else ""


def _doubt(name: str) -> str:
    if name not in ("GLIBC_TUNABLES", "THP_MEM_ALLOC_ENABLE"):
        return ""
    try:
        return "the kernel has huge pages turned off" if "[never]" in HUGE_PAGES.read_text() else ""
    except OSError:
        return "the kernel does not say whether it has huge pages"


def _processes(settings: Settings, environment: Mapping[str, str]) -> Iterator[Choice]:
    def source(field: str) -> Source:
        return "setting" if environment_name(field) in environment else "default"

    cores = len(os.sched_getaffinity(0))
    threads = threads_of(settings)
    divided = f"{cores} cores divided among {settings.workers} workers: one picture at a time on each core"
    yield Choice(
        "API processes",
        "1",
        "launcher",
        "one event loop (uvloop, httptools) feeds the workers of several cores; `augment bench scale` says of how many."
        " More of them, here or elsewhere, are `augment api` behind one address",
    )
    yield Choice(
        "reconciler processes",
        "1",
        "launcher",
        "one works and others would only stand by: they hold one lock of the database",
    )
    yield Choice(
        "worker processes",
        str(settings.workers),
        source("workers"),
        "one has threads for all cores; one for each GPU where there are several",
    )
    yield Choice(
        "sandboxes",
        str(settings.workers if settings.sandbox == "always" else min(1, settings.workers)),
        "launcher",
        "one for all workers runs what a worker died with; where every picture is decoded there, each worker has its own",
    )
    yield Choice(
        "engine threads a worker",
        str(threads),
        source("threads") if settings.threads else "launcher",
        "as AUGMENT_THREADS says" if settings.threads else divided,
        f"{settings.workers} workers of {threads} threads share {cores} cores"
        if settings.workers * threads > cores
        else "",
    )
    yield Choice(
        "niceness of engine threads",
        f"+{NICENESS}",
        "launcher",
        "on a CPU, what only hands on goes first: API, servers, the worker's own loop. Nothing is lost by it: a core that"
        " nobody else wants computes",
    )
    yield Choice(
        "turns of threads in Python",
        f"{SWITCH_S * 1000:g} ms",
        "launcher",
        "API and workers: a thread that answers waits so long at most for one that computes; by default, ten times that",
    )
