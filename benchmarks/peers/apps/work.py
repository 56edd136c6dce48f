"""What every peer does with its pictures: the reference pipeline, by the same calls as this project's worker."""

from __future__ import annotations

import zlib

import cv2
import torch

from benchmarks.kernels.ours import CPU
from benchmarks.kernels.pictures import REFERENCE_PIPELINE
from benchmarks.peers.frames import pack, unpack
from benchmarks.service.work import results
from kernels.recipe import Recipe
from kernels.run import warm

_RECIPE = Recipe.parse(dict(REFERENCE_PIPELINE))
_HEADER = 32
"""Bytes from the start of a file within which no two that are sent are the same."""


def prepare() -> None:
    """Makes a process ready: compiled kernels are loaded, and libraries leave one picture to one thread."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    warm(CPU)


def augmented_file(content: bytes) -> bytes:
    """The result of one file. Its draws come from the file, so that processes need not count together."""
    return results(_RECIPE, content, zlib.crc32(content[:_HEADER]))[0]


def answered(body: bytes) -> bytes:
    """The answer to a request: the results of its pictures, one after another."""
    return pack(augmented_file(content) for content in unpack(body))
