"""Databases for processes: seen from outside, and made to refuse."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SERVER = os.environ.get("USHER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
PENDING = "SELECT count(*) FROM effects WHERE status = 'pending'"
EVENTS = "SELECT count(*) FROM journal"


class Database(Protocol):
    """A gateway's database. *url* is its setting."""

    url: str

    async def count(self, question: str) -> int:
        """The number that an SQL question gives."""

    async def refuse(self, pid: int) -> None:
        """From now on nothing can be committed by the process *pid*."""

    async def accept(self, pid: int) -> None:
        """It can again."""


class SqliteFile:
    """The embedded store, whose disk is full when it refuses."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "usher.db"
        self.url = f"sqlite:///{self._path}"

    async def count(self, question: str) -> int:
        with closing(sqlite3.connect(self._path, timeout=5)) as connection:
            return int(connection.execute(question).fetchone()[0])

    async def refuse(self, pid: int) -> None:
        # No file may grow beyond 0 bytes: the next write fails as on a full disk, and nothing has to be filled.
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    async def accept(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


class PostgresDatabase:
    """The database *name* of its own on the test *server*, which throws the gateways out when it refuses.

    *observer* is a connection to it that is open all the time: on a busy server there may be none to be had.
    """

    def __init__(self, name: str, server: Connection, observer: Connection) -> None:
        self.url = _url(name)
        self._name = name
        self._server = server
        self._observer = observer

    async def count(self, question: str) -> int:
        return int(await self._observer.fetchval(question))

    async def refuse(self, pid: int) -> None:
        await self._server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        await self._observer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    async def accept(self, pid: int) -> None:
        await self._server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


@asynccontextmanager
async def postgres_database() -> AsyncIterator[PostgresDatabase]:
    """An empty database, dropped in the end. Skips where no server answers."""
    async with AsyncExitStack() as stack:
        try:
            server = await asyncpg.connect(SERVER, timeout=3)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            reason = f"no PostgreSQL answers at USHER_TEST_POSTGRES: {error}"
            if os.environ.get("USHER_CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        stack.push_async_callback(server.close)
        name = f"usher_{uuid4().hex}"
        await server.execute(f"CREATE DATABASE {name}")
        drop: Callable[[str], Awaitable[str]] = server.execute
        stack.push_async_callback(drop, f"DROP DATABASE {name} WITH (FORCE)")
        observer = await asyncpg.connect(_url(name), timeout=5)
        stack.push_async_callback(observer.close)
        yield PostgresDatabase(name, server, observer)


def _url(name: str) -> str:
    return urlsplit(SERVER)._replace(path=f"/{name}").geturl()
