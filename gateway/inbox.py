"""The inbox: the only door through which anything changes a conversation. Read this file first.

Lock it, load it, put the event in its journal, step this event and all that waited and can now go, save the
record, the journal and the effects in one commit. Who called may answer 2xx then, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from bots.conversation import Conversation
from bots.effects import Read, effect_id, effect_name
from bots.engine import arrive, is_ready, step
from bots.events import EffectFailed, Event, Message
from gateway.flows import Flows, UnknownVersion
from gateway.patience import surely
from gateway.store import Changes, Ended, Entry, Loaded, Outgoing, Store

TOO_OLD = timedelta(hours=24)
ANY_EPOCH = 2**31 - 1
"""The epoch of effects that only read: no change of owner makes them wrong."""
MOST_EFFECTS = 1_000
"""More than one commit can have; it spaces the positions of effects."""


class Effects(Protocol):
    """Where committed effects go."""

    def put(self, changes: Changes) -> None:
        """Perform the effects of a commit, drop what it made stale."""


class Inbox:
    """The door. *clock* gives aware UTC; *effects* performs what turns ask for."""

    def __init__(self, store: Store, flows: Flows, effects: Effects, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._flows = flows
        self._effects = effects
        self._clock = clock

    async def receive(self, new: Conversation, event: Event) -> bool:
        """Take *event* into the conversation ``new.id``; *new* is its record where it has none yet.

        False: it was told before, or happened more than 24 hours ago, and nothing has changed.
        Raises `gateway.store.StoreUnavailable`: nothing has happened.
        """
        now = self._clock()
        if now - event.at > TOO_OLD:
            return False
        while True:
            try:
                changes = await self._store.take(new, event, lambda loaded: self._decide(loaded, event, now), now=now)
                break
            except UnknownVersion as pinned:
                await self._flows.restore(pinned.version, self._store)
        if changes is None:
            return False
        self._effects.put(changes)
        return True

    async def receive_known(self, conversation_id: str, event: Event) -> bool:
        """The same for what concerns only conversations that we have; False also where we have none."""
        conversation = await self._store.load(conversation_id)
        return conversation is not None and await self.receive(conversation, event)

    async def receive_surely(self, conversation: Conversation, event: Event) -> None:
        """The same for what the world answered to us, which nobody will tell again: try until it is committed."""
        await surely(lambda: self.receive(conversation, event))

    def _decide(self, loaded: Loaded, event: Event, now: datetime) -> Changes:
        conversation, reads = arrive(loaded.conversation, event, said=loaded.said, on_the_wire=loaded.on_the_wire)
        came = Entry(position=conversation.journal, event=event)
        conversation = replace(conversation, journal=came.position + 1)
        due = [(effect_id(event.key, effect_name(read)), ANY_EPOCH, read) for read in reads]
        waiting, taken = [*loaded.waiting, came], []
        while ready := _next(conversation, waiting):
            waiting.remove(ready)
            turn = step(self._flows.version_for(conversation), conversation, ready.event, now)
            conversation = turn.conversation
            taken.append(replace(ready, trace=turn.trace))
            due += [
                (effect_id(ready.event.key, n), ANY_EPOCH if isinstance(one, Read) else conversation.epoch, one)
                for n, one in enumerate(turn.effects)
            ]
        return Changes(
            conversation=replace(conversation, waiting=len(waiting)),
            came=next((entry for entry in taken if entry.position == came.position), came),
            taken=tuple(entry for entry in taken if entry.position != came.position),
            effects=tuple(
                Outgoing(id=name, position=came.position * MOST_EFFECTS + n, epoch=epoch, effect=effect)
                for n, (name, epoch, effect) in enumerate(due)
            ),
            ended=_ended(event),
            drops_older=conversation.epoch > loaded.conversation.epoch,
            others_pending=loaded.on_the_wire > 0,
        )


def _ended(event: Event) -> Ended | None:
    """The end of the effect that *event* answers: it ends in the commit that takes its answer in, or not at all."""
    if not event.answers:
        return None
    if isinstance(event, EffectFailed):
        return Ended(event.answers, "failed", event.reason)
    return Ended(event.answers, "performed", "")


def _next(conversation: Conversation, waiting: Sequence[Entry]) -> Entry | None:
    """What is to be taken now: answers of the world first, then messages in the order of their index."""
    ready = [entry for entry in waiting if is_ready(conversation, entry.event)]
    return min(ready, key=_order, default=None)


def _order(entry: Entry) -> tuple[bool, int]:
    event = entry.event
    return (True, event.index) if isinstance(event, Message) else (False, entry.position)
