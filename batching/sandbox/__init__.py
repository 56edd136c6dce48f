"""The sandbox: pictures that a worker died with, run one at a time in a process that may only compute.

`Sandbox` is the worker's side, `zygote` the program it starts, `confine` and `syscalls` what a process there may not do.
"""

from batching.sandbox.sandbox import Sandbox, SandboxConfig

__all__ = ["Sandbox", "SandboxConfig"]
