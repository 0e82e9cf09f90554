"""Who hears what: https://www.twilio.com/docs/conversations/conversations-webhooks, row by row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.sandbox import Media, Sandbox, Switches, create_sandbox
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver

ALL_CONVERSATIONS = [
    f"on{thing}{change}"
    for thing in ("Conversation", "Message", "Participant")
    for change in ("Added", "Updated", "Removed")
] + ["onConversationStateUpdated", "onUserAdded"]
ALL_CHAT = [
    "onMessageSent", "onMediaMessageSent", "onMessageUpdated", "onMessageRemoved", "onChannelAdded",
    "onChannelUpdated", "onChannelDestroyed", "onMemberAdded", "onMemberUpdated", "onMemberRemoved", "onUserAdded",
]  # fmt: skip

Doing = Callable[["Stage", dict[str, Any]], Awaitable[Any]]


class Stage:
    """One conversation or channel with a scoped webhook and a service's webhook, both hearing all events."""

    def __init__(self, sandbox: Sandbox, oracle: Oracle, receiver: Receiver, generation: Any) -> None:
        self.sandbox = sandbox
        self.oracle = oracle
        self.receiver = receiver
        self.generation = generation
        self.sid = ""

    async def set(self, **contact: Any) -> Stage:
        every = ALL_CHAT if self.generation == "chat" else ALL_CONVERSATIONS
        begun = await self.sandbox.create_conversation(
            generation=self.generation, webhook_url=self.receiver.url + "?level=scoped", filters=every, **contact
        )
        self.sid = begun["sid"]
        url = self.receiver.url + "?level=service"
        if self.generation == "chat":
            await self.oracle.chat.update_async(post_webhook_url=url, webhook_filters=every)
        else:
            service = self.oracle.conversations.services(self.oracle.account.service_sid)
            await service.configuration.webhooks().update_async(post_webhook_url=url, filters=every)
        return self

    @property
    def thing(self) -> Any:
        if self.generation == "chat":
            return self.oracle.chat.channels(self.sid)
        return self.oracle.conversations.conversations(self.sid)

    async def events(self, level: str = "scoped") -> list[str]:
        await self.sandbox.settled()
        return [one.event_type for one in self.receiver.heard if one.url.endswith(f"level={level}")]


async def say(stage: Stage, header: dict[str, Any]) -> None:
    author = {"from_": "Bot"} if stage.generation == "chat" else {"author": "Bot"}
    await stage.thing.messages.create_async(body="hello", **author, **header)


async def edit(stage: Stage, header: dict[str, Any]) -> None:
    message = await stage.thing.messages.create_async(body="hello")
    await message.update_async(body="hi", **header)


async def unsay(stage: Stage, header: dict[str, Any]) -> None:
    message = await stage.thing.messages.create_async(body="hello")
    await stage.oracle.delete(message, header)


async def describe(stage: Stage, header: dict[str, Any]) -> None:
    await stage.thing.update_async(attributes='{"a": 1}', **header)


async def park(stage: Stage, header: dict[str, Any]) -> None:
    await stage.thing.update_async(state="inactive", **header)


async def delete(stage: Stage, header: dict[str, Any]) -> None:
    await stage.oracle.delete(await stage.thing.fetch_async(), header)


async def invite(stage: Stage, header: dict[str, Any]) -> None:
    people = stage.thing.members if stage.generation == "chat" else stage.thing.participants
    await people.create_async(identity="bob", **header)


async def mark_read(stage: Stage, header: dict[str, Any]) -> None:
    if stage.generation == "chat":
        await stage.thing.members("ann").update_async(last_consumed_message_index=1, **header)
    else:
        await stage.thing.participants("ann").update_async(last_read_message_index=1, **header)


async def expel(stage: Stage, header: dict[str, Any]) -> None:
    people = stage.thing.members if stage.generation == "chat" else stage.thing.participants
    await stage.oracle.delete(await people("ann").fetch_async(), header)


ROWS: list[tuple[str, Doing, str]] = [
    ("conversations", say, "onMessageAdded"),
    ("conversations", edit, "onMessageUpdated"),
    ("conversations", unsay, "onMessageRemoved"),
    ("conversations", describe, "onConversationUpdated"),
    ("conversations", park, "onConversationStateUpdated"),
    ("conversations", delete, "onConversationRemoved"),
    ("conversations", invite, "onParticipantAdded"),
    ("conversations", mark_read, "onParticipantUpdated"),
    ("conversations", expel, "onParticipantRemoved"),
    ("chat", say, "onMessageSent"),
    ("chat", edit, "onMessageUpdated"),
    ("chat", unsay, "onMessageRemoved"),
    ("chat", describe, "onChannelUpdated"),
    ("chat", delete, "onChannelDestroyed"),
    ("chat", invite, "onMemberAdded"),
    ("chat", mark_read, "onMemberUpdated"),
    ("chat", expel, "onMemberRemoved"),
]


@pytest.mark.parametrize(("generation", "doing", "event"), ROWS)
async def test_rest_with_the_header_is_heard(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver, generation: str, doing: Doing, event: str
) -> None:
    """By the scoped webhook and by the service's; and it says Source=API and no ClientIdentity."""
    stage = await Stage(sandbox, oracle, receiver, generation).set(identity="ann")
    await doing(stage, {"x_twilio_webhook_enabled": "true"})
    assert await stage.events("scoped") == [event]
    assert await stage.events("service") == [event]
    for one in receiver.heard:
        assert one.fields["Source"] == "API"
        assert "ClientIdentity" not in one.fields


@pytest.mark.parametrize("header", [{}, {"x_twilio_webhook_enabled": "false"}])
async def test_rest_without_the_header_is_not_heard(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver, header: dict[str, str]
) -> None:
    for generation, doing, event in ROWS:
        stage = await Stage(sandbox, oracle, receiver, generation).set(identity="ann")
        await doing(stage, header)
        assert await stage.events("scoped") == await stage.events("service") == [], (generation, event)


@pytest.mark.parametrize(("generation", "event"), [("conversations", "onMessageAdded"), ("chat", "onMessageSent")])
async def test_the_sdk_is_heard(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver, generation: str, event: str
) -> None:
    stage = await Stage(sandbox, oracle, receiver, generation).set(identity="ann")
    await sandbox.customer_writes(stage.sid, "hello")
    assert await stage.events("scoped") == await stage.events("service") == [event]
    fields = receiver.heard[0].fields
    assert (fields["Source"], fields["ClientIdentity"]) == ("SDK", "ann")
    assert fields["Author" if generation == "conversations" else "From"] == "ann"


async def test_a_text_message_is_heard(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    stage = Stage(sandbox, oracle, receiver, "conversations")
    await stage.set(address="+15550001", proxy_address="+15550002")
    await sandbox.customer_writes(stage.sid, "hello")
    assert await stage.events() == ["onMessageAdded"]
    fields = receiver.heard[0].fields
    assert (fields["Source"], fields["Author"], "ClientIdentity" in fields) == ("SMS", "+15550001", False)


async def test_a_timer_is_heard(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    """Without any Source, as recorded."""
    stage = await Stage(sandbox, oracle, receiver, "conversations").set(identity="ann")
    await sandbox.timer_fires(stage.sid)
    assert await stage.events() == ["onConversationStateUpdated"]
    fields = receiver.heard[0].fields
    assert (fields["StateFrom"], fields["StateTo"], fields["Reason"]) == ("active", "closed", "TIMER")
    assert "Source" not in fields


async def test_a_chat_media_message_is_an_event_of_its_own(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver
) -> None:
    stage = await Stage(sandbox, oracle, receiver, "chat").set(identity="ann")
    media = Media(sid="ME" + "1" * 32, content_type="image/png", filename="a.png", size=7)
    await sandbox.customer_writes(stage.sid, None, media=[media])
    assert await stage.events() == ["onMediaMessageSent"]
    fields = receiver.heard[0].fields
    assert (fields["MediaSid"], fields["MediaSize"], "Body" in fields) == ("ME" + "1" * 32, "7", False)


async def test_a_message_that_wakes_a_parked_conversation(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    stage = await Stage(sandbox, oracle, receiver, "conversations").set(identity="ann")
    await stage.thing.update_async(state="inactive")
    await sandbox.customer_writes(stage.sid, "hello")
    assert sorted(await stage.events()) == ["onConversationStateUpdated", "onMessageAdded"]


async def test_creating_and_deleting_webhooks_is_not_heard(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver
) -> None:
    stage = await Stage(sandbox, oracle, receiver, "conversations").set(identity="ann")
    hook = await stage.thing.webhooks.create_async(target="webhook", configuration_url=receiver.url)
    await hook.delete_async()
    assert await stage.events("scoped") == await stage.events("service") == []


@pytest.mark.parametrize("generation", ["conversations", "chat"])
async def test_a_filter_lets_through_only_what_it_names(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver, generation: Any
) -> None:
    others = ["onConversationStateUpdated", "onChannelUpdated"]
    begun = await sandbox.create_conversation(
        generation=generation, identity="ann", webhook_url=receiver.url, filters=others
    )
    await oracle.chat.update_async(post_webhook_url=receiver.url, webhook_filters=others)
    service = oracle.conversations.services(sandbox.account.service_sid)
    await service.configuration.webhooks().update_async(post_webhook_url=receiver.url, filters=others)
    await sandbox.customer_writes(begun["sid"], "hello")
    await sandbox.settled()
    assert receiver.heard == []


async def test_a_web_chat_may_or_may_not_be_heard_when_it_begins(receiver: Receiver) -> None:
    for is_heard in (True, False):
        receiver.heard.clear()
        sandbox = create_sandbox(switches=Switches(web_chats_are_heard=is_heard))
        hook = sandbox.world.services[sandbox.account.service_sid].hooks["conversations"]
        hook.post_url, hook.filters = receiver.url, ALL_CONVERSATIONS
        await sandbox.create_conversation(identity="ann")
        await sandbox.settled()
        assert sorted(receiver.event_types) == (["onConversationAdded", "onParticipantAdded"] if is_heard else [])
        await sandbox.close()


async def test_a_studio_webhook_is_not_posted_to(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    begun = await sandbox.create_conversation(identity="ann")
    webhooks = oracle.conversations.conversations(begun["sid"]).webhooks
    await webhooks.create_async(target="studio", configuration_flow_sid="FW" + "1" * 32)
    await sandbox.customer_writes(begun["sid"], "hello")
    assert sandbox.webhooks.count == 0
