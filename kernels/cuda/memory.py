"""Memory of a micro-batch, laid out before any of it exists: what goes up in one copy, what is worked in, what comes down.

Areas are known by name first; their places follow when all sizes are known. So every program, route and picture of a
micro-batch is one pinned buffer, one copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

_ALIGNED = 64


class Area:
    """Bytes of device memory; `start` counts from the beginning of the micro-batch's memory, once that is laid out."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.start = -1

    def grow(self, size: int) -> None:
        """At least so many bytes."""
        self.size = max(self.size, size)


class Spot(NamedTuple):
    """A place in an area, so many bytes from its start."""

    area: Area
    offset: int = 0


Value = int | Spot
"""A number of a record: as it is, or the address of a spot."""


class Memory:
    """The areas of a micro-batch."""

    def __init__(self) -> None:
        self._given: list[tuple[Area, NDArray[Any]]] = []
        self._records: list[tuple[Area, Sequence[Sequence[Value]]]] = []
        self._work: list[Area] = []
        self._results: list[Area] = []
        self._pictures: dict[int, tuple[Area, torch.Tensor]] = {}
        self.upload_bytes = self.results_start = self.bytes = 0
        self._device = torch.empty(0, dtype=torch.uint8)

    def given(self, array: NDArray[Any]) -> Spot:
        """An area with what is in the array."""
        area = Area(array.nbytes)
        self._given.append((area, array))
        return Spot(area)

    def picture(self, pixels: torch.Tensor) -> Spot:
        """An area with a picture's bytes: one, however often the picture appears."""
        known = self._pictures.get(id(pixels))
        if known is None:
            array = pixels.contiguous().numpy()
            known = self.given(array).area, pixels
            self._pictures[id(pixels)] = known
        return Spot(known[0])

    def records(self, rows: Sequence[Sequence[Value]]) -> Spot:
        """An area with rows of numbers, addresses among them."""
        area = Area(8 * len(rows) * len(rows[0]))
        self._records.append((area, rows))
        return Spot(area)

    def work(self) -> Area:
        """An area to work in, which may `grow` until all is laid out."""
        area = Area(0)
        self._work.append(area)
        return area

    def result(self) -> Spot:
        """An area that is brought back to the host, which may `grow` until all is laid out."""
        area = Area(0)
        self._results.append(area)
        return Spot(area)

    def lay_out(self) -> None:
        """Gives every area its place: what goes up first, what comes down last."""
        uploaded = [area for area, _ in self._given] + [area for area, _ in self._records]
        self.upload_bytes = _placed(uploaded, 0)
        self.results_start = _placed(self._work, self.upload_bytes)
        self.bytes = _placed(self._results, self.results_start)

    def write(self, host: torch.Tensor, device: torch.Tensor) -> None:
        """Fills `host` with what goes up, for memory that will be at `device`."""
        self._device = device
        to, base = host.numpy(), device.data_ptr()
        for area, array in self._given:
            to[area.start : area.start + area.size] = array.reshape(-1).view(np.uint8)
        for area, rows in self._records:
            numbers = [[_number(value, base) for value in row] for row in rows]
            to[area.start : area.start + area.size] = np.array(numbers, np.int64).reshape(-1).view(np.uint8)

    def floats(self, spot: Spot, *shape: int) -> torch.Tensor:
        """Float32 values on the device, as they are when who asks for them runs."""
        return self._viewed(spot, 4 * int(np.prod(shape))).view(torch.float32).view(shape)

    def table(self, spot: Spot, kind: torch.dtype) -> torch.Tensor:
        """A whole area on the device."""
        return self._viewed(spot, spot.area.size).view(kind)

    def results(self, host: torch.Tensor, spot: Spot) -> torch.Tensor:
        """The bytes of a result in what was brought back."""
        start = spot.area.start - self.results_start
        return host[start : start + spot.area.size]

    def _viewed(self, spot: Spot, size: int) -> torch.Tensor:
        start = spot.area.start + spot.offset
        return self._device[start : start + size]


def _placed(areas: Sequence[Area], start: int) -> int:
    for area in areas:
        area.start = start
        start += -(-area.size // _ALIGNED) * _ALIGNED
    return start


def _number(value: Value, base: int) -> int:
    return base + value.area.start + value.offset if isinstance(value, Spot) else value
