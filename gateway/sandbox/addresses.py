"""https://conversations.twilio.com/v1/Configuration/Addresses: what is made of a new contact at an address."""

from __future__ import annotations

from gateway.sandbox.clock import rest_date
from gateway.sandbox.errors import invalid, not_found, refused
from gateway.sandbox.forms import Form
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import JSON, Address, World, new_sid

TYPES = ("sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat")
CREATIONS = ("webhook", "studio", "default")
# https://www.twilio.com/docs/conversations/api/address-configuration-resource: onConversationAdded is not among them.
FILTERS = (
    "onMessageAdded", "onMessageUpdated", "onMessageRemoved", "onConversationUpdated", "onConversationStateUpdated",
    "onConversationRemoved", "onParticipantAdded", "onParticipantUpdated", "onParticipantRemoved", "onDeliveryUpdated",
)  # fmt: skip


class Addresses:
    """The API of address configurations; of the account, not of a service."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """What is served under Conversations' ``v1``."""
        return [
            Route("GET", "/Configuration/Addresses", self.list_addresses),
            Route("POST", "/Configuration/Addresses", self.create_address),
            Route("GET", "/Configuration/Addresses/<address>", self.fetch_address),
            Route("POST", "/Configuration/Addresses/<address>", self.update_address),
            Route("DELETE", "/Configuration/Addresses/<address>", self.delete_address),
        ]

    def list_addresses(self, call: Call) -> Answer:
        kind = call.query.text("Type")
        chosen = [one for one in self._world.addresses.values() if kind in (None, one.type)]
        show = self._show
        return Answer(200, page(call.url, call.query, "address_configurations", chosen, lambda one: show(call, one)))

    def create_address(self, call: Call) -> Answer:
        form, at = call.form, self._world.now()
        form.required("Type")
        address = Address(
            sid=new_sid("IG"),
            type=form.one_of("Type", TYPES) or "",
            address=form.required("Address"),
            friendly_name=form.text("FriendlyName", most=256),
            country=form.text("AddressCountry"),
            enabled=False,
            creation="default",
            service_sid=None,
            webhook_url=None,
            webhook_method="POST",
            webhook_filters=[],
            flow_sid=None,
            retry_count=0,
            created=at,
            updated=at,
        )
        if self._at(address.address) is not None:
            raise refused(20001, f"Address {address.address} is configured already", status=409)
        self._read_creation(form, address)
        self._world.addresses[address.sid] = address
        return Answer(201, self._show(call, address))

    def fetch_address(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._found(call)))

    def update_address(self, call: Call) -> Answer:
        address, form = self._found(call), call.form
        friendly_name = form.text("FriendlyName", most=256)
        self._read_creation(form, address)
        address.friendly_name = friendly_name or address.friendly_name
        address.updated = self._world.now()
        return Answer(200, self._show(call, address))

    def delete_address(self, call: Call) -> Answer:
        del self._world.addresses[self._found(call).sid]
        return Answer(204)

    def _read_creation(self, form: Form, address: Address) -> None:
        """Take over what is given of the auto-creation. Nothing is changed where something is wrong."""
        name = "AutoCreation."
        enabled = form.flag(name + "Enabled")
        creation = form.one_of(name + "Type", CREATIONS) or address.creation
        service_sid = form.text(name + "ConversationServiceSid") or address.service_sid
        url = form.url(name + "WebhookUrl") or address.webhook_url
        method = form.one_of(name + "WebhookMethod", ("get", "post", "GET", "POST")) or address.webhook_method
        filters = form.all(name + "WebhookFilters")
        flow_sid = form.text(name + "StudioFlowSid") or address.flow_sid
        retries = form.whole(name + "StudioRetryCount", most=3)
        strange = next((one for one in filters if one not in FILTERS), None)
        if strange is not None:
            raise invalid(f"Parameter {name}WebhookFilters has '{strange}'; it can have {', '.join(FILTERS)}")
        if service_sid is not None and service_sid not in self._world.services:
            raise invalid(f"Parameter {name}ConversationServiceSid is '{service_sid}', which is no service")
        if creation == "webhook" and not url:
            raise invalid(f"Missing required parameter {name}WebhookUrl in the post body")
        if creation == "studio" and not flow_sid:
            raise invalid(f"Missing required parameter {name}StudioFlowSid in the post body")
        address.enabled = address.enabled if enabled is None else enabled
        address.creation, address.service_sid, address.flow_sid = creation, service_sid, flow_sid
        address.webhook_url, address.webhook_method = url, method.upper()
        address.webhook_filters = filters or address.webhook_filters
        address.retry_count = address.retry_count if retries is None else retries

    def _found(self, call: Call) -> Address:
        key = call.args["address"]
        found = self._world.addresses.get(key) or self._at(key)
        if found is None:
            raise not_found(call.resource)
        return found

    def _at(self, address: str) -> Address | None:
        return next((one for one in self._world.addresses.values() if one.address == address), None)

    def _show(self, call: Call, address: Address) -> JSON:
        return {
            "sid": address.sid,
            "account_sid": self._world.account.account_sid,
            "type": address.type,
            "address": address.address,
            "friendly_name": address.friendly_name,
            "address_country": address.country,
            "auto_creation": _show_creation(address),
            "date_created": rest_date(address.created),
            "date_updated": rest_date(address.updated),
            "url": f"{call.base}/Configuration/Addresses/{address.sid}",
        }


def _show_creation(address: Address) -> JSON:
    creation: JSON = {
        "enabled": address.enabled,
        "type": address.creation,
        "conversation_service_sid": address.service_sid,
    }
    if address.creation == "webhook":
        creation |= {
            "webhook_url": address.webhook_url,
            # Upper case in the answer, lower case in the request: as Twilio's own example has it.
            "webhook_method": address.webhook_method,
            "webhook_filters": address.webhook_filters,
        }
    if address.creation == "studio":
        creation |= {"studio_flow_sid": address.flow_sid, "studio_retry_count": address.retry_count}
    return creation
