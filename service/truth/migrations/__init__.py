"""The schema's history: `migrate(url)` brings a database from any earlier revision to the newest.

A revision is a file in `versions/`, written once and never changed after a release; `service/truth/tables.py` says what
they add up to. A revision must let the release before it go on working: both use the same database during a deploy.
"""

from __future__ import annotations

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from service.system.cannot_start import CannotStart
from service.truth.database import normalised

LOCK = 0x6175_676D_0001
"""Advisory lock of whoever migrates: several may start at once, and all but the first find nothing left to do."""


class MigrationFailed(CannotStart):
    """The database cannot be brought to this release's schema; the message says why."""


def scripts() -> ScriptDirectory:
    """The revisions of this release."""
    return ScriptDirectory(str(Path(__file__).parent))


def newest() -> str:
    """The revision that this release needs."""
    return str(scripts().get_current_head())


def migrate(url: str, to: str = "head") -> str:
    """Upgrades the database in one transaction and returns its revision; changes nothing where it has that already.

    to: a revision before the newest, for tests of what a later one makes of old rows. Errors: MigrationFailed when the
    database does not answer, or is of a later release.
    """
    directory = scripts()
    engine = create_engine(normalised(url), connect_args={"application_name": "augment-migrate", "connect_timeout": 5})
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context = MigrationContext.configure(
                connection, opts={"script": directory, "fn": lambda now, _context: directory._upgrade_revs(to, now)}
            )
            # handed to `upgrade(op)` of each revision; alembic's global `op` would be shared by all threads
            context.run_migrations(op=Operations(context))
    except OperationalError as error:
        raise MigrationFailed(f"the database does not answer: {str(error.orig).strip()}") from error
    except CommandError as error:
        raise MigrationFailed(f"the database is of another release than this one: {error}") from error
    finally:
        engine.dispose()
    return newest() if to == "head" else to
