"""A PostgreSQL database of a test's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

POSTGRES = os.environ.get("USHER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@asynccontextmanager
async def empty_postgres() -> AsyncIterator[str]:
    """The URL of an empty schema of its own, which names its connections too; it goes away in the end.

    Without a server the test is skipped with the reason; in CI it fails.
    """
    try:
        server = await asyncpg.connect(POSTGRES, timeout=3)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        reason = f"no PostgreSQL answers at USHER_TEST_POSTGRES: {error}"
        if os.environ.get("USHER_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    schema = f"usher_{uuid4().hex}"
    await server.execute(f"CREATE SCHEMA {schema}")
    try:
        yield f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}search_path={schema}&application_name={schema}"
    finally:
        await server.execute(f"DROP SCHEMA {schema} CASCADE")
        await server.close()
