"""Migrations: bring a database's schema up to date, by Alembic, in one transaction.

Several processes may start at once: the first migrates, the others wait for it and find nothing to do. One that is
killed half-way leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from typing import Any

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine

from gateway.store import StoreUnavailable

# How long one process waits for another that migrates.
_PATIENCE_S = 60.0
# Any number, the same in all versions of Usher.
_POSTGRES_LOCK = 5_873_921_447
# Alembic keeps what it is doing in module globals, so one at a time in a process.
_one_at_a_time = threading.Lock()


def migrate(url: str) -> None:
    """Bring the schema of the database at *url* up to date; *url* is as in `gateway.store.open_store`.

    Blocks: from a loop, call it in a thread. Raises `StoreUnavailable`; then nothing has changed.
    """
    try:
        if url.startswith("sqlite:///"):
            _migrate_sqlite(url.removeprefix("sqlite:///"))
        else:
            asyncio.run(_migrate_postgres(url))
    except (sqlalchemy.exc.DBAPIError, sqlite3.Error, OSError, TimeoutError) as error:
        # SQLAlchemy wraps the driver's words in its own.
        cause = getattr(error, "orig", None) or error
        raise StoreUnavailable(f"the database's tables could not be brought up to date: {cause}") from error
    except CommandError as error:
        raise StoreUnavailable(
            f"the database's tables are not of this version of Usher: {error}; run the version that made them, or later"
        ) from error


def _migrate_sqlite(path: str) -> None:
    engine = create_engine("sqlite://", creator=lambda: _connect(path), poolclass=NullPool)
    # The driver begins no transaction for DDL by itself:
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#enabling-non-legacy-sqlite-transactional-modes-with-the-sqlite3-or-aiosqlite-driver
    sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        _upgrade(connection)


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Two that change the mode at once are told "locked" at once, whatever the timeout.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                connection.close()
                raise
            time.sleep(0.01)
        else:
            return connection


async def _migrate_postgres(url: str) -> None:
    # Here, not above: the driver is an extra that an SQLite installation lacks.
    import asyncpg
    from sqlalchemy.ext.asyncio import create_async_engine

    async def connect() -> Any:
        return await asyncpg.connect(url, timeout=10, server_settings={"lock_timeout": f"{_PATIENCE_S:.0f}s"})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})")
            await connection.run_sync(_upgrade)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(f"the database cannot be reached: {error}") from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "gateway:store/migrations")
    with _one_at_a_time:
        command.upgrade(config, "head")
