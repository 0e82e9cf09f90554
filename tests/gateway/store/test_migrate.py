"""Migrations among real processes that start together or are killed."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from gateway.store import StoreUnavailable
from gateway.store.migrate import migrate
from tests.gateway.store.conftest import OpenStore
from tests.gateway.store.turns import say

ROOT = Path(__file__).parents[3]
Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(database: str) -> AsyncIterator[Start]:
    """Starts processes that migrate once they are told to go; ends those that are left."""
    processes: list[Process] = []

    async def start(*how: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("migrating.py")),
            database,
            *how,
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        processes.append(process)
        await _expect(process, "ready")
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.process
async def test_processes_that_start_at_once_on_an_empty_database_migrate_it_once(
    start: Start, another: OpenStore
) -> None:
    processes = await asyncio.gather(*(start() for _ in range(4)))

    for process in processes:
        _go(process)

    await asyncio.gather(*(_expect(process, "done") for process in processes))
    assert await say(await another(), "m1")


@pytest.mark.process
async def test_a_process_that_is_killed_while_it_migrates_leaves_nothing(
    start: Start, another: OpenStore, database: str
) -> None:
    """Another one, which waits for it meanwhile, migrates then."""
    dying, waiting = await start("half"), await start()
    _go(dying)
    await _expect(dying, "half")
    _go(waiting)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_expect(waiting, "done"), 0.3)
    assert await _tables(database) == []

    dying.kill()

    await _expect(waiting, "done")
    assert await say(await another(), "m1")


async def test_migrating_again_changes_nothing(another: OpenStore, database: str) -> None:
    first = await another()
    await say(first, "m1")
    tables = await _tables(database)

    await asyncio.to_thread(migrate, database)

    assert await _tables(database) == tables
    assert await say(first, "m1") is None


async def test_stores_of_one_process_may_open_at_once(another: OpenStore) -> None:
    one, two, three = await asyncio.gather(another(), another(), another())

    assert await say(one, "m1")
    assert await say(two, "m2")
    assert await say(three, "m2") is None


async def test_databases_of_one_process_may_be_migrated_at_once(tmp_path: Path) -> None:
    """Alembic alone would mix them up."""
    urls = [f"sqlite:///{tmp_path}/{n}.db" for n in range(8)]

    await asyncio.gather(*(asyncio.to_thread(migrate, url) for url in urls))

    assert all(["versions" in await _tables(url) for url in urls])


async def test_a_database_of_a_later_usher_is_refused(another: OpenStore, database: str) -> None:
    await another()
    await _execute(database, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreUnavailable, match=r"not of this version of Usher: .*9999.*; run the version"):
        await another()


async def test_migrating_leaves_the_logging_alone(database: str) -> None:
    before = logging.root.handlers[:], logging.root.level, logging.getLogger("alembic").handlers[:]

    await asyncio.to_thread(migrate, database)

    assert (logging.root.handlers, logging.root.level, logging.getLogger("alembic").handlers) == before


def test_the_file_is_in_write_ahead_mode(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/usher.db")

    with closing(sqlite3.connect(tmp_path / "usher.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def _go(process: Process) -> None:
    assert process.stdin
    process.stdin.write(b"go\n")


async def _expect(process: Process, word: str) -> None:
    assert process.stdout
    async with asyncio.timeout(20):
        assert (await process.stdout.readline()).decode().strip() == word


async def _tables(database: str) -> list[str]:
    if database.startswith("sqlite"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
    server = await asyncpg.connect(database)
    rows = await server.fetch("SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace")
    await server.close()
    return sorted(row["relname"] for row in rows)


async def _execute(database: str, statement: str) -> None:
    if database.startswith("sqlite"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute(statement)
        return
    server = await asyncpg.connect(database)
    await server.execute(statement)
    await server.close()
