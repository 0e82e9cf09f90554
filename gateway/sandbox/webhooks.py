"""Webhooks: who hears of what, and the signed deliveries that tell them."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from gateway.sandbox.account import Switches
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


def flex_actor(switches: Switches, what: Literal["joins", "leaves", "closes"]) -> Actor:
    """Flex itself, as far as what it does is heard."""
    heard = {
        "joins": switches.flex_joins_are_heard,
        "leaves": switches.flex_leaves_are_heard,
        "closes": switches.flex_closes_are_heard,
    }
    return Actor(switches.flex_source, heard=heard[what])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """A URL that hears of something. *sid* is its webhook's, *type* what a delivery says of its kind."""

    url: str
    method: str = "POST"
    retries: int = 0
    sid: str | None = None
    type: str | None = None
    is_signed: bool = True
    time_limit_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One event on its way to one URL. *status* is the last answer's, *error* tells why there was none.

    *task* is ``None`` as long as the delivery is held.
    """

    n: int
    url: str
    method: str
    event_type: str
    conversation_sid: str | None
    webhook_sid: str | None
    pairs: list[tuple[str, str]]
    token: str
    most_attempts: int
    is_signed: bool
    time_limit_s: float
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    repeat_of: int | None = None
    task: asyncio.Task[None] | None = None


class Webhooks:
    """Sends deliveries, each in a task of its own, and remembers them. *retries*: repeats of a failed delivery.

    *copies*: how many times everything is delivered; *delay_s*: how long a delivery tarries before it is sent.
    """

    def __init__(self, world: World, *, retries: int) -> None:
        self._world = world
        self._retries = retries
        self._session: ClientSession | None = None
        self._count = 0
        self._holding: set[str | None] = set()
        self._held: list[Delivery] = []
        self.copies = 1
        self.delay_s = 0.0
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
            self.tell(ear, fields, conversation_sid=conversation.sid if conversation else None)

    def tell(self, ear: Ear, fields: Mapping[str, str], *, conversation_sid: str | None) -> None:
        """Deliver *fields*, with their ``EventType``, to one ear. Nobody is waited for."""
        first = self._new_delivery(
            url=ear.url,
            method=ear.method,
            event_type=fields["EventType"],
            conversation_sid=conversation_sid,
            webhook_sid=ear.sid,
            pairs=list(fields.items()),
            token=str(uuid.uuid4()),
            most_attempts=1 + max(self._retries, ear.retries),
            is_signed=ear.is_signed,
            time_limit_s=ear.time_limit_s or TIME_LIMIT_S,
        )
        copies = [self._again(first, most_attempts=first.most_attempts) for _ in range(self.copies - 1)]
        for delivery in (first, *copies):
            if self._holding & {None, conversation_sid}:
                self._held.append(delivery)
            else:
                self._send(delivery)

    def hold(self, conversation_sid: str | None = None) -> None:
        """Keep back what is to be delivered from now on, of one conversation or all."""
        self._holding.add(conversation_sid)

    async def release(
        self, conversation_sid: str | None = None, *, seed: int | None = None, together: bool = False
    ) -> list[Delivery]:
        """Hold no longer, and deliver what was held: of one conversation or all.

        With a *seed* in another order, always the same for the same seed. One after the other, each when the one
        before has ended, unless *together*. Gives the deliveries in the order in which they were sent.
        """
        self._holding = self._holding - {conversation_sid} if conversation_sid else set()
        freed = [one for one in self._held if conversation_sid in (None, one.conversation_sid)]
        self._held = [one for one in self._held if conversation_sid not in (None, one.conversation_sid)]
        if seed is not None:
            random.Random(seed).shuffle(freed)  # noqa: S311  (an order, no secret)
        await self._send_all(freed, together=together)
        return freed

    async def repeat(self, n: int, *, times: int, together: bool, url: str | None = None) -> list[Delivery]:
        """Send delivery *n* again, *times* times, at once or one after the other; the same but for the signature.

        Gives the repeats when all have ended. Raises `KeyError` where there is no such delivery.
        """
        first = self.deliveries[n]
        repeats = [self._again(first, most_attempts=1, url=url) for _ in range(times)]
        await self._send_all(repeats, together=together)
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
    ) -> Iterator[Ear]:
        hook = service.hooks[generation]
        if hook.post_url and event_type in hook.filters:
            yield Ear(url=hook.post_url, method=hook.method, retries=hook.post_retry_count)
        is_typed = generation == "chat" or self._world.switches.webhook_type_in_conversations
        for scoped in conversation.webhooks.values() if conversation else ():
            if scoped.target == "webhook" and scoped.url and event_type in scoped.filters:
                yield Ear(
                    url=scoped.url,
                    method=scoped.method,
                    retries=scoped.retry_count,
                    sid=scoped.sid,
                    type=scoped.target if is_typed else None,
                )

    def _again(self, first: Delivery, *, most_attempts: int, url: str | None = None) -> Delivery:
        return self._new_delivery(
            url=url or first.url,
            method=first.method,
            event_type=first.event_type,
            conversation_sid=first.conversation_sid,
            webhook_sid=first.webhook_sid,
            pairs=list(first.pairs),
            token=first.token,
            most_attempts=most_attempts,
            is_signed=first.is_signed,
            time_limit_s=first.time_limit_s,
            repeat_of=first.n,
        )

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
        is_signed: bool,
        time_limit_s: float,
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
            is_signed=is_signed,
            time_limit_s=time_limit_s,
            repeat_of=repeat_of,
        )
        self.deliveries[self._count] = delivery
        self.deliveries.pop(self._count - KEPT_DELIVERIES, None)
        self._count += 1
        return delivery

    def _send(self, delivery: Delivery) -> None:
        delivery.task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.n}")

    async def _send_all(self, deliveries: Sequence[Delivery], *, together: bool) -> None:
        for one in deliveries:
            self._send(one)
            if not together:
                await self.ended([one])
        await self.ended(deliveries)

    async def _deliver(self, delivery: Delivery) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
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
        delivery.headers = {"User-Agent": "TwilioProxy/1.1", "Accept": "*/*"}
        if delivery.is_signed:
            delivery.headers["X-Twilio-Signature"] = sign(self._world.account.auth_token, url, signed)
        if self._world.switches.deliveries_carry_tokens:
            delivery.headers["I-Twilio-Idempotency-Token"] = delivery.token
        if body is not None:
            delivery.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        try:
            answer = await self._connections().request(
                delivery.method,
                URL(url, encoded=True),
                data=body,
                headers=delivery.headers,
                timeout=ClientTimeout(total=delivery.time_limit_s),
                allow_redirects=False,
            )
            async with answer:
                await answer.read()
            delivery.status, delivery.error = answer.status, None
        except asyncio.CancelledError:
            delivery.error = "it was given up"
            raise
        except TimeoutError:
            delivery.error = f"no answer within {delivery.time_limit_s:g} s"
        except (ClientError, OSError, ValueError) as problem:
            delivery.error = f"{type(problem).__name__}: {problem}"

    def _connections(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=0), auto_decompress=False)
        return self._session


def _address(delivery: Delivery) -> tuple[str, bytes | None]:
    encoded = urlencode(delivery.pairs)
    if delivery.method == "POST":
        return delivery.url, encoded.encode()
    parts = urlsplit(delivery.url)
    query = f"{parts.query}&{encoded}" if parts.query else encoded
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment)), None
