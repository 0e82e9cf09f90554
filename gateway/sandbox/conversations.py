"""https://conversations.twilio.com/v1: conversations, messages, participants, webhooks, users."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gateway.sandbox.clock import parse_duration, rest_date
from gateway.sandbox.errors import invalid, not_found, refused
from gateway.sandbox.life import Life, check_open
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import (
    CUSTOMER_ROLE,
    JSON,
    Conversation,
    Media,
    Message,
    Participant,
    ScopedWebhook,
    Service,
    User,
    World,
)

HOST = "conversations.twilio.com"
BASES = ("v1", "v1/Services/<service>")

STATES = ("initializing", "inactive", "active", "closed")
TARGETS = ("webhook", "trigger", "studio")
METHODS = ("get", "post", "GET", "POST")
MOST_ATTRIBUTES = 16 * 1024
MOST_URL = 512


class Conversations:
    """The API of Conversations. Short paths mean the default service."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    def routes(self) -> list[Route]:
        """What is served under both of `BASES`."""
        one = "/Conversations/<conversation>"
        return [
            Route("GET", "/Conversations", self.list_conversations),
            Route("POST", "/Conversations", self.create_conversation),
            Route("GET", one, self.fetch_conversation),
            Route("POST", one, self.update_conversation),
            Route("DELETE", one, self.delete_conversation),
            Route("GET", f"{one}/Messages", self.list_messages),
            Route("POST", f"{one}/Messages", self.create_message),
            Route("GET", f"{one}/Messages/<message>", self.fetch_message),
            Route("POST", f"{one}/Messages/<message>", self.update_message),
            Route("DELETE", f"{one}/Messages/<message>", self.delete_message),
            Route("GET", f"{one}/Participants", self.list_participants),
            Route("POST", f"{one}/Participants", self.create_participant),
            Route("GET", f"{one}/Participants/<participant>", self.fetch_participant),
            Route("POST", f"{one}/Participants/<participant>", self.update_participant),
            Route("DELETE", f"{one}/Participants/<participant>", self.delete_participant),
            Route("GET", f"{one}/Webhooks", self.list_webhooks),
            Route("POST", f"{one}/Webhooks", self.create_webhook),
            Route("GET", f"{one}/Webhooks/<webhook>", self.fetch_webhook),
            Route("POST", f"{one}/Webhooks/<webhook>", self.update_webhook),
            Route("DELETE", f"{one}/Webhooks/<webhook>", self.delete_webhook),
            Route("GET", "/ParticipantConversations", self.list_participant_conversations),
            Route("POST", "/Users", self.create_user),
            Route("GET", "/Users/<user>", self.fetch_user),
        ]

    def service_routes(self) -> list[Route]:
        """What is served under the base with a service only."""
        return [
            Route("GET", "/Configuration/Webhooks", self.fetch_service_webhook),
            Route("POST", "/Configuration/Webhooks", self.update_service_webhook),
        ]

    def list_conversations(self, call: Call) -> Answer:
        mine = self._world.of_service("conversations", self._service(call).sid)
        state = call.query.one_of("State", STATES)
        chosen = [one for one in mine if state is None or one.state == state]
        return Answer(200, page(call.url, call.query, "conversations", chosen, lambda one: self._show(call, one)))

    def create_conversation(self, call: Call) -> Answer:
        form = call.form
        inactive, closed = _timers(call)
        if (inactive or closed) and "State" not in form:
            # https://www.twilio.com/docs/api/errors/50382
            raise refused(50382, "Timers can only be set on create together with a State")
        conversation = self._life.add_conversation(
            call.actor,
            generation="conversations",
            service_sid=self._service(call).sid,
            friendly_name=form.text("FriendlyName", most=256),
            unique_name=form.text("UniqueName") or None,
            attributes=_attributes(call) or "{}",
            state=form.one_of("State", STATES) or "active",
            messaging_service_sid=form.text("MessagingServiceSid"),
            created=form.date("DateCreated"),
        )
        conversation.inactive_after, conversation.closed_after = inactive, closed
        return Answer(201, self._show(call, conversation))

    def fetch_conversation(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._conversation(call)))

    def update_conversation(self, call: Call) -> Answer:
        conversation, form = self._conversation(call), call.form
        check_open(conversation)
        state = form.one_of("State", STATES)
        inactive, closed = _timers(call)
        unique_name = form.text("UniqueName") or None
        if unique_name != conversation.unique_name:
            self._life.check_unique_name(unique_name, "conversations", conversation.service_sid)
        self._life.update_conversation(
            conversation,
            call.actor,
            friendly_name=form.text("FriendlyName", most=256),
            unique_name=unique_name,
            attributes=_attributes(call),
            messaging_service_sid=form.text("MessagingServiceSid"),
            inactive_after=inactive,
            closed_after=closed,
        )
        if state is not None:
            self._life.change_state(conversation, state, call.actor, "API")
        return Answer(200, self._show(call, conversation))

    def delete_conversation(self, call: Call) -> Answer:
        self._life.remove_conversation(self._conversation(call), call.actor)
        return Answer(204)

    def list_messages(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        messages = list(conversation.messages.values())
        if call.query.one_of("Order", ("asc", "desc")) == "desc":
            messages.reverse()
        show = self._show_message
        return Answer(200, page(call.url, call.query, "messages", messages, lambda one: show(call, conversation, one)))

    def create_message(self, call: Call) -> Answer:
        conversation, form = self._conversation(call), call.form
        content, media = form.text("ContentSid"), form.text("MediaSid")
        form.json_object("ContentVariables")
        message = self._life.add_message(
            conversation,
            call.actor,
            author=form.text("Author") or "system",
            body=None if content else form.text("Body"),
            media=[] if content or not media else [_uploaded(media)],
            attributes=form.json_text("Attributes") or "{}",
            content_sid=content,
            created=form.date("DateCreated"),
        )
        return Answer(201, self._show_message(call, conversation, message))

    def fetch_message(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        return Answer(200, self._show_message(call, conversation, self._message(call, conversation)))

    def update_message(self, call: Call) -> Answer:
        conversation, form = self._conversation(call), call.form
        message = self._message(call, conversation)
        self._life.update_message(
            conversation,
            message,
            call.actor,
            author=form.text("Author"),
            body=form.text("Body"),
            attributes=form.json_text("Attributes"),
        )
        return Answer(200, self._show_message(call, conversation, message))

    def delete_message(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        self._life.remove_message(conversation, self._message(call, conversation), call.actor)
        return Answer(204)

    def list_participants(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        people = list(conversation.participants.values())
        show = self._show_participant
        body = page(call.url, call.query, "participants", people, lambda one: show(call, conversation, one))
        return Answer(200, body)

    def create_participant(self, call: Call) -> Answer:
        conversation, form = self._conversation(call), call.form
        identity, address = form.text("Identity", most=256), form.text("MessagingBinding.Address")
        proxy = form.text("MessagingBinding.ProxyAddress")
        _check_binding(identity, address, proxy)
        person = self._life.add_participant(
            conversation,
            call.actor,
            identity=identity,
            address=address,
            proxy_address=proxy,
            attributes=form.json_text("Attributes") or "{}",
            role_sid=form.text("RoleSid") or CUSTOMER_ROLE,
        )
        return Answer(201, self._show_participant(call, conversation, person))

    def fetch_participant(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        return Answer(200, self._show_participant(call, conversation, self._participant(call, conversation)))

    def update_participant(self, call: Call) -> Answer:
        conversation, form = self._conversation(call), call.form
        person = self._participant(call, conversation)
        self._life.update_participant(
            conversation,
            person,
            call.actor,
            attributes=form.json_text("Attributes"),
            role_sid=form.text("RoleSid"),
            last_read_index=form.whole("LastReadMessageIndex"),
            last_read_at=form.text("LastReadTimestamp"),
        )
        return Answer(200, self._show_participant(call, conversation, person))

    def delete_participant(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        self._life.remove_participant(conversation, self._participant(call, conversation), call.actor)
        return Answer(204)

    def list_webhooks(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        hooks = list(conversation.webhooks.values())
        show = self._show_webhook
        return Answer(
            200,
            page(call.url, call.query, "webhooks", hooks, lambda one: show(call, conversation, one), size=5, most=5),
        )

    def create_webhook(self, call: Call) -> Answer:
        conversation, form = self._conversation(call), call.form
        target = form.one_of("Target", TARGETS)
        if target is None:
            raise refused(50368, "Missing required parameter Target in the post body")
        webhook = self._life.add_webhook(
            conversation,
            target=target,
            url=_webhook_url(call, is_required=target != "studio"),
            method=(form.one_of("Configuration.Method", METHODS) or "post").lower(),
            filters=form.all("Configuration.Filters"),
            triggers=_triggers(call),
            flow_sid=form.required("Configuration.FlowSid") if target == "studio" else None,
        )
        return Answer(201, self._show_webhook(call, conversation, webhook))

    def fetch_webhook(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        return Answer(200, self._show_webhook(call, conversation, self._webhook(call, conversation)))

    def update_webhook(self, call: Call) -> Answer:
        conversation, form = self._conversation(call), call.form
        check_open(conversation)
        webhook = self._webhook(call, conversation)
        webhook.url = _webhook_url(call, is_required=False) or webhook.url
        webhook.method = (form.one_of("Configuration.Method", METHODS) or webhook.method).lower()
        webhook.filters = form.all("Configuration.Filters") or webhook.filters
        webhook.triggers = _triggers(call) or webhook.triggers
        webhook.flow_sid = form.text("Configuration.FlowSid") or webhook.flow_sid
        webhook.updated = self._world.now()
        return Answer(200, self._show_webhook(call, conversation, webhook))

    def delete_webhook(self, call: Call) -> Answer:
        conversation = self._conversation(call)
        del conversation.webhooks[self._webhook(call, conversation).sid]
        return Answer(204)

    def list_participant_conversations(self, call: Call) -> Answer:
        identity, address = call.query.text("Identity"), call.query.text("Address")
        if (identity is None) == (address is None):
            raise invalid("Give one of the parameters Identity and Address")
        service = self._service(call)
        found = [
            (conversation, person)
            for conversation in self._world.of_service("conversations", service.sid)
            for person in conversation.participants.values()
            if (identity is not None and person.identity == identity)
            or (address is not None and person.address == address)
        ]
        by_sid = {person.sid: conversation for conversation, person in found}
        people = [person for _, person in found]
        show = self._show_participant_conversation
        return Answer(
            200,
            page(
                call.url,
                call.query,
                "conversations",
                people,
                lambda one: show(call, service, by_sid[one.sid], one),
                most=50,
            ),
        )

    def fetch_service_webhook(self, call: Call) -> Answer:
        return Answer(200, self._show_service_webhook(call))

    def update_service_webhook(self, call: Call) -> Answer:
        hook, form = self._service(call).hooks["conversations"], call.form
        hook.pre_url = _url_or(form.text("PreWebhookUrl"), hook.pre_url)
        hook.post_url = _url_or(form.text("PostWebhookUrl"), hook.post_url)
        hook.method = (form.one_of("Method", METHODS) or hook.method).upper()
        hook.filters = form.all("Filters") or hook.filters
        return Answer(200, self._show_service_webhook(call))

    def create_user(self, call: Call) -> Answer:
        user = self._life.add_user(
            self._service(call),
            call.actor,
            "conversations",
            identity=call.form.required("Identity"),
            friendly_name=call.form.text("FriendlyName"),
            attributes=call.form.json_text("Attributes") or "{}",
        )
        return Answer(201, self._show_user(call, user))

    def fetch_user(self, call: Call) -> Answer:
        key, users = call.args["user"], self._service(call).users
        user = users.get(key) or next((one for one in users.values() if one.sid == key), None)
        if user is None:
            raise not_found(call.resource)
        return Answer(200, self._show_user(call, user))

    def _service(self, call: Call) -> Service:
        sid = call.args.get("service", self._world.account.service_sid)
        if sid not in self._world.services:
            raise not_found(call.resource)
        return self._world.services[sid]

    def _conversation(self, call: Call) -> Conversation:
        found = self._world.find(call.args["conversation"], "conversations", self._service(call).sid)
        if found is None:
            raise not_found(call.resource)
        return found

    def _message(self, call: Call, conversation: Conversation) -> Message:
        found = conversation.messages.get(call.args["message"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _participant(self, call: Call, conversation: Conversation) -> Participant:
        found = conversation.person(call.args["participant"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _webhook(self, call: Call, conversation: Conversation) -> ScopedWebhook:
        found = conversation.webhooks.get(call.args["webhook"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _show(self, call: Call, conversation: Conversation) -> JSON:
        url = f"{call.base}/Conversations/{conversation.sid}"
        return {
            "sid": conversation.sid,
            "account_sid": self._world.account.account_sid,
            "chat_service_sid": conversation.service_sid,
            "messaging_service_sid": conversation.messaging_service_sid,
            "friendly_name": conversation.friendly_name,
            "unique_name": conversation.unique_name,
            "attributes": conversation.attributes,
            "state": conversation.state,
            "date_created": rest_date(conversation.created),
            "date_updated": rest_date(conversation.updated),
            "timers": show_timers(conversation),
            "bindings": {},
            "url": url,
            "links": {
                "participants": f"{url}/Participants",
                "messages": f"{url}/Messages",
                "webhooks": f"{url}/Webhooks",
                "export": f"{url}/Export",
            },
        }

    def _show_message(self, call: Call, conversation: Conversation, message: Message) -> JSON:
        url = f"{call.base}/Conversations/{conversation.sid}/Messages/{message.sid}"
        media = [
            {"sid": one.sid, "size": one.size, "content_type": one.content_type, "filename": one.filename}
            for one in message.media
        ]
        return {
            **self._common(call, conversation, message.sid),
            "index": message.index,
            "author": message.author,
            "body": message.body,
            "media": media or None,
            "attributes": message.attributes,
            "participant_sid": message.participant_sid,
            "date_created": rest_date(message.created),
            "date_updated": rest_date(message.updated),
            "delivery": None,
            "content_sid": message.content_sid,
            "url": url,
            "links": {"delivery_receipts": f"{url}/Receipts", "channel_metadata": f"{url}/ChannelMetadata"},
        }

    def _show_participant(self, call: Call, conversation: Conversation, person: Participant) -> JSON:
        return {
            **self._common(call, conversation, person.sid),
            "identity": person.identity,
            "attributes": person.attributes,
            "messaging_binding": show_binding(person),
            "role_sid": person.role_sid,
            "date_created": rest_date(person.created),
            "date_updated": rest_date(person.updated),
            "last_read_message_index": person.last_read_index,
            "last_read_timestamp": person.last_read_at,
            "url": f"{call.base}/Conversations/{conversation.sid}/Participants/{person.sid}",
        }

    def _show_webhook(self, call: Call, conversation: Conversation, webhook: ScopedWebhook) -> JSON:
        configuration: dict[str, Any] = {"url": webhook.url, "method": webhook.method, "filters": webhook.filters}
        if webhook.target == "trigger":
            configuration["filters"] = webhook.triggers
        if webhook.target == "studio":
            configuration = {"flow_sid": webhook.flow_sid}
        return {
            **self._common(call, conversation, webhook.sid),
            "target": webhook.target,
            "configuration": configuration,
            "date_created": rest_date(webhook.created),
            "date_updated": rest_date(webhook.updated),
            "url": f"{call.base}/Conversations/{conversation.sid}/Webhooks/{webhook.sid}",
        }

    def _show_participant_conversation(
        self, call: Call, service: Service, conversation: Conversation, person: Participant
    ) -> JSON:
        user = service.users.get(person.identity or "")
        url = f"{call.base}/Conversations/{conversation.sid}"
        return {
            "account_sid": self._world.account.account_sid,
            "chat_service_sid": conversation.service_sid,
            "participant_sid": person.sid,
            "participant_user_sid": user.sid if user else None,
            "participant_identity": person.identity,
            "participant_messaging_binding": show_binding(person),
            "conversation_sid": conversation.sid,
            "conversation_unique_name": conversation.unique_name,
            "conversation_friendly_name": conversation.friendly_name,
            "conversation_attributes": conversation.attributes,
            "conversation_date_created": rest_date(conversation.created),
            "conversation_date_updated": rest_date(conversation.updated),
            "conversation_created_by": conversation.created_by,
            "conversation_state": conversation.state,
            "conversation_timers": show_timers(conversation),
            "links": {"participant": f"{url}/Participants/{person.sid}", "conversation": url},
        }

    def _show_service_webhook(self, call: Call) -> JSON:
        service = self._service(call)
        hook = service.hooks["conversations"]
        return {
            "account_sid": self._world.account.account_sid,
            "chat_service_sid": service.sid,
            "pre_webhook_url": hook.pre_url,
            "post_webhook_url": hook.post_url,
            "filters": hook.filters,
            "method": hook.method,
            "url": call.url,
        }

    def _show_user(self, call: Call, user: User) -> JSON:
        url = f"{call.base}/Users/{user.sid}"
        return {
            "sid": user.sid,
            "account_sid": self._world.account.account_sid,
            "chat_service_sid": self._service(call).sid,
            "role_sid": user.role_sid,
            "identity": user.identity,
            "friendly_name": user.friendly_name,
            "attributes": user.attributes,
            "is_online": None,
            "is_notifiable": None,
            "date_created": rest_date(user.created),
            "date_updated": rest_date(user.updated),
            "url": url,
            "links": {"user_conversations": f"{url}/Conversations"},
        }

    def _common(self, call: Call, conversation: Conversation, sid: str) -> JSON:
        common = {
            "sid": sid,
            "account_sid": self._world.account.account_sid,
            "conversation_sid": conversation.sid,
        }
        # Only the paths with a service name it in what belongs to a conversation.
        return {**common, "chat_service_sid": conversation.service_sid} if "service" in call.args else common


def show_timers(conversation: Conversation) -> JSON:
    """When the timers will move the conversation; they count from the last message."""
    last = max((one.created for one in conversation.messages.values()), default=conversation.created)
    timers: dict[str, tuple[datetime, timedelta | None]] = {
        "date_inactive": (last, conversation.inactive_after if conversation.state == "active" else None),
        "date_closed": (last, conversation.closed_after if conversation.state != "closed" else None),
    }
    return {name: rest_date(start + length) for name, (start, length) in timers.items() if length is not None}


def show_binding(person: Participant) -> JSON | None:
    """The address of a participant, ``None`` for one of chat."""
    if person.address is None:
        return None
    return {"type": person.binding, "address": person.address, "proxy_address": person.proxy_address}


def _attributes(call: Call) -> str | None:
    attributes = call.form.json_text("Attributes")
    if attributes is not None and len(attributes.encode()) > MOST_ATTRIBUTES:
        raise refused(50303, "The attributes are longer than 16 KB")
    return attributes


def _timers(call: Call) -> tuple[timedelta | None, timedelta | None]:
    # https://www.twilio.com/docs/api/errors/50375 and 50376
    inactive, closed = _duration(call, "Timers.Inactive"), _duration(call, "Timers.Closed")
    if inactive is not None and inactive < timedelta(minutes=1):
        raise refused(50375, "Timers.Inactive must be at least 1 minute")
    if closed is not None and closed < timedelta(minutes=10):
        raise refused(50376, "Timers.Closed must be at least 10 minutes")
    return inactive, closed


def _duration(call: Call, name: str) -> timedelta | None:
    text = call.form.text(name)
    if not text:
        return None
    length = parse_duration(text)
    if length is None:
        raise invalid(f"Parameter {name} is '{text}'; it must be an ISO 8601 duration")
    return length


def _check_binding(identity: str | None, address: str | None, proxy: str | None) -> None:
    # https://www.twilio.com/docs/api/errors/50407, 50408 and 50409
    if not identity and not address:
        raise invalid("Give one of the parameters Identity and MessagingBinding.Address")
    if address and not proxy:
        raise refused(50407, "MessagingBinding.Address needs a MessagingBinding.ProxyAddress")
    if address and identity:
        raise refused(50408, "A participant has either an Identity or a MessagingBinding.Address")


def _webhook_url(call: Call, *, is_required: bool) -> str | None:
    name = "Configuration.Url"
    url = call.form.required(name) if is_required else call.form.text(name)
    if url is not None and len(url) > MOST_URL:
        raise refused(50372, f"The webhook's URL is longer than {MOST_URL} characters")
    return _url_or(url, None)


def _url_or(url: str | None, otherwise: str | None) -> str | None:
    if url is None:
        return otherwise
    if url and not url.startswith(("http://", "https://")):
        raise invalid(f"'{url}' is not an absolute URL")
    return url or None


def _triggers(call: Call) -> list[str]:
    triggers = call.form.all("Configuration.Triggers")
    if len(triggers) > 5:
        raise refused(50362, "A webhook can have at most 5 triggers")
    if any(len(one) > 248 for one in triggers):
        raise refused(50366, "A trigger is longer than 248 characters")
    return triggers


def _uploaded(sid: str) -> Media:
    # The media service is not played; what was uploaded there is taken to be a small picture.
    return Media(sid=sid, content_type="image/jpeg", filename="picture.jpg", size=42056)
