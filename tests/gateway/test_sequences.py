"""The sequences of the sources, each from the customer's first click to the task."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.house import House


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    [one] = found
    return one


async def flex_flow(home: House, **changes: str) -> str:
    """A Flex Flow of integration type *external*, whose URL is ours; gives its SID."""
    made = await home.rest(
        "flex-api.twilio.com/v1/FlexFlows",
        FriendlyName="Bot",
        ChatServiceSid=home.sandbox.account.service_sid,
        ChannelType=changes.pop("ChannelType", "web"),
        IntegrationType="external",
        Enabled="true",
        **{"Integration.Url": f"{home.url}/webhooks/flex-flow"},
        **changes,
    )
    return str(made["sid"])


async def greeted_and_handed_over(home: House, sid: str, author: str, name: str) -> dict[str, Any]:
    """Hello, the greeting by name, what it is about, one task; gives the task."""
    await home.sandbox.customer_writes(sid, "Hello", author=author)
    await home.settle()
    assert home.said(sid) == [f"Hi {name}! What is it about?"]
    await home.sandbox.customer_writes(sid, "bill", author=author)
    await home.settle()
    task = only(home.tasks(sid))
    assert task["attributes"]["topic"] == "bill"
    return task


async def test_web_chat_with_the_flex_widget(home: House) -> None:
    """Legacy: the widget's backend makes a WebChannel with the form's data."""
    made = await home.rest(
        "flex-api.twilio.com/v1/WebChannels",
        FlexFlowSid=await flex_flow(home),
        Identity="guest-1",
        CustomerFriendlyName="Jana",
        ChatFriendlyName="Web chat",
        PreEngagementData=json.dumps({"friendlyName": "Jana Nová", "question": "invoice"}),
    )
    task = await greeted_and_handed_over(home, made["sid"], "guest-1", "Jana Nová")
    assert task["attributes"]["pre_engagement_data"] == {"friendlyName": "Jana Nová", "question": "invoice"}
    await home.sandbox.agent_accepts(task["sid"])
    await home.sandbox.agent_finishes(task["sid"])
    await home.settle()
    assert (await home.record(made["sid"])).owner == "closed"
    assert len(home.said(made["sid"])) == 2


async def test_flex_flow_external_for_a_custom_channel(home: House) -> None:
    """Legacy: a middleware makes a channel and posts the customer's messages with the webhook header."""
    made = await home.rest(
        "flex-api.twilio.com/v1/Channels",
        FlexFlowSid=await flex_flow(home, ChannelType="custom", ContactIdentity="custom"),
        Identity="contact-7",
        ChatUserFriendlyName="Jana",
        ChatFriendlyName="Custom chat",
        Target="contact-7",
    )
    sid = made["sid"]
    path = f"chat.twilio.com/v2/Services/{home.sandbox.account.service_sid}/Channels/{sid}/Messages"
    for text in ("Hello", "bill"):
        await home.rest(path, headers={"X-Twilio-Webhook-Enabled": "true"}, From="contact-7", Body=text)
        await home.settle()
    assert home.said(sid) == ["Hi Jana! What is it about?", "I will find somebody."]
    assert only(home.tasks(sid))["attributes"]["topic"] == "bill"


async def test_custom_client_on_conversations(home: House) -> None:
    """A backend makes conversation, participant and scoped webhook by itself."""
    base = "conversations.twilio.com/v1/Conversations"
    attributes = json.dumps({"pre_engagement_data": {"friendlyName": "Jana"}})
    sid = (await home.rest(base, FriendlyName="Custom client", Attributes=attributes))["sid"]
    await home.rest(f"{base}/{sid}/Participants", Identity="customer")
    await home.rest(
        f"{base}/{sid}/Webhooks",
        Target="webhook",
        **{
            "Configuration.Url": f"{home.url}/webhooks/conversations",
            "Configuration.Method": "post",
            "Configuration.Filters": "onMessageAdded",
        },
    )
    await greeted_and_handed_over(home, sid, "customer", "Jana")


async def test_v2_web_chats(home: House) -> None:
    """Flex Conversations: the webchat's backend asks for a WebChat on an address of type chat."""
    address = await home.rest(
        "conversations.twilio.com/v1/Configuration/Addresses",
        Type="chat",
        Address="web",
        **{
            "AutoCreation.Enabled": "true",
            "AutoCreation.Type": "webhook",
            "AutoCreation.WebhookUrl": f"{home.url}/webhooks/conversations",
            "AutoCreation.WebhookMethod": "post",
            "AutoCreation.WebhookFilters": "onMessageAdded",
        },
    )
    made = await home.rest(
        "flex-api.twilio.com/v2/WebChats",
        AddressSid=address["sid"],
        ChatFriendlyName="Webchat widget",
        CustomerFriendlyName="Jana",
        PreEngagementData=json.dumps({"friendlyName": "Jana", "query": "My invoice"}),
    )
    task = await greeted_and_handed_over(home, made["conversation_sid"], made["identity"], "Jana")
    assert task["attributes"]["pre_engagement_data"] == {"friendlyName": "Jana", "query": "My invoice"}


async def test_twilios_own_events_tell_who_joined_and_that_it_is_over(home: House) -> None:
    """Flex tells by TaskRouter's event callback alone: accepted, then completed with the conversation kept open."""
    workspace = f"taskrouter.twilio.com/v1/Workspaces/{home.sandbox.account.workspace_sid}"
    await home.rest(workspace, EventCallbackUrl=f"{home.url}/webhooks/taskrouter")
    sid = await home.begin(filters=["onMessageAdded"])
    await home.write(sid, "Hello", "bill")
    task = only(home.tasks(sid))["sid"]
    await home.sandbox.agent_accepts(task)
    await home.settle()
    assert (await home.record(sid)).owner == "agent"
    await home.sandbox.agent_finishes(task, keep_open=True)
    await home.settle()
    assert home.said(sid)[-1] == "Goodbye!"
    assert {one.status for one in home.sandbox.webhooks.deliveries.values()} <= {200, 204}
