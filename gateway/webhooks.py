"""The way in: Twilio's webhooks, answered by an ASGI endpoint wrapped around the Quart app.

Quart's dispatch costs as much as half of a message's whole budget, so these routes never reach it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

import structlog

from bots.conversation import Conversation, Generation
from gateway.catching_up import CatchingUp
from gateway.events import Malformed, read_webhook
from gateway.flows import Flows
from gateway.inbox import Inbox
from gateway.signature import Signatures
from gateway.store import StoreUnavailable

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application; frameworks spell its parameters differently, so they are not."""

LARGEST_BODY = 256 * 1024
MOST_FIELDS = 200


class Route(NamedTuple):
    """A webhook's path: which *generation* posts to it, and the *setting* at Twilio that names it."""

    generation: Generation
    setting: str


ROUTES = {
    "/webhooks/flex-flow": Route("chat", "the Flex Flow's Integration.Url"),
    "/webhooks/conversations": Route("conversations", "AutoCreation.WebhookMethod or Configuration.Method, to post"),
}


class Answered(Exception):
    """The request gets *status* and one plain sentence; it changes nothing."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Webhooks:
    """The endpoint. What is none of its routes goes on to *app*."""

    def __init__(
        self,
        app: App,
        *,
        inbox: Inbox,
        catching_up: CatchingUp,
        flows: Flows,
        signatures: Signatures,
        account_sid: str,
        ours: frozenset[str],
    ) -> None:
        self._app = app
        self._inbox = inbox
        self._catching_up = catching_up
        self._flows = flows
        self._signatures = signatures
        self._account_sid = account_sid
        self._ours = ours
        self._log = structlog.get_logger("webhooks")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = ROUTES.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            return await self._app(scope, receive, send)
        try:
            await self._take(route, scope, receive)
        except Answered as answered:
            self._log.warning("webhook refused", path=scope["path"], status=answered.status, why=answered.sentence)
            return await _answer(send, answered.status, f"{answered.sentence}.\n".encode(), b"text/plain")
        # https://www.twilio.com/docs/chat/webhook-events: 200 and an empty object change nothing
        return await _answer(send, 200, b"{}", b"application/json")

    async def _take(self, route: Route, scope: Scope, receive: Receive) -> None:
        if scope["method"] != "POST":
            raise Answered(405, f"Twilio must POST here: set {route.setting}")
        headers = dict(scope["headers"])
        signature = headers.get(b"x-twilio-signature", b"").decode("latin-1")
        if not signature:
            raise Answered(403, "X-Twilio-Signature is missing")
        form = _form(await _body(headers, receive))
        query = scope["query_string"].decode("latin-1")
        algorithm = headers.get(b"x-twilio-webhooks-signature-settings", b"").decode("latin-1")
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        if not self._signatures.accepts(path, query, form, signature=signature, algorithm_header=algorithm):
            raise Answered(403, "X-Twilio-Signature is wrong: compare USHER_PUBLIC_URL and TWILIO_AUTH_TOKEN")
        await self._receive(route, dict(form), self._flow(query))

    def _flow(self, query: str) -> str:
        name = dict(parse_qsl(query)).get("flow", self._flows.default) if query else self._flows.default
        if name not in self._flows:
            raise Answered(404, f"there is no such flow; flows here: {', '.join(self._flows.names)}")
        return name

    async def _receive(self, route: Route, form: Mapping[str, str], flow: str) -> None:
        if form.get("AccountSid") != self._account_sid:
            raise Answered(403, "AccountSid is not TWILIO_ACCOUNT_SID")
        try:
            told = read_webhook(form, route.generation, self._ours)
        except Malformed as malformed:
            raise Answered(400, str(malformed)) from malformed
        if told is None:
            return
        new = Conversation(id=told.conversation_id, channel=told.channel, flow=flow)
        try:
            await self._inbox.receive(new, told.event)
        except StoreUnavailable as unavailable:
            self._catching_up.remember(new)
            raise Answered(503, "the database cannot commit; nothing has happened") from unavailable
        # A mistake of ours. Nothing has happened, and Twilio may not tell again.
        except Exception as bug:
            self._log.exception("webhook refused: a bug", conversation=new.id)
            self._catching_up.remember(new)
            raise Answered(500, "the gateway has a bug; nothing has happened") from bug


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytearray:
    """The body, never more than `LARGEST_BODY` of it."""
    too_large = Answered(413, f"the body is larger than {LARGEST_BODY} bytes")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Answered(400, "the body ended too early")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise too_large
        if not message.get("more_body", False):
            return body


def _form(body: bytearray) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as broken:
        raise Answered(400, "the body is not a form in UTF-8") from broken


async def _answer(send: Send, status: int, body: bytes, content_type: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
