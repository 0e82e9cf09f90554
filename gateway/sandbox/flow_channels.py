"""The channels that Flex Flows make: how they begin, when their tasks are made, and how they end.

https://www.twilio.com/docs/flex/developer/messaging/flow
"""

from __future__ import annotations

import json

from gateway.sandbox.contacts import Contacts, Hook, flow_attributes
from gateway.sandbox.life import Life
from gateway.sandbox.webhooks import Actor, flex_actor
from gateway.sandbox.work import Work
from gateway.sandbox.world import JSON, Conversation, FlexFlow, FlowChannel, Message, World


class FlowChannels:
    """Makes channels of Flex Flows and looks after them."""

    def __init__(self, world: World, life: Life, work: Work, contacts: Contacts) -> None:
        self._world = world
        self._life = life
        self._work = work
        self._contacts = contacts
        life.when_written.append(self._written)
        life.when_updated.append(self._updated)

    def begin(
        self,
        flow: FlexFlow,
        *,
        identity: str,
        customer_name: str,
        friendly_name: str,
        unique_name: str | None = None,
        engagement: JSON,
        is_web: bool,
        target: str | None = None,
        long_lived: bool | None = None,
        task_sid: str | None = None,
        task_attributes: JSON | None = None,
    ) -> FlowChannel:
        """A new channel of *flow*; the one there is, if *target* has a live one or one that is long-lived."""
        found = self._live_channel(flow, target)
        if found is not None:
            self._set(found, status="ACTIVE")
            return found
        lasts = flow.long_lived if long_lived is None else long_lived
        attributes = flow_attributes(customer_name, engagement, channel_type=flow.channel_type, long_lived=lasts)
        channel = self._contacts.begin(
            "chat",
            service_sid=flow.chat_service_sid,
            identity=identity,
            customer_name=customer_name,
            friendly_name=friendly_name,
            unique_name=unique_name,
            attributes=attributes,
            hook=self._hook(flow),
        )
        one = FlowChannel(
            sid=channel.sid,
            flow_sid=flow.sid,
            is_web=is_web,
            identity=identity,
            user_sid=self._world.services[flow.chat_service_sid].users[identity].sid,
            target=target,
            long_lived=lasts,
            task_attributes=task_attributes or {},
            created=channel.created,
            updated=channel.created,
        )
        self._world.flow_channels[one.sid] = one
        if flow.integration_type == "task" and task_sid is not None:
            self._note_task(one, task_sid)
        elif flow.integration_type == "task" and not flow.integration["creation_on_message"]:
            self._add_task(flow, one)
        return one

    def end(self, one: FlowChannel, after: JSON) -> None:
        """The customer's side ends the chat; *after* is what he was asked at its end."""
        self._set(one, status="INACTIVE", **({"post_engagement_data": after} if after else {}))
        one.updated = self._world.now()
        flow = self._world.flows.get(one.flow_sid)
        one.is_cleaned = flow is not None and flow.janitor_enabled

    def remove(self, one: FlowChannel, actor: Actor) -> None:
        """Delete the channel with all that is in it."""
        del self._world.flow_channels[one.sid]
        if one.sid in self._world.conversations:
            self._life.remove_conversation(self._world.conversations[one.sid], actor)

    def _live_channel(self, flow: FlexFlow, target: str | None) -> FlowChannel | None:
        if target is None:
            return None
        for one in self._world.flow_channels.values():
            channel = self._world.conversations.get(one.sid)
            if channel is None or (one.flow_sid, one.target) != (flow.sid, target):
                continue
            if one.long_lived or channel.details.get("status") == "ACTIVE":
                return one
        return None

    def _hook(self, flow: FlexFlow) -> Hook | None:
        match flow.integration_type:
            case "external":
                return Hook(
                    url=flow.integration["url"],
                    filters=self._world.switches.flex_flow_filters,
                    retry_count=flow.integration["retry_count"],
                )
            case "studio":
                return Hook(
                    target="studio",
                    flow_sid=flow.integration["flow_sid"],
                    retry_count=flow.integration["retry_count"],
                )
            case _:
                return None

    def _written(self, channel: Conversation, message: Message) -> None:
        """The customer's message makes the task that waited for it, and wakes a long-lived channel."""
        one = self._world.flow_channels.get(channel.sid)
        flow = self._world.flows.get(one.flow_sid) if one else None
        if one is None or flow is None or message.author != one.identity or flow.integration_type != "task":
            return
        task = self._world.tasks.get(one.task_sid or "")
        if (one.task_sid is None or one.long_lived) and (task is None or not task.is_live):
            self._add_task(flow, one)

    def _updated(self, channel: Conversation, actor: Actor) -> None:
        """The janitor cleans up behind a channel whose end Flex has heard of."""
        # https://www.twilio.com/docs/flex/developer/messaging/flow: without the webhook header nobody cleans up.
        one = self._world.flow_channels.get(channel.sid)
        flow = self._world.flows.get(one.flow_sid) if one else None
        if one is not None and flow is not None and flow.janitor_enabled and actor.heard:
            one.is_cleaned = channel.details.get("status") == "INACTIVE"

    def _add_task(self, flow: FlexFlow, one: FlowChannel) -> None:
        channel, integration = self._world.conversations[one.sid], flow.integration
        own = {"channelSid": one.sid, "channelType": flow.channel_type, "name": channel.details.get("from")}
        task = self._work.add(
            attributes=json.dumps({**own, **one.task_attributes}),
            channel=integration["channel"],
            workflow_sid=integration["workflow_sid"],
            priority=integration["priority"],
            timeout=integration["timeout"],
        )
        self._note_task(one, task.sid)

    def _note_task(self, one: FlowChannel, task_sid: str) -> None:
        one.task_sid = task_sid
        self._set(one, task_sid=task_sid, status="ACTIVE")

    def _set(self, one: FlowChannel, **changes: object) -> None:
        """Flex writes on the channel itself, where that is a change."""
        channel = self._world.conversations[one.sid]
        attributes = {**channel.details, **changes}
        if attributes != channel.details:
            actor = flex_actor(self._world.switches, "closes")
            self._life.update_conversation(channel, actor, attributes=json.dumps(attributes))
