from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from gateway.sandbox import Sandbox, create_sandbox
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver, receive, serve


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    one = create_sandbox()
    yield one
    await one.close()


@pytest.fixture
async def base(sandbox: Sandbox) -> AsyncIterator[str]:
    """The URL at which the sandbox is served."""
    async with serve(sandbox) as url:
        yield url


@pytest.fixture
async def oracle(sandbox: Sandbox, base: str) -> AsyncIterator[Oracle]:
    one = Oracle(base, sandbox.account)
    yield one
    await one.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receive() as one:
        yield one


@pytest.fixture
async def desk(base: str) -> AsyncIterator[ClientSession]:
    """A plain HTTP client for the control routes: ``desk.post("/sandbox/…")``."""
    async with ClientSession(base) as session:
        yield session
