"""Real files that are odd or damaged: each is taken, or refused with a code that fits, and at once."""

from __future__ import annotations

import hashlib
import json
import time

import numpy as np
import pytest

from kernels.codec import decode, probe
from kernels.errors import InputError
from tests.helpers.bad_inputs import FOLDER, SAMPLES, Sample

SLOW_S = 5.0
"""Every one of them takes a few milliseconds; some are made to take for ever."""


def code_of(content: bytes) -> str | None:
    """What `decode` says, where `probe` says the same or nothing."""
    try:
        header = probe(content)
    except InputError as error:
        with pytest.raises(type(error)):
            decode(content)
        return error.code
    try:
        pixels = decode(content)
    except InputError as error:
        return error.code
    assert pixels.shape == (header.height, header.width, 3)
    assert pixels.dtype == np.uint8
    return None


def test_the_files_are_those_of_the_manifest() -> None:
    entries = json.loads((FOLDER / "manifest.json").read_text())["files"]
    sums = {entry["file"]: entry["sha256"] for entry in entries}
    found = {f"files/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in (FOLDER / "files").iterdir()}
    assert found == sums
    assert len(SAMPLES) == len(sums) == 343


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_real_file(sample: Sample) -> None:
    begun_s = time.process_time()
    assert code_of(sample.content) in sample.codes
    assert time.process_time() - begun_s < SLOW_S
