"""Flex Conversations: https://www.twilio.com/docs/conversations/api"""

from __future__ import annotations

from typing import Any

from twilio.rest import Client

from bots.events import Participant
from gateway.twilio_api.errors import AlreadyClosed
from gateway.twilio_api.messages import PAGE, StoredMessage, Surroundings, read_after, read_attributes, read_media


class Conversations:
    """A conversation service, or the account's default one where *service* is empty."""

    def __init__(self, client: Client, service: str) -> None:
        v1 = client.conversations.v1
        self._conversations = v1.services(service).conversations if service else v1.conversations

    async def send(self, conversation_id: str, *, author: str, text: str, attributes: str) -> int:
        """Write a message, without the header that would make Twilio tell us of it."""
        sent = await self._conversations(conversation_id).messages.create_async(
            author=author, body=text, attributes=attributes
        )
        return int(sent.index)

    async def messages_after(self, conversation_id: str, index: int) -> list[StoredMessage]:
        """All messages above *index*, ascending; read from the newest, so no more than needed."""
        return await read_after(self._conversations(conversation_id).messages, index, _stored)

    async def surroundings(self, conversation_id: str) -> Surroundings:
        """The conversation's state and attributes."""
        conversation = await self._conversations(conversation_id).fetch_async()
        return Surroundings(state=conversation.state, attributes=read_attributes(conversation.attributes))

    async def participants(self, conversation_id: str) -> list[Participant]:
        """Who takes part."""
        found = await self._conversations(conversation_id).participants.list_async(page_size=PAGE)
        return [_participant(one) for one in found]

    async def close(self, conversation_id: str) -> None:
        """State ``closed``; a conversation that is closed already stays so."""
        try:
            await self._conversations(conversation_id).update_async(state="closed")
        except AlreadyClosed:
            return


def _stored(message: Any) -> StoredMessage:
    return StoredMessage(
        sid=message.sid,
        index=int(message.index),
        author=message.author or "",
        text=message.body or "",
        media=read_media(message.media or ()),
        attributes=read_attributes(message.attributes),
        at=message.date_created,
        by_participant=bool(message.participant_sid),
    )


def _participant(participant: Any) -> Participant:
    binding = participant.messaging_binding or {}
    attributes = read_attributes(participant.attributes)
    return Participant(
        identity=participant.identity or "",
        address=binding.get("address") or "",
        medium=str(binding.get("type") or "").lower(),
        name=str(attributes.get("friendlyName") or attributes.get("friendly_name") or ""),
    )
