"""Damaged files of every format, decoded in a process of their own: no crash, no hang, no leak, no error without a code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings as how

from service.errors import STATUS
from tests.helpers.bad_inputs import SAMPLES
from tests.helpers.decode_child import DecodeChild
from tests.helpers.mutations import mutated
from tests.helpers.picture_files import FORMATS, saved
from tests.helpers.pictures import make_photo

PHOTO = make_photo("astronaut", 40, 56)
WHOLE = [saved(PHOTO, form, **options) for form, options in FORMATS.values()]
FILES = WHOLE + [content for content in (sample.content for sample in SAMPLES) if len(content) < 20_000]
MAY_GROW_MIB = 64
OFTEN = {
    "ok",
    "image_corrupt",
    "image_dimensions",
    "image_too_many_pixels",
    "image_truncated",
    "image_unreadable",
    "unsupported_format",
}
"""Verdicts that each hundredth file gets and more, so that ten thousand do not miss one by chance."""


@pytest.fixture(scope="module")
def child() -> Iterator[DecodeChild]:
    with DecodeChild() as started:
        for content in FILES:
            started.code_of(content)  # so that what libraries load once is there
        yield started


def fuzz(child: DecodeChild, examples: int, anew: bool = False) -> Counter[str]:
    said: Counter[str] = Counter()
    before = child.mib()

    @how(max_examples=examples, derandomize=not anew)
    @given(content=mutated(FILES))
    def look(content: bytes) -> None:
        code = child.code_of(content)
        assert code == "ok" or code in STATUS
        said[code] += 1

    look()
    assert child.mib() - before < MAY_GROW_MIB
    return said


def test_mutated_files(child: DecodeChild) -> None:
    said = fuzz(child, examples=300)
    assert len(said) > 5, said


@pytest.mark.long
@pytest.mark.timeout(900)
def test_many_mutated_files(child: DecodeChild) -> None:
    said = fuzz(child, examples=10_000, anew=True)
    assert said.keys() >= OFTEN, said
