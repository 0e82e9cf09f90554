"""A turn: one event in, a new conversation record and a list of effects out."""

from __future__ import annotations

from typing import Any

import msgspec

from bots.conversation import Conversation
from bots.effects import Effect


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a turn did, for the journal: enough to tell an operator why the bot said what it said.

    *version* is the flow's hash; *came_from* and *went_to* are states, empty where no dialogue was;
    *rule* names what decided; *changed* holds the data that the turn set.
    """

    version: str = ""
    came_from: str = ""
    went_to: str = ""
    rule: str
    changed: dict[str, Any] = {}


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one event: the new record, the effects in order, and why."""

    conversation: Conversation
    effects: tuple[Effect, ...] = ()
    trace: Trace
