"""Twilio's REST API, as far as we use it. The only importer of the `twilio` client.

`connect` gives a `Twilio`; its parts raise nothing but the errors of `gateway.twilio_api.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from twilio.rest import Client

from bots.conversation import Channel
from bots.events import Participant
from gateway.twilio_api.chat import ProgrammableChat
from gateway.twilio_api.conversations import Conversations
from gateway.twilio_api.flex import Flex, Task, Tasks
from gateway.twilio_api.messages import StoredMessage, Surroundings
from gateway.twilio_api.transport import Transport

__all__ = ["Flex", "Medium", "StoredMessage", "Surroundings", "Task", "Tasks", "Twilio", "connect"]


class Medium(Protocol):
    """Where the chat takes place: Conversations or Programmable Chat, behind the same words."""

    async def send(self, conversation_id: str, *, author: str, text: str, attributes: str) -> int:
        """Write a message; gives the index that Twilio gave to it. *attributes* is JSON text."""

    async def messages_after(self, conversation_id: str, index: int) -> list[StoredMessage]:
        """All messages above *index* (-1: all), ascending."""

    async def surroundings(self, conversation_id: str) -> Surroundings:
        """The conversation's own state and attributes."""

    async def participants(self, conversation_id: str) -> list[Participant]:
        """Who takes part."""

    async def close(self, conversation_id: str) -> None:
        """End the conversation, so that Twilio cleans up behind it."""


@dataclass(frozen=True)
class Twilio:
    """One account, connected."""

    transport: Transport
    client: Client
    flex: Flex
    tasks: Tasks
    _media: dict[tuple[str, str], Medium] = field(default_factory=dict)

    def medium(self, channel: Channel) -> Medium:
        """The API in which a conversation of *channel* lives."""
        where = (channel.generation, channel.service)
        if where not in self._media:
            made = ProgrammableChat if channel.generation == "chat" else Conversations
            self._media[where] = made(self.client, channel.service)
        return self._media[where]

    def chat(self, channel: Channel) -> ProgrammableChat:
        """Programmable Chat, for what only a channel of that generation has."""
        return ProgrammableChat(self.client, channel.service)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.transport.close()


def connect(
    *, account_sid: str, username: str, password: str, workspace: str, base_url: str | None, time_limit_s: float
) -> Twilio:
    """Twilio for this account. *username* and *password* are the API key and secret, or account SID and token.

    *workspace* is TaskRouter's ``WS…``. *base_url* stands in for ``https://`` (a sandbox); ``None``: Twilio.
    A request that has no answer after *time_limit_s* has an unknown outcome. Needs a running event loop.
    """
    transport = Transport(base_url=base_url, time_limit_s=time_limit_s)
    client = Client(username, password, account_sid, http_client=transport)
    return Twilio(transport=transport, client=client, flex=Flex(client), tasks=Tasks(client, workspace))
