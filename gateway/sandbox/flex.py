"""https://flex-api.twilio.com/v1: interactions, with their channels, invites and participants."""

from __future__ import annotations

from gateway.sandbox.errors import invalid, not_found, refused
from gateway.sandbox.interactions import Interactions
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import (
    JSON,
    QUEUE_NAME,
    WORKFLOW_NAME,
    Conversation,
    Interaction,
    InteractionParticipant,
    Invite,
    Task,
    World,
)

HOST = "flex-api.twilio.com"
BASE = "v1"

MEDIA = ("sms", "whatsapp", "web", "chat", "email", "messenger", "gbm")
PARTICIPANTS = ("supervisor", "customer", "external", "agent", "unknown")


class Flex:
    """The Interactions API."""

    def __init__(self, world: World, interactions: Interactions) -> None:
        self._world = world
        self._interactions = interactions

    def routes(self) -> list[Route]:
        """What is served under `BASE`."""
        one = "/Interactions/<interaction>"
        channel = f"{one}/Channels/<channel>"
        return [
            Route("POST", "/Interactions", self.create_interaction),
            Route("GET", one, self.fetch_interaction),
            Route("POST", one, self.update_interaction),
            Route("GET", f"{one}/Channels", self.list_channels),
            Route("GET", channel, self.fetch_channel),
            Route("POST", channel, self.update_channel),
            Route("GET", f"{channel}/Invites", self.list_invites),
            Route("POST", f"{channel}/Invites", self.create_invite),
            Route("GET", f"{channel}/Participants", self.list_participants),
            Route("POST", f"{channel}/Participants", self.create_participant),
            Route("POST", f"{channel}/Participants/<participant>", self.update_participant),
        ]

    def create_interaction(self, call: Call) -> Answer:
        channel, routing = _object(call, "Channel"), _object(call, "Routing")
        medium = channel.get("type")
        if medium not in MEDIA:
            raise invalid(f"Channel.type is {medium!r}; it must be one of {', '.join(MEDIA)}")
        initiated_by = channel.get("initiated_by")
        if self._world.switches.initiated_by_in_any_case and isinstance(initiated_by, str):
            initiated_by = initiated_by.lower()
        if initiated_by not in ("customer", "api"):
            raise invalid(f"Channel.initiated_by is {initiated_by!r}; the sandbox knows customer and api")
        properties = self._routing_properties(routing)
        conversation = self._conversation(channel)
        interaction = self._interactions.begin(
            conversation,
            properties,
            medium=medium,
            initiated_by=initiated_by,
            context_sid=call.form.text("InteractionContextSid"),
            webhook_ttid=self._ttid(call),
        )
        # Spec: 200; the recorded answers: 201.
        answer = Answer(self._world.switches.interaction_status, self._show(call, interaction))
        if self._world.switches.interactions_fail_later:
            self._interactions.fail(interaction)
        return answer

    def fetch_interaction(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._found(call)))

    def update_interaction(self, call: Call) -> Answer:
        interaction = self._found(call)
        interaction.webhook_ttid = self._ttid(call) or interaction.webhook_ttid
        return Answer(200, {**self._show(call, interaction), "routing": None})

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
        routing = call.form.json_object("Routing")
        if status == "inactive" and routing is None:
            raise invalid("Missing required parameter Routing in the post body, which Status=inactive needs")
        completes = routing is not None and routing.get("status") == "closed"
        match status:
            case "closed" | "inactive":
                self._interactions.end(interaction, status, completes=completes)
            case _:
                raise invalid("Missing required parameter Status in the post body")
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
        self._interactions.change_status(interaction, "active")
        invite = self._interactions.invite(interaction, conversation, properties)
        return Answer(201, self._show_invite(call, interaction, invite))

    def list_participants(self, call: Call) -> Answer:
        interaction = self._found_channel(call)
        people = list(interaction.participants.values())
        show = self._show_participant
        body = page(call.url, call.query, "participants", people, lambda one: show(call, interaction, one))
        return Answer(200, body)

    def create_participant(self, call: Call) -> Answer:
        interaction = self._found_channel(call)
        kind = call.form.one_of("Type", PARTICIPANTS)
        if kind is None:
            raise invalid("Missing required parameter Type in the post body")
        _object(call, "MediaProperties")
        person = self._interactions.add_participant(interaction, kind)
        return Answer(201, self._show_participant(call, interaction, person))

    def update_participant(self, call: Call) -> Answer:
        interaction = self._found_channel(call)
        person = interaction.participants.get(call.args["participant"])
        if person is None:
            raise not_found(call.resource)
        task = self._world.tasks.get(person.task_sid or "")
        if task is None or not task.is_live:
            raise invalid(f"Participant {person.sid} has no task that could be ended")
        match call.form.one_of("Status", ("closed", "wrapup")):
            case "closed" | "wrapup" as status:
                self._interactions.end_part(task, status)
            case _:
                raise invalid("Missing required parameter Status in the post body")
        return Answer(200, self._show_participant(call, interaction, person))

    def _ttid(self, call: Call) -> str | None:
        ttid = call.form.text("WebhookTtid")
        if ttid and ttid not in self._world.interaction_webhooks:
            raise invalid(f"Parameter WebhookTtid is '{ttid}', which is no interaction webhook of this instance")
        return ttid or None

    def _routing_properties(self, routing: JSON) -> JSON:
        properties = routing.get("properties")
        if not isinstance(properties, dict):
            raise invalid("Routing.properties is missing")
        kind = routing.get("type")
        if kind != "TaskRouter" and (kind is not None or self._world.switches.routing_type_is_needed):
            raise invalid(f"Routing.type is {kind!r}; it must be TaskRouter")
        workspace = properties.get("workspace_sid")
        if workspace is None:
            raise invalid("Routing.properties.workspace_sid is missing")
        if workspace != self._world.account.workspace_sid:
            raise invalid(f"Routing.properties.workspace_sid is {workspace!r}, which is no workspace of this account")
        if not isinstance(properties.get("attributes", {}), dict):
            raise invalid("Routing.properties.attributes must be an object")
        for name in ("priority", "timeout"):
            _check_whole(properties, name)
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
            "workflow_name": WORKFLOW_NAME,
            "queue_sid": task.queue_sid,
            "queue_name": QUEUE_NAME,
            "task_channel_sid": task.channel_sid,
            "task_channel_unique_name": task.channel_name,
            "priority": task.priority,
            "reason": task.reason or "",
            "timeout": task.timeout,
            "age": self._world.age_s(task),
            "age_in_queue": self._world.age_s(task),
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
        code, message = interaction.error or (None, None)
        return {
            "sid": interaction.channel_sid,
            "interaction_sid": interaction.sid,
            "type": interaction.channel_type,
            "status": interaction.status,
            "error_code": code,
            "error_message": message,
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


def _check_whole(properties: JSON, name: str) -> None:
    value = properties.get(name, 0)
    if not isinstance(value, int) or value < 0:
        raise invalid(f"Routing.properties.{name} is {value!r}; it must be a whole number from 0")


def _channel_url(call: Call, interaction: Interaction) -> str:
    return f"{call.base}/Interactions/{interaction.sid}/Channels/{interaction.channel_sid}"
