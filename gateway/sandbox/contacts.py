"""How a contact begins: a customer, the conversation or channel he is in, and the webhook that hears of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.sandbox.life import Life
from gateway.sandbox.webhooks import Actor
from gateway.sandbox.world import JSON, Address, Conversation, Generation, Media, Message, World, new_sid


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """The webhook that a new conversation gets. *target*: ``webhook`` (then *url*) or ``studio`` (then *flow_sid*)."""

    target: str = "webhook"
    url: str | None = None
    method: str = "POST"
    filters: Sequence[str] = ()
    flow_sid: str | None = None
    retry_count: int = 0


class Contacts:
    """Begins conversations and channels as Flex and the carriers do."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    def begin(
        self,
        generation: Generation,
        *,
        service_sid: str,
        identity: str | None = None,
        customer_name: str | None = None,
        address: str | None = None,
        proxy_address: str | None = None,
        friendly_name: str | None = None,
        unique_name: str | None = None,
        attributes: JSON,
        hook: Hook | None = None,
    ) -> Conversation:
        """A conversation or channel with its customer in it, who is known by *identity* or writes from *address*."""
        actor = self._actor(address)
        if identity is not None:
            service = self._world.add_service(service_sid)
            self._life.know_user(service, identity, friendly_name=customer_name)
        conversation = self._life.add_conversation(
            actor,
            generation=generation,
            service_sid=service_sid,
            friendly_name=friendly_name,
            unique_name=unique_name,
            attributes=json.dumps(attributes),
        )
        self._life.add_participant(conversation, actor, identity=identity, address=address, proxy_address=proxy_address)
        if hook is not None:
            self._life.add_webhook(
                conversation,
                target=hook.target,
                url=hook.url,
                method=hook.method,
                filters=list(hook.filters),
                flow_sid=hook.flow_sid,
                retry_count=hook.retry_count,
            )
        return conversation

    def begin_web_chat(
        self,
        address: Address,
        *,
        identity: str | None,
        customer_name: str | None,
        friendly_name: str | None,
        engagement: JSON,
    ) -> Conversation:
        """A web chat at an *address* of type ``chat``."""
        return self.begin(
            "conversations",
            service_sid=address.service_sid or self._world.account.service_sid,
            identity=identity or new_sid(""),
            customer_name=customer_name,
            friendly_name=friendly_name,
            attributes={"pre_engagement_data": engagement},
            hook=_hook_of(address),
        )

    def receive(
        self, sender: str, to: str, body: str | None, media: Sequence[Media] = ()
    ) -> tuple[Conversation, Message] | None:
        """A text from the address *sender* to the address *to*.

        It goes into the conversation of the two that is not closed; else into a new one, as *to* is set up.
        ``None`` where no conversation is made of it.
        """
        conversation = self._conversation_between(sender, to) or self._begin_between(sender, to)
        if conversation is None:
            return None
        actor = self._actor(sender)
        return conversation, self._life.add_message(conversation, actor, author=sender, body=body, media=list(media))

    def _conversation_between(self, sender: str, to: str) -> Conversation | None:
        for one in self._world.conversations.values():
            pairs = {(person.address, person.proxy_address) for person in one.participants.values()}
            if one.state != "closed" and (sender, to) in pairs:
                return one
        return None

    def _begin_between(self, sender: str, to: str) -> Conversation | None:
        address = next((one for one in self._world.addresses.values() if one.address == to and one.enabled), None)
        if address is None:
            return None
        return self.begin(
            "conversations",
            service_sid=address.service_sid or self._world.account.service_sid,
            address=sender,
            proxy_address=to,
            friendly_name=sender,
            attributes={},
            hook=_hook_of(address),
        )

    def _actor(self, address: str | None) -> Actor:
        if address is not None:
            return Actor(medium(address))
        return Actor("API", heard=self._world.switches.web_chats_are_heard)


def medium(address: str) -> str:
    """The source that webhooks name for what comes from *address*."""
    return "WHATSAPP" if address.startswith("whatsapp:") else "SMS"


def flow_attributes(
    customer_name: str | None, engagement: JSON, *, channel_type: str = "web", long_lived: bool = False
) -> JSON:
    """What a Flex Flow writes on a new channel."""
    return {
        "status": "ACTIVE",
        "long_lived": long_lived,
        "from": customer_name or engagement.get("friendlyName") or "Customer",
        "channel_type": channel_type,
        "pre_engagement_data": engagement,
    }


def _hook_of(address: Address) -> Hook | None:
    if not address.enabled or address.creation == "default":
        return None
    return Hook(
        target=address.creation,
        url=address.webhook_url,
        method=address.webhook_method.lower(),
        filters=address.webhook_filters,
        flow_sid=address.flow_sid,
        retry_count=address.retry_count,
    )
