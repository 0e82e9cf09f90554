"""What Twilio tells of a conversation, the same for both generations."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bots.events import Media

PAGE = 50
EFFECT_ID = "usher_effect_id"
"""The message attribute in which the id of our effect goes into Twilio."""


@dataclass(frozen=True)
class StoredMessage:
    """A message as it stands at Twilio. *at* is aware UTC; *by_participant*: its author is known to take part."""

    sid: str
    index: int
    author: str
    text: str
    media: tuple[Media, ...]
    attributes: dict[str, Any]
    at: datetime
    by_participant: bool = False


@dataclass(frozen=True)
class Surroundings:
    """A conversation's *state* (``active``, ``inactive``, ``closed``) and attributes."""

    state: str
    attributes: dict[str, Any]


async def read_after(messages: Any, index: int, read: Callable[[Any], StoredMessage]) -> list[StoredMessage]:
    """Of the client's *messages* those above *index*, ascending; read from the newest, so no more than needed."""
    found: list[StoredMessage] = []
    async for message in await messages.stream_async(order="desc", page_size=PAGE):
        if message.index <= index:
            break
        found.append(read(message))
    return found[::-1]


def read_attributes(text: str | None) -> dict[str, Any]:
    """Attributes are JSON text that anyone may have written; what is no object counts as empty."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def read_media(media: Sequence[dict[str, Any]]) -> tuple[Media, ...]:
    """Files in Twilio's spelling."""
    return tuple(
        Media(
            sid=str(one.get("sid") or ""),
            content_type=str(one.get("content_type") or ""),
            filename=str(one.get("filename") or ""),
            size=int(one.get("size") or 0),
        )
        for one in media
    )
