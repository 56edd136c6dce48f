"""The tables as they are declared."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint

from service.truth.tables import metadata

REFERENCES = [(table, key) for table in metadata.sorted_tables for key in table.foreign_key_constraints]


def indexed(table: Table) -> set[str]:
    """Columns that an index of all rows begins with."""
    whole = [index for index in table.indexes if index.dialect_options["postgresql"]["where"] is None]
    unique = [found for found in table.constraints if isinstance(found, UniqueConstraint | PrimaryKeyConstraint)]
    return {next(iter(one.columns)).name for one in (*whole, *unique)}


@pytest.mark.parametrize(("table", "key"), REFERENCES, ids=lambda value: str(getattr(value, "name", value)))
def test_removing_a_row_finds_those_that_refer_to_it_by_an_index(table: Table, key: ForeignKeyConstraint) -> None:
    assert set(key.columns.keys()) <= indexed(table)
