"""Ten thousand pictures that are refused, one after the other: memory does not grow with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count

import numpy as np
import pytest

from service.settings import Settings
from tests.helpers.bad_inputs import SAMPLES
from tests.helpers.decode_child import DecodeChild
from tests.helpers.http import batch_parts, jpeg, png
from tests.helpers.processes import descendants, is_fenced, resident_mib
from tests.helpers.stack import Stack, running

PICTURES = 10_000
WARMING = 2_000
"""Before these, libraries and allocators take what they keep."""
AT_ONCE = 500
MOST_MIB = 32.0
"""Growth over ten thousand, by a straight line through what was held after every five hundred. A few MiB are noise. The API
takes 12 in its first ten thousand, then goes up in steps that become rare: 21 MiB after 35,000, of them 0.9 in the third
ten thousand and nothing in the last five thousand."""


def growth_mib(held: Sequence[float], step: int) -> float:
    """MiB a process grows by while it refuses `PICTURES`: the slope of a line through what it held after each `step`."""
    places = np.arange(len(held)) * step
    return float(np.polyfit(places, np.asarray(held), 1)[0]) * PICTURES


def damaged(number: int) -> bytes:
    """A picture that is refused, another for each number: by its header, in its data, or as none at all."""
    mark = number.to_bytes(8, "big")
    match number % 4:
        case 0:
            return jpeg(64, 80, seed=number % 50)[:-200] + mark  # cut short
        case 1:
            content = png(48, 64, seed=number % 50)
            return content[:-30] + mark + content[-22:]  # a wrong sum
        case 2:
            return png(8, 8)[:16] + mark + png(8, 8)[24:]  # sides of nothing
        case _:
            return b"no picture" + mark


def in_words(grown: dict[str, float]) -> str:
    return "growth over 10,000 refused pictures: " + ", ".join(f"{name} {mib:+.2f} MiB" for name, mib in grown.items())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_decoder(capsys: pytest.CaptureFixture[str]) -> None:
    refused = [sample.content for sample in SAMPLES if None not in sample.codes]
    held: list[float] = []
    with DecodeChild() as child:
        for number in range(WARMING + PICTURES):
            kind = number % 3
            content = damaged(number) if kind else refused[number // 3 % len(refused)]
            assert child.code_of(content) != "ok"
            if number >= WARMING and number % AT_ONCE == 0:
                held.append(child.mib())
    grown = {"decoder": growth_mib(held, AT_ONCE)}
    with capsys.disabled():
        print(in_words(grown))  # noqa: T201 - the figure that is asked for
    assert max(grown.values()) < MOST_MIB, in_words(grown)


def refused_batch(stack: Stack, numbers: count[int]) -> None:
    pictures = {str(number): damaged(number) for _, number in zip(range(AT_ONCE), numbers, strict=False)}
    answer = stack.client.post("/v1/batches", files=batch_parts(pictures, {"recipe": {"steps": [{"op": "hflip"}]}}))
    assert answer.status_code == 202, answer.text
    view = stack.batch(answer.json()["id"])
    assert view["counts"] == {"total": AT_ONCE, "succeeded": 0, "failed": AT_ONCE, "cancelled": 0}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_whole_system(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = count()
    held: dict[str, list[float]] = {}
    with running(settings.model_copy(update={"lease_s": 20.0})) as stack:
        assert stack.reconciler is not None
        roots = {"api": stack.api.pid, "reconciler": stack.reconciler.pid, "worker": stack.workers[0].pid}
        roots["sandbox"] = stack.sandbox.pid
        for _ in range(WARMING // AT_ONCE):
            refused_batch(stack, numbers)
        while not is_fenced(roots["sandbox"]):  # it loads in the background
            time.sleep(0.1)
        for _ in range(PICTURES // AT_ONCE):
            refused_batch(stack, numbers)
            for name, pid in roots.items():
                held.setdefault(name, []).append(sum(map(resident_mib, {pid} | descendants(pid))))
    grown = {name: growth_mib(values, AT_ONCE) for name, values in held.items()}
    with capsys.disabled():
        print(in_words(grown))  # noqa: T201 - the figure that is asked for
    assert max(grown.values()) < MOST_MIB, in_words(grown)
