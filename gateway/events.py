"""Twilio's webhook forms, translated into events: the one place that knows their field names.

https://www.twilio.com/docs/conversations/conversations-webhooks
https://www.twilio.com/docs/chat/webhook-events
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from bots.conversation import Channel, Generation
from bots.events import AgentJoined, Closed, Event, Hint, Media, Message

MESSAGE_EVENTS = {"onMessageAdded", "onMessageSent", "onMediaMessageSent"}
MOST_MEDIA = 50
LATEST_SECONDS = 100_000_000_000
"""What is larger counts milliseconds."""
TASK_IS_OVER = {"task.completed", "task.wrapup", "task.canceled", "task.deleted", "task.system-deleted"}
INTERACTION_HINTS = {"onParticipantJoined", "onParticipantLeft", "onChannelStatusUpdated", "onChannelCreateFailed"}


class Malformed(Exception):
    """The form is not what Twilio sends. The text is one plain sentence without the customer's words."""


class Told(NamedTuple):
    """What a webhook told: an *event* of the conversation *conversation_id*.

    It lives in *channel*; ``None``: the event concerns only a conversation that we have already.
    """

    conversation_id: str
    channel: Channel | None
    event: Event


def read_webhook(form: Mapping[str, str], generation: Generation, ours: frozenset[str]) -> Told | None:
    """The event that *form* tells of, or ``None`` where it is none of the bot's business.

    *ours* are the authors whose messages are the house's own. Raises `Malformed`.
    """
    kind = _required(form, "EventType")
    event: Event | None
    if kind in MESSAGE_EVENTS:
        event = _message(form, ours)
    elif kind == "onConversationStateUpdated":
        event = _state_updated(form)
    elif kind == "onChannelUpdated":
        event = _channel_updated(form)
    elif kind in {"onParticipantAdded", "onMemberAdded"}:
        event = _joined(form, ours)
    elif kind in {"onParticipantRemoved", "onMemberRemoved"}:
        event = _left(form, kind)
    else:
        return None
    if event is None:
        return None
    if not isinstance(event, Message):
        return Told(_conversation_sid(form), None, event)
    service = _sid(form, "IS", "InstanceSid", "ChatServiceSid") if generation == "chat" else _service(form)
    return Told(_conversation_sid(form), Channel(generation=generation, service=service), event)


def read_task_event(form: Mapping[str, str]) -> Told | None:
    """What TaskRouter's event callback tells, or ``None`` where it is no conversation's business. Raises `Malformed`.

    https://www.twilio.com/docs/taskrouter/api/event/reference
    """
    kind = _required(form, "EventType")
    if kind not in TASK_IS_OVER and kind != "reservation.accepted":
        return None
    try:
        attributes = json.loads(form.get("TaskAttributes") or "{}")
    except ValueError as broken:
        raise Malformed("TaskAttributes is not JSON") from broken
    known = attributes if isinstance(attributes, dict) else {}
    conversation_id = str(known.get("conversationSid") or known.get("channelSid") or "")
    if not re.fullmatch("CH[0-9a-zA-Z]{32}", conversation_id):
        return None
    stamp = _required(form, "Timestamp")
    key, at = f"{kind}:{_required(form, 'ResourceSid')}:{stamp}", _stamp(stamp)
    if kind == "reservation.accepted":
        return Told(conversation_id, None, AgentJoined(key=key, at=at, task=form.get("TaskSid", "")))
    return Told(conversation_id, None, Hint(key=key, at=at, sign=kind))


def read_interaction_event(form: Mapping[str, str], now: datetime) -> Told | None:
    """What an Interaction webhook tells: only ever a hint, since it is not documented that they are signed.

    *now* stands in for the time, which these webhooks do not tell. Raises `Malformed`.
    https://www.twilio.com/docs/flex/developer/conversations/register-interactions-webhooks
    """
    kind = _required(form, "EventType")
    if kind not in INTERACTION_HINTS or not form.get("MediaChannelSid"):
        return None
    what = form.get("ParticipantSid") or f"{form.get('ChannelSid', '')}:{form.get('ChannelStatus', '')}"
    # No time and no number: hints of one kind count again after a minute.
    key = f"{kind}:{what}:{now:%Y%m%d%H%M}"
    return Told(_sid(form, "CH", "MediaChannelSid"), None, Hint(key=key, at=now, sign=kind))


def _message(form: Mapping[str, str], ours: frozenset[str]) -> Message | None:
    # Flex's older set-up sends Conversations under Programmable Chat's names, so either name is read.
    author = _required(form, "Author", "From")
    if author in ours:
        return None
    text, media = form.get("Body", ""), _media(form)
    if not text and not media:
        return None
    return Message(
        key=_sid(form, "IM", "MessageSid"),
        at=_time(form, "DateCreated"),
        author=author,
        text=text,
        index=_index(form),
        media=media,
        # https://www.twilio.com/docs/conversations/conversations-webhooks: absent for authors that only post
        by_participant=bool(form.get("ParticipantSid") or form.get("ClientIdentity")),
    )


def _state_updated(form: Mapping[str, str]) -> Closed | None:
    if _required(form, "StateTo") != "closed":
        return None
    at = _required(form, "StateUpdated")
    return Closed(key=f"{_conversation_sid(form)}:closed:{at}", at=_time(form, "StateUpdated"))


def _joined(form: Mapping[str, str], ours: frozenset[str]) -> AgentJoined | None:
    identity = form.get("Identity", "")
    if not identity or identity in ours:
        return None
    key = f"joined:{_sid(form, 'MB', 'ParticipantSid', 'MemberSid')}"
    return AgentJoined(key=key, at=_time(form, "DateCreated"), identity=identity)


def _left(form: Mapping[str, str], kind: str) -> Hint | None:
    if not form.get("Identity"):
        return None
    names = [name for name in ("DateRemoved", "DateUpdated", "DateCreated") if form.get(name)]
    at = _time(form, *names[:1]) if names else _time(form, "DateRemoved")
    return Hint(key=f"left:{_sid(form, 'MB', 'ParticipantSid', 'MemberSid')}", at=at, sign=kind)


def _channel_updated(form: Mapping[str, str]) -> Hint | None:
    try:
        attributes = json.loads(form.get("Attributes") or "{}")
    except ValueError as broken:
        raise Malformed("Attributes is not JSON") from broken
    if not isinstance(attributes, dict) or attributes.get("status") != "INACTIVE":
        return None
    at = _required(form, "DateUpdated")
    key = f"{_conversation_sid(form)}:inactive:{at}"
    return Hint(key=key, at=_time(form, "DateUpdated"), sign="onChannelUpdated status INACTIVE")


def _media(form: Mapping[str, str]) -> tuple[Media, ...]:
    if sid := form.get("MediaSid"):
        size = form.get("MediaSize", "")
        return (
            Media(
                sid=sid,
                content_type=form.get("MediaContentType", ""),
                filename=form.get("MediaFilename", ""),
                size=int(size) if size.isdecimal() else 0,
            ),
        )
    if not (text := form.get("Media")):
        return ()
    try:
        found = json.loads(text)
    except ValueError as broken:
        raise Malformed("Media is not JSON") from broken
    listed = found if isinstance(found, list) else [found]
    return tuple(_medium(one) for one in listed[:MOST_MEDIA] if isinstance(one, dict))


def _medium(one: Mapping[str, object]) -> Media:
    # The spelling differs by source: Sid, MediaSid or sid.
    found = {name.lower().removeprefix("media"): value for name, value in one.items()}
    size = found.get("size")
    return Media(
        sid=str(found.get("sid") or ""),
        content_type=str(found.get("contenttype") or found.get("content_type") or ""),
        filename=str(found.get("filename") or ""),
        size=size if isinstance(size, int) else 0,
    )


def _required(form: Mapping[str, str], *names: str) -> str:
    for name in names:
        if value := form.get(name):
            return value
    raise Malformed(f"{names[0]} is missing")


def _sid(form: Mapping[str, str], prefix: str, *names: str) -> str:
    value = _required(form, *names)
    if not re.fullmatch(prefix + "[0-9a-zA-Z]{32}", value):
        raise Malformed(f"{names[0]} is not {prefix} and 32 characters")
    return value


def _conversation_sid(form: Mapping[str, str]) -> str:
    return _sid(form, "CH", "ConversationSid", "ChannelSid")


def _service(form: Mapping[str, str]) -> str:
    # Absent in some older payloads: the account's default service then.
    if form.get("ChatServiceSid") or form.get("InstanceSid"):
        return _sid(form, "IS", "ChatServiceSid", "InstanceSid")
    return ""


def _index(form: Mapping[str, str]) -> int:
    value = _required(form, "Index")
    if not (value.isascii() and value.isdecimal() and len(value) < 16):
        raise Malformed("Index is not a whole number")
    return int(value)


def _time(form: Mapping[str, str], name: str) -> datetime:
    value = _required(form, name)
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as broken:
        raise Malformed(f"{name} is not a time such as 2026-01-10T09:00:00.000Z") from broken


def _stamp(value: str) -> datetime:
    """Seconds since 1970, with or without a fraction, or ISO 8601: what TaskRouter sends is not documented."""
    try:
        if value.replace(".", "", 1).isdecimal():
            seconds = float(value)
            return datetime.fromtimestamp(seconds / 1000 if seconds > LATEST_SECONDS else seconds, UTC)
        at = datetime.fromisoformat(value)
    except (ValueError, OverflowError, OSError) as broken:
        raise Malformed("Timestamp is not a time") from broken
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
