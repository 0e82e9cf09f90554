"""Group commit: a thread that owns an SQLite connection and commits all that waits for it at once.

A commit costs a write to the disk, however much is in it. So the thread takes all requests that are queued, runs them
in one transaction, commits, and only then tells the callers. While it does, the next group gathers.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeAlias, TypeVar

from gateway.store import StoreUnavailable

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]


class GroupCommit:
    """The thread and its queue. Made in a running loop, with a connection in autocommit mode (``isolation_level=None``)
    that no one else uses from then on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._closed = False
        # A daemon, so that a process whose owner forgot to close can still end: what is not committed was not promised.
        self._thread = threading.Thread(target=self._run, name="usher-sqlite", daemon=True)
        self._thread.start()

    async def do(self, work: Work[T], *, guarded: bool = False) -> T:
        """What *work* gives, once it is committed.

        *guarded* runs it in a savepoint; work that writes by more than one statement needs it. What *work* raises is
        raised here and has happened in no part. Raises `StoreUnavailable`.
        """
        if self._closed:
            raise StoreUnavailable("SQLite: the store is closed")
        caller: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Request(caller, work, guarded))
        return await caller

    async def close(self) -> None:
        """Finish the queue, end the thread, close the connection."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while group := self._next_group():
            outcomes = _commit(self._connection, group)
            try:
                self._loop.call_soon_threadsafe(_tell, outcomes)
            except RuntimeError:  # the loop is closed, so no caller waits any more
                break
        self._connection.close()

    def _next_group(self) -> list[_Request]:
        """All that is queued, at least one; empty when there will be no more."""
        first = self._queue.get()
        queued = [first, *(self._queue.get_nowait() for _ in range(self._queue.qsize()))]
        requests = [request for request in queued if request is not None]
        if requests and len(requests) < len(queued):
            self._queue.put(None)
        return requests


class _Request(NamedTuple):
    caller: asyncio.Future[Any]
    work: Work[Any]
    guarded: bool


class _Outcome(NamedTuple):
    caller: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class _TransactionLost(Exception):
    """The database dropped the transaction, and with it all that the group did so far."""


def _commit(connection: sqlite3.Connection, group: Sequence[_Request]) -> list[_Outcome]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        # A caller that was cancelled before its turn waits for nothing; nothing of it happens.
        outcomes = [_perform(connection, request) for request in group if not request.caller.cancelled()]
        connection.execute("COMMIT")
    except (sqlite3.Error, _TransactionLost) as error:
        _roll_back(connection)
        return [_Outcome(request.caller, error=_unavailable(error)) for request in group]
    return outcomes


def _perform(connection: sqlite3.Connection, request: _Request) -> _Outcome:
    try:
        if request.guarded:
            connection.execute("SAVEPOINT request")
        result = request.work(connection)
        if request.guarded:
            connection.execute("RELEASE request")
    except Exception as error:  # whatever the work raises is its caller's, and no other's
        # https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
        # A full disk makes SQLite roll back all of the transaction by itself. Going on, each further statement would
        # commit on its own.
        if not connection.in_transaction:
            raise _TransactionLost(str(error)) from error
        if request.guarded:
            connection.execute("ROLLBACK TO request")
            connection.execute("RELEASE request")
        return _Outcome(request.caller, error=_told(error))
    return _Outcome(request.caller, result)


def _roll_back(connection: sqlite3.Connection) -> None:
    """Should this fail too, the next group's BEGIN does, and we are here again."""
    try:
        connection.rollback()
    except sqlite3.Error:
        return


def _told(error: Exception) -> Exception:
    """What the caller hears of an error of its own request."""
    if isinstance(error, sqlite3.OperationalError):
        return _unavailable(error)
    if isinstance(error, StopIteration):
        # A future refuses it: https://docs.python.org/3/library/asyncio-future.html#asyncio.Future.set_exception
        told = RuntimeError("the request raised StopIteration")
        told.__cause__ = error
        return told
    return error


def _unavailable(error: Exception) -> StoreUnavailable:
    unavailable = StoreUnavailable(f"SQLite could not commit: {error}; nothing has happened, try again")
    unavailable.__cause__ = error
    return unavailable


def _tell(outcomes: Sequence[_Outcome]) -> None:
    for caller, result, error in outcomes:
        if caller.done():  # cancelled meanwhile
            continue
        if error is None:
            caller.set_result(result)
        else:
            caller.set_exception(error)
