"""What can happen to an interaction, whoever does it: each changes the world and is told.

https://www.twilio.com/docs/flex/developer/conversations/interactions-api
https://www.twilio.com/docs/flex/developer/conversations/register-interactions-webhooks
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal

from gateway.sandbox.life import Life
from gateway.sandbox.webhooks import Ear, Webhooks, flex_actor
from gateway.sandbox.work import DEFAULT_TIMEOUT_S, Work, worker_identity
from gateway.sandbox.world import (
    AGENT_ROLE,
    JSON,
    Conversation,
    Interaction,
    InteractionParticipant,
    Invite,
    Reservation,
    Task,
    World,
    new_sid,
)

DOWNSTREAM_FAILED = (45356, "The channel could not be created: a downstream service failed")


class Interactions:
    """Changes interactions and tells the interaction webhooks. It checks nothing."""

    def __init__(self, world: World, life: Life, work: Work, webhooks: Webhooks) -> None:
        self._world = world
        self._life = life
        self._work = work
        self._webhooks = webhooks

    def begin(
        self,
        conversation: Conversation,
        properties: JSON,
        *,
        medium: str,
        initiated_by: str,
        context_sid: str | None = None,
        webhook_ttid: str | None = None,
    ) -> Interaction:
        """Make the interaction of a conversation, with a task for an agent routed by *properties*."""
        customer = InteractionParticipant(sid=new_sid("UT"), type="customer")
        interaction = Interaction(
            sid=new_sid("KD"),
            channel_sid=new_sid("UO"),
            channel_type=medium,
            conversation_sid=conversation.sid,
            task_sid="",
            initiated_by=initiated_by,
            context_sid=context_sid,
            webhook_ttid=webhook_ttid,
            participants={customer.sid: customer},
        )
        self._world.interactions[interaction.sid] = interaction
        if self._world.switches.interactions_fail_later:
            interaction.status = "setup"
        self._tell("onInteractionCreated", interaction)
        if interaction.status == "active":
            self._tell("onChannelCreated", interaction, {"ChannelSid": interaction.channel_sid})
        interaction.task_sid = self.invite(interaction, conversation, properties).task_sid
        return interaction

    def invite(self, interaction: Interaction, conversation: Conversation, properties: JSON) -> Invite:
        """Ask for an agent, or another one: a task routed by *properties*."""
        invite = Invite(sid=new_sid("KG"), task_sid="")
        attributes = _task_attributes(interaction, conversation, invite.sid, properties.get("attributes", {}))
        task = self._work.add(
            attributes=json.dumps(attributes),
            channel=properties.get("task_channel_sid") or properties.get("task_channel_unique_name") or "default",
            workflow_sid=properties.get("workflow_sid"),
            queue_sid=properties.get("queue_sid"),
            routing_target=properties.get("worker_sid"),
            priority=properties.get("priority", 0),
            timeout=properties.get("timeout", DEFAULT_TIMEOUT_S),
        )
        invite.task_sid = task.sid
        interaction.invites[invite.sid] = invite
        self._world.invited[task.sid] = interaction.sid
        return invite

    def change_status(self, interaction: Interaction, status: str) -> None:
        """Move the channel to another status; the same one is no change."""
        if interaction.status == status:
            return
        interaction.status = status
        self._tell(
            "onChannelStatusUpdated", interaction, {"ChannelSid": interaction.channel_sid, "ChannelStatus": status}
        )

    def fail(self, interaction: Interaction, error: tuple[int, str] = DOWNSTREAM_FAILED) -> None:
        """The channel could not be made after all; its tasks are canceled and the conversation stays as it is."""
        interaction.status, interaction.error = "failed", error
        code, message = error
        fields = {"ChannelSid": interaction.channel_sid, "ErrorCode": str(code), "ErrorMessage": message}
        self._tell("onChannelCreateFailed", interaction, fields)
        for task in self.live_tasks(interaction):
            self._work.cancel(task, message)

    def end(self, interaction: Interaction, status: Literal["closed", "inactive"], *, completes: bool) -> None:
        """End the contact for everybody, or park it: the conversation, the channel, the tasks, the agents."""
        conversation = self._world.conversations.get(interaction.conversation_sid)
        if conversation is not None:
            self.end_conversation(conversation, status)
        self.change_status(interaction, status)
        for task in self.live_tasks(interaction):
            self._work.move(task, "completed" if completes else "wrapping")
        if conversation is not None:
            self.dismiss(conversation)

    def end_conversation(self, conversation: Conversation, status: Literal["closed", "inactive"]) -> None:
        """Move a conversation as Flex does it; a chat channel has no state, and a closed one keeps it."""
        if conversation.generation == "chat" or conversation.state == "closed":
            return
        switches = self._world.switches
        self._life.change_state(conversation, status, flex_actor(switches, "closes"), switches.flex_reason)

    def add_participant(
        self, interaction: Interaction, kind: str, task: Task | None = None, reservation: Reservation | None = None
    ) -> InteractionParticipant:
        """Somebody joins the interaction; an agent with a task and a reservation."""
        person = InteractionParticipant(
            sid=new_sid("UT"),
            type=kind,
            task_sid=task.sid if task else None,
            worker_sid=reservation.worker_sid if reservation else None,
            reservation_sid=reservation.sid if reservation else None,
        )
        interaction.participants[person.sid] = person
        self._tell_of_person("onParticipantJoined", interaction, person)
        return person

    def join(self, conversation: Conversation, task: Task, reservation: Reservation) -> None:
        """The agent who has accepted a task comes into its conversation, and into the interaction if there is one."""
        identity = worker_identity(reservation.worker_name)
        if conversation.person(identity) is None:
            actor = flex_actor(self._world.switches, "joins")
            self._life.add_participant(conversation, actor, identity=identity, role_sid=AGENT_ROLE)
        interaction = self._world.interaction_of(task)
        if interaction is not None:
            self.add_participant(interaction, "agent", task, reservation)

    def leave(self, conversation: Conversation, task: Task, worker: Reservation) -> None:
        """The agent who has a task goes out of its conversation and of the interaction."""
        person = conversation.person(worker_identity(worker.worker_name))
        if person is not None and person.role_sid == AGENT_ROLE:
            self._life.remove_participant(conversation, person, flex_actor(self._world.switches, "leaves"))
        interaction = self._world.interaction_of(task)
        if interaction is not None:
            self._remove(interaction, lambda one: one.reservation_sid == worker.sid)

    def dismiss(self, conversation: Conversation) -> None:
        """All agents go out of a conversation and of its interactions."""
        for person in list(conversation.participants.values()):
            if person.role_sid == AGENT_ROLE:
                self._life.remove_participant(conversation, person, flex_actor(self._world.switches, "leaves"))
        for interaction in self._world.interactions_of(conversation.sid):
            self._remove(interaction, lambda one: one.type == "agent")

    def end_part(self, task: Task, status: Literal["closed", "wrapup"]) -> None:
        """One agent is done, or has only notes to write; the conversation goes on without him."""
        worker = task.worker
        self._work.move(task, "completed" if status == "closed" else "wrapping")
        conversation = self._world.conversations.get(task.conversation_sid or "")
        if conversation is not None and worker is not None:
            self.leave(conversation, task, worker)

    def live_tasks(self, interaction: Interaction) -> list[Task]:
        """The tasks of an interaction that are waited for or worked on."""
        tasks = (self._world.tasks.get(invite.task_sid) for invite in interaction.invites.values())
        return [task for task in tasks if task is not None and task.is_live]

    def _remove(self, interaction: Interaction, is_meant: Callable[[InteractionParticipant], bool]) -> None:
        for person in [one for one in interaction.participants.values() if is_meant(one)]:
            del interaction.participants[person.sid]
            self._tell_of_person("onParticipantLeft", interaction, person)

    def _tell_of_person(self, event_type: str, interaction: Interaction, person: InteractionParticipant) -> None:
        fields = {
            "ChannelSid": interaction.channel_sid,
            "ParticipantSid": person.sid,
            "ParticipantType": person.type,
            **({"TaskSid": person.task_sid} if person.task_sid else {}),
        }
        self._tell(event_type, interaction, fields)

    def _tell(self, event_type: str, interaction: Interaction, fields: Mapping[str, str] | None = None) -> None:
        account, switches = self._world.account, self._world.switches
        told = {
            "EventType": event_type,
            "AccountSid": account.account_sid,
            switches.instance_field: account.instance_sid,
            "InteractionSid": interaction.sid,
            "MediaChannelSid": interaction.conversation_sid,
            "MediaChannelType": interaction.channel_type,
            **(fields or {}),
        }
        for hook in self._world.interaction_webhooks.values():
            if event_type not in hook.events or (hook.type == "interaction" and hook.sid != interaction.webhook_ttid):
                continue
            ear = Ear(
                url=hook.url, method=hook.method, sid=hook.sid, is_signed=switches.interaction_webhooks_are_signed
            )
            self._webhooks.tell(ear, told, conversation_sid=interaction.conversation_sid)


def _task_attributes(interaction: Interaction, conversation: Conversation, invite_sid: str, given: JSON) -> JSON:
    """What was given, and what Flex adds."""
    customer = conversation.customer
    address = given.get("customerAddress") or (customer.author if customer else None)
    name = given.get("customerName") or given.get("from")
    known = {"customerAddress": address, "customerName": name}
    conversations = given.get("conversations")
    return {
        **given,
        **{key: value for key, value in known.items() if value},
        "customers": given.get("customers") or {"phone": address, "name": name},
        "flexInteractionSid": interaction.sid,
        "flexInteractionChannelSid": interaction.channel_sid,
        "flexChannelInviteSid": invite_sid,
        "conversationSid": conversation.sid,
        "channelType": interaction.channel_type,
        "initiatedBy": interaction.initiated_by,
        "direction": "inbound",
        "taskCreateSource": "interaction",
        "conversations": {
            **(conversations if isinstance(conversations, dict) else {}),
            "initiated_by": interaction.initiated_by,
            "conversation_id": interaction.sid,
            "media": [{"type": "ChatTranscript", "sid": conversation.sid}],
        },
    }
