"""Effects: what a turn asks the world to do. The outbox performs them, in order for each conversation."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec


class Deed(msgspec.Struct, frozen=True, kw_only=True, tag_field="effect", omit_defaults=True):
    """What all effects have: nothing yet but their name."""


class Say(Deed, frozen=True, kw_only=True, tag="say"):
    """Write *text* to the customer, as the bot."""

    text: str


class LookUp(Deed, frozen=True, kw_only=True, tag="look_up"):
    """Ask Twilio who the customer is and what is known. Its answer is a `LookedUp` or `LookupFailed`."""


class Fetch(Deed, frozen=True, kw_only=True, tag="fetch"):
    """Read the messages after *after* (an index; -1: from the first). Its answer is a `CaughtUp`."""

    after: int


class LookAround(Deed, frozen=True, kw_only=True, tag="look_around"):
    """After a settling time, look who has the chat; *again*: for the second time. Its answer is a `LookedAround`."""

    again: bool = False


class HandOff(Deed, frozen=True, kw_only=True, tag="hand_off"):
    """Create the task for a person. *target* is a name in targets.yaml; *attributes* are the flow's own.

    *language* is the one in which the bot spoke, such as ``en``; *reason* what in the flow led here.
    """

    target: str
    attributes: dict[str, Any] = {}
    language: str = ""
    reason: str = ""


class Close(Deed, frozen=True, kw_only=True, tag="close"):
    """Close the conversation at Twilio."""


Effect: TypeAlias = Say | LookUp | Fetch | LookAround | HandOff | Close
Read: TypeAlias = LookUp | Fetch | LookAround
"""Effects that only read: they wait for no other effect, and no change of owner makes them wrong."""


def effect_name(effect: Effect) -> str:
    """The name under which an effect is stored and counted, such as ``hand_off``."""
    return str(effect.__struct_config__.tag)


def effect_id(event_key: str, which: int | str) -> str:
    """The id of one of an event's effects: made of what caused it, so that the same turn gives the same ids.

    *which* is the effect's number in its turn, or the name of a read that the event's arrival caused.
    """
    return f"{event_key}.{which}"
