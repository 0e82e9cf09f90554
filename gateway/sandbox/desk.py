"""The desk: what customers do with a browser or a telephone, and what there is to be seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.sandbox.clock import webhook_date
from gateway.sandbox.contacts import Contacts, Hook, flow_attributes, medium
from gateway.sandbox.conversations import show_binding, show_timers
from gateway.sandbox.life import Life
from gateway.sandbox.webhooks import Actor
from gateway.sandbox.world import (
    AGENT_ROLE,
    JSON,
    Conversation,
    Generation,
    Interaction,
    Media,
    Message,
    Participant,
    Task,
    World,
    new_sid,
)

DEFAULT_FILTERS: dict[Generation, tuple[str, ...]] = {
    "conversations": ("onMessageAdded", "onParticipantAdded", "onParticipantRemoved", "onConversationStateUpdated"),
    "chat": ("onMessageSent",),
}


class Refusal(Exception):
    """The desk cannot do that; the text is one sentence that says why."""


class Unknown(Refusal):
    """There is no such conversation, task or interaction."""


class Desk:
    """What customers do. What breaks a rule of Twilio raises `TwilioError`, as it would for them."""

    def __init__(self, world: World, life: Life, contacts: Contacts) -> None:
        self._world = world
        self._life = life
        self._contacts = contacts

    def create_conversation(
        self,
        *,
        generation: Generation = "conversations",
        identity: str | None = None,
        address: str | None = None,
        proxy_address: str | None = None,
        friendly_name: str | None = None,
        attributes: JSON | None = None,
        webhook_url: str | None = None,
        filters: Sequence[str] | None = None,
        service_sid: str | None = None,
    ) -> Conversation:
        """A contact as a web chat (*identity*; made up if there is none) or an inbound text (*address*) begins it.

        *friendly_name* is the customer's. The scoped webhook goes to *webhook_url*; *service_sid* names another
        service than the default one, which is made if need be.
        """
        if address is not None and (identity is not None or proxy_address is None or generation == "chat"):
            raise Refusal("An address needs a proxy_address, no identity, and the generation conversations.")
        service = self._world.add_service(service_sid or self._world.account.service_sid)
        hook = None
        if webhook_url is not None:
            chosen = DEFAULT_FILTERS[generation] if filters is None else filters
            hook = Hook(url=webhook_url, method="POST" if generation == "chat" else "post", filters=chosen)
        given = attributes or {}
        return self._contacts.begin(
            generation,
            service_sid=service.sid,
            identity=identity or new_sid("") if address is None else None,
            customer_name=friendly_name,
            address=address,
            proxy_address=proxy_address,
            friendly_name=friendly_name,
            attributes=_flow_attributes(friendly_name, given) if generation == "chat" else given,
            hook=hook,
        )

    def inbound_message(
        self, sender: str, to: str, body: str | None, media: Sequence[Media] = ()
    ) -> tuple[Conversation, Message]:
        """A text from the address *sender* to *to*: into their open conversation, or a new one as *to* is set up.

        Raises `Refusal` where *to* is no address that makes conversations.
        """
        received = self._contacts.receive(sender, to, body, media)
        if received is None:
            raise Refusal(f"No enabled address configuration has the address {to}, so nothing is made of a text to it.")
        return received

    def customer_writes(
        self,
        sid: str,
        body: str | None,
        *,
        author: str | None = None,
        media: Sequence[Media] = (),
        attributes: JSON | None = None,
        source: str | None = None,
    ) -> Message:
        """A message as the SDK or the customer's telephone posts it; *author* is the customer if not given."""
        conversation = self.conversation(sid)
        person = conversation.customer if author is None else conversation.person(author)
        name = author or (person.author if person else None)
        if not name:
            raise Refusal(f"Conversation {sid} has no customer, so the key author is needed.")
        return self._life.add_message(
            conversation,
            _writer(name, person, source),
            author=name,
            body=body,
            media=list(media),
            attributes=json.dumps(attributes or {}),
        )

    def timer_fires(self, sid: str, state: str = "closed") -> Conversation:
        """Move a conversation to *state* as its timer does."""
        conversation = self.conversation(sid)
        self._life.change_state(conversation, state, Actor(None), "TIMER")
        return conversation

    def conversation(self, sid: str) -> Conversation:
        """Any conversation or channel. Raises `Unknown`."""
        found = self._world.conversations.get(sid)
        if found is None:
            raise Unknown(f"There is no conversation {sid} in this sandbox.")
        return found

    def task(self, sid: str) -> Task:
        """Any task. Raises `Unknown`."""
        found = self._world.tasks.get(sid)
        if found is None:
            raise Unknown(f"There is no task {sid} in this sandbox.")
        return found

    def interaction(self, sid: str) -> Interaction:
        """Any interaction. Raises `Unknown`."""
        found = self._world.interactions.get(sid)
        if found is None:
            raise Unknown(f"There is no interaction {sid} in this sandbox.")
        return found

    def tasks(self) -> list[JSON]:
        """All tasks, oldest first."""
        return [show_task(task) for task in self._world.tasks.values()]

    def transcript(self, sid: str) -> JSON:
        """All that is known of a conversation: state, messages, participants, tasks, interactions.

        *is_cleaned*: whether the janitor of its Flex Flow has been there; ``None`` where no flow made it.
        """
        conversation = self.conversation(sid)
        flowed = self._world.flow_channels.get(sid)
        return {
            **show_conversation(conversation),
            "messages": [show_message(one) for one in conversation.messages.values()],
            "participants": [_show_participant(one) for one in conversation.participants.values()],
            "webhooks": [
                {"sid": one.sid, "url": one.url, "filters": one.filters} for one in conversation.webhooks.values()
            ],
            "tasks": [show_task(task) for task in self._world.tasks_of(sid)],
            "interactions": [_show_interaction(one) for one in self._world.interactions_of(sid)],
            "is_cleaned": flowed.is_cleaned if flowed else None,
        }

    @contextmanager
    def listening(self, sid: str) -> Iterator[asyncio.Queue[Message]]:
        """A queue in which every message that is written from now on arrives, whoever writes it."""
        conversation = self.conversation(sid)
        queue: asyncio.Queue[Message] = asyncio.Queue()
        conversation.listeners.add(queue)
        try:
            yield queue
        finally:
            conversation.listeners.discard(queue)


def show_conversation(conversation: Conversation) -> JSON:
    """A conversation for the desk's reader."""
    customer = conversation.customer
    return {
        "sid": conversation.sid,
        "generation": conversation.generation,
        "service_sid": conversation.service_sid,
        "state": conversation.state,
        "friendly_name": conversation.friendly_name,
        "attributes": json.loads(conversation.attributes),
        "timers": show_timers(conversation),
        "customer": customer.author if customer else None,
        "date_created": webhook_date(conversation.created),
        "date_updated": webhook_date(conversation.updated),
    }


def show_message(message: Message) -> JSON:
    """A message for the desk's reader."""
    return {
        "sid": message.sid,
        "index": message.index,
        "author": message.author,
        "body": message.body,
        "media": [
            {"sid": one.sid, "content_type": one.content_type, "filename": one.filename, "size": one.size}
            for one in message.media
        ],
        "attributes": json.loads(message.attributes),
        "participant_sid": message.participant_sid,
        "date_created": webhook_date(message.created),
    }


def show_task(task: Task) -> JSON:
    """A task for the desk's reader."""
    return {
        "sid": task.sid,
        "status": task.status,
        "reason": task.reason,
        "attributes": json.loads(task.attributes),
        "channel": task.channel,
        "workflow_sid": task.workflow_sid,
        "priority": task.priority,
        "timeout": task.timeout,
        "conversation_sid": task.conversation_sid,
        "worker": task.worker.worker_name if task.worker else None,
        "date_created": webhook_date(task.created),
    }


def _show_participant(person: Participant) -> JSON:
    return {
        "sid": person.sid,
        "identity": person.identity,
        "binding": show_binding(person),
        "is_agent": person.role_sid == AGENT_ROLE,
    }


def _show_interaction(interaction: Interaction) -> JSON:
    return {
        "sid": interaction.sid,
        "channel_sid": interaction.channel_sid,
        "status": interaction.status,
        "tasks": [one.task_sid for one in interaction.invites.values()],
    }


def _flow_attributes(friendly_name: str | None, given: JSON) -> JSON:
    engagement = given.get("pre_engagement_data")
    return {**flow_attributes(friendly_name, engagement if isinstance(engagement, dict) else {}), **given}


def _writer(name: str, person: Participant | None, source: str | None) -> Actor:
    if source is None:
        source = medium(person.address) if person is not None and person.address else "SDK"
    return Actor(source, name if source == "SDK" else None)
