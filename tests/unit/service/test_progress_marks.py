"""Event ids: what a client hands back to go on where it stopped."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.progress import Mark, parse_mark


@pytest.mark.parametrize(
    "mark", [Mark(), Mark(2, 7, datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)), Mark(0, 1, None, final=True)]
)
def test_a_mark_reads_back(mark: Mark) -> None:
    assert parse_mark(mark.text()) == mark


@pytest.mark.parametrize("text", [None, "", "7", "a-b-c-d", "1-2-3", "-1-2-3-4", "1-2-999999999999999999-0", "9" * 5000])
def test_what_is_no_mark_is_the_beginning(text: str | None) -> None:
    assert parse_mark(text) == Mark()
