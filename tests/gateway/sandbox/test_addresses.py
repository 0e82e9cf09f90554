"""Addresses, and the conversations that are made of contacts there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientSession
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import Media, Refusal, Sandbox
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver

OURS = "+15017122661"
FILTERS = ["onMessageAdded", "onConversationStateUpdated"]


async def make_address(oracle: Oracle, url: str, **changes: Any) -> Any:
    given = {
        "type": "sms",
        "address": OURS,
        "auto_creation_enabled": True,
        "auto_creation_type": "webhook",
        "auto_creation_webhook_url": url,
        "auto_creation_webhook_method": "post",
        "auto_creation_webhook_filters": FILTERS,
    }
    return await oracle.addresses.create_async(**{**given, **changes})


async def refusal_of(doing: Any) -> tuple[int, int, str]:
    with pytest.raises(TwilioRestException) as refusal:
        await doing
    return refusal.value.status, refusal.value.code, refusal.value.msg


async def test_an_address_is_kept(oracle: Oracle, receiver: Receiver) -> None:
    made = await make_address(oracle, receiver.url)
    assert oracle.http.status == 201
    assert made.auto_creation == {
        "enabled": True,
        "type": "webhook",
        "conversation_service_sid": None,
        "webhook_url": receiver.url,
        "webhook_method": "POST",
        "webhook_filters": FILTERS,
    }
    chat = await oracle.addresses.create_async(type="chat", address="web")
    assert chat.auto_creation["enabled"] is False
    assert [one.sid for one in await oracle.addresses.list_async()] == [made.sid, chat.sid]
    assert [one.sid for one in await oracle.addresses.list_async(type="chat")] == [chat.sid]
    assert (await oracle.addresses(OURS).fetch_async()).sid == made.sid
    changed = await made.update_async(auto_creation_enabled=False, friendly_name="Ours")
    assert (changed.auto_creation, changed.friendly_name) == ({**made.auto_creation, "enabled": False}, "Ours")
    await made.delete_async()
    assert (await refusal_of(oracle.addresses(made.sid).fetch_async()))[:2] == (404, 20404)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"type": "fax"}, "Type"),
        ({"address": ""}, "Address"),
        ({"auto_creation_webhook_url": "here"}, "AutoCreation.WebhookUrl"),
        ({"auto_creation_webhook_url": ""}, "AutoCreation.WebhookUrl"),
        ({"auto_creation_webhook_filters": ["onConversationAdded"]}, "onConversationAdded"),
        ({"auto_creation_type": "studio"}, "AutoCreation.StudioFlowSid"),
        ({"auto_creation_conversation_service_sid": "IS" + "9" * 32}, "AutoCreation.ConversationServiceSid"),
    ],
)
async def test_a_bad_address_is_refused(oracle: Oracle, changes: dict[str, Any], word: str) -> None:
    status, code, message = await refusal_of(make_address(oracle, "http://127.0.0.1:1/hook", **changes))
    assert (status, code) == (400, 20001)
    assert word in message
    assert await oracle.addresses.list_async() == []


async def test_an_address_is_configured_once(oracle: Oracle) -> None:
    await make_address(oracle, "http://127.0.0.1:1/hook")
    assert (await refusal_of(make_address(oracle, "http://127.0.0.1:1/hook")))[0] == 409


async def test_a_text_makes_a_conversation_and_the_next_one_finds_it(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver
) -> None:
    """The scoped webhook is there before the message, and after the conversation and its participant."""
    await make_address(oracle, receiver.url, auto_creation_webhook_filters=["onMessageAdded", "onParticipantAdded"])
    first = await sandbox.inbound_message("+15558675310", OURS, "Hello")
    second = await sandbox.inbound_message("+15558675310", OURS, "Hello?")
    assert first["conversation_sid"] == second["conversation_sid"]
    await sandbox.settled()
    assert [one.event_type for one in receiver.heard] == ["onMessageAdded", "onMessageAdded"]
    fields = receiver.heard[0].fields
    assert (fields["Source"], fields["Author"], "ClientIdentity" in fields) == ("SMS", "+15558675310", False)
    [person] = await oracle.conversations.conversations(first["conversation_sid"]).participants.list_async()
    assert person.messaging_binding == {"type": "sms", "address": "+15558675310", "proxy_address": OURS}
    other = await sandbox.inbound_message("+15550000", OURS, "Me too")
    assert other["conversation_sid"] != first["conversation_sid"]


async def test_a_text_after_the_end_makes_a_new_conversation(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver
) -> None:
    """A parked conversation is woken instead."""
    await make_address(oracle, receiver.url)
    first = (await sandbox.inbound_message("+15558675310", OURS, "Hello"))["conversation_sid"]
    await sandbox.timer_fires(first, "inactive")
    assert (await sandbox.inbound_message("+15558675310", OURS, "Hello?"))["conversation_sid"] == first
    assert sandbox.transcript(first)["state"] == "active"
    await sandbox.timer_fires(first)
    assert (await sandbox.inbound_message("+15558675310", OURS, "Hello!"))["conversation_sid"] != first


async def test_a_whatsapp_message_says_so(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    ours = f"whatsapp:{OURS}"
    await make_address(oracle, receiver.url, type="whatsapp", address=ours)
    media = Media(sid="ME" + "1" * 32, content_type="image/png", filename="a.png", size=7)
    await sandbox.inbound_message("whatsapp:+15558675310", ours, None, media=[media])
    await sandbox.settled()
    fields = receiver.heard[0].fields
    assert (fields["Source"], fields["Body"], "Media" in fields) == ("WHATSAPP", "", True)


async def test_nothing_is_made_where_nothing_is_set_up(sandbox: Sandbox, oracle: Oracle) -> None:
    with pytest.raises(Refusal, match="No enabled address"):
        await sandbox.inbound_message("+15558675310", OURS, "Hello")
    await make_address(oracle, "http://127.0.0.1:1/hook", auto_creation_enabled=False)
    with pytest.raises(Refusal, match="No enabled address"):
        await sandbox.inbound_message("+15558675310", OURS, "Hello")
    assert await oracle.conversations.conversations.list_async() == []


async def test_the_default_creation_has_no_webhook(sandbox: Sandbox, oracle: Oracle) -> None:
    await make_address(oracle, "http://127.0.0.1:1/hook", auto_creation_type="default")
    made = await sandbox.inbound_message("+15558675310", OURS, "Hello")
    assert sandbox.transcript(made["conversation_sid"])["webhooks"] == []


async def test_a_text_by_a_control_route(oracle: Oracle, desk: ClientSession, receiver: Receiver) -> None:
    await make_address(oracle, receiver.url)
    text = {"from": "+15558675310", "to": OURS, "body": "Hello"}
    async with desk.post("/sandbox/inbound", json=text) as answer:
        said = await answer.json()
    assert (answer.status, said["body"], said["author"]) == (201, "Hello", "+15558675310")
    async with desk.get(f"/sandbox/conversations/{said['conversation_sid']}") as answer:
        assert (await answer.json())["customer"] == "+15558675310"
    async with desk.post("/sandbox/inbound", json={**text, "to": "+1"}) as answer:
        assert answer.status == 400


async def test_a_web_chat_begins(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    address = await make_address(oracle, receiver.url, type="chat", address="web")
    engagement = {"friendlyName": "Ann", "question": "invoice"}
    made = await oracle.client.flex_api.v2.web_channels.create_async(
        address_sid=address.sid,
        chat_friendly_name="Webchat widget",
        customer_friendly_name="Ann",
        pre_engagement_data=json.dumps(engagement),
        ui_version="1.0.0",
    )
    assert oracle.http.status == 201
    conversation = await oracle.conversations.conversations(made.conversation_sid).fetch_async()
    assert json.loads(conversation.attributes) == {"pre_engagement_data": engagement}
    assert (conversation.friendly_name, conversation.state) == ("Webchat widget", "active")
    [person] = await conversation.participants.list_async()
    assert (person.identity, len(made.identity)) == (made.identity, 32)
    assert (await oracle.conversations.users(made.identity).fetch_async()).friendly_name == "Ann"
    [hook] = await conversation.webhooks.list_async()
    assert hook.configuration == {"url": receiver.url, "method": "post", "filters": FILTERS}
    await sandbox.customer_writes(conversation.sid, "Hello")
    await sandbox.settled()
    assert receiver.event_types == ["onMessageAdded"]


async def test_the_guides_name_of_the_path_is_answered_too(oracle: Oracle) -> None:
    address = await oracle.addresses.create_async(type="chat", address="web")
    url = "https://flex-api.twilio.com/v2/WebChannels"
    status, made = await oracle.call("POST", url, {"AddressSid": address.sid, "Identity": "seinfeld"})
    assert (status, made["identity"]) == (201, "seinfeld")


async def test_a_web_chat_needs_an_address_of_type_chat(oracle: Oracle) -> None:
    other = await make_address(oracle, "http://127.0.0.1:1/hook")
    for sid in (other.sid, "IGx"):
        assert (await refusal_of(oracle.client.flex_api.v2.web_channels.create_async(address_sid=sid)))[0] == 400
