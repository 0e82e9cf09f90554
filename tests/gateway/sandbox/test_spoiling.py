"""Deliveries that come twice, late or in another order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from gateway.sandbox import Media, Sandbox
from tests.gateway.sandbox.floor import sandbox_with
from tests.gateway.sandbox.serving import Receiver, until


@pytest.fixture
async def sid(sandbox: Sandbox, receiver: Receiver) -> str:
    return str((await sandbox.create_conversation(identity="ann", webhook_url=receiver.url))["sid"])


async def write(sandbox: Sandbox, sid: str, count: int) -> None:
    for n in range(count):
        await sandbox.customer_writes(sid, str(n))


def bodies(receiver: Receiver) -> list[str]:
    return [one.fields["Body"] for one in receiver.heard]


async def order(desk: ClientSession, what: str, **body: Any) -> Any:
    async with desk.post(f"/sandbox/deliveries/{what}", json=body) as answer:
        assert answer.status in (200, 204), await answer.text()
        return await answer.json() if answer.status == 200 else None


async def test_everything_may_be_delivered_more_than_once(sandbox: Sandbox, receiver: Receiver, sid: str) -> None:
    """With one token, each signed."""
    sandbox.webhooks.copies = 3
    await write(sandbox, sid, 2)
    await sandbox.settled()
    assert sorted(bodies(receiver)) == ["0", "0", "0", "1", "1", "1"]
    assert len({one.headers["I-Twilio-Idempotency-Token"] for one in receiver.heard}) == 2
    assert [one.repeat_of for one in sandbox.webhooks.since(0)] == [None, 0, 0, None, 3, 3]
    validator = RequestValidator(sandbox.account.auth_token)
    assert all(validator.validate(one.url, one.fields, one.headers["X-Twilio-Signature"]) for one in receiver.heard)


async def test_what_is_held_comes_when_it_is_released(sandbox: Sandbox, receiver: Receiver, sid: str) -> None:
    sandbox.webhooks.hold()
    await write(sandbox, sid, 3)
    await sandbox.settled()
    assert receiver.heard == []
    freed = await sandbox.webhooks.release()
    assert (bodies(receiver), [one.status for one in freed]) == (["0", "1", "2"], [200, 200, 200])
    await write(sandbox, sid, 1)
    await sandbox.settled()
    assert len(receiver.heard) == 4


async def test_the_order_is_another_and_always_the_same_for_a_seed(
    sandbox: Sandbox, receiver: Receiver, sid: str
) -> None:
    orders = []
    for seed in (1, 1, 2):
        receiver.heard.clear()
        sandbox.webhooks.hold()
        await write(sandbox, sid, 8)
        await sandbox.webhooks.release(seed=seed)
        orders.append(bodies(receiver))
    assert orders[0] == orders[1]
    in_order = [str(n) for n in range(8)]
    assert len({tuple(one) for one in (*orders, in_order)}) == 3
    assert sorted(orders[0]) == in_order


async def test_one_conversation_is_held_and_the_others_not(sandbox: Sandbox, receiver: Receiver, sid: str) -> None:
    other = (await sandbox.create_conversation(identity="bob", webhook_url=receiver.url))["sid"]
    sandbox.webhooks.hold(sid)
    await sandbox.customer_writes(sid, "held")
    await sandbox.customer_writes(other, "goes")
    await sandbox.settled()
    assert bodies(receiver) == ["goes"]
    await sandbox.webhooks.release(sid)
    assert bodies(receiver) == ["goes", "held"]


async def test_released_together_they_are_under_way_at_once(sandbox: Sandbox, receiver: Receiver, sid: str) -> None:
    held = asyncio.Event()
    receiver.gate = lambda _: held
    sandbox.webhooks.hold()
    await write(sandbox, sid, 3)
    releasing = asyncio.create_task(sandbox.webhooks.release(together=True))
    await until(lambda: len(receiver.heard) == 3)
    held.set()
    assert len(await releasing) == 3


async def test_deliveries_tarry(sandbox: Sandbox, receiver: Receiver, sid: str) -> None:
    sandbox.webhooks.delay_s = 0.05
    started = asyncio.get_running_loop().time()
    await write(sandbox, sid, 1)
    await sandbox.settled()
    assert asyncio.get_running_loop().time() - started >= 0.05
    assert bodies(receiver) == ["0"]


async def test_all_of_it_by_control_routes(sandbox: Sandbox, desk: ClientSession, receiver: Receiver, sid: str) -> None:
    assert await order(desk, "spoil", copies=2, delay_s=0.001) == {"copies": 2, "delay_s": 0.001}
    await order(desk, "hold", conversation_sid=sid)
    await write(sandbox, sid, 2)
    await sandbox.settled()
    assert receiver.heard == []
    freed = (await order(desk, "release", seed=4))["deliveries"]
    assert [one["status"] for one in freed] == [200] * 4
    assert sorted(bodies(receiver)) == ["0", "0", "1", "1"]
    assert await order(desk, "spoil") == {"copies": 1, "delay_s": 0.0}


@pytest.mark.parametrize("name", ["Sid", "MediaSid", "sid"])
async def test_what_conversations_leave_open_in_a_delivery(receiver: Receiver, name: Any) -> None:
    """No token, a webhook's type, and the names in the media."""
    sandbox = sandbox_with(deliveries_carry_tokens=False, webhook_type_in_conversations=True, media_names=name)
    begun = await sandbox.create_conversation(identity="ann", webhook_url=receiver.url)
    media = Media(sid="ME1", content_type="image/png", filename="a.png", size=7)
    await sandbox.customer_writes(begun["sid"], None, media=[media])
    await sandbox.settled()
    [one] = receiver.heard
    assert "I-Twilio-Idempotency-Token" not in one.headers
    assert one.fields["WebhookType"] == "webhook"
    assert f'"{name}": "ME1"' in one.fields["Media"]
    await sandbox.close()


async def test_switches_are_turned_by_a_control_route(sandbox: Sandbox, desk: ClientSession) -> None:
    async with desk.get("/sandbox/switches") as answer:
        before = await answer.json()
    assert (before["wrap_up_closes"], before["flex_flow_filters"]) == (True, ["onMessageSent"])
    change = {"wrap_up_closes": False, "flex_flow_filters": ["onMessageSent", "onChannelUpdated"]}
    async with desk.post("/sandbox/switches", json=change) as answer:
        assert await answer.json() == {**before, **change}
    assert sandbox.world.switches.flex_flow_filters == ("onMessageSent", "onChannelUpdated")
    for wrong in ({"wrap_up_closes": "no"}, {"task_event_time": "minutes"}, {"nonsense": 1}):
        async with desk.post("/sandbox/switches", json=wrong) as answer:
            assert answer.status == 400
    assert sandbox.world.switches.wrap_up_closes is False
