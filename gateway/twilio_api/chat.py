"""Programmable Chat, on which Flex Flows live: https://www.twilio.com/docs/chat/rest"""

from __future__ import annotations

import json
from typing import Any

from twilio.rest import Client

from bots.events import Participant
from gateway.twilio_api.messages import PAGE, StoredMessage, Surroundings, read_after, read_attributes, read_media


class ProgrammableChat:
    """A chat service; a conversation is one of its channels."""

    def __init__(self, client: Client, service: str) -> None:
        self._channels = client.chat.v2.services(service).channels

    async def send(self, conversation_id: str, *, author: str, text: str, attributes: str) -> int:
        """Write a message, without the header that would make Twilio tell us of it."""
        sent = await self._channels(conversation_id).messages.create_async(
            from_=author, body=text, attributes=attributes
        )
        return int(sent.index)

    async def messages_after(self, conversation_id: str, index: int) -> list[StoredMessage]:
        """All messages above *index*, ascending; read from the newest, so no more than needed."""
        return await read_after(self._channels(conversation_id).messages, index, _stored)

    async def surroundings(self, conversation_id: str) -> Surroundings:
        """The channel's attributes; ``status: INACTIVE`` there is the end that a chat has."""
        channel = await self._channels(conversation_id).fetch_async()
        attributes = read_attributes(channel.attributes)
        state = "closed" if attributes.get("status") == "INACTIVE" else "active"
        return Surroundings(state=state, attributes=attributes)

    async def participants(self, conversation_id: str) -> list[Participant]:
        """The channel's members."""
        found = await self._channels(conversation_id).members.list_async(page_size=PAGE)
        return [_participant(one) for one in found]

    async def ensure_webhook(self, conversation_id: str, url: str, filters: list[str]) -> None:
        """A webhook of the channel that tells *url* of *filters*, unless one does so already."""
        # https://www.twilio.com/docs/chat/rest/channel-webhook-resource: five at the most
        webhooks = self._channels(conversation_id).webhooks
        for one in await webhooks.list_async(page_size=5):
            known = one.configuration or {}
            if known.get("url") == url and set(filters) <= set(known.get("filters") or ()):
                return
        await webhooks.create_async(
            type="webhook", configuration_url=url, configuration_method="POST", configuration_filters=filters
        )

    async def close(self, conversation_id: str) -> None:
        """Status ``INACTIVE``, the other attributes kept, with the header that lets Flex clean up behind it."""
        # https://www.twilio.com/docs/flex/developer/messaging/flow: an update replaces the whole JSON
        channel = await self._channels(conversation_id).fetch_async()
        attributes = {**read_attributes(channel.attributes), "status": "INACTIVE"}
        await self._channels(conversation_id).update_async(
            attributes=json.dumps(attributes, ensure_ascii=False), x_twilio_webhook_enabled="true"
        )


def _stored(message: Any) -> StoredMessage:
    return StoredMessage(
        sid=message.sid,
        index=int(message.index),
        author=message._from or "",
        text=message.body or "",
        media=read_media([message.media] if message.media else ()),
        attributes=read_attributes(message.attributes),
        at=message.date_created,
    )


def _participant(member: Any) -> Participant:
    attributes = read_attributes(member.attributes)
    return Participant(identity=member.identity or "", name=str(attributes.get("friendlyName") or ""))
