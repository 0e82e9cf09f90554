from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from gateway.sandbox import Sandbox
from tests.gateway.sandbox.floor import Floor, sandbox_with
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver, serve

BASE = "https://flex-api.twilio.com/v1/Instances"


@pytest.fixture
async def floor(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> Floor:
    return await Floor(sandbox, oracle, receiver).open()


async def test_an_interaction_is_told_from_its_making_to_its_end(floor: Floor) -> None:
    task = await floor.hand_off()
    assert await floor.events("interactions") == ["onInteractionCreated", "onChannelCreated"]
    await floor.sandbox.agent_accepts(task)
    await floor.sandbox.agent_finishes(task)
    heard = {one.event_type: one.fields for one in await floor.heard("interactions")}
    assert list(heard)[2:] == ["onParticipantJoined", "onChannelStatusUpdated", "onParticipantLeft"]
    common = {
        "AccountSid": floor.oracle.account.account_sid,
        "InstanceSid": floor.oracle.account.instance_sid,
        "InteractionSid": floor.interaction.sid,
        "MediaChannelSid": floor.sid,
        "MediaChannelType": "web",
    }
    for fields in heard.values():
        assert fields.items() >= common.items()
    channel = floor.interaction.channel["sid"]
    joined, left, status = (
        heard[name] for name in ("onParticipantJoined", "onParticipantLeft", "onChannelStatusUpdated")
    )
    assert (joined["ParticipantType"], joined["TaskSid"], joined["ChannelSid"]) == ("agent", task, channel)
    assert joined["ParticipantSid"] == left["ParticipantSid"]
    assert joined["ParticipantSid"].startswith("UT")
    assert (status["ChannelStatus"], status["ChannelSid"]) == ("closed", channel)
    assert set(heard["onInteractionCreated"]) == {"EventType", *common}


@pytest.mark.parametrize("is_signed", [True, False])
async def test_it_may_or_may_not_be_signed(receiver: Receiver, is_signed: bool) -> None:
    sandbox = sandbox_with(interaction_webhooks_are_signed=is_signed)
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        floor = await Floor(sandbox, oracle, receiver).open()
        await floor.hand_off()
        one = (await floor.heard("interactions"))[0]
        await oracle.close()
    signature = one.headers.get("X-Twilio-Signature")
    assert (signature is not None) is is_signed
    if signature is not None:
        assert RequestValidator(sandbox.account.auth_token).validate(one.url, one.fields, signature)


async def test_the_instance_may_have_another_name(receiver: Receiver) -> None:
    sandbox = sandbox_with(instance_field="FlexInstanceSid")
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        floor = await Floor(sandbox, oracle, receiver).open()
        await floor.hand_off()
        fields = (await floor.heard("interactions"))[0].fields
        await oracle.close()
    assert (fields["FlexInstanceSid"], "InstanceSid" in fields) == (sandbox.account.instance_sid, False)


async def test_one_of_type_interaction_hears_only_those_that_name_it(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver
) -> None:
    """And where a global one hears as well, both are told."""
    mine = await oracle.webhook(f"{receiver.url}?to=mine", "onInteractionCreated", Type="interaction")
    await oracle.webhook(f"{receiver.url}?to=all", "onInteractionCreated")
    for ttid in (None, mine["ttid"]):
        begun = await sandbox.create_conversation(identity="ann")
        await oracle.interactions.create_async(
            channel={"type": "web", "initiated_by": "customer", "properties": {"media_channel_sid": begun["sid"]}},
            routing={"properties": {"workspace_sid": oracle.account.workspace_sid}},
            **({"webhook_ttid": ttid} if ttid else {}),
        )
    await sandbox.settled()
    assert sorted(one.url.rsplit("=", 1)[1] for one in receiver.heard) == ["all", "all", "mine"]
    named = next(one for one in receiver.heard if one.url.endswith("mine"))
    assert named.fields["MediaChannelSid"] == begun["sid"]


async def test_a_webhook_can_be_named_afterwards(floor: Floor) -> None:
    mine = await floor.oracle.webhook(f"{floor.receiver.url}?to=mine", "onParticipantJoined", Type="interaction")
    task = await floor.hand_off()
    updated = await floor.interaction.update_async(webhook_ttid=mine["ttid"])
    assert (updated.webhook_ttid, updated.routing) == (mine["ttid"], None)
    await floor.sandbox.agent_accepts(task)
    assert await floor.events("mine") == ["onParticipantJoined"]


async def test_the_webhooks_are_kept(oracle: Oracle) -> None:
    """With the form that the documentation shows; the list's key is ``data``."""
    made = await oracle.webhook("http://127.0.0.1:1/hook", "onChannelStatusUpdated", "onParticipantJoined")
    instance = oracle.account.instance_sid
    assert made == {
        "ttid": made["ttid"],
        "account_sid": oracle.account.account_sid,
        "instance_sid": instance,
        "type": "global",
        "webhook_url": "http://127.0.0.1:1/hook",
        "webhook_method": "POST",
        "webhook_events": ["onChannelStatusUpdated", "onParticipantJoined"],
        "url": f"{BASE}/{instance}/InteractionWebhooks/{made['ttid']}",
    }
    assert made["ttid"].startswith("flex_interactionwebhook_")
    listed = await oracle.call("GET", f"{BASE}/{instance}/InteractionWebhooks")
    assert (listed[1]["data"], listed[1]["meta"]["key"]) == ([made], "data")
    assert await oracle.call("GET", made["url"]) == (200, made)
    changed = await oracle.call("POST", made["url"], {"WebhookEvents": ["onChannelCreated"], "WebhookMethod": "GET"})
    assert changed == (200, {**made, "webhook_events": ["onChannelCreated"], "webhook_method": "GET"})
    assert (await oracle.call("DELETE", made["url"]))[0] == 204
    assert (await oracle.call("GET", made["url"]))[0] == 404


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"WebhookEvents": "onChannelCreated"}, "WebhookUrl"),
        ({"WebhookUrl": "http://127.0.0.1:1/"}, "WebhookEvents"),
        ({"WebhookUrl": "http://127.0.0.1:1/", "WebhookEvents": "onNonsense"}, "onNonsense"),
        ({"WebhookUrl": "here", "WebhookEvents": "onChannelCreated"}, "WebhookUrl"),
        ({"WebhookUrl": "http://127.0.0.1:1/", "WebhookEvents": "onChannelCreated", "Type": "x"}, "Type"),
    ],
)
async def test_a_bad_webhook_is_refused(oracle: Oracle, form: dict[str, Any], word: str) -> None:
    status, body = await oracle.call("POST", f"{BASE}/{oracle.account.instance_sid}/InteractionWebhooks", form)
    assert (status, body["code"]) == (400, 20001)
    assert word in body["message"]


async def test_another_instance_is_not_found(oracle: Oracle) -> None:
    assert (await oracle.call("GET", f"{BASE}/GO{'9' * 32}/InteractionWebhooks"))[0] == 404


async def test_a_webhook_that_there_is_not_cannot_be_named(floor: Floor) -> None:
    await floor.hand_off()
    with pytest.raises(TwilioRestException, match="WebhookTtid"):
        await floor.interaction.update_async(webhook_ttid="flex_interactionwebhook_x")


async def test_an_interaction_may_fail_after_it_was_answered_well(receiver: Receiver) -> None:
    """The channel has failed, its task is canceled; the conversation stays open and may be handed off again."""
    sandbox = sandbox_with(interactions_fail_later=True)
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        floor = await Floor(sandbox, oracle, receiver).open()
        await floor.hand_off()
        assert oracle.http.status == 201
        assert floor.interaction.routing["properties"]["assignment_status"] == "pending"
        assert await floor.channel_status() == "failed"
        assert oracle.http.json["error_code"] == 45356
        assert (floor.statuses, floor.state) == (["canceled"], "active")
        assert await floor.events("interactions") == ["onInteractionCreated", "onChannelCreateFailed"]
        fields = (await floor.heard("interactions"))[1].fields
        assert (fields["ErrorCode"], fields["ChannelSid"]) == ("45356", floor.interaction.channel["sid"])
        assert fields["ErrorMessage"]
        assert (await floor.events("tasks"))[-1] == "task.canceled"
        await floor.hand_off()
        await oracle.close()


async def test_an_interaction_fails_on_demand(floor: Floor, desk: ClientSession) -> None:
    await floor.hand_off()
    order = {"code": 45770, "message": "no luck"}
    async with desk.post(f"/sandbox/interactions/{floor.interaction.sid}/fail", json=order) as answer:
        assert (await answer.json())["status"] == "failed"
    assert await floor.channel_status() == "failed"
    fields = (await floor.heard("interactions"))[-1].fields
    assert (fields["EventType"], fields["ErrorCode"], fields["ErrorMessage"]) == (
        "onChannelCreateFailed",
        "45770",
        "no luck",
    )
    async with desk.post("/sandbox/interactions/KDx/fail") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("status", [200, 201])
async def test_a_good_interaction_may_be_answered_with_either_status(status: Any) -> None:
    sandbox = sandbox_with(interaction_status=status)
    begun = await sandbox.create_conversation(identity="ann")
    async with serve(sandbox) as base:
        floor = Floor(sandbox, Oracle(base, sandbox.account), Receiver())
        floor.sid = begun["sid"]
        await floor.hand_off()
        assert floor.oracle.http.status == status
        await floor.oracle.close()


async def test_what_may_or_may_not_be_written_otherwise() -> None:
    """A capital letter in ``initiated_by``, and routing without its type."""
    for is_lenient in (True, False):
        sandbox = sandbox_with(initiated_by_in_any_case=is_lenient, routing_type_is_needed=not is_lenient)
        begun = await sandbox.create_conversation(identity="ann")
        properties = {"workspace_sid": sandbox.account.workspace_sid}
        async with serve(sandbox) as base:
            oracle = Oracle(base, sandbox.account)
            for initiated_by, routing in (("Customer", {"type": "TaskRouter"}), ("customer", {})):
                channel = {
                    "type": "web",
                    "initiated_by": initiated_by,
                    "properties": {"media_channel_sid": begun["sid"]},
                }
                making = oracle.interactions.create_async(
                    channel=channel, routing={**routing, "properties": properties}
                )
                if not is_lenient:
                    with pytest.raises(TwilioRestException):
                        await making
                    continue
                made = await making
                await sandbox.cancel_task(made.routing["properties"]["sid"])
            assert len(sandbox.tasks()) == 2 * is_lenient
            await oracle.close()
