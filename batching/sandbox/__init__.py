"""The sandbox: pictures that a worker died with, run one at a time in a process that may only compute.

`sandbox` is the worker's side, `zygote` the program that forks those processes, `task` what each of them does, `confine`
and `syscalls` what it may not do. Importing this package, `zygote` or `confine` loads nothing that is large.
"""
