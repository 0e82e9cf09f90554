"""The answers have the form that Twilio's own OpenAPI files give them."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import Sandbox
from tests.gateway.sandbox.oracle import Oracle
from tests.openapi import as_json_schema, document, needs_openapi

pytestmark = needs_openapi


def check(product: str, name: str, body: dict[str, Any]) -> None:
    """*body* is valid, has every property of the schema and no other."""
    schema = as_json_schema(product, document(product)["components"]["schemas"][name])
    Draft202012Validator(schema).validate(body)
    assert set(body) == set(schema["properties"])


@pytest.mark.parametrize("is_short", [True, False])
async def test_conversations(oracle: Oracle, is_short: bool) -> None:
    service = oracle.conversations.services(oracle.account.service_sid)
    api = oracle.conversations if is_short else service
    name = "conversations.v1.conversation" if is_short else "conversations.v1.service.service_conversation"
    prefix = "conversation" if is_short else "service_conversation"

    def same(kind: str) -> None:
        check("conversations_v1", f"{name}.{prefix}_{kind}", oracle.http.json)

    made = await api.conversations.create_async(timers_closed="PT10M", state="active")
    check("conversations_v1", name, oracle.http.json)
    await made.messages.create_async(body="hello", media_sid="ME" + "1" * 32)
    same("message")
    await made.participants.create_async(identity="ann")
    same("participant")
    await made.participants.create_async(
        messaging_binding_address="+15550001", messaging_binding_proxy_address="+15550002"
    )
    same("participant")
    await made.webhooks.create_async(target="webhook", configuration_url="http://127.0.0.1:1/hook")
    same("scoped_webhook")
    await api.users.create_async(identity="bob")
    check("conversations_v1", "conversations.v1.user" if is_short else f"{name[:24]}.service_user", oracle.http.json)
    await api.participant_conversations.list_async(identity="ann")
    listed = "conversations.v1.participant_conversation"
    listed = listed if is_short else f"{name[:24]}.service_participant_conversation"
    check("conversations_v1", listed, oracle.http.json["conversations"][0])


async def test_the_webhook_of_a_service(oracle: Oracle) -> None:
    service = oracle.conversations.services(oracle.account.service_sid)
    await service.configuration.webhooks().update_async(
        post_webhook_url="http://127.0.0.1:1/hook", filters=["onMessageAdded"], method="POST"
    )
    name = "conversations.v1.service.service_configuration.service_webhook_configuration"
    check("conversations_v1", name, oracle.http.json)


async def test_chat(oracle: Oracle) -> None:
    await oracle.chat.fetch_async()
    check("chat_v2", "chat.v2.service", oracle.http.json)
    channel = await oracle.chat.channels.create_async()
    check("chat_v2", "chat.v2.service.channel", oracle.http.json)
    await channel.messages.create_async(body="hello")
    check("chat_v2", "chat.v2.service.channel.message", oracle.http.json)
    await channel.members.create_async(identity="ann")
    check("chat_v2", "chat.v2.service.channel.member", oracle.http.json)
    await channel.webhooks.create_async(type="webhook", configuration_url="http://127.0.0.1:1/hook")
    check("chat_v2", "chat.v2.service.channel.channel_webhook", oracle.http.json)
    await oracle.chat.users("ann").fetch_async()
    check("chat_v2", "chat.v2.service.user", oracle.http.json)


async def test_flex_and_taskrouter(sandbox: Sandbox, oracle: Oracle) -> None:
    begun = await sandbox.create_conversation(identity="ann")
    made = await oracle.interactions.create_async(
        channel={"type": "web", "initiated_by": "customer", "properties": {"media_channel_sid": begun["sid"]}},
        routing={"properties": {"workspace_sid": oracle.account.workspace_sid}},
    )
    check("flex_v1", "flex.v1.interaction", oracle.http.json)
    channel = made.channels(made.channel["sid"])
    await channel.fetch_async()
    check("flex_v1", "flex.v1.interaction.interaction_channel", oracle.http.json)
    task_sid = made.routing["properties"]["sid"]
    await sandbox.agent_accepts(task_sid)
    await channel.participants.list_async()
    for person in oracle.http.json["participants"]:
        check("flex_v1", "flex.v1.interaction.interaction_channel.interaction_channel_participant", person)
    await channel.invites.create_async(routing={"properties": {"workspace_sid": oracle.account.workspace_sid}})
    check("flex_v1", "flex.v1.interaction.interaction_channel.interaction_channel_invite", oracle.http.json)
    task = await oracle.workspace.tasks(task_sid).fetch_async()
    check("taskrouter_v1", "taskrouter.v1.workspace.task", oracle.http.json)
    await task.reservations.list_async()
    check("taskrouter_v1", "taskrouter.v1.workspace.task.task_reservation", oracle.http.json["reservations"][0])


async def test_the_workspace(oracle: Oracle) -> None:
    await oracle.workspace.fetch_async()
    check("taskrouter_v1", "taskrouter.v1.workspace", oracle.http.json)


async def test_flex_flows_and_their_channels(oracle: Oracle) -> None:
    flow = await oracle.flex.flex_flow.create_async(
        friendly_name="Bot web",
        chat_service_sid=oracle.account.service_sid,
        channel_type="web",
        integration_type="external",
        integration_url="http://127.0.0.1:1/hook",
        enabled=True,
    )
    check("flex_v1", "flex.v1.flex_flow", oracle.http.json)
    await oracle.flex.web_channel.create_async(
        flex_flow_sid=flow.sid, identity="ann", customer_friendly_name="Ann", chat_friendly_name="Webchat"
    )
    check("flex_v1", "flex.v1.web_channel", oracle.http.json)
    await oracle.flex.channel.create_async(
        flex_flow_sid=flow.sid, identity="bob", chat_user_friendly_name="Bob", chat_friendly_name="Chat"
    )
    check("flex_v1", "flex.v1.channel", oracle.http.json)


async def test_addresses_and_web_chats(oracle: Oracle) -> None:
    address = await oracle.addresses.create_async(type="chat", address="web")
    check("conversations_v1", "conversations.v1.configuration_address", oracle.http.json)
    await oracle.client.flex_api.v2.web_channels.create_async(address_sid=address.sid)
    check("flex_v2", "flex.v2.web_channel", oracle.http.json)


async def test_a_participant_of_an_interaction(sandbox: Sandbox, oracle: Oracle) -> None:
    """Also one who was added by REST, and one whose part is over."""
    begun = await sandbox.create_conversation(identity="ann")
    made = await oracle.interactions.create_async(
        channel={"type": "web", "initiated_by": "customer", "properties": {"media_channel_sid": begun["sid"]}},
        routing={"properties": {"workspace_sid": oracle.account.workspace_sid}},
    )
    people = made.channels(made.channel["sid"]).participants
    name = "flex.v1.interaction.interaction_channel.interaction_channel_participant"
    await people.create_async(type="external", media_properties={"name": "Bob"})
    check("flex_v1", name, oracle.http.json)
    await sandbox.agent_accepts(made.routing["properties"]["sid"])
    agent = (await people.list_async())[2]
    await agent.update_async(status="closed")
    check("flex_v1", name, oracle.http.json)
    with pytest.raises(TwilioRestException):
        await people(agent.sid).update_async(status="closed")
