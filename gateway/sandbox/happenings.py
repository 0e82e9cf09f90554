"""What webhooks tell: for each thing that can happen, the event's name and its own fields.

The names and fields are those of Conversations (https://www.twilio.com/docs/conversations/conversations-webhooks)
or of Programmable Chat (https://www.twilio.com/docs/chat/webhook-events).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from gateway.sandbox.clock import webhook_date
from gateway.sandbox.world import Conversation, Message, Participant, User

Change: TypeAlias = Literal["added", "updated", "removed"]


class Happening(NamedTuple):
    """An event and the fields that only it has."""

    event_type: str
    fields: dict[str, str]


def message_changed(
    conversation: Conversation, message: Message, change: Change, at: datetime, *, media_names: str = "Sid"
) -> Happening:
    """A message was written, edited or taken away; *media_names* is how a file's SID is called in Conversations."""
    if conversation.generation == "chat":
        return _chat_message(conversation, message, change, at)
    fields = {
        "ConversationSid": conversation.sid,
        "MessageSid": message.sid,
        "Index": str(message.index),
        "DateCreated": webhook_date(message.created),
        "Body": message.body or "",
        "Author": message.author,
        "Attributes": message.attributes,
        **_known({"ParticipantSid": message.participant_sid, "Media": _media(message, media_names)}),
        **_dates(message.updated, change, at),
    }
    return Happening(f"onMessage{change.capitalize()}", fields)


def participant_changed(
    conversation: Conversation, person: Participant, change: Change, at: datetime, *, by_itself: bool
) -> Happening:
    """Somebody came, changed or went; *by_itself*: not by the hand of another."""
    if conversation.generation == "chat":
        return _chat_member(conversation, person, change, at, by_itself=by_itself)
    fields = {
        "ConversationSid": conversation.sid,
        "ParticipantSid": person.sid,
        "RoleSid": person.role_sid,
        "Attributes": person.attributes,
        "DateCreated": webhook_date(person.created),
        "MessagingBinding.Type": person.binding.upper(),
        **_known(
            {
                "Identity": person.identity,
                "MessagingBinding.Address": person.address,
                "MessagingBinding.ProxyAddress": person.proxy_address,
            }
        ),
        **_dates(person.updated, change, at),
    }
    if change == "updated":
        fields |= _known({"LastReadMessageIndex": _number(person.last_read_index)})
    return Happening(f"onParticipant{change.capitalize()}", fields)


def conversation_changed(conversation: Conversation, change: Change, at: datetime) -> Happening:
    """A conversation or channel was made, changed or deleted."""
    if conversation.generation == "chat":
        return _chat_channel(conversation, change, at)
    fields = {
        "ConversationSid": conversation.sid,
        "DateCreated": webhook_date(conversation.created),
        "DateUpdated": webhook_date(conversation.updated),
        "Attributes": conversation.attributes,
        "State": conversation.state,
        **_known({"FriendlyName": conversation.friendly_name, "UniqueName": conversation.unique_name}),
    }
    if change == "removed":
        fields["DateRemoved"] = webhook_date(at)
    return Happening(f"onConversation{change.capitalize()}", fields)


def state_changed(conversation: Conversation, came_from: str, reason: str) -> Happening:
    """The conversation's state is another; *reason* is ``API``, ``TIMER`` or ``EVENT``."""
    fields = {
        "ConversationSid": conversation.sid,
        "StateUpdated": webhook_date(conversation.updated),
        "StateFrom": came_from,
        "StateTo": conversation.state,
        "Reason": reason,
    }
    return Happening("onConversationStateUpdated", fields)


def user_added(user: User) -> Happening:
    """A person became known to the service."""
    fields = {
        "UserSid": user.sid,
        "DateCreated": webhook_date(user.created),
        "Identity": user.identity,
        "RoleSid": user.role_sid,
        "Attributes": user.attributes,
        **_known({"FriendlyName": user.friendly_name}),
    }
    return Happening("onUserAdded", fields)


def _chat_message(channel: Conversation, message: Message, change: Change, at: datetime) -> Happening:
    fields = {
        "ChannelSid": channel.sid,
        "MessageSid": message.sid,
        "Index": str(message.index),
        "From": message.author,
        "Attributes": message.attributes,
        "DateCreated": webhook_date(message.created),
        **_dates(message.updated, change, at),
    }
    if change != "added":
        fields["ModifiedBy"] = message.last_updated_by or "system"
    if not message.media:
        name = "onMessageSent" if change == "added" else f"onMessage{change.capitalize()}"
        return Happening(name, {**fields, "Body": message.body or ""})
    media = message.media[0]
    fields |= {"MediaSid": media.sid, "MediaContentType": media.content_type, "MediaSize": str(media.size)}
    fields |= _known({"MediaFilename": media.filename})
    return Happening("onMediaMessageSent" if change == "added" else f"onMessage{change.capitalize()}", fields)


def _chat_member(
    channel: Conversation, person: Participant, change: Change, at: datetime, *, by_itself: bool
) -> Happening:
    fields = {
        "ChannelSid": channel.sid,
        "MemberSid": person.sid,
        "Identity": person.identity or "",
        "RoleSid": person.role_sid,
        "DateCreated": webhook_date(person.created),
        **_dates(person.updated, change, at),
    }
    if change == "added":
        fields["Reason"] = "JOINED" if by_itself else "ADDED"
    if change == "removed":
        fields["Reason"] = "LEFT" if by_itself else "REMOVED"
    if change == "updated":
        fields |= _known({"LastConsumedMessageIndex": _number(person.last_read_index)})
    return Happening(f"onMember{change.capitalize()}", fields)


def _chat_channel(channel: Conversation, change: Change, at: datetime) -> Happening:
    fields = {
        "ChannelSid": channel.sid,
        "Attributes": channel.attributes,
        "DateCreated": webhook_date(channel.created),
        "DateUpdated": webhook_date(channel.updated),
        "CreatedBy": channel.created_by,
        "ChannelType": channel.visibility,
        **_known({"FriendlyName": channel.friendly_name, "UniqueName": channel.unique_name}),
    }
    if change == "removed":
        fields["DateRemoved"] = webhook_date(at)
    return Happening("onChannelDestroyed" if change == "removed" else f"onChannel{change.capitalize()}", fields)


def _dates(updated: datetime, change: Change, at: datetime) -> dict[str, str]:
    if change == "added":
        return {}
    dates = {"DateUpdated": webhook_date(updated)}
    return dates if change == "updated" else {**dates, "DateRemoved": webhook_date(at)}


def _media(message: Message, sid_name: str) -> str | None:
    if not message.media:
        return None
    names = ("content_type", "filename", "size") if sid_name == "sid" else ("ContentType", "Filename", "Size")
    files = [
        dict(zip((sid_name, *names), (one.sid, one.content_type, one.filename, one.size), strict=True))
        for one in message.media
    ]
    return json.dumps(files)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _known(fields: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
