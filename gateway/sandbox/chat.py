"""https://chat.twilio.com/v2: Programmable Chat's services, channels, messages, members, webhooks, users."""

from __future__ import annotations

from gateway.sandbox.clock import rest_date
from gateway.sandbox.errors import not_found, refused
from gateway.sandbox.life import Life
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import (
    AGENT_ROLE,
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

HOST = "chat.twilio.com"
BASE = "v2/Services/<service>"

MOST_RETRIES = 3


class Chat:
    """The API of Programmable Chat."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    def routes(self) -> list[Route]:
        """What is served under `BASE`."""
        one = "/Channels/<channel>"
        return [
            Route("GET", "", self.fetch_service),
            Route("POST", "", self.update_service),
            Route("GET", "/Channels", self.list_channels),
            Route("POST", "/Channels", self.create_channel),
            Route("GET", one, self.fetch_channel),
            Route("POST", one, self.update_channel),
            Route("DELETE", one, self.delete_channel),
            Route("GET", f"{one}/Messages", self.list_messages),
            Route("POST", f"{one}/Messages", self.create_message),
            Route("GET", f"{one}/Messages/<message>", self.fetch_message),
            Route("POST", f"{one}/Messages/<message>", self.update_message),
            Route("DELETE", f"{one}/Messages/<message>", self.delete_message),
            Route("GET", f"{one}/Members", self.list_members),
            Route("POST", f"{one}/Members", self.create_member),
            Route("GET", f"{one}/Members/<member>", self.fetch_member),
            Route("POST", f"{one}/Members/<member>", self.update_member),
            Route("DELETE", f"{one}/Members/<member>", self.delete_member),
            Route("GET", f"{one}/Webhooks", self.list_webhooks),
            Route("POST", f"{one}/Webhooks", self.create_webhook),
            Route("GET", f"{one}/Webhooks/<webhook>", self.fetch_webhook),
            Route("POST", f"{one}/Webhooks/<webhook>", self.update_webhook),
            Route("DELETE", f"{one}/Webhooks/<webhook>", self.delete_webhook),
            Route("POST", "/Users", self.create_user),
            Route("GET", "/Users/<user>", self.fetch_user),
        ]

    def fetch_service(self, call: Call) -> Answer:
        return Answer(200, self._show_service(call))

    def update_service(self, call: Call) -> Answer:
        service, form = self._service(call), call.form
        hook = service.hooks["chat"]
        service.friendly_name = form.text("FriendlyName") or service.friendly_name
        hook.pre_url = form.text("PreWebhookUrl") if "PreWebhookUrl" in form else hook.pre_url
        hook.post_url = form.text("PostWebhookUrl") if "PostWebhookUrl" in form else hook.post_url
        hook.method = form.one_of("WebhookMethod", ("GET", "POST")) or hook.method
        hook.filters = form.all("WebhookFilters") or hook.filters
        before = form.whole("PreWebhookRetryCount", most=MOST_RETRIES)
        after = form.whole("PostWebhookRetryCount", most=MOST_RETRIES)
        hook.pre_retry_count = hook.pre_retry_count if before is None else before
        hook.post_retry_count = hook.post_retry_count if after is None else after
        service.updated = self._world.now()
        return Answer(200, self._show_service(call))

    def list_channels(self, call: Call) -> Answer:
        kind = call.query.one_of("Type", ("public", "private"))
        mine = self._world.of_service("chat", self._service(call).sid)
        chosen = [one for one in mine if kind is None or one.visibility == kind]
        return Answer(200, page(call.url, call.query, "channels", chosen, lambda one: self._show(call, one)))

    def create_channel(self, call: Call) -> Answer:
        form = call.form
        channel = self._life.add_conversation(
            call.actor,
            generation="chat",
            service_sid=self._service(call).sid,
            friendly_name=form.text("FriendlyName"),
            unique_name=form.text("UniqueName") or None,
            attributes=form.json_text("Attributes") or "{}",
            visibility=form.one_of("Type", ("public", "private")) or "public",
            created_by=form.text("CreatedBy") or "system",
            created=form.date("DateCreated"),
        )
        return Answer(201, self._show(call, channel))

    def fetch_channel(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._channel(call)))

    def update_channel(self, call: Call) -> Answer:
        channel, form = self._channel(call), call.form
        unique_name = form.text("UniqueName") or None
        if unique_name != channel.unique_name:
            self._life.check_unique_name(unique_name, "chat", channel.service_sid)
        self._life.update_conversation(
            channel,
            call.actor,
            friendly_name=form.text("FriendlyName"),
            unique_name=unique_name,
            attributes=form.json_text("Attributes"),
            created_by=form.text("CreatedBy"),
        )
        return Answer(200, self._show(call, channel))

    def delete_channel(self, call: Call) -> Answer:
        self._life.remove_conversation(self._channel(call), call.actor)
        return Answer(204)

    def list_messages(self, call: Call) -> Answer:
        channel = self._channel(call)
        messages = list(channel.messages.values())
        if call.query.one_of("Order", ("asc", "desc")) == "desc":
            messages.reverse()
        show = self._show_message
        return Answer(200, page(call.url, call.query, "messages", messages, lambda one: show(call, channel, one)))

    def create_message(self, call: Call) -> Answer:
        channel, form = self._channel(call), call.form
        media = form.text("MediaSid")
        message = self._life.add_message(
            channel,
            call.actor,
            author=form.text("From") or "system",
            body=None if media else form.text("Body"),
            media=[_uploaded(media)] if media else [],
            attributes=form.json_text("Attributes") or "{}",
            created=form.date("DateCreated"),
        )
        return Answer(201, self._show_message(call, channel, message))

    def fetch_message(self, call: Call) -> Answer:
        channel = self._channel(call)
        return Answer(200, self._show_message(call, channel, self._message(call, channel)))

    def update_message(self, call: Call) -> Answer:
        channel, form = self._channel(call), call.form
        message = self._message(call, channel)
        self._life.update_message(
            channel,
            message,
            call.actor,
            author=form.text("From"),
            body=form.text("Body"),
            attributes=form.json_text("Attributes"),
            last_updated_by=form.text("LastUpdatedBy") or "system",
        )
        return Answer(200, self._show_message(call, channel, message))

    def delete_message(self, call: Call) -> Answer:
        channel = self._channel(call)
        self._life.remove_message(channel, self._message(call, channel), call.actor)
        return Answer(204)

    def list_members(self, call: Call) -> Answer:
        channel = self._channel(call)
        wanted = call.query.all("Identity")
        people = [one for one in channel.participants.values() if not wanted or one.identity in wanted]
        show = self._show_member
        return Answer(200, page(call.url, call.query, "members", people, lambda one: show(call, channel, one)))

    def create_member(self, call: Call) -> Answer:
        channel, form = self._channel(call), call.form
        person = self._life.add_participant(
            channel,
            call.actor,
            identity=form.required("Identity"),
            attributes=form.json_text("Attributes") or "{}",
            role_sid=form.text("RoleSid") or CUSTOMER_ROLE,
        )
        person.last_read_index = form.whole("LastConsumedMessageIndex")
        person.last_read_at = form.text("LastConsumptionTimestamp")
        return Answer(201, self._show_member(call, channel, person))

    def fetch_member(self, call: Call) -> Answer:
        channel = self._channel(call)
        return Answer(200, self._show_member(call, channel, self._member(call, channel)))

    def update_member(self, call: Call) -> Answer:
        channel, form = self._channel(call), call.form
        person = self._member(call, channel)
        self._life.update_participant(
            channel,
            person,
            call.actor,
            attributes=form.json_text("Attributes"),
            role_sid=form.text("RoleSid"),
            last_read_index=form.whole("LastConsumedMessageIndex"),
            last_read_at=form.text("LastConsumptionTimestamp"),
        )
        return Answer(200, self._show_member(call, channel, person))

    def delete_member(self, call: Call) -> Answer:
        channel = self._channel(call)
        self._life.remove_participant(channel, self._member(call, channel), call.actor)
        return Answer(204)

    def list_webhooks(self, call: Call) -> Answer:
        channel = self._channel(call)
        hooks = list(channel.webhooks.values())
        show = self._show_webhook
        body = page(call.url, call.query, "webhooks", hooks, lambda one: show(call, channel, one), size=5, most=5)
        return Answer(200, body)

    def create_webhook(self, call: Call) -> Answer:
        channel, form = self._channel(call), call.form
        target = form.one_of("Type", ("webhook", "trigger", "studio"))
        if target is None:
            raise refused(50368, "Missing required parameter Type in the post body")
        webhook = self._life.add_webhook(
            channel,
            target=target,
            url=form.required("Configuration.Url") if target != "studio" else None,
            method=form.one_of("Configuration.Method", ("GET", "POST")) or "POST",
            filters=form.all("Configuration.Filters"),
            triggers=form.all("Configuration.Triggers"),
            flow_sid=form.required("Configuration.FlowSid") if target == "studio" else None,
            retry_count=form.whole("Configuration.RetryCount", most=MOST_RETRIES) or 0,
        )
        return Answer(201, self._show_webhook(call, channel, webhook))

    def fetch_webhook(self, call: Call) -> Answer:
        channel = self._channel(call)
        return Answer(200, self._show_webhook(call, channel, self._webhook(call, channel)))

    def update_webhook(self, call: Call) -> Answer:
        channel, form = self._channel(call), call.form
        webhook = self._webhook(call, channel)
        webhook.url = form.text("Configuration.Url") or webhook.url
        webhook.method = form.one_of("Configuration.Method", ("GET", "POST")) or webhook.method
        webhook.filters = form.all("Configuration.Filters") or webhook.filters
        webhook.triggers = form.all("Configuration.Triggers") or webhook.triggers
        webhook.flow_sid = form.text("Configuration.FlowSid") or webhook.flow_sid
        retries = form.whole("Configuration.RetryCount", most=MOST_RETRIES)
        webhook.retry_count = webhook.retry_count if retries is None else retries
        webhook.updated = self._world.now()
        return Answer(200, self._show_webhook(call, channel, webhook))

    def delete_webhook(self, call: Call) -> Answer:
        channel = self._channel(call)
        del channel.webhooks[self._webhook(call, channel).sid]
        return Answer(204)

    def create_user(self, call: Call) -> Answer:
        user = self._life.add_user(
            self._service(call),
            call.actor,
            "chat",
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
        found = self._world.services.get(call.args["service"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _channel(self, call: Call) -> Conversation:
        found = self._world.find(call.args["channel"], "chat", self._service(call).sid)
        if found is None:
            raise not_found(call.resource)
        return found

    def _message(self, call: Call, channel: Conversation) -> Message:
        found = channel.messages.get(call.args["message"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _member(self, call: Call, channel: Conversation) -> Participant:
        found = channel.person(call.args["member"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _webhook(self, call: Call, channel: Conversation) -> ScopedWebhook:
        found = channel.webhooks.get(call.args["webhook"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _show_service(self, call: Call) -> JSON:
        service = self._service(call)
        hook = service.hooks["chat"]
        return {
            "sid": service.sid,
            "account_sid": self._world.account.account_sid,
            "friendly_name": service.friendly_name,
            "date_created": rest_date(service.created),
            "date_updated": rest_date(service.updated),
            "default_service_role_sid": CUSTOMER_ROLE,
            "default_channel_role_sid": CUSTOMER_ROLE,
            "default_channel_creator_role_sid": AGENT_ROLE,
            "read_status_enabled": True,
            "reachability_enabled": False,
            "typing_indicator_timeout": 5,
            "consumption_report_interval": 10,
            "limits": {"channel_members": 100, "user_channels": 250},
            "pre_webhook_url": hook.pre_url,
            "post_webhook_url": hook.post_url,
            "webhook_method": hook.method,
            "webhook_filters": hook.filters,
            "pre_webhook_retry_count": hook.pre_retry_count,
            "post_webhook_retry_count": hook.post_retry_count,
            "notifications": {},
            "media": {"size_limit_mb": 150, "compatibility_message": "new media message"},
            "url": call.base,
            "links": {"channels": f"{call.base}/Channels", "users": f"{call.base}/Users"},
        }

    def _show(self, call: Call, channel: Conversation) -> JSON:
        url = f"{call.base}/Channels/{channel.sid}"
        return {
            "sid": channel.sid,
            "account_sid": self._world.account.account_sid,
            "service_sid": channel.service_sid,
            "friendly_name": channel.friendly_name,
            "unique_name": channel.unique_name,
            "attributes": channel.attributes,
            "type": channel.visibility,
            "date_created": rest_date(channel.created),
            "date_updated": rest_date(channel.updated),
            "created_by": channel.created_by,
            "members_count": len(channel.participants),
            "messages_count": len(channel.messages),
            "url": url,
            "links": {
                "members": f"{url}/Members",
                "messages": f"{url}/Messages",
                "invites": f"{url}/Invites",
                "webhooks": f"{url}/Webhooks",
                "last_message": None,
            },
        }

    def _show_message(self, call: Call, channel: Conversation, message: Message) -> JSON:
        media = message.media[0] if message.media else None
        shown = media and {
            "sid": media.sid,
            "size": media.size,
            "content_type": media.content_type,
            "filename": media.filename,
        }
        return {
            **self._common(channel, message.sid),
            "to": channel.sid,
            "attributes": message.attributes,
            "date_created": rest_date(message.created),
            "date_updated": rest_date(message.updated),
            "last_updated_by": message.last_updated_by,
            "was_edited": message.last_updated_by is not None,
            "from": message.author,
            "body": message.body,
            "index": message.index,
            "type": "media" if media else "text",
            "media": shown,
            "url": f"{call.base}/Channels/{channel.sid}/Messages/{message.sid}",
        }

    def _show_member(self, call: Call, channel: Conversation, person: Participant) -> JSON:
        return {
            **self._common(channel, person.sid),
            "identity": person.identity,
            "role_sid": person.role_sid,
            "last_consumed_message_index": person.last_read_index,
            "last_consumption_timestamp": person.last_read_at,
            "date_created": rest_date(person.created),
            "date_updated": rest_date(person.updated),
            "attributes": person.attributes,
            "url": f"{call.base}/Channels/{channel.sid}/Members/{person.sid}",
        }

    def _show_webhook(self, call: Call, channel: Conversation, webhook: ScopedWebhook) -> JSON:
        configuration: JSON = {
            "url": webhook.url,
            "method": webhook.method,
            "filters": webhook.filters,
            "retry_count": webhook.retry_count,
        }
        if webhook.target == "trigger":
            configuration = {**configuration, "filters": None, "triggers": webhook.triggers}
        if webhook.target == "studio":
            configuration = {"flow_sid": webhook.flow_sid, "retry_count": webhook.retry_count}
        return {
            **self._common(channel, webhook.sid),
            "type": webhook.target,
            "configuration": configuration,
            "date_created": rest_date(webhook.created),
            "date_updated": rest_date(webhook.updated),
            "url": f"{call.base}/Channels/{channel.sid}/Webhooks/{webhook.sid}",
        }

    def _show_user(self, call: Call, user: User) -> JSON:
        service = self._service(call)
        url = f"{call.base}/Users/{user.sid}"
        channels = self._world.of_service("chat", service.sid)
        return {
            "sid": user.sid,
            "account_sid": self._world.account.account_sid,
            "service_sid": service.sid,
            "role_sid": user.role_sid,
            "identity": user.identity,
            "friendly_name": user.friendly_name,
            "attributes": user.attributes,
            "is_online": None,
            "is_notifiable": None,
            "joined_channels_count": sum(one.person(user.identity) is not None for one in channels),
            "date_created": rest_date(user.created),
            "date_updated": rest_date(user.updated),
            "url": url,
            "links": {"user_channels": f"{url}/Channels", "user_bindings": f"{url}/Bindings"},
        }

    def _common(self, channel: Conversation, sid: str) -> JSON:
        return {
            "sid": sid,
            "account_sid": self._world.account.account_sid,
            "service_sid": channel.service_sid,
            "channel_sid": channel.sid,
        }


def _uploaded(sid: str) -> Media:
    # The media service is not played; what was uploaded there is taken to be a small document.
    return Media(sid=sid, content_type="application/pdf", filename="hello.pdf", size=99999)
