"""https://flex-api.twilio.com/v1/FlexFlows: what happens to a new chat of a channel type."""

from __future__ import annotations

from gateway.sandbox.clock import rest_date
from gateway.sandbox.errors import invalid, not_found
from gateway.sandbox.forms import Form
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.work import DEFAULT_TIMEOUT_S
from gateway.sandbox.world import JSON, FlexFlow, World, new_sid

CHANNEL_TYPES = ("web", "sms", "facebook", "whatsapp", "line", "custom")
INTEGRATION_TYPES = ("studio", "external", "task")
MOST_RETRIES = 3


class FlexFlows:
    """The API of Flex Flows."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """What is served under Flex's ``v1``."""
        return [
            Route("GET", "/FlexFlows", self.list_flows),
            Route("POST", "/FlexFlows", self.create_flow),
            Route("GET", "/FlexFlows/<flow>", self.fetch_flow),
            Route("POST", "/FlexFlows/<flow>", self.update_flow),
            Route("DELETE", "/FlexFlows/<flow>", self.delete_flow),
        ]

    def list_flows(self, call: Call) -> Answer:
        name = call.query.text("FriendlyName")
        chosen = [one for one in self._world.flows.values() if name in (None, one.friendly_name)]
        return Answer(200, page(call.url, call.query, "flex_flows", chosen, lambda one: self._show(call, one)))

    def create_flow(self, call: Call) -> Answer:
        form, at = call.form, self._world.now()
        form.required("ChannelType")
        kind = form.one_of("IntegrationType", INTEGRATION_TYPES)
        flow = FlexFlow(
            sid=new_sid("FO"),
            friendly_name=form.required("FriendlyName"),
            chat_service_sid=self._service_sid(form.required("ChatServiceSid")),
            channel_type=form.one_of("ChannelType", CHANNEL_TYPES) or "web",
            contact_identity=form.text("ContactIdentity"),
            enabled=form.flag("Enabled") or False,
            integration_type=kind,
            integration=_integration(form, kind, {}),
            long_lived=form.flag("LongLived") or False,
            janitor_enabled=form.flag("JanitorEnabled") or False,
            created=at,
            updated=at,
        )
        self._check_only_one(flow)
        self._world.flows[flow.sid] = flow
        return Answer(201, self._show(call, flow))

    def fetch_flow(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._found(call)))

    def update_flow(self, call: Call) -> Answer:
        flow, form = self._found(call), call.form
        kind = form.one_of("IntegrationType", INTEGRATION_TYPES) or flow.integration_type
        before = flow.integration if kind == flow.integration_type else {}
        service_sid = form.text("ChatServiceSid")
        changed = FlexFlow(
            sid=flow.sid,
            friendly_name=form.text("FriendlyName") or flow.friendly_name,
            chat_service_sid=self._service_sid(service_sid) if service_sid else flow.chat_service_sid,
            channel_type=form.one_of("ChannelType", CHANNEL_TYPES) or flow.channel_type,
            contact_identity=form.text("ContactIdentity") or flow.contact_identity,
            enabled=_flag(form, "Enabled", flow.enabled),
            integration_type=kind,
            integration=_integration(form, kind, before),
            long_lived=_flag(form, "LongLived", flow.long_lived),
            janitor_enabled=_flag(form, "JanitorEnabled", flow.janitor_enabled),
            created=flow.created,
            updated=self._world.now(),
        )
        self._check_only_one(changed)
        self._world.flows[flow.sid] = changed
        return Answer(200, self._show(call, changed))

    def delete_flow(self, call: Call) -> Answer:
        del self._world.flows[self._found(call).sid]
        return Answer(204)

    def _found(self, call: Call) -> FlexFlow:
        found = self._world.flows.get(call.args["flow"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _service_sid(self, sid: str) -> str:
        if sid not in self._world.services:
            raise invalid(f"Parameter ChatServiceSid is '{sid}', which is no service of this account")
        return sid

    def _check_only_one(self, flow: FlexFlow) -> None:
        """Of the flows of one channel type and contact identity only one can be enabled."""
        mine = (flow.channel_type, flow.contact_identity)
        for other in self._world.flows.values():
            is_rival = other.sid != flow.sid and (other.channel_type, other.contact_identity) == mine
            if is_rival and flow.enabled and other.enabled:
                raise invalid(f"Flex Flow {other.sid} is enabled for channel type {flow.channel_type} already")

    def _show(self, call: Call, flow: FlexFlow) -> JSON:
        return {
            "sid": flow.sid,
            "account_sid": self._world.account.account_sid,
            "date_created": rest_date(flow.created),
            "date_updated": rest_date(flow.updated),
            "friendly_name": flow.friendly_name,
            "chat_service_sid": flow.chat_service_sid,
            "channel_type": flow.channel_type,
            "contact_identity": flow.contact_identity,
            "enabled": flow.enabled,
            "integration_type": flow.integration_type,
            "integration": flow.integration,
            "long_lived": flow.long_lived,
            "janitor_enabled": flow.janitor_enabled,
            "url": f"{call.base}/FlexFlows/{flow.sid}",
        }


def _flag(form: Form, name: str, otherwise: bool) -> bool:
    given = form.flag(name)
    return otherwise if given is None else given


def _integration(form: Form, kind: str | None, before: JSON) -> JSON:
    """The parameters of an integration of this kind: what is given, what was before, or Twilio's defaults."""

    def text(name: str, key: str, otherwise: str | None = None) -> str:
        value = form.text(f"Integration.{name}") or before.get(key) or otherwise
        return value or form.required(f"Integration.{name}")

    def whole(name: str, key: str, otherwise: int, most: int | None = None) -> int:
        given = form.whole(f"Integration.{name}", most=most)
        return int(before.get(key, otherwise)) if given is None else given

    match kind:
        case "external":
            form.url("Integration.Url")
            return {"url": text("Url", "url"), "retry_count": whole("RetryCount", "retry_count", 3, MOST_RETRIES)}
        case "studio":
            retries = whole("RetryCount", "retry_count", 3, MOST_RETRIES)
            return {"flow_sid": text("FlowSid", "flow_sid"), "retry_count": retries}
        case "task":
            return {
                "workspace_sid": text("WorkspaceSid", "workspace_sid"),
                "workflow_sid": text("WorkflowSid", "workflow_sid"),
                "channel": text("Channel", "channel", "default"),
                "timeout": whole("Timeout", "timeout", DEFAULT_TIMEOUT_S),
                "priority": whole("Priority", "priority", 0),
                "creation_on_message": _flag(
                    form, "Integration.CreationOnMessage", before.get("creation_on_message", False)
                ),
            }
        case _:
            return {}
