"""The desk: the other persons. The customer with a browser or a telephone, and the agent with Flex."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.sandbox.clock import webhook_date
from gateway.sandbox.conversations import show_binding, show_timers
from gateway.sandbox.life import Life
from gateway.sandbox.taskrouter import move_task
from gateway.sandbox.webhooks import Actor
from gateway.sandbox.world import (
    AGENT_ROLE,
    JSON,
    Conversation,
    Generation,
    Interaction,
    InteractionParticipant,
    Media,
    Message,
    Participant,
    Reservation,
    Task,
    World,
    new_sid,
)

DEFAULT_WORKER = "agent@example.com"
DEFAULT_FILTERS: dict[Generation, tuple[str, ...]] = {
    "conversations": ("onMessageAdded", "onParticipantAdded", "onParticipantRemoved", "onConversationStateUpdated"),
    "chat": ("onMessageSent",),
}


class Refusal(Exception):
    """The desk cannot do that; the text is one sentence that says why."""


class Unknown(Refusal):
    """There is no such conversation or task."""


class Desk:
    """What customers and agents do. What breaks a rule of Twilio raises `TwilioError`, as it would for them."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

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
        if address is None:
            identity = identity or new_sid("")
            self._life.know_user(service, identity, friendly_name=friendly_name)
        given = attributes or {}
        conversation = self._life.add_conversation(
            self._beginner(address),
            generation=generation,
            service_sid=service.sid,
            friendly_name=friendly_name,
            attributes=json.dumps(_channel_attributes(friendly_name, given) if generation == "chat" else given),
        )
        self._life.add_participant(
            conversation,
            self._beginner(address),
            identity=identity,
            address=address,
            proxy_address=proxy_address,
        )
        if webhook_url is not None:
            chosen = list(DEFAULT_FILTERS[generation] if filters is None else filters)
            method = "POST" if generation == "chat" else "post"
            self._life.add_webhook(conversation, target="webhook", url=webhook_url, method=method, filters=chosen)
        return conversation

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

    def close(self, sid: str, worker: str | None = None) -> Conversation:
        """End a conversation as an agent ends it: closed (Conversations) or INACTIVE (chat), its tasks completed."""
        conversation = self.conversation(sid)
        tasks = [task for task in self._world.tasks_of(sid) if task.is_live]
        held = next((task.worker.worker_name for task in tasks if task.worker), None)
        identity = worker_identity(worker or held or DEFAULT_WORKER)
        if conversation.generation == "chat":
            self._deactivate(conversation, identity)
        else:
            self._life.change_state(conversation, "closed", self._flex("closes"), self._world.switches.flex_reason)
        for task in tasks:
            move_task(self._world, task, "completed")
        self._remove_agents(conversation)
        interaction = self._interaction_of(conversation)
        if interaction is not None:
            interaction.status = "closed"
        return conversation

    def timer_fires(self, sid: str, state: str = "closed") -> Conversation:
        """Move a conversation to *state* as its timer does."""
        conversation = self.conversation(sid)
        self._life.change_state(conversation, state, Actor(None), "TIMER")
        return conversation

    def agent_accepts(self, task_sid: str, worker: str = DEFAULT_WORKER) -> Task:
        """An agent takes a waiting task and joins its conversation."""
        task = self.task(task_sid)
        if task.status not in ("pending", "reserved"):
            raise Refusal(f"Task {task_sid} is {task.status}; only a pending task can be accepted.")
        at = self._world.now()
        reservation = Reservation(
            sid=new_sid("WR"),
            worker_sid=self._world.worker_sid(worker),
            worker_name=worker,
            status="accepted",
            created=at,
            updated=at,
        )
        task.reservations[reservation.sid] = reservation
        move_task(self._world, task, "assigned")
        conversation = self._conversation_of(task)
        if conversation is not None:
            self._join(conversation, task, reservation)
        return task

    def agent_writes(self, task_sid: str, body: str) -> Message:
        """The agent who has a task writes in its conversation, through the SDK."""
        task = self.task(task_sid)
        conversation, worker = self._conversation_of(task), task.worker
        if worker is None:
            raise Refusal(f"Task {task_sid} is {task.status}; an agent has to accept it first.")
        if conversation is None:
            raise Refusal(f"Task {task_sid} names no conversation in its attributes.")
        identity = worker_identity(worker.worker_name)
        return self._life.add_message(conversation, Actor("SDK", identity), author=identity, body=body)

    def agent_finishes(self, task_sid: str) -> Task:
        """The agent ends: the task is completed and its conversation over."""
        task = self.task(task_sid)
        if task.status not in ("assigned", "wrapping"):
            raise Refusal(f"Task {task_sid} is {task.status}; only an accepted task can be finished.")
        conversation = self._conversation_of(task)
        if conversation is not None and conversation.state != "closed":
            self.close(conversation.sid, task.worker.worker_name if task.worker else None)
        if task.is_live:
            move_task(self._world, task, "completed")
        return task

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

    def tasks(self) -> list[JSON]:
        """All tasks, oldest first."""
        return [show_task(task) for task in self._world.tasks.values()]

    def transcript(self, sid: str) -> JSON:
        """All that is known of a conversation: state, messages, participants, tasks."""
        conversation = self.conversation(sid)
        return {
            **show_conversation(conversation),
            "messages": [show_message(one) for one in conversation.messages.values()],
            "participants": [_show_participant(one) for one in conversation.participants.values()],
            "webhooks": [
                {"sid": one.sid, "url": one.url, "filters": one.filters} for one in conversation.webhooks.values()
            ],
            "tasks": [show_task(task) for task in self._world.tasks_of(sid)],
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

    def _beginner(self, address: str | None) -> Actor:
        if address is not None:
            return Actor(_medium(address))
        return Actor("API", heard=self._world.switches.web_chats_are_heard)

    def _flex(self, what: str) -> Actor:
        switches = self._world.switches
        heard = {
            "joins": switches.flex_joins_are_heard,
            "leaves": switches.flex_leaves_are_heard,
            "closes": switches.flex_closes_are_heard,
        }
        return Actor(switches.flex_source, heard=heard[what])

    def _deactivate(self, channel: Conversation, identity: str) -> None:
        # Flex's own way, as recorded: the agent's browser sets the attribute through the SDK.
        attributes = {**json.loads(channel.attributes), "status": "INACTIVE"}
        self._life.update_conversation(channel, Actor("SDK", identity), attributes=json.dumps(attributes))

    def _remove_agents(self, conversation: Conversation) -> None:
        for person in list(conversation.participants.values()):
            if person.role_sid == AGENT_ROLE:
                self._life.remove_participant(conversation, person, self._flex("leaves"))

    def _join(self, conversation: Conversation, task: Task, reservation: Reservation) -> None:
        identity = worker_identity(reservation.worker_name)
        if conversation.person(identity) is None:
            self._life.add_participant(conversation, self._flex("joins"), identity=identity, role_sid=AGENT_ROLE)
        interaction = self._interaction_of(conversation)
        if interaction is not None:
            agent = InteractionParticipant(
                sid=new_sid("UT"),
                type="agent",
                task_sid=task.sid,
                worker_sid=reservation.worker_sid,
                reservation_sid=reservation.sid,
            )
            interaction.participants[agent.sid] = agent

    def _conversation_of(self, task: Task) -> Conversation | None:
        return self._world.conversations.get(task.conversation_sid or "")

    def _interaction_of(self, conversation: Conversation) -> Interaction | None:
        mine = [one for one in self._world.interactions.values() if one.conversation_sid == conversation.sid]
        return next((one for one in reversed(mine) if one.status == "active"), None)


def worker_identity(name: str) -> str:
    """A worker's name as Flex makes an identity of it: ``agent@example.com`` is ``agent_40example_2Ecom``."""
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "".join(f"_{byte:02X}" for byte in letter.encode())
        for letter in name
    )


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


def _channel_attributes(friendly_name: str | None, given: JSON) -> JSON:
    """What a Flex Flow writes on a new channel."""
    engagement = given.get("pre_engagement_data")
    engaged = engagement.get("friendlyName") if isinstance(engagement, dict) else None
    defaults = {"status": "ACTIVE", "long_lived": False, "from": friendly_name or engaged or "Customer"}
    return {**defaults, "channel_type": "web", "pre_engagement_data": {}, **given}


def _writer(name: str, person: Participant | None, source: str | None) -> Actor:
    if source is None:
        source = _medium(person.address) if person is not None and person.address else "SDK"
    return Actor(source, name if source == "SDK" else None)


def _medium(address: str) -> str:
    return "WHATSAPP" if address.startswith("whatsapp:") else "SMS"
