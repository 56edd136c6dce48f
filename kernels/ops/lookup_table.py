"""lookup_table: a table of the caller's."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, field_validator

from kernels.op import Op, Stencil
from kernels.params import Channel, Params, rows
from kernels.tables import levels, looked_up

Row = Annotated[tuple[Channel, ...], Field(min_length=256, max_length=256)]


class LookupTable(Params):
    """Replace every 8-bit level by what a table says."""

    op: Literal["lookup_table"] = "lookup_table"
    table: Annotated[tuple[Row, ...], Field(min_length=1, max_length=3), rows(3, 256)]
    """256 values for levels 0 to 255, each a fraction of full brightness: one list for all channels, or three.

    The three are for red, green and blue.
    """

    @field_validator("table")
    @classmethod
    def _is_one_or_three(cls, table: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        if len(table) == 2:
            raise ValueError("must hold one list for all channels, or three")
        return table


def lookup_table(image: torch.Tensor, table: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    tables = [np.array(table[channel % len(table)], dtype=np.float32) for channel in range(3)]
    return torch.stack([looked_up(plane, row) for plane, row in zip(levels(image[0]), tables, strict=True)])[None]


_WAVES = tuple(0.5 - 0.5 * math.cos(3.0 * math.pi * level / 255.0) for level in range(256))
_LIFTED = tuple((level / 255.0) ** 0.5 for level in range(256))
_LOWERED = tuple((level / 255.0) ** 1.5 for level in range(256))

OP = Op(
    LookupTable,
    Stencil(lookup_table),
    examples=(LookupTable(table=(_LIFTED, _LOWERED, _LOWERED)), LookupTable(table=(_WAVES,))),
)
