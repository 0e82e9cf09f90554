"""https://flex-api.twilio.com/v1/Channels and /v1/WebChannels: chats that a Flex Flow makes."""

from __future__ import annotations

from gateway.sandbox.clock import rest_date
from gateway.sandbox.errors import invalid, not_found
from gateway.sandbox.flow_channels import FlowChannels
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import JSON, FlexFlow, FlowChannel, World


class FlexChannels:
    """The API of custom channels and of the old web chats."""

    def __init__(self, world: World, flow_channels: FlowChannels) -> None:
        self._world = world
        self._flow_channels = flow_channels

    def routes(self) -> list[Route]:
        """What is served under Flex's ``v1``."""
        return [
            Route("GET", "/Channels", self.list_channels),
            Route("POST", "/Channels", self.create_channel),
            Route("GET", "/Channels/<channel>", self.fetch_channel),
            Route("DELETE", "/Channels/<channel>", self.delete_channel),
            Route("GET", "/WebChannels", self.list_web_channels),
            Route("POST", "/WebChannels", self.create_web_channel),
            Route("GET", "/WebChannels/<channel>", self.fetch_web_channel),
            Route("POST", "/WebChannels/<channel>", self.update_web_channel),
            Route("DELETE", "/WebChannels/<channel>", self.delete_web_channel),
        ]

    def list_channels(self, call: Call) -> Answer:
        mine, show = self._mine(is_web=False), self._show
        return Answer(200, page(call.url, call.query, "flex_chat_channels", mine, lambda one: show(call, one)))

    def create_channel(self, call: Call) -> Answer:
        form = call.form
        one = self._flow_channels.begin(
            self._flow(call),
            identity=form.required("Identity"),
            customer_name=form.required("ChatUserFriendlyName"),
            friendly_name=form.required("ChatFriendlyName"),
            unique_name=form.text("ChatUniqueName") or None,
            engagement=form.json_object("PreEngagementData") or {},
            is_web=False,
            target=form.text("Target") or None,
            long_lived=form.flag("LongLived"),
            task_sid=self._task_sid(call),
            task_attributes=form.json_object("TaskAttributes"),
        )
        return Answer(201, self._show(call, one))

    def fetch_channel(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._found(call, is_web=False)))

    def delete_channel(self, call: Call) -> Answer:
        self._flow_channels.remove(self._found(call, is_web=False), call.actor)
        return Answer(204)

    def list_web_channels(self, call: Call) -> Answer:
        mine, show = self._mine(is_web=True), self._show_web_channel
        return Answer(200, page(call.url, call.query, "flex_chat_channels", mine, lambda one: show(call, one)))

    def create_web_channel(self, call: Call) -> Answer:
        form = call.form
        one = self._flow_channels.begin(
            self._flow(call),
            identity=form.required("Identity"),
            customer_name=form.required("CustomerFriendlyName"),
            friendly_name=form.required("ChatFriendlyName"),
            unique_name=form.text("ChatUniqueName") or None,
            engagement=form.json_object("PreEngagementData") or {},
            is_web=True,
        )
        return Answer(201, self._show_web_channel(call, one))

    def fetch_web_channel(self, call: Call) -> Answer:
        return Answer(200, self._show_web_channel(call, self._found(call, is_web=True)))

    def update_web_channel(self, call: Call) -> Answer:
        one, form = self._found(call, is_web=True), call.form
        after = form.json_object("PostEngagementData") or {}
        if form.one_of("ChatStatus", ("inactive",)) is not None:
            self._flow_channels.end(one, after)
        return Answer(200, self._show_web_channel(call, one))

    def delete_web_channel(self, call: Call) -> Answer:
        self._flow_channels.remove(self._found(call, is_web=True), call.actor)
        return Answer(204)

    def _flow(self, call: Call) -> FlexFlow:
        sid = call.form.required("FlexFlowSid")
        found = self._world.flows.get(sid)
        if found is None:
            raise invalid(f"Parameter FlexFlowSid is '{sid}', which is no Flex Flow of this account")
        if not found.enabled:
            raise invalid(f"Flex Flow {sid} is not enabled")
        return found

    def _task_sid(self, call: Call) -> str | None:
        sid = call.form.text("TaskSid")
        if sid and sid not in self._world.tasks:
            raise invalid(f"Parameter TaskSid is '{sid}', which is no task of this account")
        return sid or None

    def _mine(self, *, is_web: bool) -> list[FlowChannel]:
        channels = self._world.flow_channels.values()
        return [one for one in channels if one.is_web == is_web and one.sid in self._world.conversations]

    def _found(self, call: Call, *, is_web: bool) -> FlowChannel:
        found = next((one for one in self._mine(is_web=is_web) if one.sid == call.args["channel"]), None)
        if found is None:
            raise not_found(call.resource)
        return found

    def _show(self, call: Call, one: FlowChannel) -> JSON:
        return {
            **self._common(one),
            "task_sid": one.task_sid,
            "user_sid": one.user_sid,
            "url": f"{call.base}/Channels/{one.sid}",
        }

    def _show_web_channel(self, call: Call, one: FlowChannel) -> JSON:
        return {**self._common(one), "url": f"{call.base}/WebChannels/{one.sid}"}

    def _common(self, one: FlowChannel) -> JSON:
        return {
            "flex_flow_sid": one.flow_sid,
            "account_sid": self._world.account.account_sid,
            "sid": one.sid,
            "date_created": rest_date(one.created),
            "date_updated": rest_date(one.updated),
        }
