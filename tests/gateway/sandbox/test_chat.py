from __future__ import annotations

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.gateway.sandbox.oracle import Oracle


async def refusal_of(doing: Any) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refusal:
        await doing
    return refusal.value.status, refusal.value.code


@pytest.fixture
async def channel(oracle: Oracle) -> Any:
    return await oracle.chat.channels.create_async(friendly_name="Chat", type="private", attributes='{"status": "X"}')


async def test_a_channel_counts_its_members_and_messages(oracle: Oracle, channel: Any) -> None:
    await channel.members.create_async(identity="ann")
    await channel.messages.create_async(from_="Bot", body="hello")
    found = await oracle.chat.channels(channel.sid).fetch_async()
    assert (found.members_count, found.messages_count, found.type) == (1, 1, "private")


async def test_an_update_replaces_the_attributes_as_a_whole(oracle: Oracle, channel: Any) -> None:
    updated = await channel.update_async(attributes='{"other": 1}')
    assert (updated.attributes, updated.friendly_name) == ('{"other": 1}', "Chat")


async def test_messages(oracle: Oracle, channel: Any) -> None:
    first = await channel.messages.create_async(body="hello")
    assert oracle.http.json["from"] == "system"
    media = await channel.messages.create_async(from_="ann", media_sid="ME" + "1" * 32)
    assert (first.type, first.was_edited, first.index) == ("text", False, 0)
    assert (media.type, media.body, media.media["sid"]) == ("media", None, "ME" + "1" * 32)
    edited = await first.update_async(body="hi")
    assert (edited.body, edited.was_edited, edited.last_updated_by) == ("hi", True, "system")
    assert [one.sid for one in await channel.messages.list_async(order="desc")] == [media.sid, first.sid]
    await first.delete_async()
    assert await refusal_of(first.fetch_async()) == (404, 20404)


async def test_members(channel: Any) -> None:
    await channel.members.create_async(identity="ann")
    await channel.members.create_async(identity="bob")
    assert await refusal_of(channel.members.create_async(identity="ann")) == (409, 50404)
    assert [one.identity for one in await channel.members.list_async(identity=["bob"])] == ["bob"]
    read = await channel.members("ann").update_async(last_consumed_message_index=2)
    assert read.last_consumed_message_index == 2
    await channel.members("ann").delete_async()
    assert len(await channel.members.list_async()) == 1


async def test_webhooks(channel: Any) -> None:
    hook = await channel.webhooks.create_async(
        type="webhook",
        configuration_url="http://127.0.0.1:1/hook",
        configuration_method="POST",
        configuration_filters=["onMessageSent", "onChannelUpdated"],
        configuration_retry_count=2,
    )
    assert hook.configuration == {
        "url": "http://127.0.0.1:1/hook",
        "method": "POST",
        "filters": ["onMessageSent", "onChannelUpdated"],
        "retry_count": 2,
    }
    assert (await hook.update_async(configuration_retry_count=0)).configuration["retry_count"] == 0
    for _ in range(4):
        await channel.webhooks.create_async(type="webhook", configuration_url="http://127.0.0.1:1/hook")
    sixth = channel.webhooks.create_async(type="webhook", configuration_url="http://127.0.0.1:1/hook")
    assert await refusal_of(sixth) == (400, 50361)


async def test_more_than_three_retries_are_refused(channel: Any) -> None:
    doing = channel.webhooks.create_async(
        type="webhook", configuration_url="http://127.0.0.1:1/hook", configuration_retry_count=4
    )
    assert await refusal_of(doing) == (400, 20001)


async def test_users(oracle: Oracle) -> None:
    user = await oracle.chat.users.create_async(identity="ann", friendly_name="Ann")
    found = await oracle.chat.users("ann").fetch_async()
    assert (found.sid, found.friendly_name, found.joined_channels_count) == (user.sid, "Ann", 0)
    assert await refusal_of(oracle.chat.users.create_async(identity="ann")) == (409, 50201)


async def test_the_service_keeps_its_webhook(oracle: Oracle) -> None:
    await oracle.chat.update_async(
        post_webhook_url="http://127.0.0.1:1/hook", webhook_method="POST", webhook_filters=["onMessageSent"]
    )
    service = await oracle.chat.fetch_async()
    assert (service.post_webhook_url, service.webhook_filters) == ("http://127.0.0.1:1/hook", ["onMessageSent"])


async def test_an_unknown_service_is_not_found(oracle: Oracle) -> None:
    other = oracle.client.chat.v2.services("IS" + "9" * 32).channels("CHx").fetch_async()
    assert await refusal_of(other) == (404, 20404)
