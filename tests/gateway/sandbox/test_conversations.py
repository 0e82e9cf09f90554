from __future__ import annotations

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import Sandbox
from tests.gateway.sandbox.oracle import Oracle

SERVICE = "IS" + "0" * 32
OTHER_SERVICE = "IS" + "9" * 32


async def refusal_of(doing: Any) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refusal:
        await doing
    return refusal.value.status, refusal.value.code


@pytest.fixture
async def made(oracle: Oracle) -> Any:
    return await oracle.conversations.conversations.create_async(friendly_name="Chat")


async def test_a_conversation_is_found_by_sid_and_by_unique_name(oracle: Oracle, made: Any) -> None:
    await made.update_async(unique_name="case 7")
    assert (await oracle.conversations.conversations("case 7").fetch_async()).sid == made.sid
    assert await refusal_of(oracle.conversations.conversations.create_async(unique_name="case 7")) == (409, 50353)


async def test_a_name_that_is_its_own_is_no_doubled_name(made: Any) -> None:
    await made.update_async(unique_name="case 7")
    assert (await made.update_async(unique_name="case 7")).unique_name == "case 7"


async def test_an_update_leaves_alone_what_it_does_not_name(made: Any) -> None:
    await made.update_async(attributes='{"a": 1}')
    updated = await made.update_async(friendly_name="Other")
    assert (updated.attributes, updated.friendly_name) == ('{"a": 1}', "Other")


async def test_a_deleted_conversation_is_gone(oracle: Oracle, made: Any) -> None:
    await made.delete_async()
    assert oracle.http.status == 204
    assert oracle.http.text == ""
    assert await refusal_of(made.fetch_async()) == (404, 20404)


async def test_the_list_can_be_narrowed_to_a_state(oracle: Oracle, made: Any) -> None:
    other = await oracle.conversations.conversations.create_async()
    await other.update_async(state="closed")
    assert [one.sid for one in await oracle.conversations.conversations.list_async(state="closed")] == [other.sid]
    assert len(await oracle.conversations.conversations.list_async()) == 2


async def test_short_paths_are_the_default_service(sandbox: Sandbox, oracle: Oracle) -> None:
    """A conversation of another service is not to be found under them."""
    other = await sandbox.create_conversation(identity="ann", service_sid=OTHER_SERVICE)
    assert await refusal_of(oracle.conversations.conversations(other["sid"]).fetch_async()) == (404, 20404)
    found = await oracle.conversations.services(OTHER_SERVICE).conversations(other["sid"]).fetch_async()
    assert found.chat_service_sid == OTHER_SERVICE
    elsewhere = oracle.conversations.services(SERVICE).conversations(other["sid"])
    assert await refusal_of(elsewhere.fetch_async()) == (404, 20404)


async def test_an_unknown_service_is_not_found(oracle: Oracle) -> None:
    making = oracle.conversations.services(OTHER_SERVICE).conversations.create_async()
    assert await refusal_of(making) == (404, 20404)


async def test_a_chat_channel_is_no_conversation(sandbox: Sandbox, oracle: Oracle) -> None:
    channel = await sandbox.create_conversation(generation="chat", identity="ann")
    assert await refusal_of(oracle.conversations.conversations(channel["sid"]).fetch_async()) == (404, 20404)


@pytest.mark.parametrize("write", ["message", "participant", "attributes", "state", "webhook"])
async def test_closed_is_final(made: Any, write: str) -> None:
    await made.update_async(state="closed")
    writes = {
        "message": lambda: made.messages.create_async(body="late"),
        "participant": lambda: made.participants.create_async(identity="late"),
        "attributes": lambda: made.update_async(attributes="{}"),
        "state": lambda: made.update_async(state="active"),
        "webhook": lambda: made.webhooks.create_async(target="webhook", configuration_url="http://127.0.0.1:1/"),
    }
    assert await refusal_of(writes[write]()) == (400, 50377)
    assert (await made.fetch_async()).state == "closed"


async def test_a_closed_conversation_can_be_read(made: Any) -> None:
    await made.messages.create_async(body="hello")
    await made.update_async(state="closed")
    assert [one.body for one in await made.messages.list_async()] == ["hello"]


async def test_a_message_wakes_an_inactive_conversation(made: Any) -> None:
    await made.update_async(state="inactive")
    await made.messages.create_async(body="hello")
    assert (await made.fetch_async()).state == "active"


async def test_an_identity_takes_part_once(made: Any) -> None:
    await made.participants.create_async(identity="ann")
    assert await refusal_of(made.participants.create_async(identity="ann")) == (409, 50433)
    assert len(await made.participants.list_async()) == 1


async def test_an_address_pair_is_in_one_open_conversation(oracle: Oracle, made: Any) -> None:
    binding = {"messaging_binding_address": "+15550001", "messaging_binding_proxy_address": "+15550002"}
    await made.participants.create_async(**binding)
    other = await oracle.conversations.conversations.create_async()
    assert await refusal_of(other.participants.create_async(**binding)) == (409, 50416)
    await made.update_async(state="closed")
    assert (await other.participants.create_async(**binding)).messaging_binding["type"] == "sms"


async def test_a_participant_needs_a_way_to_take_part(made: Any) -> None:
    assert (await refusal_of(made.participants.create_async()))[0] == 400
    lonely = made.participants.create_async(messaging_binding_address="+15550001")
    assert await refusal_of(lonely) == (400, 50407)


async def test_a_participant_is_found_changed_and_removed(made: Any) -> None:
    person = await made.participants.create_async(identity="ann", attributes='{"a": 1}')
    read = await person.update_async(last_read_message_index=3)
    assert (read.last_read_message_index, read.attributes) == (3, '{"a": 1}')
    await person.delete_async()
    assert await made.participants.list_async() == []


async def test_a_message_of_a_participant_names_them(made: Any) -> None:
    person = await made.participants.create_async(identity="ann")
    mine = await made.messages.create_async(author="ann", body="hello")
    other = await made.messages.create_async(author="Bot", body="hello")
    assert (mine.participant_sid, other.participant_sid) == (person.sid, None)


async def test_an_index_is_never_used_twice(made: Any) -> None:
    first = await made.messages.create_async(body="one")
    second = await made.messages.create_async(body="two")
    await second.delete_async()
    third = await made.messages.create_async(body="three")
    assert [first.index, second.index, third.index] == [0, 1, 2]
    assert [one.index for one in await made.messages.list_async()] == [0, 2]


async def test_a_message_can_be_edited(made: Any) -> None:
    message = await made.messages.create_async(body="one", attributes='{"a": 1}')
    edited = await message.update_async(body="two")
    assert (edited.body, edited.attributes) == ("two", '{"a": 1}')


async def test_content_replaces_body_and_media(made: Any) -> None:
    message = await made.messages.create_async(
        body="ignored", media_sid="ME" + "1" * 32, content_sid="HX" + "1" * 32, content_variables='{"1": "Ann"}'
    )
    assert (message.body, message.media, message.content_sid) == (None, None, "HX" + "1" * 32)


@pytest.mark.parametrize(("length", "is_taken"), [(32 * 1024, True), (32 * 1024 + 1, False)])
async def test_a_body_has_at_most_32_kilobytes(made: Any, length: int, is_taken: bool) -> None:
    if is_taken:
        assert len((await made.messages.create_async(body="x" * length)).body) == length
    else:
        assert await refusal_of(made.messages.create_async(body="x" * length)) == (400, 50504)


async def test_a_text_message_has_at_most_1600_characters(sandbox: Sandbox, oracle: Oracle) -> None:
    begun = await sandbox.create_conversation(address="+15550001", proxy_address="+15550002")
    messages = oracle.conversations.conversations(begun["sid"]).messages
    assert len((await messages.create_async(body="é" * 1600)).body) == 1600
    assert await refusal_of(messages.create_async(body="é" * 1601)) == (400, 50504)


async def test_a_conversation_has_at_most_five_webhooks(made: Any) -> None:
    for _ in range(5):
        hook = await made.webhooks.create_async(target="webhook", configuration_url="http://127.0.0.1:1/hook")
    sixth = made.webhooks.create_async(target="webhook", configuration_url="http://127.0.0.1:1/hook")
    assert await refusal_of(sixth) == (400, 50361)
    await hook.delete_async()
    assert len(await made.webhooks.list_async()) == 4


async def test_a_webhook_is_checked(made: Any, oracle: Oracle) -> None:
    url = f"https://conversations.twilio.com/v1/Conversations/{made.sid}/Webhooks"
    for form, code in (
        ({}, 50368),
        ({"Target": "webhook"}, 20001),
        ({"Target": "webhook", "Configuration.Url": "ftp://x"}, 20001),
        ({"Target": "webhook", "Configuration.Url": "http://x/" + "y" * 512}, 50372),
        ({"Target": "trigger", "Configuration.Url": "http://x", "Configuration.Triggers": ["a"] * 6}, 50362),
    ):
        status, body = await oracle.call("POST", url, form)
        assert (status, body["code"]) == (400, code), form


async def test_a_webhook_can_be_changed(made: Any) -> None:
    hook = await made.webhooks.create_async(target="webhook", configuration_url="http://127.0.0.1:1/a")
    changed = await hook.update_async(configuration_filters=["onMessageAdded"])
    assert changed.configuration == {"url": "http://127.0.0.1:1/a", "method": "post", "filters": ["onMessageAdded"]}


async def test_timers(oracle: Oracle) -> None:
    make = oracle.conversations.conversations.create_async
    assert await refusal_of(make(timers_inactive="PT59S", state="active")) == (400, 50375)
    assert await refusal_of(make(timers_closed="PT9M", state="active")) == (400, 50376)
    assert await refusal_of(make(timers_closed="PT10M")) == (400, 50382)
    assert await refusal_of(make(timers_closed="soon", state="active")) == (400, 20001)
    assert list((await make(timers_closed="PT10M", state="active")).timers) == ["date_closed"]
    assert (await make()).timers == {}


@pytest.mark.parametrize("by", ["identity", "address"])
async def test_the_conversations_of_a_person(sandbox: Sandbox, oracle: Oracle, by: str) -> None:
    ann = await sandbox.create_conversation(identity="ann", friendly_name="Ann")
    text = await sandbox.create_conversation(address="+15550001", proxy_address="+15550002")
    query = {"identity": "ann"} if by == "identity" else {"address": "+15550001"}
    [found] = await oracle.conversations.participant_conversations.list_async(**query)
    assert found.conversation_sid == (ann if by == "identity" else text)["sid"]
    assert found.conversation_state == "active"


async def test_users(oracle: Oracle) -> None:
    user = await oracle.conversations.users.create_async(identity="ann", friendly_name="Ann")
    assert (await oracle.conversations.users("ann").fetch_async()).sid == user.sid
    assert await refusal_of(oracle.conversations.users.create_async(identity="ann")) == (409, 50201)
