"""A filter of system calls (seccomp, as a classic BPF program): what is refused is refused with EPERM, for good.

It is a list of what is forbidden, not of what is allowed: networks, other processes, the kernel's doors, and files that
are written. Numbers are those of the kernel's tables `syscall_64.tbl` and `asm-generic/unistd.h`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass
from typing import Literal

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
_X32 = 0x40000000
_CLONE_THREAD = 0x10000
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

Machine = Literal["x86_64", "aarch64"]
_MACHINES: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_NEW = {  # calls that have one number everywhere
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
}
_X86_64 = {
    "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "accept4": 288,
    "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "ptrace": 101, "tkill": 200, "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "setrlimit": 160,
    "creat": 85, "rename": 82, "mkdir": 83, "rmdir": 84, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90,
    "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "truncate": 76, "mknod": 133, "unlinkat": 263,
    "renameat": 264, "renameat2": 316, "linkat": 265, "symlinkat": 266, "mkdirat": 258, "mknodat": 259,
    "fchmodat": 268, "fchownat": 260, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272,
    "setns": 308, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "add_key": 248, "request_key": 249,
    "keyctl": 250, "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "reboot": 169,
    "open_by_handle_at": 304, "name_to_handle_at": 303, "personality": 135, "shmget": 29, "shmat": 30, "msgget": 68,
    "semget": 64, "ioperm": 173, "iopl": 172, "setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114,
    "setresuid": 117, "setresgid": 119, "sethostname": 170, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159,
}  # fmt: skip
_AARCH64 = {
    "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203, "accept4": 242,
    "execve": 221, "execveat": 281, "ptrace": 117, "tkill": 130, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "setrlimit": 164, "mknodat": 33, "mkdirat": 34,
    "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "umount2": 39, "mount": 40, "pivot_root": 41,
    "truncate": 45, "chroot": 51, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "personality": 92,
    "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106, "finit_module": 273, "reboot": 142,
    "setregid": 143, "setgid": 144, "setreuid": 145, "setuid": 146, "setresuid": 147, "setresgid": 149,
    "sethostname": 161, "settimeofday": 170, "clock_settime": 112, "adjtimex": 171, "msgget": 186, "semget": 190,
    "shmget": 194, "shmat": 196, "add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241,
    "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268, "renameat2": 276, "bpf": 280, "userfaultfd": 282,
}  # fmt: skip


@dataclass(frozen=True)
class _Guarded:
    """Calls that are refused by one of their arguments, and calls that are said not to exist."""

    open: int | None
    openat: int
    clone: int
    kill: int
    tgkill: int
    prlimit64: int
    clone3: int = 435
    openat2: int = 437


_GUARDED: dict[Machine, _Guarded] = {
    "x86_64": _Guarded(open=2, openat=257, clone=56, kill=62, tgkill=234, prlimit64=302),
    "aarch64": _Guarded(open=None, openat=56, clone=220, kill=129, tgkill=131, prlimit64=261),
}
_FORBIDDEN: dict[Machine, dict[str, int]] = {"x86_64": _X86_64 | _NEW, "aarch64": _AARCH64 | _NEW}


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]  # ctypes wants a list


def forbid(pid: int) -> bool:
    """Filters this process's calls for good; it may signal itself, which is `pid`, alone. False: not possible here.

    PR_SET_NO_NEW_PRIVS must have been set.
    """
    machine = platform.machine()
    if machine not in ("x86_64", "aarch64"):
        return False
    instructions = program(machine, pid)  # type: ignore[arg-type]  # one of the two
    given = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(given), 0, 0) == 0)


def program(machine: Machine, pid: int) -> bytes:
    """The filter as BPF instructions of eight bytes each."""
    guarded = _GUARDED[machine]
    lines = [_load(_MACHINE_AT), _jump(_EQUAL, _MACHINES[machine], 1, 0), _return(_KILL), _load(_NUMBER_AT)]
    if machine == "x86_64":
        lines += [_jump(_AT_LEAST, _X32, 0, 1), _return(_KILL)]
    for number in sorted(_FORBIDDEN[machine].values()):
        lines += [_jump(_EQUAL, number, 0, 1), _return(_ERRNO | errno.EPERM)]
    # these would hide their arguments in memory; told that they do not exist, the C library takes the older ones
    for number in (guarded.clone3, guarded.openat2):
        lines += [_jump(_EQUAL, number, 0, 1), _return(_ERRNO | errno.ENOSYS)]
    if guarded.open is not None:
        lines += _guard(guarded.open, 1, _jump(_ANY_BIT, _WRITES, 0, 1))
    lines += _guard(guarded.openat, 2, _jump(_ANY_BIT, _WRITES, 0, 1))
    lines += _guard(guarded.clone, 0, _jump(_ANY_BIT, _CLONE_THREAD, 1, 0))
    lines += _guard(guarded.kill, 0, _jump(_EQUAL, pid, 1, 0))
    lines += _guard(guarded.tgkill, 0, _jump(_EQUAL, pid, 1, 0))
    lines += _guard(guarded.prlimit64, 2, _jump(_EQUAL, 0, 1, 0))
    return b"".join([*lines, _return(_ALLOW)])


def _guard(number: int, argument: int, test: bytes) -> list[bytes]:
    """For one call: `test`, on the low half of an argument, jumps over the refusal where the call is allowed."""
    return [
        _jump(_EQUAL, number, 0, 4),
        _load(_ARGUMENTS_AT + 8 * argument),
        test,
        _return(_ERRNO | errno.EPERM),
        _return(_ALLOW),
    ]


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", _LOAD, 0, 0, offset)


def _jump(kind: int, value: int, if_true: int, if_false: int) -> bytes:
    """Goes on after so many instructions."""
    return struct.pack("HBBI", kind, if_true, if_false, value)


def _return(verdict: int) -> bytes:
    return struct.pack("HBBI", _RETURN, 0, 0, verdict)
