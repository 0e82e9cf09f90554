"""What the tests with real processes stand on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.processes.database import Database, PostgresDatabase, SqliteFile, postgres_database
from tests.processes.harness import Site, site


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    """A site on SQLite."""
    async with site(tmp_path, SqliteFile(tmp_path)) as built:
        yield built


@pytest.fixture
async def postgres() -> AsyncIterator[PostgresDatabase]:
    """An empty PostgreSQL database."""
    async with postgres_database() as database:
        yield database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database, one of each kind."""
    if request.param == "sqlite":
        yield SqliteFile(tmp_path)
        return
    async with postgres_database() as made:
        yield made
