"""What only the PostgreSQL side has to prove: its server can go away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from gateway.store import Changes, Loaded, StoreUnavailable, open_store
from tests.gateway.store.conftest import OpenStore, opener
from tests.gateway.store.turns import NOW, conversation, echo, message, say

pytestmark = pytest.mark.postgres


@pytest.fixture
async def another(postgres: str) -> AsyncIterator[OpenStore]:
    async with AsyncExitStack() as stack:
        yield opener(stack, postgres)


@pytest.mark.promise(4)
async def test_a_connection_lost_before_the_commit_is_unavailable_and_nothing_has_happened(
    another: OpenStore, postgres: str
) -> None:
    store = await another()
    event = message("m1")

    def decide(loaded: Loaded) -> Changes:
        _in_a_thread(_end_connections, postgres)
        return echo(event)(loaded)

    with pytest.raises(StoreUnavailable):
        await store.take(conversation(), event, decide, now=NOW)

    assert await store.load("CH1") is None
    assert await say(store, "m1"), "the pool has connected anew"


async def test_many_processes_in_one_conversation_all_get_their_turns(another: OpenStore) -> None:
    stores = [await another() for _ in range(6)]

    outcomes = await asyncio.gather(*(say(store, f"m{n}.{i}") for n in range(10) for i, store in enumerate(stores)))

    assert all(outcomes)
    assert [entry.position for entry in await stores[0].journal("CH1")] == list(range(60))


async def test_decide_is_asked_again_after_a_lost_race(another: OpenStore, postgres: str) -> None:
    """Another process takes an event between the read and the commit."""
    store = await another()
    await say(store, "m0")
    event, seen = message("m2"), list[int]()

    def decide(loaded: Loaded) -> Changes:
        seen.append(loaded.conversation.journal)
        if len(seen) == 1:
            _in_a_thread(_say_from_elsewhere, postgres)
        return echo(event)(loaded)

    changes = await store.take(conversation(), event, decide, now=NOW)

    assert changes is not None
    assert seen == [1, 2]
    assert [entry.event.key for entry in await store.journal("CH1")] == ["m0", "m1", "m2"]


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    store = open_store("postgresql://127.0.0.1:1/usher", worker="w")

    with pytest.raises(StoreUnavailable):
        await store.open()


async def test_a_database_that_is_missing_is_said(postgres: str) -> None:
    store = open_store(postgres.replace("/postgres?", "/no_such_database?"), worker="w")

    with pytest.raises(StoreUnavailable, match='database "no_such_database" does not exist'):
        await store.open()


def _in_a_thread(work: Callable[[str], Coroutine[Any, Any, None]], url: str) -> None:
    """Do *work* while the loop is busy in `decide`."""
    thread = threading.Thread(target=lambda: asyncio.run(work(url)))
    thread.start()
    thread.join(10)


async def _say_from_elsewhere(url: str) -> None:
    async with AsyncExitStack() as stack:
        assert await say(await opener(stack, url)(), "m1")


async def _end_connections(url: str) -> None:
    """As a server that restarts does."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
    )
    await connection.close()
