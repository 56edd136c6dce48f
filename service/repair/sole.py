"""One holder at a time: a PostgreSQL advisory lock on a connection of its own."""

from __future__ import annotations

from service.truth.database import AsyncConnection, DatabaseUnavailable, fetch, make_engine, translated


class Sole:
    """An advisory lock that ends with its holder, also with one that was stopped and says nothing for `idle_s`."""

    def __init__(self, url: str, key: int, *, idle_s: float = 30.0, application_name: str = "augment-lock") -> None:
        self._engine = make_engine(url, application_name=application_name, pool_size=1, overflow=0)
        self._key, self._idle_s = key, idle_s
        self._connection: AsyncConnection | None = None

    async def held(self) -> bool:
        """Whether the lock is ours: still, or from now on. Ask at least every `idle_s`. Errors: DatabaseUnavailable."""
        try:
            with translated():
                if self._connection is None:
                    return await self._take()
                await fetch(self._connection, "SELECT 1", {})
                return True
        except DatabaseUnavailable:
            await self.release()
            raise

    async def release(self) -> None:
        """Gives the lock up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with translated():
                # the connection itself is ended: in the pool it would keep the lock
                await connection.invalidate()
                await connection.close()

    async def close(self) -> None:
        """Gives the lock up for good."""
        await self.release()
        await self._engine.dispose()

    async def _take(self) -> bool:
        connection = await self._engine.connect()
        ours = False
        try:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await fetch(connection, "SELECT set_config('idle_session_timeout', :idle, false)", {"idle": f"{self._idle_s}s"})
            [row] = await fetch(connection, "SELECT pg_try_advisory_lock(:key) AS ours", {"key": self._key})
            ours = bool(row["ours"])
        finally:
            if ours:
                self._connection = connection
            else:
                await connection.close()
        return ours
