"""A stub of Twilio's REST API: fast, and just enough for a gateway whose bot asks and says.

It keeps nothing. Who owns it is told of each message that arrives and gives its index.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from string import Template
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

import httptools

from tests.benchmarks.dialogue import ACCOUNT, SERVICE, author, new_sid


class Arrived(NamedTuple):
    """A message that the bot wrote into *conversation*."""

    conversation: str
    author: str
    text: str


Hear: TypeAlias = Callable[[Arrived], int]
"""Is told of a message, gives the index that it takes."""

CALL = re.compile(rb"/conversations\.twilio\.com/v1(?:/Services/IS\w{32})?/Conversations/(CH\w{32})(/\w+)?(?:\?|$)")
INTERACTIONS = b"/flex-api.twilio.com/v1/Interactions"
BASE = f"https://conversations.twilio.com/v1/Services/{SERVICE}/Conversations/$conversation"
COMMON = f'"account_sid": "{ACCOUNT}", "chat_service_sid": "{SERVICE}"'
TIMES = '"date_created": "$now", "date_updated": "$now"'

# https://www.twilio.com/docs/conversations/api/conversation-resource
CONVERSATION = Template(
    f'{{"sid": "$conversation", {COMMON}, "messaging_service_sid": "MG{"0e" * 16}", "friendly_name": "Web chat", '
    '"unique_name": null, "attributes": "{\\"pre_engagement_data\\": {\\"friendlyName\\": \\"Jana\\"}}", '
    f'"state": "active", {TIMES}, "timers": {{}}, "bindings": {{}}, "url": "{BASE}", "links": {{'
    f'"participants": "{BASE}/Participants", "messages": "{BASE}/Messages", "webhooks": "{BASE}/Webhooks"}}}}'
)
# https://www.twilio.com/docs/conversations/api/conversation-participant-resource
PARTICIPANTS = Template(
    f'{{"participants": [{{"sid": "$sid", {COMMON}, "conversation_sid": "$conversation", "identity": "$author", '
    f'"attributes": "{{}}", "messaging_binding": null, "role_sid": "RL{"0f" * 16}", {TIMES}, '
    f'"last_read_message_index": null, "last_read_timestamp": null, "url": "{BASE}/Participants/$sid"}}], '
    f'"meta": {{"page": 0, "page_size": 50, "first_page_url": "{BASE}/Participants?PageSize=50&Page=0", '
    f'"previous_page_url": null, "url": "{BASE}/Participants?PageSize=50&Page=0", "next_page_url": null, '
    '"key": "participants"}}'
)
# https://www.twilio.com/docs/conversations/api/conversation-message-resource
MESSAGE = Template(
    f'{{"sid": "$sid", {COMMON}, "conversation_sid": "$conversation", "index": $index, "author": "Bot", '
    f'"body": "$body", "media": null, "attributes": "{{}}", "participant_sid": null, {TIMES}, "delivery": null, '
    f'"content_sid": null, "url": "{BASE}/Messages/$sid", "links": {{'
    f'"delivery_receipts": "{BASE}/Messages/$sid/Receipts", '
    f'"channel_metadata": "{BASE}/Messages/$sid/ChannelMetadata"}}}}'
)
MESSAGES = Template(
    f'{{"messages": [], "meta": {{"page": 0, "page_size": 50, "first_page_url": "{BASE}/Messages?Page=0", '
    f'"previous_page_url": null, "url": "{BASE}/Messages?Page=0", "next_page_url": null, "key": "messages"}}}}'
)
# https://www.twilio.com/docs/flex/developer/conversations/interactions-api/interactions
INTERACTION = Template(
    f'{{"sid": "$sid", "channel": {{"sid": "UO{"1a" * 16}", "type": "web"}}, '
    f'"routing": {{"properties": {{"sid": "WT{"1b" * 16}"}}}}, "interaction_context_sid": null, '
    '"url": "https://flex-api.twilio.com/v1/Interactions/$sid", "links": {}}'
)


class Provider:
    """The stub: `start` it, give *url* to the gateway as ``TWILIO_BASE_URL``.

    *answered* counts requests by kind, *unknown* those that it cannot answer.
    """

    url: str

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self.unknown = 0
        self.answered: dict[str, int] = {}

    async def start(self) -> asyncio.Server:
        """Listen on a free port of loopback."""
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=2048)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    def answer(self, method: bytes, target: bytes, body: bytes) -> tuple[int, str]:
        """Status and JSON text."""
        found = CALL.match(target)
        if found:
            conversation, part = found[1].decode(), (found[2] or b"").decode()
            return self._conversation(method, part, conversation, body)
        if method == b"POST" and target.startswith(INTERACTIONS):
            return 201, self._fill(INTERACTION, "POST interaction", sid=new_sid("KD"))
        return self._unknown()

    def _conversation(self, method: bytes, part: str, conversation: str, body: bytes) -> tuple[int, str]:
        match method, part:
            case b"POST", "/Messages":
                form = dict(parse_qsl(body.decode()))
                text = form.get("Body", "")
                index = self._hear(Arrived(conversation, form.get("Author", ""), text))
                values = {"conversation": conversation, "sid": new_sid("IM"), "index": str(index), "body": text}
                return 201, self._fill(MESSAGE, "POST message", **values)
            case b"GET", "":
                return 200, self._fill(CONVERSATION, "GET conversation", conversation=conversation)
            case b"GET", "/Participants":
                values = {"conversation": conversation, "sid": f"MB{conversation[2:]}", "author": author(conversation)}
                return 200, self._fill(PARTICIPANTS, "GET participants", **values)
            case b"GET", "/Messages":
                return 200, self._fill(MESSAGES, "GET messages", conversation=conversation)
        return self._unknown()

    def _fill(self, template: Template, call: str, **values: str) -> str:
        self.answered[call] = self.answered.get(call, 0) + 1
        return template.substitute(values, now=self._now)

    def _unknown(self) -> tuple[int, str]:
        self.unknown += 1
        return 404, '{"code": 20404, "message": "not found", "more_info": "", "status": 404}'


class _Connection(asyncio.Protocol):
    """One connection of the gateway's."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._parser: Any = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not say so themselves

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._target = b""
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status, text = self._provider.answer(self._parser.get_method(), self._target, self._body)
        self._transport.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(text))
            + text.encode("ascii")
        )
