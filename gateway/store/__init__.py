"""The store: conversations, their journals, the outbox. One protocol, two sides, one contract test.

`open_store` gives the side that the URL names. Only this room imports database drivers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from bots.conversation import Conversation
from bots.effects import Effect
from bots.events import Event
from bots.turn import Trace

Ending: TypeAlias = Literal["performed", "dropped", "refused", "failed"]
"""How an effect ended: done; overtaken by a later epoch; a dead letter; on the failure path."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a conversation's journal: what came, and once it was *taken* (*trace* set), its turn.

    *position* counts the conversation's events from 0 in the order in which they came.
    """

    position: int
    event: Event
    trace: Trace | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the outbox. *id* goes with the effect into Twilio; *position* orders a conversation's effects.

    *epoch* is the one that held at the end of its turn.
    """

    id: str
    position: int
    epoch: int
    effect: Effect


class Loaded(NamedTuple):
    """A conversation as a turn finds it.

    *waiting* are the journal's entries that were not taken yet, in order. *said* are the indexes that Twilio
    gave to our own messages, those above ``conversation.heard.through``, ascending. *on_the_wire* counts our messages
    (effects of kind ``say``) that are pending, so whose index we do not know yet.
    """

    conversation: Conversation
    waiting: tuple[Entry, ...] = ()
    said: tuple[int, ...] = ()
    on_the_wire: int = 0


class Ended(NamedTuple):
    """An effect that has ended, and how."""

    effect_id: str
    ending: Ending
    reason: str


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What one commit writes: the record, the event that came, the waiting ones that were taken, the effects.

    *came* is claimed by its event's key; with a trace it was taken at once. *taken* are entries of
    `Loaded.waiting`, now with their traces. *ended* is the effect of whose end the event tells. With *drops_older*
    all other pending effects of epochs below ``conversation.epoch`` are dropped, those of *effects* too.
    *others_pending* is for the outbox and is not stored: other effects of the conversation were pending before.
    """

    conversation: Conversation
    came: Entry
    taken: tuple[Entry, ...] = ()
    effects: tuple[Outgoing, ...] = ()
    ended: Ended | None = None
    drops_older: bool = False
    others_pending: bool = False


class Leased(NamedTuple):
    """An effect that this process has to perform, with the record as it stood when it was leased."""

    conversation: Conversation
    outgoing: Outgoing
    attempts: int


class StoredEffect(NamedTuple):
    """A row of the outbox as the operator sees it. *status* is ``pending`` or an `Ending`."""

    outgoing: Outgoing
    status: str
    reason: str
    attempts: int
    message_index: int | None


class StoreUnavailable(Exception):
    """The database could not commit; nothing of what was asked has happened."""


Decide: TypeAlias = Callable[[Loaded], Changes]
"""What a turn does with what it finds. Pure: it may be called again after a lost race, and in another thread."""


class Store(Protocol):
    """Both sides of the store keep this contract (`tests/gateway/store/test_contract.py`).

    A process is known by *worker*, a name no other process has or had. Its lease is one row that says until when it
    lives; `keep_lease` prolongs it. Effects are put in the outbox already leased to the process that wrote them.
    All times are aware UTC.
    """

    worker: str

    async def open(self) -> None:
        """Bring the schema up to date, take the lease. Raises `StoreUnavailable`."""

    async def close(self) -> None:
        """Give up the lease, so that others may take our effects at once, and let go of the database."""

    async def take(self, new: Conversation, event: Event, decide: Decide, *, now: datetime) -> Changes | None:
        """Put *event* in the journal of conversation ``new.id`` and commit what *decide* says of it.

        *new* is the record to begin with where the conversation is not known. Gives what was committed, or ``None``
        when the event's key was claimed before: then nothing has changed and *decide* has no say.
        What *decide* raises is raised here, and nothing has happened. Raises `StoreUnavailable`.
        """

    async def load(self, conversation_id: str) -> Conversation | None:
        """The record, or ``None`` where there is none."""

    async def finish(
        self, effect_id: str, ending: Ending, *, reason: str = "", message_index: int | None = None
    ) -> None:
        """An effect has ended; *message_index* is what Twilio gave to a message. An ended effect stays as it is."""

    async def note_attempt(self, effect_id: str, reason: str) -> None:
        """An effect was tried in vain and stays pending, one attempt more, *reason* for the operator."""

    async def is_pending(self, effect_id: str) -> bool:
        """Whether an effect is still to be performed by this process."""

    async def has_earlier(self, conversation_id: str, position: int) -> bool:
        """Whether the conversation has a pending effect before *position*, one that does more than read."""

    async def keep_lease(self) -> bool:
        """Prolong this process's lease. False: it had run out, our effects may be another's by now."""

    async def take_over(self, limit: int) -> Sequence[Leased]:
        """Lease to this process up to *limit* pending effects whose process lives no more, oldest first.

        Those of one conversation come in the order of their positions.
        """

    async def save_version(self, version: str, flow: bytes) -> None:
        """Keep a compiled flow's source under its hash; a second time changes nothing."""

    async def load_version(self, version: str) -> bytes | None:
        """The source that was kept under the hash *version*."""

    async def conversations_since(self, since: datetime) -> Sequence[Conversation]:
        """Conversations of the bot, the queue and agents that changed after *since*, oldest change first."""

    async def journal(self, conversation_id: str) -> Sequence[Entry]:
        """A conversation's journal, in order."""

    async def effects(self, conversation_id: str) -> Sequence[StoredEffect]:
        """A conversation's effects, in order."""


def open_store(url: str, *, worker: str, lease_s: float = 15.0) -> Store:
    """The store that *url* names: ``sqlite:///FILE`` (relative; four slashes: absolute) or ``postgresql://…``.

    It is not opened yet. Raises `ValueError` with a sentence for the operator.
    """
    if url.startswith("sqlite:///"):
        from gateway.store.sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"), worker=worker, lease_s=lease_s)
    if url.startswith(("postgresql://", "postgres://")):
        try:
            from gateway.store.postgres import PostgresStore
        except ModuleNotFoundError as missing:
            if missing.name not in {"asyncpg", "greenlet"}:
                raise
            raise ValueError(
                'is a PostgreSQL URL, whose driver is not installed; run pip install "flex-usher[postgres]"'
            ) from missing
        return PostgresStore(url, worker=worker, lease_s=lease_s)
    raise ValueError(f'is "{url.split(":", 1)[0]}:…"; give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME')
