"""Small turns for the tests of the store: a bot that says back what it hears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from bots.conversation import Channel, Conversation
from bots.effects import Effect, Say
from bots.events import Event, Message
from bots.turn import Trace
from gateway.store import Changes, Decide, Ended, Entry, Loaded, Outgoing, Store

T = TypeVar("T")
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


def conversation(name: str = "CH1") -> Conversation:
    return Conversation(id=name, channel=Channel("conversations"), flow="echo")


def message(key: str, text: str = "hello", *, index: int = 0) -> Message:
    return Message(key=key, at=NOW, author="customer", text=text, index=index)


def echo(event: Message) -> Decide:
    """Takes *event* and says its text back."""
    return turn(event, Say(text=event.text))


def wait(event: Event) -> Decide:
    """Puts *event* in the journal and takes it not yet."""

    def decide(loaded: Loaded) -> Changes:
        found = loaded.conversation
        record = replace(found, journal=found.journal + 1, waiting=found.waiting + 1)
        return Changes(conversation=record, came=Entry(position=found.journal, event=event))

    return decide


def turn(event: Event, *effects: Effect, record: Callable[[Conversation], Conversation] = lambda same: same) -> Decide:
    """Takes *event* and all that waited, with *effects*; *record* changes the record. Raising the epoch drops."""

    def decide(loaded: Loaded) -> Changes:
        found = loaded.conversation
        changed = record(replace(found, journal=found.journal + 1, waiting=0))
        trace = Trace(rule="test", went_to=f"after {event.key}")
        return Changes(
            conversation=changed,
            came=Entry(position=found.journal, event=event, trace=trace),
            taken=tuple(replace(entry, trace=trace) for entry in loaded.waiting),
            effects=tuple(
                Outgoing(id=f"{event.key}:{n}", position=found.journal * 1000 + n, epoch=changed.epoch, effect=effect)
                for n, effect in enumerate(effects)
            ),
            drops_older=changed.epoch > found.epoch,
        )

    return decide


def ending(event: Event, ended: Ended) -> Decide:
    """Takes *event*, which tells that an effect has ended, and raises the epoch."""
    decide = turn(event, record=raise_epoch)
    return lambda loaded: replace(decide(loaded), ended=ended)


def raise_epoch(found: Conversation) -> Conversation:
    return replace(found, owner="queued", epoch=found.epoch + 1)


async def say(store: Store, key: str, text: str = "hello", *, to: str = "CH1", now: datetime = NOW) -> Changes | None:
    """A customer's message *key* comes into conversation *to* and is answered by one effect, ``KEY:0``."""
    event = message(key, text)
    return await store.take(conversation(to), event, echo(event), now=now)


async def statuses(store: Store, of: str = "CH1") -> dict[str, str]:
    """The status of each effect, in order."""
    return {effect.outgoing.id: effect.status for effect in await store.effects(of)}


async def until(ask: Callable[[], Awaitable[T]], limit_s: float = 10) -> T:
    """The first true answer of *ask*, asked again and again; fails after *limit_s*."""
    ends = time.monotonic() + limit_s
    while not (answer := await ask()):
        assert time.monotonic() < ends, f"not within {limit_s} s: {ask}"
        await asyncio.sleep(0.01)
    return answer
