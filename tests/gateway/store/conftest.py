"""Both sides of the store, each test on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from gateway.store import Store, open_store
from tests.postgres import empty_postgres


class OpenStore(Protocol):
    """Opens one more store on the test's database: another process, as far as the database can tell."""

    def __call__(self, *, worker: str = "", lease_s: float = 30.0) -> Awaitable[Store]: ...


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
        return
    async with empty_postgres() as url:
        yield url


@pytest.fixture
async def postgres() -> AsyncIterator[str]:
    """The URL of an empty PostgreSQL database."""
    async with empty_postgres() as url:
        yield url


@pytest.fixture
async def another(database: str) -> AsyncIterator[OpenStore]:
    """Opens stores, and closes them in the end."""
    async with AsyncExitStack() as stack:
        yield opener(stack, database)


@pytest.fixture
async def store(another: OpenStore) -> Store:
    """An open store on an empty database."""
    return await another()


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/usher.db"


def opener(stack: AsyncExitStack, url: str) -> OpenStore:
    async def open_another(*, worker: str = "", lease_s: float = 30.0) -> Store:
        store = open_store(url, worker=worker or uuid4().hex, lease_s=lease_s)
        await store.open()
        stack.push_async_callback(store.close)
        return store

    return open_another
