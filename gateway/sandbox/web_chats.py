"""https://flex-api.twilio.com/v2/WebChats: web chats on Conversations."""

from __future__ import annotations

from gateway.sandbox.contacts import Contacts
from gateway.sandbox.errors import invalid
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import Address, World

BASE = "v2"


class WebChats:
    """The API of web chats. A guide calls the path ``/WebChannels``; both are answered."""

    def __init__(self, world: World, contacts: Contacts) -> None:
        self._world = world
        self._contacts = contacts

    def routes(self) -> list[Route]:
        """What is served under `BASE`."""
        return [Route("POST", path, self.create_web_chat) for path in ("/WebChats", "/WebChannels")]

    def create_web_chat(self, call: Call) -> Answer:
        form = call.form
        conversation = self._contacts.begin_web_chat(
            self._address(form.required("AddressSid")),
            identity=form.text("Identity") or None,
            customer_name=form.text("CustomerFriendlyName"),
            friendly_name=form.text("ChatFriendlyName"),
            engagement=form.json_object("PreEngagementData") or {},
        )
        customer = conversation.customer
        return Answer(201, {"conversation_sid": conversation.sid, "identity": customer.identity if customer else None})

    def _address(self, sid: str) -> Address:
        found = self._world.addresses.get(sid)
        if found is None or found.type != "chat":
            raise invalid(f"Parameter AddressSid is '{sid}', which is no address of type chat of this account")
        return found
