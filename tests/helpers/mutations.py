"""Files changed at random, in the ways that find what parsers trust: cut, flipped, doubled, joined, with odd numbers."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

ODD_NUMBERS = [
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\0\0",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff" * 8,
]


@st.composite
def mutated(draw: st.DrawFn, files: Sequence[bytes]) -> bytes:
    """One of the files, changed in one to six places."""
    content = whole = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(1, 6))):
        # early bytes are headers, which deserve half of the changes
        end = max(1, draw(st.sampled_from([min(len(content), 128), len(content)])))
        place = draw(st.integers(0, end - 1))
        match draw(st.sampled_from(["flip", "number", "cut", "drop", "double", "join", "noise"])):
            case "flip" if content:
                bit = 1 << draw(st.integers(0, 7))
                content = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
            case "number":
                number = draw(st.sampled_from(ODD_NUMBERS))
                content = content[:place] + number + content[place + len(number) :]
            case "cut":
                content = content[:place]
            case "drop":
                content = content[:place] + content[place + draw(st.integers(1, 64)) :]
            case "double":
                piece = content[place : place + draw(st.integers(1, 4096))]
                content = content[:place] + piece * draw(st.sampled_from([2, 3, 50])) + content[place + len(piece) :]
            case "join":
                other = draw(st.sampled_from(files))
                content = content[:place] + other[draw(st.integers(0, max(0, len(other) - 1))) :]
            case _:
                content = content[:place] + draw(st.binary(min_size=1, max_size=32)) + content[place:]
    if draw(st.integers(0, 9)):  # what does not begin like a file of its kind is refused before it is interesting
        content = whole[:12] + content[12:]
    return content[: 2**20]
