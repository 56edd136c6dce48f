"""What is sent: distinct JPEG files of photographs, and what is asked for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Lock
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

from benchmarks.kernels.pictures import REFERENCE_PIPELINE, SEED, SIDE, photographs
from kernels import codec
from kernels.recipe import Output

_START, _COMMENT = b"\xff\xd8", b"\xff\xfe"


class Files:
    """JPEG files that are never the same twice: photographs in turn, each time with another comment in the header.

    The comment changes the file's hash, so nothing can be answered from what was sent before; it costs a decoder nothing.
    """

    def __init__(self, photos: Sequence[bytes]) -> None:
        self._photos, self._numbers, self._lock = photos, count(), Lock()

    def next(self) -> bytes:
        """The next file. Threads may share."""
        with self._lock:
            number = next(self._numbers)
        photo = self._photos[number % len(self._photos)]
        comment = b"%d" % number
        return _START + _COMMENT + (len(comment) + 2).to_bytes(2, "big") + comment + photo[len(_START) :]


def files(distinct: int = 64, side: int = SIDE) -> Files:
    """Files of so many distinct photographs, JPEG of quality 90."""
    output = Output(format="jpeg", quality=90)
    photos = photographs(distinct)
    if side != SIDE:
        photos = [np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8) for photo in photos]
    return Files([codec.encode(photo, output) for photo in photos])


@dataclass(frozen=True)
class Mix:
    """What is asked for: which pictures, what is done to them, how often."""

    recipe: Mapping[str, Any] = field(default_factory=lambda: REFERENCE_PIPELINE)
    side: int = SIDE
    """Pixels a side of the JPEG files that are sent."""
    variants: int = 1

    def request(self) -> dict[str, Any]:
        """The request object of the REST contract."""
        return {"recipe": dict(self.recipe), "seed": SEED, "variants": self.variants}


P = Mix()
"""The reference pipeline over 512 x 512."""


def query(mix: Mix) -> str:
    """The query of a raw `POST /v1/augment`."""
    return "request=" + quote(json.dumps(mix.request()))
