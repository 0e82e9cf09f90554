from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.sandbox import Refusal, Sandbox, Switches, TwilioError, Unknown, create_sandbox
from gateway.sandbox.work import worker_identity
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver

AGENT = "agent_40example_2Ecom"


async def post(desk: ClientSession, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with desk.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def get(desk: ClientSession, path: str) -> dict[str, Any]:
    async with desk.get(path) as answer:
        assert answer.status == 200
        body: dict[str, Any] = await answer.json()
        return body


async def task_for(oracle: Oracle, sid: str, key: str = "conversationSid") -> str:
    task = await oracle.workspace.tasks.create_async(attributes=json.dumps({key: sid}))
    return str(task.sid)


async def test_a_web_chat_begins(oracle: Oracle, desk: ClientSession, receiver: Receiver) -> None:
    status, begun = await post(
        desk,
        "/sandbox/conversations",
        {
            "generation": "conversations",
            "identity": "ann",
            "friendly_name": "Ann",
            "attributes": {"pre_engagement_data": {"question": "invoice"}},
            "webhook_url": receiver.url,
        },
    )
    assert (status, begun["service_sid"], begun["customer"]) == (201, oracle.account.service_sid, "ann")
    conversation = await oracle.conversations.conversations(begun["sid"]).fetch_async()
    assert json.loads(conversation.attributes) == {"pre_engagement_data": {"question": "invoice"}}
    [person] = await conversation.participants.list_async()
    assert person.identity == "ann"
    [hook] = await conversation.webhooks.list_async()
    assert hook.configuration["filters"] == [
        "onMessageAdded",
        "onParticipantAdded",
        "onParticipantRemoved",
        "onConversationStateUpdated",
    ]
    assert (await oracle.conversations.users("ann").fetch_async()).friendly_name == "Ann"


async def test_a_legacy_web_chat_begins(oracle: Oracle, desk: ClientSession, receiver: Receiver) -> None:
    engagement = {"friendlyName": "Ann", "question": "invoice"}
    _, begun = await post(
        desk,
        "/sandbox/conversations",
        {"generation": "chat", "attributes": {"pre_engagement_data": engagement}, "webhook_url": receiver.url},
    )
    channel = await oracle.chat.channels(begun["sid"]).fetch_async()
    assert json.loads(channel.attributes) == {
        "status": "ACTIVE",
        "long_lived": False,
        "from": "Ann",
        "channel_type": "web",
        "pre_engagement_data": engagement,
    }
    [member] = await channel.members.list_async()
    assert len(member.identity) == 32
    [hook] = await channel.webhooks.list_async()
    assert (hook.configuration["url"], hook.configuration["filters"]) == (receiver.url, ["onMessageSent"])


async def test_a_message_can_be_waited_for(desk: ClientSession, receiver: Receiver) -> None:
    """With what its receivers answered."""
    receiver.answers = [403]
    _, begun = await post(
        desk,
        "/sandbox/conversations",
        {"generation": "conversations", "identity": "ann", "webhook_url": receiver.url},
    )
    path = f"/sandbox/conversations/{begun['sid']}/messages"
    status, said = await post(desk, f"{path}?wait=true", {"body": "hello"})
    assert (status, said["body"], said["index"], said["author"]) == (201, "hello", 0, "ann")
    assert [one["status"] for one in said["deliveries"]] == [403]
    _, said = await post(desk, path, {"body": "again", "author": "bob", "source": "API"})
    assert (said["author"], said["index"], "deliveries" in said) == ("bob", 1, False)


async def test_deliveries_are_shown(sandbox: Sandbox, desk: ClientSession, receiver: Receiver) -> None:
    begun = await sandbox.create_conversation(identity="ann", webhook_url=receiver.url)
    await sandbox.customer_writes(begun["sid"], "hello")
    await sandbox.settled()
    [one] = (await get(desk, "/sandbox/deliveries"))["deliveries"]
    assert (one["n"], one["url"], one["status"], one["attempts"]) == (0, receiver.url, 200, 1)
    assert ["Body", "hello"] in one["form"]
    assert one["headers"]["X-Twilio-Signature"] == receiver.heard[0].headers["X-Twilio-Signature"]


async def test_an_agent_accepts_writes_and_ends(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, receiver: Receiver
) -> None:
    begun = await sandbox.create_conversation(identity="ann", webhook_url=receiver.url)
    sid = begun["sid"]
    made = await oracle.interactions.create_async(
        channel={"type": "web", "initiated_by": "customer", "properties": {"media_channel_sid": sid}},
        routing={"properties": {"workspace_sid": oracle.account.workspace_sid}},
    )
    [waiting] = (await get(desk, "/sandbox/tasks"))["tasks"]
    assert (waiting["status"], waiting["conversation_sid"]) == ("pending", sid)
    task = f"/sandbox/tasks/{waiting['sid']}"
    _, accepted = await post(desk, f"{task}/accept")
    assert (accepted["status"], accepted["worker"]) == ("assigned", "agent@example.com")
    _, said = await post(desk, f"{task}/messages", {"body": "How can I help?"})
    assert said["author"] == AGENT
    _, finished = await post(desk, f"{task}/finish")
    assert finished["status"] == "completed"

    transcript = await get(desk, f"/sandbox/conversations/{sid}")
    assert transcript["state"] == "closed"
    assert [one["body"] for one in transcript["messages"]] == ["How can I help?"]
    assert [one["identity"] for one in transcript["participants"]] == ["ann"]
    assert [one["status"] for one in transcript["tasks"]] == ["completed"]
    assert (await made.channels(made.channel["sid"]).fetch_async()).status == "closed"

    await sandbox.settled()
    heard = {one.event_type: one.fields for one in receiver.heard}
    assert sorted(heard) == [
        "onConversationStateUpdated",
        "onMessageAdded",
        "onParticipantAdded",
        "onParticipantRemoved",
    ]
    assert heard["onParticipantAdded"]["Identity"] == AGENT
    assert (heard["onMessageAdded"]["Source"], heard["onMessageAdded"]["ClientIdentity"]) == ("SDK", AGENT)
    assert heard["onConversationStateUpdated"]["StateTo"] == "closed"


async def test_an_agent_ends_a_legacy_chat(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    """The attribute says INACTIVE, the others stay; it is told as recorded: by the agent's SDK."""
    begun = await sandbox.create_conversation(
        generation="chat", identity="ann", webhook_url=receiver.url, filters=["onChannelUpdated"]
    )
    task = await task_for(oracle, begun["sid"], "channelSid")
    await sandbox.agent_accepts(task)
    await sandbox.agent_finishes(task)
    await sandbox.settled()
    [one] = receiver.heard
    attributes = json.loads(one.fields["Attributes"])
    assert (attributes["status"], attributes["channel_type"]) == ("INACTIVE", "web")
    assert (one.fields["Source"], one.fields["ClientIdentity"]) == ("SDK", AGENT)
    assert (one.fields["ChannelType"], one.fields["CreatedBy"]) == ("private", "system")
    assert sandbox.tasks()[0]["status"] == "completed"


@pytest.mark.parametrize("is_heard", [True, False])
async def test_what_flex_does_may_or_may_not_be_heard(receiver: Receiver, is_heard: bool) -> None:
    sandbox = create_sandbox(
        switches=Switches(
            flex_joins_are_heard=is_heard,
            flex_leaves_are_heard=is_heard,
            flex_closes_are_heard=is_heard,
            flex_source="SDK",
            flex_reason="API",
        )
    )
    begun = await sandbox.create_conversation(identity="ann", webhook_url=receiver.url)
    await sandbox.close_conversation(begun["sid"])
    await sandbox.settled()
    assert [(one.fields["Source"], one.fields["Reason"]) for one in receiver.heard] == [("SDK", "API")] * is_heard
    assert sandbox.transcript(begun["sid"])["state"] == "closed"
    await sandbox.close()


async def test_closing_completes_the_tasks(sandbox: Sandbox, oracle: Oracle, desk: ClientSession) -> None:
    begun = await sandbox.create_conversation(identity="ann")
    await task_for(oracle, begun["sid"])
    status, closed = await post(desk, f"/sandbox/conversations/{begun['sid']}/close")
    assert (status, closed["state"]) == (200, "closed")
    assert sandbox.tasks()[0]["status"] == "completed"
    status, refusal = await post(desk, f"/sandbox/conversations/{begun['sid']}/messages", {"body": "late"})
    assert (status, refusal["code"]) == (400, 50377)


async def test_a_timer_fires(sandbox: Sandbox, desk: ClientSession) -> None:
    begun = await sandbox.create_conversation(identity="ann")
    path = f"/sandbox/conversations/{begun['sid']}/timer"
    assert (await post(desk, path, {"state": "inactive"}))[1]["state"] == "inactive"
    assert (await post(desk, path))[1]["state"] == "closed"


async def test_a_listener_hears_every_message(sandbox: Sandbox, oracle: Oracle) -> None:
    """The bot's by REST as well; and nothing once it has left."""
    begun = await sandbox.create_conversation(identity="ann")
    with sandbox.listening(begun["sid"]) as queue:
        await sandbox.customer_writes(begun["sid"], "hello")
        await oracle.conversations.conversations(begun["sid"]).messages.create_async(author="Bot", body="hi")
        async with asyncio.timeout(5):
            heard = [await queue.get(), await queue.get()]
    assert [(one.author, one.body) for one in heard] == [("ann", "hello"), ("Bot", "hi")]
    await sandbox.customer_writes(begun["sid"], "more")
    assert queue.empty()


async def test_what_an_agent_cannot_do(sandbox: Sandbox, oracle: Oracle) -> None:
    task = await task_for(oracle, "CHx")
    with pytest.raises(Refusal, match="has to accept it first"):
        await sandbox.agent_writes(task, "hello")
    with pytest.raises(Refusal, match="only an accepted task can be finished"):
        await sandbox.agent_finishes(task)
    await sandbox.agent_accepts(task)
    with pytest.raises(Refusal, match="only a pending task can be accepted"):
        await sandbox.agent_accepts(task)
    with pytest.raises(Refusal, match="names no conversation"):
        await sandbox.agent_writes(task, "hello")
    with pytest.raises(Unknown):
        await sandbox.agent_accepts("WTx")


async def test_a_customer_cannot_write_into_a_closed_conversation(sandbox: Sandbox) -> None:
    begun = await sandbox.create_conversation(identity="ann")
    await sandbox.close_conversation(begun["sid"])
    with pytest.raises(TwilioError) as refusal:
        await sandbox.customer_writes(begun["sid"], "late")
    assert refusal.value.code == 50377


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("conversations", {}, "The key generation is missing; it must be a text."),
        ("conversations", {"generation": "x"}, "The key generation must be one of conversations, chat."),
        ("conversations", {"generation": "chat", "attributes": "x"}, "The key attributes must be an object."),
        ("conversations", {"generation": "chat", "filters": [1]}, "The key filters must be a list of texts."),
        (
            "conversations",
            {"generation": "conversations", "address": "+1"},
            "An address needs a proxy_address, no identity, and the generation conversations.",
        ),
        ("conversations", [], "The body must be a JSON object."),
        ("faults", {"path": "x"}, "The key kind is missing; it must be a text."),
        ("faults", {"kind": "status"}, "The key path is missing; it must be a text."),
        ("faults", {"kind": "status", "path": "x", "times": 0}, "The key times must be a whole number from 1."),
        ("faults", {"kind": "status", "path": "x", "times": True}, "The key times must be a whole number from 1."),
    ],
)
async def test_bad_input_is_explained(desk: ClientSession, path: str, body: Any, sentence: str) -> None:
    assert await post(desk, f"/sandbox/{path}", body) == (400, {"error": sentence})


async def test_a_misspelled_key_is_named(desk: ClientSession) -> None:
    status, body = await post(desk, "/sandbox/faults", {"kind": "status", "path": "x", "time": 1})
    assert status == 400
    assert body["error"].startswith("There is no key time here; the keys are method, path,")


@pytest.mark.parametrize("path", ["conversations/CHx", "nonsense"])
async def test_what_is_not_there_is_404(desk: ClientSession, path: str) -> None:
    async with desk.get(f"/sandbox/{path}") as answer:
        assert answer.status == 404
        assert list(await answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("name", "identity"),
    [("agent@example.com", AGENT), ("teste.twilioflex", "teste_2Etwilioflex"), ("Jan1", "Jan1"), ("é_a", "_C3_A9_5Fa")],
)
def test_a_workers_identity(name: str, identity: str) -> None:
    assert worker_identity(name) == identity
