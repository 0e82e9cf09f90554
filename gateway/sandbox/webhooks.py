"""Webhooks: who hears of what, and the signed deliveries that tell them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from gateway.sandbox.happenings import Happening
from gateway.sandbox.signature import sign
from gateway.sandbox.world import Conversation, Generation, Service, World

TIME_LIMIT_S = 5.0
KEPT_DELIVERIES = 10_000
# https://www.twilio.com/docs/chat/rest/channel-webhook-resource: repeated on a timeout or one of these.
REPEATED_STATUSES = frozenset({429, 503, 504})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, as webhooks tell it.

    *source* is ``SDK``, ``API``, ``SMS``…; ``None`` for a timer. *identity* is the SDK's user. What a REST call
    without ``X-Twilio-Webhook-Enabled: true`` does is not *heard*.
    """

    source: str | None
    identity: str | None = None
    heard: bool = True


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One event on its way to one URL. *status* is the last answer's, *error* tells why there was none."""

    n: int
    url: str
    method: str
    event_type: str
    conversation_sid: str | None
    webhook_sid: str | None
    pairs: list[tuple[str, str]]
    token: str
    most_attempts: int
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    repeat_of: int | None = None
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _Ear:
    url: str
    method: str
    retries: int
    sid: str | None = None
    type: str | None = None


class Webhooks:
    """Sends deliveries, each in a task of its own, and remembers them. *retries*: repeats of a failed delivery."""

    def __init__(self, world: World, *, retries: int) -> None:
        self._world = world
        self._retries = retries
        self._session: ClientSession | None = None
        self._count = 0
        self.deliveries: dict[int, Delivery] = {}

    @property
    def count(self) -> int:
        """How many deliveries there were so far; the next one's number."""
        return self._count

    def since(self, count: int) -> list[Delivery]:
        """The deliveries from number *count* on."""
        return [
            self.deliveries[n]
            for n in range(max(count, self._count - KEPT_DELIVERIES), self._count)
            if n in self.deliveries
        ]

    def announce(
        self,
        happening: Happening,
        actor: Actor,
        *,
        service: Service,
        generation: Generation,
        conversation: Conversation | None = None,
    ) -> None:
        """Tell all who listen, if the actor's doings are heard. Nobody is waited for."""
        if not actor.heard:
            return
        common = self._common_fields(happening, actor, service, generation, conversation)
        for ear in self._ears(happening.event_type, service, generation, conversation):
            fields = {**common, **happening.fields}
            if ear.sid is not None:
                fields["WebhookSid"] = ear.sid
            if ear.type is not None:
                fields["WebhookType"] = ear.type
            self._send(
                self._new_delivery(
                    url=ear.url,
                    method=ear.method,
                    event_type=happening.event_type,
                    conversation_sid=conversation.sid if conversation else None,
                    webhook_sid=ear.sid,
                    pairs=list(fields.items()),
                    token=str(uuid.uuid4()),
                    most_attempts=1 + ear.retries,
                )
            )

    async def repeat(self, n: int, *, times: int, together: bool, url: str | None = None) -> list[Delivery]:
        """Send delivery *n* again, *times* times, at once or one after the other; the same but for the signature.

        Gives the repeats when all have ended. Raises `KeyError` where there is no such delivery.
        """
        first = self.deliveries[n]
        repeats = []
        for _ in range(times):
            again = self._new_delivery(
                url=url or first.url,
                method=first.method,
                event_type=first.event_type,
                conversation_sid=first.conversation_sid,
                webhook_sid=first.webhook_sid,
                pairs=list(first.pairs),
                token=first.token,
                most_attempts=1,
                repeat_of=n,
            )
            repeats.append(again)
            self._send(again)
            if not together:
                await self.ended([again])
        await self.ended(repeats)
        return repeats

    async def ended(self, deliveries: Sequence[Delivery]) -> None:
        """Wait until these deliveries have ended, well or badly."""
        await asyncio.gather(*(one.task for one in deliveries if one.task is not None), return_exceptions=True)

    async def settled(self) -> None:
        """Wait until no delivery is under way."""
        while running := [one for one in self.deliveries.values() if one.task is not None and not one.task.done()]:
            await self.ended(running)

    async def close(self) -> None:
        """Give up what is under way and let go of the connections."""
        for one in self.deliveries.values():
            if one.task is not None:
                one.task.cancel()
        await self.settled()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _common_fields(
        self,
        happening: Happening,
        actor: Actor,
        service: Service,
        generation: Generation,
        conversation: Conversation | None,
    ) -> dict[str, str]:
        fields = {
            "EventType": happening.event_type,
            "AccountSid": self._world.account.account_sid,
            "ChatServiceSid" if generation == "conversations" else "InstanceSid": service.sid,
            "RetryCount": "0",
        }
        if conversation is not None and generation == "conversations" and conversation.messaging_service_sid:
            fields["MessagingServiceSid"] = conversation.messaging_service_sid
        if actor.source is not None:
            fields["Source"] = actor.source
        if actor.identity is not None:
            fields["ClientIdentity"] = actor.identity
        return fields

    def _ears(
        self, event_type: str, service: Service, generation: Generation, conversation: Conversation | None
    ) -> Iterator[_Ear]:
        hook = service.hooks[generation]
        if hook.post_url and event_type in hook.filters:
            yield _Ear(hook.post_url, hook.method, max(self._retries, hook.post_retry_count))
        for scoped in conversation.webhooks.values() if conversation else ():
            if scoped.target == "webhook" and scoped.url and event_type in scoped.filters:
                kind = scoped.target if generation == "chat" else None
                yield _Ear(scoped.url, scoped.method, max(self._retries, scoped.retry_count), scoped.sid, kind)

    def _new_delivery(
        self,
        *,
        url: str,
        method: str,
        event_type: str,
        conversation_sid: str | None,
        webhook_sid: str | None,
        pairs: list[tuple[str, str]],
        token: str,
        most_attempts: int,
        repeat_of: int | None = None,
    ) -> Delivery:
        delivery = Delivery(
            n=self._count,
            url=url,
            method=method.upper(),
            event_type=event_type,
            conversation_sid=conversation_sid,
            webhook_sid=webhook_sid,
            pairs=pairs,
            token=token,
            most_attempts=most_attempts,
            repeat_of=repeat_of,
        )
        self.deliveries[self._count] = delivery
        self.deliveries.pop(self._count - KEPT_DELIVERIES, None)
        self._count += 1
        return delivery

    def _send(self, delivery: Delivery) -> None:
        delivery.task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.n}")

    async def _deliver(self, delivery: Delivery) -> None:
        while delivery.attempts < delivery.most_attempts:
            if delivery.attempts:
                delivery.pairs = [
                    (name, str(delivery.attempts) if name == "RetryCount" else value) for name, value in delivery.pairs
                ]
            await self._attempt(delivery)
            if delivery.error is None and delivery.status not in REPEATED_STATUSES:
                return

    async def _attempt(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        delivery.status, delivery.error = None, None
        url, body = _address(delivery)
        signed = delivery.pairs if body is not None else ()
        delivery.headers = {
            "X-Twilio-Signature": sign(self._world.account.auth_token, url, signed),
            "I-Twilio-Idempotency-Token": delivery.token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        if body is not None:
            delivery.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        try:
            answer = await self._connections().request(
                delivery.method,
                URL(url, encoded=True),
                data=body,
                headers=delivery.headers,
                allow_redirects=False,
            )
            async with answer:
                await answer.read()
            delivery.status, delivery.error = answer.status, None
        except asyncio.CancelledError:
            delivery.error = "it was given up"
            raise
        except TimeoutError:
            delivery.error = f"no answer within {TIME_LIMIT_S:g} s"
        except (ClientError, OSError, ValueError) as problem:
            delivery.error = f"{type(problem).__name__}: {problem}"

    def _connections(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=0), timeout=ClientTimeout(total=TIME_LIMIT_S), auto_decompress=False
            )
        return self._session


def _address(delivery: Delivery) -> tuple[str, bytes | None]:
    encoded = urlencode(delivery.pairs)
    if delivery.method == "POST":
        return delivery.url, encoded.encode()
    parts = urlsplit(delivery.url)
    query = f"{parts.query}&{encoded}" if parts.query else encoded
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment)), None
