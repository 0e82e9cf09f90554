"""Flex Flows, and the channels that they make."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import Sandbox
from tests.gateway.sandbox.floor import sandbox_with
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver, serve


async def make_flow(oracle: Oracle, url: str = "http://127.0.0.1:1/hook", **changes: Any) -> Any:
    given = {
        "friendly_name": "Bot web",
        "chat_service_sid": oracle.account.service_sid,
        "channel_type": "web",
        "integration_type": "external",
        "integration_url": url,
        "enabled": True,
    }
    return await oracle.flex.flex_flow.create_async(**{**given, **changes})


async def make_task_flow(oracle: Oracle, **changes: Any) -> Any:
    return await make_flow(
        oracle,
        integration_type="task",
        integration_workspace_sid=oracle.account.workspace_sid,
        integration_workflow_sid=oracle.account.workflow_sid,
        **{"channel_type": "custom", "integration_channel": "chat", **changes},
    )


async def web_channel(oracle: Oracle, flow: Any, **changes: Any) -> Any:
    given = {"identity": "guest", "customer_friendly_name": "Ann", "chat_friendly_name": "Webchat"}
    return await oracle.flex.web_channel.create_async(flex_flow_sid=flow.sid, **{**given, **changes})


async def custom_channel(oracle: Oracle, flow: Any, **changes: Any) -> Any:
    given = {"identity": "guest", "chat_user_friendly_name": "Ann", "chat_friendly_name": "Chat", "target": "ann@x"}
    return await oracle.flex.channel.create_async(flex_flow_sid=flow.sid, **{**given, **changes})


async def refusal_of(doing: Any) -> tuple[int, int, str]:
    with pytest.raises(TwilioRestException) as refusal:
        await doing
    return refusal.value.status, refusal.value.code, refusal.value.msg


async def set_status(oracle: Oracle, sid: str, status: str, *, header: bool) -> None:
    channel = await oracle.chat.channels(sid).fetch_async()
    attributes = json.dumps({**json.loads(channel.attributes), "status": status})
    await channel.update_async(attributes=attributes, **({"x_twilio_webhook_enabled": "true"} if header else {}))


async def test_a_flow_is_kept(oracle: Oracle) -> None:
    flow = await make_flow(oracle, janitor_enabled=True)
    assert oracle.http.status == 201
    assert flow.integration == {"url": "http://127.0.0.1:1/hook", "retry_count": 3}
    assert (flow.enabled, flow.long_lived, flow.janitor_enabled, flow.contact_identity) == (True, False, True, None)
    changed = await flow.update_async(integration_retry_count=1, long_lived=True, enabled=False)
    assert changed.integration == {"url": "http://127.0.0.1:1/hook", "retry_count": 1}
    assert (changed.long_lived, changed.janitor_enabled, changed.friendly_name) == (True, True, "Bot web")
    studio = await flow.update_async(integration_type="studio", integration_flow_sid="FW" + "1" * 32)
    assert studio.integration == {"flow_sid": "FW" + "1" * 32, "retry_count": 3}
    assert [one.sid for one in await oracle.flex.flex_flow.list_async(friendly_name="Bot web")] == [flow.sid]
    assert await oracle.flex.flex_flow.list_async(friendly_name="other") == []
    await flow.delete_async()
    assert (await refusal_of(flow.fetch_async()))[:2] == (404, 20404)


async def test_a_task_flow_has_defaults(oracle: Oracle) -> None:
    flow = await make_task_flow(oracle, integration_channel="default")
    assert flow.integration == {
        "workspace_sid": oracle.account.workspace_sid,
        "workflow_sid": oracle.account.workflow_sid,
        "channel": "default",
        "timeout": 86400,
        "priority": 0,
        "creation_on_message": False,
    }


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"channel_type": "fax"}, "ChannelType"),
        ({"chat_service_sid": "IS" + "9" * 32}, "ChatServiceSid"),
        ({"integration_url": "here"}, "Integration.Url"),
        ({"integration_url": ""}, "Integration.Url"),
        ({"integration_type": "studio"}, "Integration.FlowSid"),
        ({"integration_type": "task"}, "Integration.WorkspaceSid"),
        ({"integration_retry_count": 4}, "Integration.RetryCount"),
        ({"friendly_name": ""}, "FriendlyName"),
    ],
)
async def test_a_bad_flow_is_refused(oracle: Oracle, changes: dict[str, Any], word: str) -> None:
    status, code, message = await refusal_of(make_flow(oracle, **changes))
    assert (status, code) == (400, 20001)
    assert word in message
    assert await oracle.flex.flex_flow.list_async() == []


async def test_only_one_flow_of_a_channel_type_is_enabled(oracle: Oracle) -> None:
    await make_flow(oracle)
    assert (await refusal_of(make_flow(oracle)))[:2] == (400, 20001)
    second = await make_flow(oracle, enabled=False)
    assert (await refusal_of(second.update_async(enabled=True)))[:2] == (400, 20001)
    await make_flow(oracle, channel_type="custom")


async def test_a_web_chat_begins(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    """User, channel, member, and the webhook of the flow, which hears the first message."""
    flow = await make_flow(oracle, receiver.url)
    engagement = {"friendlyName": "Ann", "question": "invoice"}
    made = await web_channel(oracle, flow, pre_engagement_data=json.dumps(engagement))
    assert (oracle.http.status, made.flex_flow_sid) == (201, flow.sid)
    channel = await oracle.chat.channels(made.sid).fetch_async()
    assert json.loads(channel.attributes) == {
        "status": "ACTIVE",
        "long_lived": False,
        "from": "Ann",
        "channel_type": "web",
        "pre_engagement_data": engagement,
    }
    assert (channel.friendly_name, channel.type, channel.created_by) == ("Webchat", "private", "system")
    assert [one.identity for one in await channel.members.list_async()] == ["guest"]
    assert (await oracle.chat.users("guest").fetch_async()).friendly_name == "Ann"
    [hook] = await channel.webhooks.list_async()
    assert hook.configuration == {"url": receiver.url, "method": "POST", "filters": ["onMessageSent"], "retry_count": 3}
    await sandbox.customer_writes(made.sid, "Hello")
    await sandbox.settled()
    [one] = receiver.heard
    assert (one.fields["From"], one.fields["Source"], one.fields["WebhookType"]) == ("guest", "SDK", "webhook")


async def test_the_flows_webhook_may_have_other_filters() -> None:
    sandbox = sandbox_with(flex_flow_filters=("onMessageSent", "onChannelUpdated"))
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        made = await web_channel(oracle, await make_flow(oracle))
        [hook] = await oracle.chat.channels(made.sid).webhooks.list_async()
        assert hook.configuration["filters"] == ["onMessageSent", "onChannelUpdated"]
        await oracle.close()


async def test_a_studio_flow_puts_its_own_webhook(oracle: Oracle) -> None:
    flow = await make_flow(oracle, integration_type="studio", integration_flow_sid="FW" + "1" * 32)
    made = await web_channel(oracle, flow)
    [hook] = await oracle.chat.channels(made.sid).webhooks.list_async()
    assert (hook.type, hook.configuration["flow_sid"]) == ("studio", "FW" + "1" * 32)


async def test_a_web_chat_is_ended_by_its_widget(oracle: Oracle) -> None:
    made = await web_channel(oracle, await make_flow(oracle))
    ended = await made.update_async(chat_status="inactive", post_engagement_data='{"stars": 5}')
    assert ended.sid == made.sid
    attributes = json.loads((await oracle.chat.channels(made.sid).fetch_async()).attributes)
    assert (attributes["status"], attributes["from"], attributes["post_engagement_data"]) == (
        "INACTIVE",
        "Ann",
        {"stars": 5},
    )


@pytest.mark.parametrize("is_web", [True, False])
async def test_a_channel_can_be_listed_and_deleted(oracle: Oracle, is_web: bool) -> None:
    flow = await make_flow(oracle)
    made = await (web_channel if is_web else custom_channel)(oracle, flow)
    mine, other = oracle.flex.web_channel, oracle.flex.channel
    if not is_web:
        mine, other = other, mine
    assert [one.sid for one in await mine.list_async()] == [made.sid]
    assert await other.list_async() == []
    assert (await refusal_of(other(made.sid).fetch_async()))[0] == 404
    await (await mine(made.sid).fetch_async()).delete_async()
    assert await mine.list_async() == []
    assert (await refusal_of(oracle.chat.channels(made.sid).fetch_async()))[0] == 404


async def test_a_live_channel_of_the_same_target_is_used_again(oracle: Oracle) -> None:
    flow = await make_task_flow(oracle)
    first = await custom_channel(oracle, flow)
    assert (await custom_channel(oracle, flow)).sid == first.sid
    assert len(await oracle.workspace.tasks.list_async()) == 1
    others = [await custom_channel(oracle, flow, target="bob@x"), await custom_channel(oracle, flow, target="")]
    assert first.sid not in [one.sid for one in others]
    await set_status(oracle, first.sid, "INACTIVE", header=True)
    assert (await custom_channel(oracle, flow)).sid != first.sid


async def test_a_long_lived_channel_is_used_again_after_its_end(oracle: Oracle) -> None:
    """And is active by it."""
    flow = await make_flow(oracle, long_lived=True)
    first = await custom_channel(oracle, flow)
    await set_status(oracle, first.sid, "INACTIVE", header=True)
    assert (await custom_channel(oracle, flow)).sid == first.sid
    attributes = json.loads((await oracle.chat.channels(first.sid).fetch_async()).attributes)
    assert (attributes["status"], attributes["long_lived"]) == ("ACTIVE", True)


@pytest.mark.parametrize("ends", [True, False])
async def test_a_long_lived_channel_may_or_may_not_end_inactive(ends: bool) -> None:
    sandbox = sandbox_with(long_lived_ends_inactive=ends)
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        made = await custom_channel(oracle, await make_flow(oracle, long_lived=True))
        await sandbox.close_conversation(made.sid)
        assert sandbox.transcript(made.sid)["attributes"]["status"] == ("INACTIVE" if ends else "ACTIVE")
        await oracle.close()


async def test_a_task_flow_makes_the_task_at_once(sandbox: Sandbox, oracle: Oracle) -> None:
    flow = await make_task_flow(oracle, integration_priority=4, integration_timeout=60)
    made = await custom_channel(oracle, flow, task_attributes='{"team": "orders"}')
    [task] = sandbox.tasks()
    assert (made.task_sid, task["priority"], task["timeout"], task["channel"]) == (task["sid"], 4, 60, "chat")
    assert task["attributes"] == {"channelSid": made.sid, "channelType": "custom", "name": "Ann", "team": "orders"}
    assert sandbox.transcript(made.sid)["attributes"]["task_sid"] == task["sid"]


async def test_a_task_flow_may_wait_for_the_first_message(sandbox: Sandbox, oracle: Oracle) -> None:
    """The customer's; there is one task however many follow."""
    flow = await make_task_flow(oracle, integration_creation_on_message=True)
    made = await custom_channel(oracle, flow)
    await oracle.chat.channels(made.sid).messages.create_async(from_="Bot", body="Welcome")
    assert (made.task_sid, sandbox.tasks()) == (None, [])
    await sandbox.customer_writes(made.sid, "Hello")
    await sandbox.customer_writes(made.sid, "Hello?")
    [task] = sandbox.tasks()
    assert (await oracle.flex.channel(made.sid).fetch_async()).task_sid == task["sid"]


async def test_a_message_in_a_long_lived_channel_makes_new_work(sandbox: Sandbox, oracle: Oracle) -> None:
    made = await custom_channel(oracle, await make_task_flow(oracle, long_lived=True))
    await sandbox.agent_accepts(made.task_sid)
    await sandbox.customer_writes(made.sid, "Hello")
    await sandbox.agent_finishes(made.task_sid)
    assert len(sandbox.tasks()) == 1
    await sandbox.customer_writes(made.sid, "One more thing")
    assert [one["status"] for one in sandbox.tasks()] == ["completed", "pending"]
    assert sandbox.transcript(made.sid)["attributes"]["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("has_janitor", "header", "is_cleaned"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_the_janitor_comes_when_the_end_is_heard(
    sandbox: Sandbox, oracle: Oracle, has_janitor: bool, header: bool, is_cleaned: bool
) -> None:
    made = await web_channel(oracle, await make_flow(oracle, janitor_enabled=has_janitor))
    assert sandbox.transcript(made.sid)["is_cleaned"] is False
    await set_status(oracle, made.sid, "INACTIVE", header=header)
    assert sandbox.transcript(made.sid)["is_cleaned"] is is_cleaned


async def test_the_janitor_comes_when_the_agent_ends(sandbox: Sandbox, oracle: Oracle) -> None:
    made = await custom_channel(oracle, await make_task_flow(oracle, janitor_enabled=True))
    await sandbox.agent_accepts(made.task_sid)
    await sandbox.agent_finishes(made.task_sid)
    assert sandbox.transcript(made.sid)["is_cleaned"] is True


async def test_a_bad_channel_is_refused(oracle: Oracle) -> None:
    flow = await make_flow(oracle, enabled=False)
    assert "not enabled" in (await refusal_of(web_channel(oracle, flow)))[2]
    await flow.update_async(enabled=True)
    assert "Identity" in (await refusal_of(web_channel(oracle, flow, identity="")))[2]
    assert "PreEngagementData" in (await refusal_of(web_channel(oracle, flow, pre_engagement_data="{")))[2]
    assert "TaskSid" in (await refusal_of(custom_channel(oracle, flow, task_sid="WTx")))[2]
    await flow.delete_async()
    assert "FlexFlowSid" in (await refusal_of(web_channel(oracle, flow)))[2]
