"""Flex: interactions, which make tasks, and TaskRouter, where the tasks are.

https://www.twilio.com/docs/flex/developer/conversations/interactions-api
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from twilio.rest import Client

from bots.conversation import Generation
from gateway.twilio_api.errors import Refused
from gateway.twilio_api.messages import read_attributes

NOT_FOUND = 20404
LIVE = ("pending", "reserved", "assigned", "wrapping")
ASSIGNED = ("assigned", "wrapping")


@dataclass(frozen=True)
class Interaction:
    """The SIDs of an interaction (KD…), its channel (UO…) and its task (WT…)."""

    sid: str
    channel: str
    task: str


@dataclass(frozen=True)
class Task:
    """A task (WT…) with its attributes; *is_live* while an agent has it or may get it, *is_assigned* when one has."""

    sid: str
    is_live: bool
    is_assigned: bool
    attributes: dict[str, Any]


class Flex:
    """The Interactions API."""

    def __init__(self, client: Client) -> None:
        self._interactions = client.flex_api.v1.interaction

    async def create_interaction(self, *, medium: str, conversation_id: str, routing: dict[str, Any]) -> Interaction:
        """An interaction on an existing conversation, and with it a task. *medium* is Flex's channel type."""
        made = await self._interactions.create_async(
            channel={
                "type": medium,
                "initiated_by": "customer",
                "properties": {"media_channel_sid": conversation_id},
            },
            routing={"type": "TaskRouter", "properties": routing},
        )
        task = (made.routing or {}).get("properties") or {}
        return Interaction(sid=made.sid, channel=made.channel["sid"], task=task.get("sid") or "")


class Tasks:
    """The tasks of one TaskRouter workspace."""

    def __init__(self, client: Client, workspace: str) -> None:
        self.workspace = workspace
        self._tasks = client.taskrouter.v1.workspaces(workspace).tasks

    async def with_attribute(self, name: str, value: str) -> list[Task]:
        """The tasks of which attribute *name* equals *value*; *value* must hold no quotes."""
        found = await self._tasks.list_async(evaluate_task_attributes=f'{name} == "{value}"')
        return [_task(one) for one in found]

    async def of_conversation(self, conversation_id: str, generation: Generation) -> list[Task]:
        """The tasks that name a conversation, or a channel, as theirs."""
        name = "channelSid" if generation == "chat" else "conversationSid"
        found = await self.with_attribute(name, conversation_id)
        # An interaction on a channel names it as a conversation.
        return found or (await self.with_attribute("conversationSid", conversation_id) if generation == "chat" else [])

    async def create(
        self,
        *,
        attributes: dict[str, Any],
        workflow: str,
        queue: str,
        task_channel: str,
        priority: int | None,
        timeout_s: int | None,
    ) -> str:
        """Make a task; gives its SID. What is ``None`` or empty is left to Twilio."""
        place = {"task_queue_sid": queue} if queue else {"workflow_sid": workflow}
        given = {**place, "priority": priority, "timeout": timeout_s}
        made = await self._tasks.create_async(
            attributes=json.dumps(attributes, ensure_ascii=False),
            task_channel=task_channel,
            **{name: value for name, value in given.items() if value not in (None, "")},
        )
        return str(made.sid)

    async def fetch(self, sid: str) -> Task | None:
        """A task, or ``None`` where there is none: TaskRouter forgets completed ones."""
        try:
            return _task(await self._tasks(sid).fetch_async())
        except Refused as refused:
            if refused.code == NOT_FOUND:
                return None
            raise


def _task(task: Any) -> Task:
    status = task.assignment_status
    return Task(
        sid=task.sid,
        is_live=status in LIVE,
        is_assigned=status in ASSIGNED,
        attributes=read_attributes(task.attributes),
    )
