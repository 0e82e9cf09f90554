"""Events: what can happen to a conversation.

An event is told apart from others by its `key`, which is made of what happened and never of how
we heard of it, so that one happening counts once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

import msgspec


class Happening(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """What all events have: *key*, unique for ever, and *at*, when it happened (aware, UTC)."""

    key: str
    at: datetime


class Media(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that came with a message; *sid* is Twilio's, *size* in bytes."""

    sid: str
    content_type: str = ""
    filename: str = ""
    size: int = 0


class Message(Happening, frozen=True, kw_only=True, tag="message"):
    """Somebody wrote. *index* is the message's place in the conversation; it grows and may skip."""

    author: str
    text: str = ""
    index: int
    media: tuple[Media, ...] = ()


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
    """All messages up to *through* that Twilio has are in the journal. *reason*: why it could not be read."""

    through: int
    reason: str = ""


class EffectFailed(Happening, frozen=True, kw_only=True, tag="effect_failed"):
    """Twilio will not take an effect: *effect* is its kind, *reason* for the operator."""

    effect_id: str
    effect: str
    reason: str


class HandedOff(Happening, frozen=True, kw_only=True, tag="handed_off"):
    """The task exists. SIDs of the interaction, its channel and the task."""

    handoff_id: str
    interaction: str
    interaction_channel: str
    task: str


class Closed(Happening, frozen=True, kw_only=True, tag="closed"):
    """The conversation is over at Twilio: closed, or its channel INACTIVE."""


Event: TypeAlias = Message | LookedUp | LookupFailed | Missed | CaughtUp | EffectFailed | HandedOff | Closed
