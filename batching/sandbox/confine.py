"""What a process of the sandbox may not do: no network, no files but the program's own, little memory and time.

Each measure is taken where the kernel allows it; `fence` says which were. Landlock (Linux 5.13, no privilege needed)
keeps files away, a network namespace of its own (root, or user namespaces) and the filter of system calls the rest.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_HANDLED_BY_ABI = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
"""Rights over files that each version of Landlock knows; later ones know those of 5."""

MEASURES = ("network namespace", "no new privileges", "files", "system calls")
_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share", "/etc/ld.so.cache", "/dev/null",
           "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")  # fmt: skip
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "TZ",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
)
PASSED_ON_PREFIXES = ("PYTHON", "NUMBA_", "OMP_", "OPENBLAS_", "MKL_", "MALLOC_", "GLIBC_", "THP_")
OPEN_FILES = 64
CPU_MARGIN_S = 1
WALL_MARGIN_S = 2.0
"""Beyond its CPU time, after which a process is killed that waits for something."""

_libc = ctypes.CDLL(None, use_errno=True)


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the sandbox sees of our environment: nothing that is a setting, an address or a credential, and no GPU."""
    passed = {name: text for name, text in ours.items() if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)}
    return passed | {"CUDA_VISIBLE_DEVICES": ""}


def fence(packages: Iterable[Path]) -> set[str]:
    """Shuts this process and its children in, for good; the `MEASURES` that could be taken, of the first three.

    packages: folders of our own code, readable like the interpreter's and the system's libraries.
    """
    taken: set[str] = set()
    if _libc.unshare(_CLONE_NEWNET) == 0 or _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        taken.add("network namespace")
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        taken.add("no new privileges")
        if _only_read([*packages, *_readable()]):
            taken.add("files")
    return taken


def address_space() -> int:
    """Bytes of memory that this process has mapped. It cannot ask once it is fenced in."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def limit(memory_bytes: int, cpu_s: float) -> None:
    """Limits of this process alone: memory, CPU time, open files, and nothing written."""
    seconds = int(cpu_s) + CPU_MARGIN_S
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for name, most in limits.items():
        resource.setrlimit(name, (most, most))
    # first SIGXCPU, which says why, then SIGKILL
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def end_with(parent: int) -> None:
    """From now on this process is killed when its parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before that was asked for
        os._exit(1)


def prefer_to_kill() -> None:
    """Where memory runs out, the kernel takes this process and its children before the worker."""
    Path("/proc/self/oom_score_adj").write_text("1000")


def _readable() -> list[Path]:
    own = [sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), os.environ.get("NUMBA_CACHE_DIR", "")]
    return [Path(name) for name in (*own, *_SYSTEM) if name and Path(name).exists()]


def _only_read(paths: Iterable[Path]) -> bool:
    """Landlock: files can be read beneath `paths`, and nothing else can be done with any file."""
    abi = _libc.syscall(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return False
    handled = _HANDLED_BY_ABI[min(abi, 5)]
    given = struct.pack("Q", handled)
    ruleset = _libc.syscall(_CREATE_RULESET, given, len(given), 0)
    if ruleset < 0:
        return False
    try:
        for path in paths:
            _allow(ruleset, path)
        return bool(_libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path) -> None:
    rights = _READ_FILE | _READ_DIR | _EXECUTE if path.is_dir() else _READ_FILE
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
    finally:
        os.close(opened)
