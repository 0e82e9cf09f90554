"""The store in an SQLite file: for one process, or a few on one machine."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from bots.conversation import Conversation
from bots.effects import Effect
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
from gateway.store.group_commit import GroupCommit, T, Work
from gateway.store.migrate import migrate
from gateway.store.statements import load_statement

# How long one process waits for another's commit. Twilio waits 5 seconds for a webhook.
_BUSY_S = 3.0

_LOAD_FOR_TURN = load_statement("sqlite", "load_for_turn")
_LOAD_WAITING = load_statement("sqlite", "load_waiting")
_CLAIM_EVENT = load_statement("sqlite", "claim_event")
_IS_CLAIMED = load_statement("sqlite", "is_claimed")
_SAVE_CONVERSATION = load_statement("sqlite", "save_conversation")
_MARK_TAKEN = load_statement("sqlite", "mark_taken")
_DROP_OLDER_EFFECTS = load_statement("sqlite", "drop_older_effects")
_PUT_EFFECT = load_statement("sqlite", "put_effect")
_LOAD_CONVERSATION = load_statement("sqlite", "load_conversation")
_FINISH_EFFECT = load_statement("sqlite", "finish_effect")
_NOTE_ATTEMPT = load_statement("sqlite", "note_attempt")
_IS_PENDING = load_statement("sqlite", "is_pending")
_HAS_EARLIER = load_statement("sqlite", "has_earlier")
_PROLONG_LEASE = load_statement("sqlite", "prolong_lease")
_TAKE_LEASE = load_statement("sqlite", "take_lease")
_GIVE_UP_LEASE = load_statement("sqlite", "give_up_lease")
_BURY_DEAD_WORKERS = load_statement("sqlite", "bury_dead_workers")
_FIND_ORPHANS = load_statement("sqlite", "find_orphans")
_ADOPT_ORPHAN = load_statement("sqlite", "adopt_orphan")
_SAVE_VERSION = load_statement("sqlite", "save_version")
_LOAD_VERSION = load_statement("sqlite", "load_version")
_CONVERSATIONS_SINCE = load_statement("sqlite", "conversations_since")
_JOURNAL = load_statement("sqlite", "journal")
_EFFECTS = load_statement("sqlite", "effects")


class SqliteStore:
    """The store in the file *path*, which is made where it is missing; its folder must be there.

    *worker* names this process, *lease_s* is how many seconds its lease lasts. See `gateway.store.Store`.
    """

    def __init__(self, path: str, *, worker: str, lease_s: float) -> None:
        self.worker = worker
        self._path = path
        self._lease_s = lease_s
        self._commits: GroupCommit | None = None

    async def open(self) -> None:
        await asyncio.to_thread(migrate, f"sqlite:///{self._path}")
        try:
            self._commits = GroupCommit(await asyncio.to_thread(_connect, self._path))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"SQLite could not open {self._path}: {error}") from error
        try:
            await self.keep_lease()
        except StoreUnavailable:
            await self._close_commits()
            raise

    async def close(self) -> None:
        if self._commits is None:
            return
        with suppress(StoreUnavailable):  # then the lease runs out by itself
            await self._do(lambda connection: connection.execute(_GIVE_UP_LEASE, (self.worker,)))
        await self._close_commits()

    async def take(self, new: Conversation, event: Event, decide: Decide, *, now: datetime) -> Changes | None:
        return await self._do(
            lambda connection: _take(connection, new, event, decide, now=now, worker=self.worker), guarded=True
        )

    async def load(self, conversation_id: str) -> Conversation | None:
        def work(connection: sqlite3.Connection) -> Conversation | None:
            row = connection.execute(_LOAD_CONVERSATION, (conversation_id,)).fetchone()
            return decode_conversation(row[0]) if row else None

        return await self._do(work)

    async def finish(
        self, effect_id: str, ending: Ending, *, reason: str = "", message_index: int | None = None
    ) -> None:
        values = (ending, printable(reason), message_index, effect_id)
        await self._do(lambda connection: connection.execute(_FINISH_EFFECT, values))

    async def note_attempt(self, effect_id: str, reason: str) -> None:
        values = (printable(reason), effect_id)
        await self._do(lambda connection: connection.execute(_NOTE_ATTEMPT, values))

    async def is_pending(self, effect_id: str) -> bool:
        values = (effect_id, self.worker)
        return await self._do(lambda connection: connection.execute(_IS_PENDING, values).fetchone() is not None)

    async def has_earlier(self, conversation_id: str, position: int) -> bool:
        values = (conversation_id, position)
        return await self._do(lambda connection: connection.execute(_HAS_EARLIER, values).fetchone() is not None)

    async def keep_lease(self) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            now = time.time()
            until = now + self._lease_s
            if connection.execute(_PROLONG_LEASE, (until, self.worker, now)).rowcount:
                return True
            connection.execute(_TAKE_LEASE, (self.worker, until))
            return False

        return await self._do(work, guarded=True)

    async def take_over(self, limit: int) -> Sequence[Leased]:
        return await self._do(lambda connection: _take_over(connection, limit, worker=self.worker), guarded=True)

    async def save_version(self, version: str, flow: bytes) -> None:
        values = (version, flow, time.time())
        await self._do(lambda connection: connection.execute(_SAVE_VERSION, values))

    async def load_version(self, version: str) -> bytes | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(_LOAD_VERSION, (version,)).fetchone()
            return row[0] if row else None

        return await self._do(work)

    async def conversations_since(self, since: datetime) -> Sequence[Conversation]:
        def work(connection: sqlite3.Connection) -> list[Conversation]:
            rows = connection.execute(_CONVERSATIONS_SINCE, (since.timestamp(),))
            return [decode_conversation(record) for (record,) in rows]

        return await self._do(work)

    async def journal(self, conversation_id: str) -> Sequence[Entry]:
        def work(connection: sqlite3.Connection) -> list[Entry]:
            rows = connection.execute(_JOURNAL, (conversation_id,))
            return [
                Entry(position=position, event=decode_event(event), trace=decode_trace(trace) if trace else None)
                for position, event, trace in rows
            ]

        return await self._do(work)

    async def effects(self, conversation_id: str) -> Sequence[StoredEffect]:
        def work(connection: sqlite3.Connection) -> list[StoredEffect]:
            rows = connection.execute(_EFFECTS, (conversation_id,))
            return [StoredEffect(_outgoing(*row[:4]), *row[4:]) for row in rows]

        return await self._do(work)

    async def _do(self, work: Work[T], *, guarded: bool = False) -> T:
        if self._commits is None:
            raise StoreUnavailable("SQLite: the store is not open")
        return await self._commits.do(work, guarded=guarded)

    async def _close_commits(self) -> None:
        if self._commits is not None:
            commits, self._commits = self._commits, None
            await commits.close()


def _connect(path: str) -> sqlite3.Connection:
    """A connection for the committing thread; WAL is a property of the file and was set when it was made."""
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    # What a savepoint keeps to go back to would else be written to a file: a sixth of a turn's time.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _take(
    connection: sqlite3.Connection, new: Conversation, event: Event, decide: Decide, *, now: datetime, worker: str
) -> Changes | None:
    loaded = _load_for_turn(connection, new)
    try:
        changes = decide(loaded)
    except Exception:  # whatever it is: of an event that was claimed before, decide has no say
        if connection.execute(_IS_CLAIMED, (event.key,)).fetchone():
            return None
        raise
    if not _claim(connection, changes):
        return None
    _save(connection, changes, now=now, worker=worker)
    return changes


def _load_for_turn(connection: sqlite3.Connection, new: Conversation) -> Loaded:
    row = connection.execute(_LOAD_FOR_TURN, (new.id,)).fetchone()
    if row is None:
        return Loaded(new)
    record, said, on_the_wire = row
    conversation = decode_conversation(record)
    return Loaded(
        conversation,
        _load_waiting(connection, new.id) if conversation.waiting else (),
        tuple(sorted(map(int, said.split(",")))) if said else (),
        on_the_wire,
    )


def _load_waiting(connection: sqlite3.Connection, conversation_id: str) -> tuple[Entry, ...]:
    rows = connection.execute(_LOAD_WAITING, (conversation_id,))
    return tuple(Entry(position=position, event=decode_event(event)) for position, event in rows)


def _claim(connection: sqlite3.Connection, changes: Changes) -> bool:
    came = changes.came
    trace = encode(came.trace) if came.trace else None
    values = (came.event.key, changes.conversation.id, came.position, encode(came.event), trace)
    return connection.execute(_CLAIM_EVENT, values).rowcount == 1


def _save(connection: sqlite3.Connection, changes: Changes, *, now: datetime, worker: str) -> None:
    conversation = changes.conversation
    values = (
        conversation.id,
        conversation.owner,
        conversation.heard.through,
        now.timestamp(),
        encode(conversation),
    )
    connection.execute(_SAVE_CONVERSATION, values)
    for entry in changes.taken:
        trace = encode(entry.trace) if entry.trace else None
        connection.execute(_MARK_TAKEN, (trace, conversation.id, entry.position))
    for outgoing in changes.effects:
        _put(connection, conversation.id, outgoing, worker=worker)
    if changes.ended is not None:
        effect_id, ending, reason = changes.ended
        connection.execute(_FINISH_EFFECT, (ending, printable(reason), None, effect_id))
    if changes.drops_older:
        connection.execute(_DROP_OLDER_EFFECTS, (conversation.id, conversation.epoch))


def _put(connection: sqlite3.Connection, conversation_id: str, outgoing: Outgoing, *, worker: str) -> None:
    effect: Effect = outgoing.effect
    values = (
        outgoing.id,
        conversation_id,
        outgoing.position,
        outgoing.epoch,
        kind_of(effect),
        encode(effect),
        worker,
    )
    connection.execute(_PUT_EFFECT, values)


def _take_over(connection: sqlite3.Connection, limit: int, *, worker: str) -> list[Leased]:
    connection.execute(_BURY_DEAD_WORKERS, (time.time(), worker))
    rows = connection.execute(_FIND_ORPHANS, {"worker": worker, "limit": limit}).fetchall()
    connection.executemany(_ADOPT_ORPHAN, [(worker, row[0]) for row in rows])
    return [
        Leased(decode_conversation(record), _outgoing(id_, position, epoch, effect), attempts)
        for _, record, id_, position, epoch, effect, attempts in rows
    ]


def _outgoing(id_: str, position: int, epoch: int, effect: str) -> Outgoing:
    return Outgoing(id=id_, position=position, epoch=epoch, effect=decode_effect(effect))
