"""The world of the sandbox: all that the account has, in memory.

A Programmable Chat channel and a Conversation are the same record here; *generation* tells them apart.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from gateway.sandbox.account import Account, Switches

Generation: TypeAlias = Literal["chat", "conversations"]
JSON: TypeAlias = dict[str, Any]

CUSTOMER_ROLE = "RL" + "c" * 32
AGENT_ROLE = "RL" + "a" * 32

WORKFLOW_NAME = "Assign to Anyone"
QUEUE_NAME = "Everyone"
TASK_CHANNELS = ("default", "chat", "sms", "video", "voice", "email")
TASK_CHANNEL_SIDS = {name: "TC" + str(n) * 32 for n, name in enumerate(TASK_CHANNELS)}

LIVE_TASK = frozenset({"pending", "reserved", "assigned", "wrapping"})


def new_sid(prefix: str) -> str:
    """A SID that nothing else has: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


@dataclass(slots=True, kw_only=True)
class Media:
    """A file of a message; *size* in bytes."""

    sid: str
    content_type: str
    filename: str | None
    size: int


@dataclass(slots=True, kw_only=True)
class Message:
    """What somebody wrote. *attributes* is the JSON text as it was given."""

    sid: str
    index: int
    author: str
    body: str | None
    media: list[Media]
    attributes: str
    participant_sid: str | None
    content_sid: str | None
    last_updated_by: str | None
    created: datetime
    updated: datetime


@dataclass(slots=True, kw_only=True)
class Participant:
    """Somebody in a conversation: by *identity*, or by *address* and *proxy_address*."""

    sid: str
    identity: str | None
    address: str | None
    proxy_address: str | None
    attributes: str
    role_sid: str
    created: datetime
    updated: datetime
    last_read_index: int | None = None
    last_read_at: str | None = None

    @property
    def author(self) -> str:
        """How this person's messages are signed."""
        return self.identity or self.address or ""

    @property
    def binding(self) -> str:
        """The medium: ``chat``, ``sms`` or ``whatsapp``."""
        if self.address is None:
            return "chat"
        return "whatsapp" if self.address.startswith("whatsapp:") else "sms"


@dataclass(slots=True, kw_only=True)
class ScopedWebhook:
    """A webhook of one conversation. *target*: ``webhook``, ``trigger`` or ``studio``; only the first is posted to."""

    sid: str
    target: str
    url: str | None
    method: str
    filters: list[str]
    triggers: list[str]
    flow_sid: str | None
    retry_count: int
    created: datetime
    updated: datetime


@dataclass(slots=True, kw_only=True)
class ServiceWebhook:
    """The webhook of a whole service, one for each product."""

    pre_url: str | None = None
    post_url: str | None = None
    method: str = "POST"
    filters: list[str] = field(default_factory=list)
    pre_retry_count: int = 0
    post_retry_count: int = 0


@dataclass(slots=True, kw_only=True)
class User:
    """A person of a service, known by *identity*."""

    sid: str
    identity: str
    friendly_name: str | None
    attributes: str
    role_sid: str
    created: datetime
    updated: datetime


@dataclass(slots=True, kw_only=True)
class Service:
    """A chat service, which is a conversation service too, with its users by identity."""

    sid: str
    friendly_name: str
    created: datetime
    updated: datetime
    hooks: dict[Generation, ServiceWebhook] = field(
        default_factory=lambda: {"chat": ServiceWebhook(), "conversations": ServiceWebhook()}
    )
    users: dict[str, User] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Conversation:
    """A conversation or a channel. *next_index* is the index of the next message; *listeners* hear of each one."""

    sid: str
    generation: Generation
    service_sid: str
    messaging_service_sid: str | None
    friendly_name: str | None
    unique_name: str | None
    attributes: str
    state: str
    created_by: str
    visibility: str
    created: datetime
    updated: datetime
    inactive_after: timedelta | None = None
    closed_after: timedelta | None = None
    next_index: int = 0
    messages: dict[str, Message] = field(default_factory=dict)
    participants: dict[str, Participant] = field(default_factory=dict)
    webhooks: dict[str, ScopedWebhook] = field(default_factory=dict)
    listeners: set[asyncio.Queue[Message]] = field(default_factory=set)

    @property
    def details(self) -> JSON:
        """The attributes as an object; empty where they are none."""
        return _as_object(self.attributes)

    def person(self, key: str) -> Participant | None:
        """A participant by SID, identity or address."""
        found = self.participants.get(key)
        return found or next((one for one in self.participants.values() if key in (one.identity, one.address)), None)

    @property
    def customer(self) -> Participant | None:
        """The first participant who is no agent."""
        return next((one for one in self.participants.values() if one.role_sid != AGENT_ROLE), None)


@dataclass(slots=True, kw_only=True)
class Workspace:
    """The account's one workspace. *events_filter* names the events that its callback hears, parted by commas."""

    sid: str
    friendly_name: str
    event_callback_url: str
    events_filter: str | None
    created: datetime
    updated: datetime
    multi_task_enabled: bool = True
    queue_order: str = "FIFO"


@dataclass(slots=True, kw_only=True)
class Reservation:
    """A task offered to a worker, and what became of it."""

    sid: str
    worker_sid: str
    worker_name: str
    status: str
    created: datetime
    updated: datetime


@dataclass(slots=True, kw_only=True)
class Task:
    """Work for an agent. *version* counts its changes and is its ETag.

    *passed_on_from* is the task of the agent who passes the customer on with this one.
    """

    sid: str
    attributes: str
    status: str
    reason: str | None
    priority: int
    timeout: int
    channel: str
    workflow_sid: str | None
    queue_sid: str
    routing_target: str | None
    ignore_capacity: bool
    created: datetime
    updated: datetime
    virtual_start: datetime
    version: int = 0
    passed_on_from: str | None = None
    reservations: dict[str, Reservation] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_TASK

    @property
    def details(self) -> JSON:
        """The attributes as an object; empty where they are none."""
        return _as_object(self.attributes)

    @property
    def conversation_sid(self) -> str | None:
        """The conversation or channel that the task is about."""
        return self.details.get("conversationSid") or self.details.get("channelSid")

    @property
    def channel_sid(self) -> str:
        """The SID of the task channel, which *channel* may give by its unique name."""
        if self.channel.startswith("TC"):
            return self.channel
        return TASK_CHANNEL_SIDS.get(self.channel, TASK_CHANNEL_SIDS["default"])

    @property
    def channel_name(self) -> str:
        """The unique name of the task channel, which *channel* may give by its SID."""
        return next((name for name, sid in TASK_CHANNEL_SIDS.items() if self.channel == sid), self.channel)

    @property
    def worker(self) -> Reservation | None:
        """The reservation of the worker who has, or had, the task; of several, the last."""
        taken = ("accepted", "wrapping", "completed")
        return next((one for one in reversed(self.reservations.values()) if one.status in taken), None)

    @property
    def offer(self) -> Reservation | None:
        """The reservation that a worker has not answered yet."""
        return next((one for one in self.reservations.values() if one.status == "pending"), None)


@dataclass(slots=True, kw_only=True)
class Invite:
    """An offer of an interaction to agents, made of one task."""

    sid: str
    task_sid: str


@dataclass(slots=True, kw_only=True)
class InteractionParticipant:
    """Somebody in an interaction; agents have a task and a reservation."""

    sid: str
    type: str
    task_sid: str | None = None
    worker_sid: str | None = None
    reservation_sid: str | None = None


@dataclass(slots=True, kw_only=True)
class Interaction:
    """Flex's record of one contact, with its one channel; *error* is why a failed one failed."""

    sid: str
    channel_sid: str
    channel_type: str
    conversation_sid: str
    task_sid: str
    initiated_by: str
    context_sid: str | None
    webhook_ttid: str | None
    status: str = "active"
    error: tuple[int, str] | None = None
    invites: dict[str, Invite] = field(default_factory=dict)
    participants: dict[str, InteractionParticipant] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class InteractionWebhook:
    """Who hears of interactions: of all (*type* ``global``) or of those made with this *sid*, which Flex calls TTID."""

    sid: str
    type: str
    url: str
    method: str
    events: list[str]


@dataclass(slots=True, kw_only=True)
class FlexFlow:
    """What happens to a new chat of one channel type. *integration* has the parameters of *integration_type*."""

    sid: str
    friendly_name: str
    chat_service_sid: str
    channel_type: str
    contact_identity: str | None
    enabled: bool
    integration_type: str | None
    integration: JSON
    long_lived: bool
    janitor_enabled: bool
    created: datetime
    updated: datetime


@dataclass(slots=True, kw_only=True)
class FlowChannel:
    """What Flex knows of a channel that a Flex Flow made. *is_web*: made as a WebChannel.

    *task_attributes* are those given for its tasks; *is_cleaned*: the janitor has been here since its end.
    """

    sid: str
    flow_sid: str
    is_web: bool
    identity: str
    user_sid: str
    target: str | None
    long_lived: bool
    task_attributes: JSON
    created: datetime
    updated: datetime
    task_sid: str | None = None
    is_cleaned: bool = False


@dataclass(slots=True, kw_only=True)
class Address:
    """An address on Twilio's side, and what is made of a new contact there."""

    sid: str
    type: str
    address: str
    friendly_name: str | None
    country: str | None
    enabled: bool
    creation: str
    service_sid: str | None
    webhook_url: str | None
    webhook_method: str
    webhook_filters: list[str]
    flow_sid: str | None
    retry_count: int
    created: datetime
    updated: datetime


class World:
    """All that the account has. *now* tells the time; *invited* gives the interaction's SID for an invite's task's."""

    def __init__(self, account: Account, switches: Switches, now: Callable[[], datetime]) -> None:
        self.account = account
        self.switches = switches
        self.now = now
        self.services: dict[str, Service] = {}
        self.conversations: dict[str, Conversation] = {}
        self.tasks: dict[str, Task] = {}
        self.interactions: dict[str, Interaction] = {}
        self.invited: dict[str, str] = {}
        self.interaction_webhooks: dict[str, InteractionWebhook] = {}
        self.flows: dict[str, FlexFlow] = {}
        self.flow_channels: dict[str, FlowChannel] = {}
        self.addresses: dict[str, Address] = {}
        self.workers: dict[str, str] = {}
        self.add_service(account.service_sid)
        self.workspace = Workspace(
            sid=account.workspace_sid,
            friendly_name="Flex Task Assignment",
            event_callback_url="",
            events_filter=None,
            created=now(),
            updated=now(),
        )

    def add_service(self, sid: str) -> Service:
        """The service *sid*; it is made where it is not known."""
        if sid not in self.services:
            at = self.now()
            self.services[sid] = Service(sid=sid, friendly_name="Flex Chat Service", created=at, updated=at)
        return self.services[sid]

    def find(self, key: str, generation: Generation, service_sid: str) -> Conversation | None:
        """A conversation of a service by SID or unique name."""
        found = self.conversations.get(key)
        if found is not None and found.generation == generation and found.service_sid == service_sid:
            return found
        mine = self.of_service(generation, service_sid)
        return next((one for one in mine if one.unique_name is not None and one.unique_name == key), None)

    def of_service(self, generation: Generation, service_sid: str) -> list[Conversation]:
        """The conversations or channels of a service, oldest first."""
        return [
            one
            for one in self.conversations.values()
            if one.generation == generation and one.service_sid == service_sid
        ]

    def tasks_of(self, conversation_sid: str) -> list[Task]:
        """The tasks about a conversation, oldest first."""
        return [task for task in self.tasks.values() if task.conversation_sid == conversation_sid]

    def live_interaction(self, conversation_sid: str) -> Interaction | None:
        """The interaction that a conversation is mapped to, if it is still going on."""
        for one in self.interactions_of(conversation_sid):
            if one.status != "active":
                continue
            has_task = self.any_live(invite.task_sid for invite in one.invites.values())
            if has_task or not self.switches.canceled_task_frees_conversation:
                return one
        return None

    def interactions_of(self, conversation_sid: str) -> list[Interaction]:
        """The interactions of a conversation, oldest first."""
        return [one for one in self.interactions.values() if one.conversation_sid == conversation_sid]

    def interaction_of(self, task: Task) -> Interaction | None:
        """The interaction whose invite made a task."""
        return self.interactions.get(self.invited.get(task.sid, ""))

    def any_live(self, task_sids: Iterable[str]) -> bool:
        """Whether one of these tasks is waited for or worked on."""
        return any(sid in self.tasks and self.tasks[sid].is_live for sid in task_sids)

    def age_s(self, task: Task) -> int:
        """How long ago a task was made, in seconds."""
        return int((self.now() - task.created).total_seconds())

    def worker_sid(self, name: str) -> str:
        """The SID of the worker *name*; always the same."""
        return self.workers.setdefault(name, new_sid("WK"))


def _as_object(text: str) -> JSON:
    loaded = json.loads(text)
    return loaded if isinstance(loaded, dict) else {}
