"""The way in: Twilio's webhooks, answered by an ASGI endpoint wrapped around the Quart app.

Quart's dispatch costs as much as half of a message's whole budget, so these routes never reach it.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

import structlog

from bots.conversation import Conversation
from gateway.catching_up import CatchingUp
from gateway.events import Malformed, Told, read_interaction_event, read_task_event, read_webhook
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
TOO_LARGE = f"the body is larger than {LARGEST_BODY} bytes"
MOST_FIELDS = 200


class Route(NamedTuple):
    """A webhook's path: how its forms are *read*, the *setting* at Twilio that has the method, and the answer.

    *key_will_do*: USHER_WEBHOOK_KEY in the query may stand in for a signature.
    """

    read: Callable[[Mapping[str, str], frozenset[str], datetime], Told | None]
    setting: str
    status: int = 200
    key_will_do: bool = False


CHAT_ROUTE = "/webhooks/flex-flow"
ROUTES = {
    # https://www.twilio.com/docs/chat/webhook-events: 200 and an empty object change nothing
    CHAT_ROUTE: Route(
        lambda form, ours, _: read_webhook(form, "chat", ours), "Configuration.Method of the webhook, to POST"
    ),
    "/webhooks/conversations": Route(
        lambda form, ours, _: read_webhook(form, "conversations", ours),
        "AutoCreation.WebhookMethod or Configuration.Method, to post",
    ),
    # https://www.twilio.com/docs/taskrouter/api/event/reference: 204 and the content type JSON
    "/webhooks/taskrouter": Route(
        lambda form, _, __: read_task_event(form), "the workspace's EventCallbackUrl, which is posted to", status=204
    ),
    "/webhooks/interactions": Route(
        lambda form, _, now: read_interaction_event(form, now), "WebhookMethod, to POST", key_will_do=True
    ),
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
        key: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._inbox = inbox
        self._catching_up = catching_up
        self._flows = flows
        self._signatures = signatures
        self._account_sid = account_sid
        self._ours = ours
        self._key = key
        self._clock = clock
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
        return await _answer(send, route.status, b"{}" if route.status == 200 else b"", b"application/json")

    async def _take(self, route: Route, scope: Scope, receive: Receive) -> None:
        if scope["method"] != "POST":
            raise Answered(405, f"Twilio must POST here: set {route.setting}")
        headers = dict(scope["headers"])
        query = scope["query_string"].decode("latin-1")
        named = dict(parse_qsl(query)) if query else {}
        has_key = route.key_will_do and self._is_key(named.get("key", ""))
        signature = headers.get(b"x-twilio-signature", b"").decode("latin-1")
        if not signature and not has_key:
            raise Answered(403, "X-Twilio-Signature is missing")
        form = _form(await _body(headers, receive))
        algorithm = headers.get(b"x-twilio-webhooks-signature-settings", b"").decode("latin-1")
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        if not has_key and not self._signatures.accepts(
            path, query, form, signature=signature, algorithm_header=algorithm
        ):
            raise Answered(403, "X-Twilio-Signature is wrong: compare USHER_PUBLIC_URL and TWILIO_AUTH_TOKEN")
        await self._receive(route, dict(form), self._flow(named))

    def _is_key(self, given: str) -> bool:
        return bool(self._key) and hmac.compare_digest(given.encode(), self._key.encode())

    def _flow(self, named: Mapping[str, str]) -> str:
        name = named.get("flow", self._flows.default)
        if name not in self._flows:
            raise Answered(404, f"there is no such flow; flows here: {', '.join(self._flows.names)}")
        return name

    async def _receive(self, route: Route, form: Mapping[str, str], flow: str) -> None:
        if form.get("AccountSid") != self._account_sid:
            raise Answered(403, "AccountSid is not TWILIO_ACCOUNT_SID")
        try:
            told = route.read(form, self._ours, self._clock())
        except Malformed as malformed:
            raise Answered(400, str(malformed)) from malformed
        if told is None:
            return None
        if told.channel is None:
            return await self._receive_known(told)
        new = Conversation(id=told.conversation_id, channel=told.channel, flow=flow)
        try:
            await self._inbox.receive(new, told.event)
        except StoreUnavailable as unavailable:
            self._catching_up.remember(new.id, new)
            raise Answered(503, "the database cannot commit; nothing has happened") from unavailable
        # A mistake of ours. Nothing has happened, and Twilio may not tell again.
        except Exception as bug:
            self._log.exception("webhook refused: a bug", conversation=new.id)
            self._catching_up.remember(new.id, new)
            raise Answered(500, "the gateway has a bug; nothing has happened") from bug

    async def _receive_known(self, told: Told) -> None:
        try:
            await self._inbox.receive_known(told.conversation_id, told.event)
        except StoreUnavailable as unavailable:
            self._catching_up.remember(told.conversation_id)
            raise Answered(503, "the database cannot commit; nothing has happened") from unavailable


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytearray:
    """The body, never more than `LARGEST_BODY` of it."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > LARGEST_BODY:
        raise Answered(413, TOO_LARGE)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Answered(400, "the body ended too early")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise Answered(413, TOO_LARGE)
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
