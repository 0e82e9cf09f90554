"""Group commit: what happens to a group when the database, a request or a caller gives up."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store import StoreUnavailable
from gateway.store.group_commit import GroupCommit, Work


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a table of notes, some of which say that they belong to another."""
    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE notes (text PRIMARY KEY, about REFERENCES notes (text) DEFERRABLE INITIALLY DEFERRED)"
        )
    return path


@pytest.fixture
def statements() -> list[str]:
    """What the connection was asked to do, in order."""
    return []


@pytest.fixture
async def commits(path: Path, statements: list[str]) -> AsyncIterator[GroupCommit]:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.set_trace_callback(statements.append)
    commits = GroupCommit(connection)
    yield commits
    await commits.close()


async def test_what_gathers_while_one_group_runs_is_committed_at_once(
    commits: GroupCommit, path: Path, statements: list[str]
) -> None:
    tasks = await _as_one_group(commits, *(_note(f"note {n}") for n in range(20)))

    await asyncio.gather(*tasks)

    assert len(_notes(path)) == 20
    assert statements.count("COMMIT") == 2, "the group, and the request that held the thread before it"


async def test_a_request_that_fails_leaves_nothing_and_harms_no_other(commits: GroupCommit, path: Path) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        _note("half")(connection)
        raise ZeroDivisionError

    good, bad, fine = await asyncio.gather(
        *await _as_one_group(commits, _note("good"), fail, _note("fine")), return_exceptions=True
    )

    assert (good, fine) == (None, None)
    assert isinstance(bad, ZeroDivisionError)
    assert _notes(path) == ["good", "fine"]


async def test_a_broken_constraint_is_its_own_callers_alone(commits: GroupCommit, path: Path) -> None:
    tasks = await _as_one_group(commits, _note("same"), _note("same"), _note("other"))
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)

    assert (first, third) == (None, None)
    assert isinstance(second, sqlite3.IntegrityError)
    assert _notes(path) == ["same", "other"]


@pytest.mark.promise(4)
async def test_a_full_disk_in_the_middle_of_a_group_takes_all_of_it_back(commits: GroupCommit, path: Path) -> None:
    """SQLite drops the transaction by itself; what came after it would be committed on its own."""
    [pages] = await commits.do(lambda connection: connection.execute("PRAGMA page_count").fetchone())
    await commits.do(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 4}"))
    ran: list[str] = []

    def small(name: str) -> Work[None]:
        def work(connection: sqlite3.Connection) -> None:
            ran.append(name)
            _note(name)(connection)

        return work

    tasks = await _as_one_group(commits, small("before"), _note("x" * 100_000), small("after"))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert "full" in str(outcomes[0])
    assert ran == ["before"], "nothing more runs in that group"
    assert _notes(path) == []
    await commits.do(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
    await commits.do(_note("x" * 100_000), guarded=True)
    assert len(_notes(path)) == 1


@pytest.mark.promise(4)
async def test_a_commit_that_fails_takes_all_of_the_group_back(commits: GroupCommit, path: Path) -> None:
    tasks = await _as_one_group(commits, _note("good"), _note("stray", about="no such note"), _note("fine"))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert _notes(path) == []
    await commits.do(_note("good"))
    assert _notes(path) == ["good"]


async def test_a_database_that_another_holds_is_unavailable_until_it_is_free(commits: GroupCommit, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await commits.do(_note("first"))
        other.execute("ROLLBACK")

    await commits.do(_note("second"))

    assert _notes(path) == ["second"]


async def test_a_caller_cancelled_in_the_queue_gets_nothing_done(commits: GroupCommit, path: Path) -> None:
    tasks = await _as_one_group(commits, _note("a"), _note("b"), _note("c"), before=lambda tasks: tasks[1].cancel())

    await asyncio.gather(*tasks, return_exceptions=True)

    assert tasks[1].cancelled()
    assert _notes(path) == ["a", "c"]


async def test_a_caller_cancelled_in_the_middle_harms_no_other(commits: GroupCommit, path: Path) -> None:
    running, go_on = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        _note("slow")(connection)
        running.set()
        assert go_on.wait(5)

    tasks = await _as_one_group(commits, _note("before"), slow, _note("after"))
    await asyncio.to_thread(running.wait, 5)
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    go_on.set()
    await asyncio.gather(tasks[0], tasks[2])

    assert tasks[1].cancelled()
    assert _notes(path) == ["before", "slow", "after"]


async def test_closing_finishes_the_queue(commits: GroupCommit, path: Path) -> None:
    closing_: list[asyncio.Task[None]] = []

    def close(_: list[asyncio.Task[None]]) -> None:
        closing_.append(asyncio.create_task(commits.close()))

    tasks = await _as_one_group(commits, *(_note(f"note {n}") for n in range(5)), before=close)
    await asyncio.gather(*tasks, *closing_)

    assert len(_notes(path)) == 5
    with pytest.raises(StoreUnavailable, match="closed"):
        await commits.do(_note("late"))


async def _as_one_group(
    commits: GroupCommit,
    *works: Work[None],
    before: Callable[[list[asyncio.Task[None]]], object] = lambda _: None,
) -> list[asyncio.Task[None]]:
    """Hold the thread until all *works* are queued and *before* has run, so that they make one group."""
    holding, let_go = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        holding.set()
        assert let_go.wait(5)

    held = asyncio.create_task(commits.do(hold))
    await asyncio.to_thread(holding.wait, 5)
    tasks = [asyncio.create_task(commits.do(work, guarded=True)) for work in works]
    await asyncio.sleep(0)
    before(tasks)
    await asyncio.sleep(0)
    let_go.set()
    await held
    return tasks


def _note(text: str, *, about: str | None = None) -> Work[None]:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes VALUES (?, ?)", (text, about))

    return work


def _notes(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]
