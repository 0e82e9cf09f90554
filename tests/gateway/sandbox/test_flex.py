from __future__ import annotations

import json
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import Sandbox, Switches, create_sandbox
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver, serve

WORKFLOW = "WW" + "7" * 32


def channel_of(sid: str, **changes: Any) -> dict[str, Any]:
    return {"type": "web", "initiated_by": "customer", "properties": {"media_channel_sid": sid}, **changes}


def routing_of(oracle: Oracle, **properties: Any) -> dict[str, Any]:
    return {"type": "TaskRouter", "properties": {"workspace_sid": oracle.account.workspace_sid, **properties}}


async def hand_off(oracle: Oracle, sid: str, **properties: Any) -> Any:
    return await oracle.interactions.create_async(channel=channel_of(sid), routing=routing_of(oracle, **properties))


async def refusal_of(doing: Any) -> tuple[int, int, str]:
    with pytest.raises(TwilioRestException) as refusal:
        await doing
    return refusal.value.status, refusal.value.code, refusal.value.msg


@pytest.fixture
async def sid(sandbox: Sandbox) -> str:
    return str((await sandbox.create_conversation(identity="ann", friendly_name="Ann"))["sid"])


async def test_an_interaction_makes_a_task(sandbox: Sandbox, oracle: Oracle, sid: str) -> None:
    made = await hand_off(
        oracle,
        sid,
        workflow_sid=WORKFLOW,
        task_channel_unique_name="chat",
        priority=5,
        timeout=3600,
        attributes={"from": "Ann", "order_no": "12345678"},
    )
    assert oracle.http.status == 201
    task = made.routing["properties"]
    assert (task["assignment_status"], task["workflow_sid"], task["priority"], task["timeout"]) == (
        "pending",
        WORKFLOW,
        5,
        3600,
    )
    assert isinstance(task["date_created"], int)
    [invite] = await made.channels(made.channel["sid"]).invites.list_async()
    assert json.loads(task["attributes"]) == {
        "from": "Ann",
        "order_no": "12345678",
        "customerName": "Ann",
        "customerAddress": "ann",
        "customers": {"phone": "ann", "name": "Ann"},
        "flexInteractionSid": made.sid,
        "flexInteractionChannelSid": made.channel["sid"],
        "flexChannelInviteSid": invite.sid,
        "conversationSid": sid,
        "channelType": "web",
        "initiatedBy": "customer",
        "direction": "inbound",
        "taskCreateSource": "interaction",
        "conversations": {
            "initiated_by": "customer",
            "conversation_id": made.sid,
            "media": [{"type": "ChatTranscript", "sid": sid}],
        },
    }
    fetched = await oracle.workspace.tasks(task["sid"]).fetch_async()
    assert (fetched.task_channel_unique_name, fetched.attributes) == ("chat", task["attributes"])
    assert (await oracle.interactions(made.sid).fetch_async()).channel == made.channel
    assert [one["sid"] for one in sandbox.tasks()] == [task["sid"]]


async def test_the_conversation_itself_hears_nothing_of_it(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver
) -> None:
    begun = await sandbox.create_conversation(identity="ann", webhook_url=receiver.url)
    await hand_off(oracle, begun["sid"])
    await sandbox.settled()
    assert receiver.heard == []


async def test_a_closed_conversation_is_refused(oracle: Oracle, sid: str) -> None:
    await oracle.conversations.conversations(sid).update_async(state="closed")
    assert (await refusal_of(hand_off(oracle, sid)))[:2] == (400, 45354)


async def test_a_conversation_has_one_interaction_at_a_time(sandbox: Sandbox, oracle: Oracle, sid: str) -> None:
    await hand_off(oracle, sid)
    assert (await refusal_of(hand_off(oracle, sid)))[:2] == (400, 45353)
    assert len(sandbox.tasks()) == 1


@pytest.mark.parametrize("frees", [True, False])
async def test_a_canceled_task_may_free_the_conversation(frees: bool) -> None:
    sandbox = create_sandbox(switches=Switches(canceled_task_frees_conversation=frees))
    begun = await sandbox.create_conversation(identity="ann")
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        made = await hand_off(oracle, begun["sid"])
        await oracle.workspace.tasks(made.routing["properties"]["sid"]).update_async(assignment_status="canceled")
        if frees:
            assert (await hand_off(oracle, begun["sid"])).sid != made.sid
        else:
            assert (await refusal_of(hand_off(oracle, begun["sid"])))[1] == 45353
        await oracle.close()


async def test_the_customer_must_be_there(oracle: Oracle) -> None:
    empty = await oracle.conversations.conversations.create_async()
    assert (await refusal_of(hand_off(oracle, empty.sid)))[:2] == (400, 45356)


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_chat_channel_may_be_taken(is_taken: bool) -> None:
    sandbox = create_sandbox(switches=Switches(interactions_on_chat_channels=is_taken))
    begun = await sandbox.create_conversation(generation="chat", identity="ann")
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        if is_taken:
            await hand_off(oracle, begun["sid"])
        else:
            assert (await refusal_of(hand_off(oracle, begun["sid"])))[:2] == (400, 20001)
        assert len(sandbox.tasks()) == is_taken
        await oracle.close()


@pytest.mark.parametrize(
    ("channel", "routing", "word"),
    [
        ({"type": "fax"}, {}, "Channel.type"),
        ({"initiated_by": "Customer"}, {}, "Channel.initiated_by"),
        ({"properties": {}}, {}, "media_channel_sid"),
        ({"properties": {"media_channel_sid": "CHx"}}, {}, "CHx"),
        ({}, {"workspace_sid": None}, "workspace_sid"),
        ({}, {"workspace_sid": "WS" + "9" * 32}, "workspace_sid"),
        ({}, {"attributes": "text"}, "attributes"),
        ({}, {"timeout": "an hour"}, "timeout"),
    ],
)
async def test_a_bad_request_is_refused_and_makes_no_task(
    sandbox: Sandbox, oracle: Oracle, sid: str, channel: dict[str, Any], routing: dict[str, Any], word: str
) -> None:
    doing = oracle.interactions.create_async(channel=channel_of(sid, **channel), routing=routing_of(oracle, **routing))
    status, code, message = await refusal_of(doing)
    assert (status, code) == (400, 20001)
    assert word in message
    assert sandbox.tasks() == []


async def test_json_that_is_none_is_refused(oracle: Oracle) -> None:
    url = "https://flex-api.twilio.com/v1/Interactions"
    for form in ({}, {"Channel": "{", "Routing": "{}"}, {"Channel": "[]", "Routing": "{}"}):
        status, body = await oracle.call("POST", url, form)
        assert (status, body["code"]) == (400, 20001)


@pytest.mark.parametrize(("routing", "status"), [({"status": "closed"}, "completed"), (None, "wrapping")])
async def test_closing_the_channel_ends_the_conversation(
    oracle: Oracle, sid: str, routing: dict[str, Any] | None, status: str
) -> None:
    made = await hand_off(oracle, sid)
    more = {"routing": routing} if routing else {}
    closed = await made.channels(made.channel["sid"]).update_async(status="closed", **more)
    assert closed.status == "closed"
    assert (await oracle.conversations.conversations(sid).fetch_async()).state == "closed"
    task = await oracle.workspace.tasks(made.routing["properties"]["sid"]).fetch_async()
    assert task.assignment_status == status


async def test_parking_the_channel_parks_the_conversation(oracle: Oracle, sid: str) -> None:
    made = await hand_off(oracle, sid)
    channel = made.channels(made.channel["sid"])
    assert (await refusal_of(channel.update_async(status="inactive")))[:2] == (400, 20001)
    await channel.update_async(status="inactive", routing={"status": "closed"})
    assert (await oracle.conversations.conversations(sid).fetch_async()).state == "inactive"


async def test_an_invite_is_another_task_without_the_first_ones_attributes(
    sandbox: Sandbox, oracle: Oracle, sid: str
) -> None:
    made = await hand_off(oracle, sid, attributes={"order_no": "1"})
    invites = made.channels(made.channel["sid"]).invites
    await invites.create_async(routing=routing_of(oracle, attributes={"reason": "again"}))
    second = sandbox.tasks()[1]["attributes"]
    assert (second["reason"], second["conversationSid"], "order_no" in second) == ("again", sid, False)
    assert len(await invites.list_async()) == 2


async def test_the_participants_are_the_customer_and_then_the_agent(sandbox: Sandbox, oracle: Oracle, sid: str) -> None:
    made = await hand_off(oracle, sid)
    people = made.channels(made.channel["sid"]).participants
    assert [one.type for one in await people.list_async()] == ["customer"]
    task_sid = made.routing["properties"]["sid"]
    await sandbox.agent_accepts(task_sid)
    customer, agent = await people.list_async()
    assert (customer.type, agent.type) == ("customer", "agent")
    assert agent.routing_properties["task_sid"] == task_sid
    assert customer.routing_properties is None
