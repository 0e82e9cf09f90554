"""https://flex-api.twilio.com/v1: interactions, with their channels, invites and participants."""

from __future__ import annotations

import json
from typing import Any

from gateway.sandbox.errors import invalid, not_found, refused
from gateway.sandbox.life import Life
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.taskrouter import DEFAULT_TIMEOUT_S, add_task, age_s, channel_name, channel_sid, move_task
from gateway.sandbox.webhooks import Actor
from gateway.sandbox.world import (
    JSON,
    Conversation,
    Interaction,
    InteractionParticipant,
    Invite,
    Task,
    World,
    new_sid,
)

HOST = "flex-api.twilio.com"
BASE = "v1"

MEDIA = ("sms", "whatsapp", "web", "chat", "email", "messenger", "gbm")


class Flex:
    """The Interactions API."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    def routes(self) -> list[Route]:
        """What is served under `BASE`."""
        one = "/Interactions/<interaction>"
        channel = f"{one}/Channels/<channel>"
        return [
            Route("POST", "/Interactions", self.create_interaction),
            Route("GET", one, self.fetch_interaction),
            Route("GET", f"{one}/Channels", self.list_channels),
            Route("GET", channel, self.fetch_channel),
            Route("POST", channel, self.update_channel),
            Route("GET", f"{channel}/Invites", self.list_invites),
            Route("POST", f"{channel}/Invites", self.create_invite),
            Route("GET", f"{channel}/Participants", self.list_participants),
        ]

    def create_interaction(self, call: Call) -> Answer:
        channel, routing = _object(call, "Channel"), _object(call, "Routing")
        medium = channel.get("type")
        if medium not in MEDIA:
            raise invalid(f"Channel.type is {medium!r}; it must be one of {', '.join(MEDIA)}")
        initiated_by = channel.get("initiated_by")
        if initiated_by not in ("customer", "api"):
            raise invalid(f"Channel.initiated_by is {initiated_by!r}; the sandbox knows customer and api")
        properties = self._routing_properties(routing)
        conversation = self._conversation(channel)
        interaction = self._interaction(call, medium, initiated_by, conversation)
        invite = self._invite(interaction, conversation, properties)
        interaction.task_sid = invite.task_sid
        self._world.interactions[interaction.sid] = interaction
        # Spec: 200; the recorded answers: 201.
        return Answer(201, self._show(call, interaction))

    def fetch_interaction(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._found(call)))

    def list_channels(self, call: Call) -> Answer:
        interaction = self._found(call)
        return Answer(
            200,
            page(call.url, call.query, "channels", [interaction], lambda one: self._show_channel(call, one)),
        )

    def fetch_channel(self, call: Call) -> Answer:
        return Answer(200, self._show_channel(call, self._found_channel(call)))

    def update_channel(self, call: Call) -> Answer:
        interaction = self._found_channel(call)
        status = call.form.one_of("Status", ("closed", "inactive"))
        if status is None:
            raise invalid("Missing required parameter Status in the post body")
        routing = call.form.json_object("Routing")
        if status == "inactive" and routing is None:
            raise invalid("Missing required parameter Routing in the post body, which Status=inactive needs")
        is_final = routing is not None and routing.get("status") == "closed"
        for invite in interaction.invites.values():
            task = self._world.tasks.get(invite.task_sid)
            if task is not None and task.is_live:
                move_task(self._world, task, "completed" if is_final else "wrapping")
        self._end(interaction, status)
        return Answer(200, self._show_channel(call, interaction))

    def list_invites(self, call: Call) -> Answer:
        interaction = self._found_channel(call)
        invites = list(interaction.invites.values())
        show = self._show_invite
        return Answer(200, page(call.url, call.query, "invites", invites, lambda one: show(call, interaction, one)))

    def create_invite(self, call: Call) -> Answer:
        interaction = self._found_channel(call)
        properties = self._routing_properties(_object(call, "Routing"))
        conversation = self._world.conversations.get(interaction.conversation_sid)
        if conversation is None or conversation.state == "closed":
            raise refused(45354, f"Conversation {interaction.conversation_sid} is closed")
        invite = self._invite(interaction, conversation, properties)
        interaction.status = "active"
        return Answer(201, self._show_invite(call, interaction, invite))

    def list_participants(self, call: Call) -> Answer:
        interaction = self._found_channel(call)
        people = list(interaction.participants.values())
        show = self._show_participant
        body = page(call.url, call.query, "participants", people, lambda one: show(call, interaction, one))
        return Answer(200, body)

    def _routing_properties(self, routing: JSON) -> JSON:
        properties = routing.get("properties")
        if not isinstance(properties, dict):
            raise invalid("Routing.properties is missing")
        if routing.get("type") not in (None, "TaskRouter"):
            raise invalid(f"Routing.type is {routing['type']!r}; it must be TaskRouter")
        workspace = properties.get("workspace_sid")
        if workspace is None:
            raise invalid("Routing.properties.workspace_sid is missing")
        if workspace != self._world.account.workspace_sid:
            raise invalid(f"Routing.properties.workspace_sid is {workspace!r}, which is no workspace of this account")
        if not isinstance(properties.get("attributes", {}), dict):
            raise invalid("Routing.properties.attributes must be an object")
        return properties

    def _conversation(self, channel: JSON) -> Conversation:
        properties = channel.get("properties")
        sid = properties.get("media_channel_sid") if isinstance(properties, dict) else None
        if not sid:
            raise invalid("Channel.properties.media_channel_sid is missing")
        found = self._world.conversations.get(sid)
        if found is None or (found.generation == "chat" and not self._world.switches.interactions_on_chat_channels):
            raise invalid(f"Channel.properties.media_channel_sid is {sid!r}, which is no conversation of this account")
        # https://www.twilio.com/docs/api/errors/45354
        if found.state == "closed":
            raise refused(45354, f"Conversation {sid} is closed")
        # https://www.twilio.com/docs/api/errors/45353
        if self._world.live_interaction(sid) is not None:
            raise refused(45353, f"Conversation {sid} is mapped to an interaction already")
        if found.customer is None:
            raise refused(45356, f"The customer is not a participant of conversation {sid}")
        return found

    def _interaction(self, call: Call, medium: str, initiated_by: str, conversation: Conversation) -> Interaction:
        customer = InteractionParticipant(sid=new_sid("UT"), type="customer")
        return Interaction(
            sid=new_sid("KD"),
            channel_sid=new_sid("UO"),
            channel_type=medium,
            conversation_sid=conversation.sid,
            task_sid="",
            initiated_by=initiated_by,
            context_sid=call.form.text("InteractionContextSid"),
            webhook_ttid=call.form.text("WebhookTtid"),
            participants={customer.sid: customer},
        )

    def _invite(self, interaction: Interaction, conversation: Conversation, properties: JSON) -> Invite:
        sid = new_sid("KG")
        attributes = _task_attributes(interaction, conversation, sid, properties.get("attributes", {}))
        task = add_task(
            self._world,
            attributes=json.dumps(attributes),
            channel=properties.get("task_channel_sid") or properties.get("task_channel_unique_name") or "default",
            workflow_sid=properties.get("workflow_sid"),
            queue_sid=properties.get("queue_sid"),
            routing_target=properties.get("worker_sid"),
            priority=_whole(properties, "priority", 0),
            timeout=_whole(properties, "timeout", DEFAULT_TIMEOUT_S),
        )
        invite = Invite(sid=sid, task_sid=task.sid)
        interaction.invites[sid] = invite
        return invite

    def _end(self, interaction: Interaction, status: str) -> None:
        interaction.status = status
        conversation = self._world.conversations.get(interaction.conversation_sid)
        if conversation is None or conversation.generation == "chat" or conversation.state == "closed":
            return
        switches = self._world.switches
        actor = Actor(switches.flex_source, heard=switches.flex_closes_are_heard)
        self._life.change_state(conversation, status, actor, switches.flex_reason)

    def _found(self, call: Call) -> Interaction:
        found = self._world.interactions.get(call.args["interaction"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _found_channel(self, call: Call) -> Interaction:
        found = self._found(call)
        if found.channel_sid != call.args["channel"]:
            raise not_found(call.resource)
        return found

    def _show(self, call: Call, interaction: Interaction) -> JSON:
        url = f"{call.base}/Interactions/{interaction.sid}"
        return {
            "sid": interaction.sid,
            "channel": {"type": interaction.channel_type, "sid": interaction.channel_sid},
            "routing": self._show_routing(interaction.task_sid),
            "interaction_context_sid": interaction.context_sid,
            "webhook_ttid": interaction.webhook_ttid,
            "url": url,
            "links": {"channels": f"{url}/Channels"},
        }

    def _show_routing(self, task_sid: str) -> JSON | None:
        task = self._world.tasks.get(task_sid)
        return None if task is None else {"reservation": None, "properties": self._show_task(task)}

    def _show_task(self, task: Task) -> JSON:
        # Unlike TaskRouter's own form: dates in epoch seconds, other names.
        return {
            "account_sid": self._world.account.account_sid,
            "workspace_sid": self._world.account.workspace_sid,
            "sid": task.sid,
            "date_created": int(task.created.timestamp()),
            "date_updated": int(task.updated.timestamp()),
            "attributes": task.attributes,
            "assignment_status": task.status,
            "workflow_sid": task.workflow_sid,
            "workflow_name": "Assign to Anyone",
            "queue_sid": task.queue_sid,
            "queue_name": "Everyone",
            "task_channel_sid": channel_sid(task.channel),
            "task_channel_unique_name": channel_name(task.channel),
            "priority": task.priority,
            "reason": task.reason or "",
            "timeout": task.timeout,
            "age": age_s(self._world, task),
            "age_in_queue": age_s(self._world, task),
            "assignmentCounter": len(task.reservations),
            "addons": "{}",
            "ignore_capacity": task.ignore_capacity,
            "routing_target": task.routing_target,
            "task_queue_entered_date": int(task.created.timestamp()),
            "version": task.version,
            "virtual_start_time": int(task.virtual_start.timestamp()),
        }

    def _show_channel(self, call: Call, interaction: Interaction) -> JSON:
        url = _channel_url(call, interaction)
        return {
            "sid": interaction.channel_sid,
            "interaction_sid": interaction.sid,
            "type": interaction.channel_type,
            "status": interaction.status,
            "error_code": None,
            "error_message": None,
            "url": url,
            "links": {
                "participants": f"{url}/Participants",
                "invites": f"{url}/Invites",
                "transfers": f"{url}/Transfers",
            },
        }

    def _show_invite(self, call: Call, interaction: Interaction, invite: Invite) -> JSON:
        return {
            "sid": invite.sid,
            "channel_sid": interaction.channel_sid,
            "interaction_sid": interaction.sid,
            "routing": self._show_routing(invite.task_sid),
            "url": f"{_channel_url(call, interaction)}/Invites/{invite.sid}",
        }

    def _show_participant(self, call: Call, interaction: Interaction, person: InteractionParticipant) -> JSON:
        routing = {
            "task_sid": person.task_sid,
            "worker_sid": person.worker_sid,
            "reservation_sid": person.reservation_sid,
        }
        return {
            "sid": person.sid,
            "channel_sid": interaction.channel_sid,
            "interaction_sid": interaction.sid,
            "type": person.type,
            "routing_properties": routing if person.task_sid else None,
            "url": f"{_channel_url(call, interaction)}/Participants/{person.sid}",
        }


def _object(call: Call, name: str) -> JSON:
    given = call.form.json_object(name)
    if given is None:
        raise invalid(f"Missing required parameter {name} in the post body")
    return given


def _whole(properties: JSON, name: str, otherwise: int) -> int:
    value = properties.get(name, otherwise)
    if not isinstance(value, int) or value < 0:
        raise invalid(f"Routing.properties.{name} is {value!r}; it must be a whole number from 0")
    return value


def _channel_url(call: Call, interaction: Interaction) -> str:
    return f"{call.base}/Interactions/{interaction.sid}/Channels/{interaction.channel_sid}"


def _task_attributes(
    interaction: Interaction, conversation: Conversation, invite_sid: str, given: dict[str, Any]
) -> dict[str, Any]:
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
