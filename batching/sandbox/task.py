"""What the sandbox's program loads, and what each process that it forks does: one request, answered, and the end."""

from __future__ import annotations

import os
import pickle
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import cv2
import torch

import batching
import kernels
from batching import failpoints
from batching.device import CPU
from batching.execute import Died, complete, decoder, isolated
from batching.sandbox import confine, syscalls
from batching.sandbox.messages import Answer, Rules, RunAsked, decoded, ran, receive, send_answer
from batching.telemetry import Tally
from kernels.errors import AugmentationError
from kernels.run import warm

MOST_DESCRIPTORS = 4096
"""More than are ever open in the program."""
FOLDERS = tuple(Path(package.__path__[0]) for package in (batching, kernels))
"""Of our own code, which such a process may read."""


def load() -> None:
    """Loads all that a picture needs; afterwards there is still one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    warm(CPU)


def rules_of(said: bytes, program_bytes: int) -> Rules:
    """What a worker said that holds for its requests; program_bytes: what the program takes by itself."""
    rules: Rules = pickle.loads(said)  # noqa: S301  # the worker's
    return replace(rules, memory_bytes=rules.memory_bytes + program_bytes)


def work(rules: Rules, nowhere: int, limit_s: float, descriptor: int, program: int) -> NoReturn:
    """The new process: asked over `descriptor`, answers, and ends. nowhere: where output goes; program: who forked it."""
    status = 1
    try:
        confine.end_with(program)
        for output in (1, 2):
            os.dup2(nowhere, output)
        os.closerange(3, descriptor)
        os.closerange(descriptor + 1, MOST_DESCRIPTORS)
        confine.limit(rules.memory_bytes, limit_s)
        syscalls.forbid(os.getpid())
        with socket.socket(fileno=descriptor) as channel:
            send_answer(channel, _answer(rules, channel))
        status = 0
    finally:
        os._exit(status)


def _answer(rules: Rules, channel: socket.socket) -> Answer:
    failpoints.arm(failpoints.parse(rules.failpoints))
    asked, decode = receive(channel), decoder(rules.limits)
    if not isinstance(asked, RunAsked):
        try:
            return decoded(decode(asked.content, asked.alpha))
        except AugmentationError as error:
            return decoded(error)
    item_work = asked.work
    whole = partial(complete, item_work, decode, CPU, rules.max_output_pixels, rules.item_timeout_s, Tally())
    result = isolated(item_work.item, whole)
    assert not isinstance(result, Died)  # nothing in here runs in another sandbox
    return ran(result)
