"""Migrations: they make what `tables.py` says, run twice, and run in several processes at once."""

from __future__ import annotations

import asyncio
import sys

import psycopg
import pytest
from sqlalchemy import create_engine

from service.truth.database import make_engine, normalised, statement
from service.truth.migrations import migrate, newest, scripts
from service.truth.tables import metadata
from tests.helpers.rows import make_batch

CATALOGUE = """
SELECT 'column', table_name, column_name || ' ' || data_type || ' ' || coalesce(character_maximum_length::text, '')
       || ' ' || is_nullable || ' ' || coalesce(column_default, '') || ' ' || is_identity
       || ' ' || coalesce(identity_generation, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'sequence', sequencename, data_type || ' ' || start_value || ' ' || increment_by
FROM pg_sequences WHERE schemaname = 'public'
ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty_url(database_url: str) -> str:
    """A database with nothing in it."""
    with psycopg.connect(libpq(database_url), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return database_url


def libpq(url: str) -> str:
    return normalised(url).set(drivername="postgresql").render_as_string(hide_password=False)


def catalogue(url: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(libpq(url)) as connection:
        rows = connection.execute(CATALOGUE).fetchall()
        partitions = {name for (name,) in connection.execute("SELECT relname FROM pg_class WHERE relispartition")}
    return [row for row in rows if row[1] not in {"alembic_version", *partitions}]


def test_migrations_make_what_the_tables_say(empty_url: str) -> None:
    engine = create_engine(normalised(empty_url))
    metadata.create_all(engine)
    said = catalogue(empty_url)
    metadata.drop_all(engine)
    engine.dispose()
    assert catalogue(empty_url) == []
    assert migrate(empty_url) == newest()
    assert catalogue(empty_url) == said
    assert len(said) > 100


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    assert migrate(empty_url) == migrate(empty_url) == newest()


def test_the_history_is_one_line() -> None:
    assert len(scripts().get_heads()) == 1
    assert len(scripts().get_bases()) == 1


async def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    program = "import sys; from service.truth.migrations import migrate; print(migrate(sys.argv[1]))"
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, empty_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    results = await asyncio.gather(*(one.communicate() for one in started))
    assert [one.returncode for one in started] == [0, 0, 0], results
    assert {out.decode().strip() for out, _ in results} == {newest()}


async def test_what_was_stored_before_it_was_counted_is_counted(empty_url: str) -> None:
    migrate(empty_url, to="0002")
    engine = make_engine(empty_url)
    batches = [await make_batch(engine, 2, tenant=tenant) for tenant in ("acme", "bolt")]
    await statement(
        engine,
        """INSERT INTO outputs (id, tenant, batch_id, item_id, variant, object_key, width, height, bytes, sha256, format,
                              draws, device, engine_version, token)
           SELECT id, tenant, batch_id, id, 0, 'k', 1, 1, 500, '', 'png', '[]', 'cpu', '', 1 FROM items""",
        {},
    )
    await statement(
        engine,
        """INSERT INTO images (id, tenant, sha256, bytes, format, width, height, object_key)
           SELECT id, tenant, '', 30, 'png', 1, 1, 'k' FROM batches WHERE id = :id""",
        {"id": batches[0].id},
    )
    migrate(empty_url)
    rows = await statement(engine, "SELECT tenant, bytes_stored FROM tenant_counters ORDER BY tenant", {})
    assert [tuple(row.values()) for row in rows] == [("acme", 1030), ("bolt", 1000)]
    await statement(engine, "DELETE FROM batches WHERE id = :id", {"id": batches[1].id})
    rows = await statement(engine, "SELECT bytes_stored FROM tenant_counters WHERE tenant = 'bolt'", {})
    assert [row["bytes_stored"] for row in rows] == [0]
    await engine.dispose()


async def test_a_migrated_database_is_at_the_newest_revision(database_url: str) -> None:
    engine = make_engine(database_url)
    assert [row["version_num"] for row in await statement(engine, "SELECT version_num FROM alembic_version", {})] == [
        newest()
    ]
    await engine.dispose()


async def test_a_later_release_is_refused(database_url: str) -> None:
    engine = make_engine(database_url)
    await statement(engine, "UPDATE alembic_version SET version_num = '9999'", {})
    await engine.dispose()
    with pytest.raises(Exception, match="9999"):
        migrate(database_url)
