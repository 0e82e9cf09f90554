"""The floor of a contact centre: a conversation waits for an agent, and everything that Twilio tells is heard."""

from __future__ import annotations

import json
from typing import Any

from gateway.sandbox import Sandbox, Switches, create_sandbox
from gateway.sandbox.interaction_webhooks import EVENTS
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Heard, Receiver

CONVERSATION_EVENTS = ["onParticipantAdded", "onParticipantRemoved", "onConversationStateUpdated", "onMessageAdded"]
CHAT_EVENTS = ["onMemberAdded", "onMemberRemoved", "onChannelUpdated", "onMessageSent"]


class Floor:
    """The three kinds of webhooks go to the receiver; `events` tells them apart."""

    def __init__(self, sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
        self.sandbox = sandbox
        self.oracle = oracle
        self.receiver = receiver
        self.sid = ""
        self.task_sid = ""
        self.interaction: Any = None

    async def open(self, *, generation: Any = "conversations") -> Floor:
        """A conversation, the callback of the workspace and an interaction webhook; no task yet."""
        events = CHAT_EVENTS if generation == "chat" else CONVERSATION_EVENTS
        begun = await self.sandbox.create_conversation(
            generation=generation, identity="ann", webhook_url=f"{self.receiver.url}?to=conversation", filters=events
        )
        self.sid = begun["sid"]
        await self.oracle.workspace.update_async(event_callback_url=f"{self.receiver.url}?to=tasks")
        await self.oracle.webhook(f"{self.receiver.url}?to=interactions", *EVENTS)
        return self

    async def hand_off(self, **properties: Any) -> str:
        """An interaction's task."""
        routing = {"workspace_sid": self.oracle.account.workspace_sid, **properties}
        self.interaction = await self.oracle.interactions.create_async(
            channel={"type": "web", "initiated_by": "customer", "properties": {"media_channel_sid": self.sid}},
            routing={"properties": routing},
        )
        self.task_sid = self.interaction.routing["properties"]["sid"]
        return self.task_sid

    async def hand_off_by_task(self) -> str:
        """A plain task, as for a chat channel."""
        task = await self.oracle.workspace.tasks.create_async(attributes=json.dumps({"channelSid": self.sid}))
        self.task_sid = task.sid
        return self.task_sid

    async def heard(self, to: str) -> list[Heard]:
        """What came since `forget`, in the order in which it was sent."""
        await self.sandbox.settled()
        sent = [one.token for one in self.sandbox.webhooks.since(0)]
        mine = [one for one in self.receiver.heard if one.url.endswith(f"to={to}")]
        return sorted(mine, key=lambda one: sent.index(one.headers["I-Twilio-Idempotency-Token"]))

    async def events(self, to: str) -> list[str]:
        return [one.event_type for one in await self.heard(to)]

    async def forget(self) -> None:
        """What is heard from now on counts."""
        await self.sandbox.settled()
        self.receiver.heard.clear()

    @property
    def state(self) -> str:
        return str(self.sandbox.transcript(self.sid)["state"])

    @property
    def statuses(self) -> list[str]:
        """Of the conversation's tasks."""
        return [one["status"] for one in self.sandbox.transcript(self.sid)["tasks"]]

    @property
    def agents(self) -> list[str]:
        return [one["identity"] for one in self.sandbox.transcript(self.sid)["participants"] if one["is_agent"]]

    async def channel_status(self) -> str:
        channel = self.interaction.channels(self.interaction.channel["sid"])
        return str((await channel.fetch_async()).status)


def sandbox_with(**switches: Any) -> Sandbox:
    """A sandbox with some switches turned."""
    return create_sandbox(switches=Switches(**switches))
