"""Events: what can happen to a conversation.

An event is told apart from others by its `key`, which is made of what happened and never of how
we heard of it, so that one happening counts once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

import msgspec


class Happening(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """What all events have: *key*, unique for ever, and *at*, when it happened (aware, UTC).

    *answers* is the id of the effect whose end this is, empty where it is none's.
    """

    key: str
    at: datetime
    answers: str = ""


class Media(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that came with a message; *sid* is Twilio's, *size* in bytes."""

    sid: str
    content_type: str = ""
    filename: str = ""
    size: int = 0


class Message(Happening, frozen=True, kw_only=True, tag="message"):
    """Somebody wrote. *index* is the message's place in the conversation; it grows and may skip.

    *by_participant*: the author takes part, so is a customer or an agent, and no software that only posts.
    """

    author: str
    text: str = ""
    index: int
    by_participant: bool = False
    media: tuple[Media, ...] = ()

    @property
    def said(self) -> str:
        """What the message says: its text, failing that the names of its files."""
        return self.text or ", ".join(one.filename or one.content_type or "file" for one in self.media)


class Participant(msgspec.Struct, frozen=True, omit_defaults=True):
    """Someone in a conversation: by *address* on a *medium* (``sms``, ``whatsapp``) or by *identity* (web, agent)."""

    identity: str = ""
    address: str = ""
    medium: str = ""
    name: str = ""


class LookedUp(Happening, frozen=True, kw_only=True, tag="looked_up"):
    """Twilio told who is here and what is known of them.

    *state* is ``active``, ``inactive`` or ``closed``; *channel_type* the medium (``web``, ``sms``, …);
    *live_task* the SID of a task that an agent has or may get, or empty.
    """

    participants: tuple[Participant, ...] = ()
    attributes: dict[str, Any] = {}
    state: str = "active"
    channel_type: str = ""
    live_task: str = ""


class LookupFailed(Happening, frozen=True, kw_only=True, tag="lookup_failed"):
    """Twilio could not be asked in time; *reason* is for the operator."""

    reason: str


class Missed(Happening, frozen=True, kw_only=True, tag="missed"):
    """We may have missed messages: we were away, or refused a delivery."""


class CaughtUp(Happening, frozen=True, kw_only=True, tag="caught_up"):
    """All messages after *after* and up to *through* that Twilio has are in the journal.

    *reason*: why they could not be read.
    """

    after: int = -1
    through: int
    reason: str = ""


class EffectFailed(Happening, frozen=True, kw_only=True, tag="effect_failed"):
    """Twilio will not take an effect: *effect* is its kind, *reason* for the operator."""

    effect: str
    reason: str


class HandedOff(Happening, frozen=True, kw_only=True, tag="handed_off"):
    """The task exists. SIDs of the interaction, its channel and the task."""

    interaction: str
    interaction_channel: str
    task: str


class AgentJoined(Happening, frozen=True, kw_only=True, tag="agent_joined"):
    """A person took the chat: by *task* (a reservation was accepted), or by *identity* (someone takes part)."""

    identity: str = ""
    task: str = ""


class Hint(Happening, frozen=True, kw_only=True, tag="hint"):
    """Something that may mean that a person joined or is done; *sign* is Twilio's name of it. A look decides."""

    sign: str


class LookedAround(Happening, frozen=True, kw_only=True, tag="looked_around"):
    """What a look after a hint found: the conversation's *state*, *live_tasks* (SIDs), and who else takes part.

    *assigned*: one of the tasks is with an agent. *again*: it was the second look, so what it did not find is gone.
    """

    state: str
    live_tasks: tuple[str, ...] = ()
    assigned: bool = False
    agents: tuple[str, ...] = ()
    again: bool = False


class Closed(Happening, frozen=True, kw_only=True, tag="closed"):
    """The conversation is over at Twilio: closed, or its channel INACTIVE."""


Event: TypeAlias = (
    Message
    | LookedUp
    | LookupFailed
    | Missed
    | CaughtUp
    | EffectFailed
    | HandedOff
    | AgentJoined
    | Hint
    | LookedAround
    | Closed
)
