"""The store in PostgreSQL: for replicas."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from bots.conversation import Conversation
from bots.events import Event
from gateway.store import Changes, Decide, Ending, Entry, Leased, Loaded, Outgoing, StoredEffect, StoreUnavailable
from gateway.store.codec import (
    decode_conversation,
    decode_effect,
    decode_event,
    decode_trace,
    encode,
    kind_of,
    printable,
)
from gateway.store.migrate import migrate
from gateway.store.statements import load_statement

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

# Enough for the commits of one process on one core; five processes fit into PostgreSQL's own default of 100.
_POOL = 20
_COMMAND_S = 3.0
# All of a turn, the wait for others of the same conversation included. Twilio waits 5 seconds for a webhook.
_TAKE_S = 4.0
# How often a turn may find that another process was quicker, and from which time on it waits a little before.
_RACES = 40
_PATIENT_AFTER = 3

_LOAD_FOR_TURN = load_statement("postgres", "load_for_turn")
_INSERT_EMPTY_CONVERSATION = load_statement("postgres", "insert_empty_conversation")
_COMMIT_TURN = load_statement("postgres", "commit_turn")
_IS_CLAIMED = load_statement("postgres", "is_claimed")
_LOAD_CONVERSATION = load_statement("postgres", "load_conversation")
_FINISH_EFFECT = load_statement("postgres", "finish_effect")
_NOTE_ATTEMPT = load_statement("postgres", "note_attempt")
_IS_PENDING = load_statement("postgres", "is_pending")
_HAS_EARLIER = load_statement("postgres", "has_earlier")
_PROLONG_LEASE = load_statement("postgres", "prolong_lease")
_TAKE_LEASE = load_statement("postgres", "take_lease")
_GIVE_UP_LEASE = load_statement("postgres", "give_up_lease")
_BURY_DEAD_WORKERS = load_statement("postgres", "bury_dead_workers")
_ADOPT_ORPHANS = load_statement("postgres", "adopt_orphans")
_SAVE_VERSION = load_statement("postgres", "save_version")
_LOAD_VERSION = load_statement("postgres", "load_version")
_CONVERSATIONS_SINCE = load_statement("postgres", "conversations_since")
_JOURNAL = load_statement("postgres", "journal")
_EFFECTS = load_statement("postgres", "effects")

# The server is away, full, failing, shutting down, a standby, or gave up on us: https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNAVAILABLE = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.ReadOnlySQLTransactionError,  # 25006: a standby
    asyncpg.TransactionRollbackError,  # class 40: a deadlock
    asyncpg.InsufficientResourcesError,  # class 53
    asyncpg.OperatorInterventionError,  # class 57
    asyncpg.PostgresSystemError,  # class 58
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


class PostgresStore:
    """The store in the database at *url*.

    *worker* names this process, *lease_s* is how many seconds its lease lasts, by the database's clock. See
    `gateway.store.Store`.
    """

    def __init__(self, url: str, *, worker: str, lease_s: float) -> None:
        self.worker = worker
        self._url = url
        self._lease_s = lease_s
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        # The version number guards between processes; within one, a lock spares the lost races.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self) -> None:
        await asyncio.to_thread(migrate, self._url)
        with _as_unavailable():
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=_POOL,
                command_timeout=_COMMAND_S,
                timeout=_COMMAND_S,
                reset=_leave_as_it_is,
            )
        try:
            await self.keep_lease()
        except StoreUnavailable:
            await self._close_pool()
            raise

    async def close(self) -> None:
        if self._pool is None:
            return
        with suppress(StoreUnavailable):  # then the lease runs out by itself
            await self._execute(_GIVE_UP_LEASE, self.worker)
        await self._close_pool()

    async def take(self, new: Conversation, event: Event, decide: Decide, *, now: datetime) -> Changes | None:
        turn = self._turns.get(new.id)
        if turn is None:
            turn = self._turns[new.id] = asyncio.Lock()
        try:
            async with asyncio.timeout(_TAKE_S) as limit, turn:
                return await self._take(new, event, decide, now)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise StoreUnavailable(f"PostgreSQL: conversation {new.id} was busy for {_TAKE_S:.0f} s") from error

    async def load(self, conversation_id: str) -> Conversation | None:
        record = await self._fetchval(_LOAD_CONVERSATION, conversation_id)
        return None if record is None else decode_conversation(record)

    async def finish(
        self, effect_id: str, ending: Ending, *, reason: str = "", message_index: int | None = None
    ) -> None:
        await self._execute(_FINISH_EFFECT, effect_id, ending, printable(reason), message_index)

    async def note_attempt(self, effect_id: str, reason: str) -> None:
        await self._execute(_NOTE_ATTEMPT, effect_id, printable(reason))

    async def is_pending(self, effect_id: str) -> bool:
        return bool(await self._fetchval(_IS_PENDING, effect_id, self.worker))

    async def has_earlier(self, conversation_id: str, position: int) -> bool:
        return bool(await self._fetchval(_HAS_EARLIER, conversation_id, position))

    async def keep_lease(self) -> bool:
        if await self._fetchval(_PROLONG_LEASE, self.worker, self._lease_s):
            return True
        await self._execute(_TAKE_LEASE, self.worker, self._lease_s)
        return False

    async def take_over(self, limit: int) -> Sequence[Leased]:
        async with self._connection() as connection:
            with _as_unavailable():
                await connection.execute(_BURY_DEAD_WORKERS, self.worker)
                rows = await connection.fetch(_ADOPT_ORPHANS, self.worker, limit)
        return [Leased(decode_conversation(row["record"]), _outgoing(row), row["attempts"]) for row in rows]

    async def save_version(self, version: str, flow: bytes) -> None:
        await self._execute(_SAVE_VERSION, version, flow)

    async def load_version(self, version: str) -> bytes | None:
        flow: bytes | None = await self._fetchval(_LOAD_VERSION, version)
        return flow

    async def conversations_since(self, since: datetime) -> Sequence[Conversation]:
        return [decode_conversation(row["record"]) for row in await self._fetch(_CONVERSATIONS_SINCE, since)]

    async def journal(self, conversation_id: str) -> Sequence[Entry]:
        return [
            Entry(
                position=row["position"],
                event=decode_event(row["event"]),
                trace=decode_trace(row["trace"]) if row["trace"] else None,
            )
            for row in await self._fetch(_JOURNAL, conversation_id)
        ]

    async def effects(self, conversation_id: str) -> Sequence[StoredEffect]:
        return [
            StoredEffect(_outgoing(row), row["status"], row["reason"], row["attempts"], row["message_index"])
            for row in await self._fetch(_EFFECTS, conversation_id)
        ]

    async def _take(self, new: Conversation, event: Event, decide: Decide, now: datetime) -> Changes | None:
        for race in range(_RACES):
            if race >= _PATIENT_AFTER:
                await asyncio.sleep(random.uniform(0, 0.001 * race))  # noqa: S311  no secret hangs on it
            async with self._connection() as connection:
                version, loaded = await _load_for_turn(connection, new)
                try:
                    changes = decide(loaded)
                except Exception:  # whatever it is: of an event that was claimed before, decide has no say
                    if await _is_claimed(connection, event.key):
                        return None
                    raise
                locked, claimed = await _commit_turn(connection, changes, version, now=now, worker=self.worker)
            if claimed:
                return changes
            if locked:
                return None
        raise StoreUnavailable(f"PostgreSQL: other processes changed conversation {new.id} {_RACES} times meanwhile")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool. Only what the pool itself raises becomes `StoreUnavailable` here."""
        if self._pool is None:
            raise StoreUnavailable("PostgreSQL: the store is not open")
        try:
            with _as_unavailable():
                connection = await self._pool.acquire()
        except asyncpg.PostgresError as error:  # of a new connection, so of no statement of ours
            raise StoreUnavailable(f"PostgreSQL cannot be reached: {error}") from error
        try:
            yield connection
        finally:
            with _as_unavailable():
                await self._pool.release(connection)

    async def _execute(self, statement: str, *values: object) -> None:
        async with self._connection() as connection:
            with _as_unavailable():
                await connection.execute(statement, *values)

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        async with self._connection() as connection:
            with _as_unavailable():
                return await connection.fetch(statement, *values)

    async def _fetchval(self, statement: str, *values: object) -> Any:
        async with self._connection() as connection:
            with _as_unavailable():
                return await connection.fetchval(statement, *values)

    async def _close_pool(self) -> None:
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(_COMMAND_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _leave_as_it_is(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """What the pool does with a connection that comes back: we change no session, so nothing, and save a round trip."""


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except _UNAVAILABLE as error:
        if isinstance(error, ValueError):  # the driver's own, for a value that no column takes: our mistake
            raise
        raise StoreUnavailable(f"PostgreSQL could not do it: {error or type(error).__name__}; try again") from error


async def _load_for_turn(connection: Connection, new: Conversation) -> tuple[int, Loaded]:
    """The version of the conversation's row, and what a turn finds."""
    with _as_unavailable():
        row = await connection.fetchrow(_LOAD_FOR_TURN, new.id)
        if row is None:
            # FOR UPDATE locks no row that is not there, so an empty one comes first. Where another process was
            # quicker, our version is not the row's and the race is lost.
            await connection.execute(_INSERT_EMPTY_CONVERSATION, new.id)
            return 0, Loaded(new)
    version, record, positions, events, said, on_the_wire = row
    if record is None:
        return version, Loaded(new)
    waiting = tuple(
        Entry(position=position, event=decode_event(event)) for position, event in zip(positions, events, strict=True)
    )
    return version, Loaded(decode_conversation(record), waiting, tuple(said), on_the_wire)


async def _is_claimed(connection: Connection, key: str) -> bool:
    with _as_unavailable():
        return bool(await connection.fetchval(_IS_CLAIMED, key))


async def _commit_turn(
    connection: Connection, changes: Changes, version: int, *, now: datetime, worker: str
) -> tuple[bool, bool]:
    """Whether the row was still of *version*, and whether the event's key was free; both: it is committed."""
    conversation, came, taken, effects = changes.conversation, changes.came, changes.taken, changes.effects
    values = (
        conversation.id,
        version,
        came.event.key,
        came.position,
        encode(came.event),
        encode(came.trace) if came.trace else None,
        conversation.owner,
        conversation.heard.through,
        now,
        encode(conversation),
        [entry.position for entry in taken],
        [encode(entry.trace) if entry.trace else None for entry in taken],
        *_ended(changes),
        conversation.epoch if changes.drops_older else None,
        [outgoing.id for outgoing in effects],
        [outgoing.position for outgoing in effects],
        [outgoing.epoch for outgoing in effects],
        [kind_of(outgoing.effect) for outgoing in effects],
        [encode(outgoing.effect) for outgoing in effects],
        worker,
    )
    with _as_unavailable():
        row = await connection.fetchrow(_COMMIT_TURN, *values)
    assert row is not None  # noqa: S101  the statement gives one row, whatever it finds
    return row["locked"], row["claimed"]


def _ended(changes: Changes) -> tuple[str | None, str | None, str | None]:
    if changes.ended is None:
        return None, None, None
    effect_id, ending, reason = changes.ended
    return effect_id, ending, printable(reason)


def _outgoing(row: asyncpg.Record) -> Outgoing:
    return Outgoing(id=row["id"], position=row["position"], epoch=row["epoch"], effect=decode_effect(row["effect"]))
