"""lookup_table: a table of the caller's."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, field_validator

from kernels.op import Op, Stencil
from kernels.params import Channel, Params, rows
from kernels.tables import Table, levels, looked_up

Row = Annotated[tuple[Channel, ...], Field(min_length=2, max_length=256)]


class LookupTable(Params):
    """Replace every 8-bit level by what a table says.

    A table of 256 values has one for each level; a shorter one is spread evenly over the levels, with straight lines
    between.
    """

    op: Literal["lookup_table"] = "lookup_table"
    table: Annotated[tuple[Row, ...], Field(min_length=1, max_length=3), rows(3, 256)]
    """2 to 256 values from black to white, fractions of full brightness: one list for all channels, or one for each."""

    @field_validator("table")
    @classmethod
    def _is_one_or_three(cls, table: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        if len(table) == 2:
            raise ValueError("must hold one list for all channels, or three")
        return table


def lookup_table(image: torch.Tensor, table: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    tables = [whole(table[channel % len(table)]) for channel in range(3)]
    return torch.stack([looked_up(plane, row) for plane, row in zip(levels(image[0]), tables, strict=True)])[None]


def whole(row: tuple[float, ...]) -> Table:
    """A table with a value for each level."""
    return np.interp(np.linspace(0.0, 1.0, 256), np.linspace(0.0, 1.0, len(row)), row).astype(np.float32)


OP = Op(
    LookupTable,
    Stencil(lookup_table),
    examples=(
        LookupTable(table=((0.0, 0.6, 0.85, 1.0), (0.0, 0.2, 0.6, 1.0), (0.0, 0.2, 0.6, 1.0))),
        LookupTable(table=((0.0, 1.0, 0.0, 1.0),)),
    ),
)
