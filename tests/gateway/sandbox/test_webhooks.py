from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from gateway.sandbox import Media, Sandbox, create_sandbox
from gateway.sandbox import webhooks as deliveries
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Heard, Receiver, serve, until

TEXT = "žluťoučký 🙂  two & more = 100%"


async def begin(sandbox: Sandbox, receiver: Receiver, **contact: Any) -> str:
    url = contact.pop("webhook_url", receiver.url)
    begun = await sandbox.create_conversation(webhook_url=url, **{"identity": "ann", **contact})
    return str(begun["sid"])


@pytest.mark.parametrize("query", ["", "?flow=order%20status&x=", "?a=b%2Fc"])
async def test_the_official_validator_accepts_a_delivery(sandbox: Sandbox, receiver: Receiver, query: str) -> None:
    sid = await begin(sandbox, receiver, webhook_url=receiver.url + query)
    await sandbox.customer_writes(sid, TEXT)
    await sandbox.settled()
    [one] = receiver.heard
    signature = one.headers["X-Twilio-Signature"]
    validator = RequestValidator(sandbox.account.auth_token)
    assert one.url == receiver.url + query
    assert one.fields["Body"] == TEXT
    assert validator.validate(one.url, one.fields, signature)
    assert not validator.validate(one.url, {**one.fields, "Body": "other"}, signature)
    assert not RequestValidator("other").validate(one.url, one.fields, signature)


async def test_a_get_webhook_signs_its_query(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    sid = str((await sandbox.create_conversation(identity="ann"))["sid"])
    await oracle.conversations.conversations(sid).webhooks.create_async(
        target="webhook",
        configuration_url=receiver.url + "?flow=a",
        configuration_method="get",
        configuration_filters=["onMessageAdded"],
    )
    await sandbox.customer_writes(sid, TEXT)
    await sandbox.settled()
    [one] = receiver.heard
    assert (one.method, one.fields["flow"], one.fields["Body"]) == ("GET", "a", TEXT)
    signature = one.headers["X-Twilio-Signature"]
    assert RequestValidator(sandbox.account.auth_token).validate(one.url, {}, signature)


async def test_the_headers_of_a_delivery(sandbox: Sandbox, receiver: Receiver) -> None:
    sid = await begin(sandbox, receiver)
    await sandbox.customer_writes(sid, "hello")
    await sandbox.settled()
    headers = receiver.heard[0].headers
    assert headers["User-Agent"] == "TwilioProxy/1.1"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert headers["I-Twilio-Idempotency-Token"]


async def test_the_fields_of_a_message(sandbox: Sandbox, receiver: Receiver) -> None:
    """Those of the recorded delivery, and what a scoped one has more."""
    sid = await begin(sandbox, receiver)
    said = await sandbox.customer_writes(sid, "two", attributes={"a": 1})
    await sandbox.settled()
    [one] = receiver.heard
    assert set(one.fields) == {
        "EventType", "Attributes", "DateCreated", "Index", "MessageSid", "AccountSid", "Source", "ClientIdentity",
        "RetryCount", "Author", "ParticipantSid", "Body", "ConversationSid", "ChatServiceSid", "MessagingServiceSid",
        "WebhookSid",
    }  # fmt: skip
    assert len(one.pairs) == len(one.fields)
    assert one.fields["DateCreated"] == said["date_created"]
    assert one.fields["DateCreated"][-5] == "."
    transcript = sandbox.transcript(sid)
    assert one.fields["MessageSid"] == said["sid"]
    assert one.fields["ParticipantSid"] == transcript["participants"][0]["sid"]
    assert one.fields["WebhookSid"] == transcript["webhooks"][0]["sid"]
    assert (one.fields["Index"], one.fields["RetryCount"], one.fields["Attributes"]) == ("0", "0", '{"a": 1}')


async def test_the_fields_of_a_chat_message(sandbox: Sandbox, receiver: Receiver) -> None:
    sid = await begin(sandbox, receiver, generation="chat")
    await sandbox.customer_writes(sid, "ola")
    await sandbox.settled()
    [one] = receiver.heard
    assert set(one.fields) == {
        "EventType", "InstanceSid", "Attributes", "DateCreated", "Index", "From", "MessageSid", "AccountSid", "Source",
        "ChannelSid", "ClientIdentity", "RetryCount", "WebhookType", "Body", "WebhookSid",
    }  # fmt: skip
    assert (one.fields["WebhookType"], one.fields["InstanceSid"]) == ("webhook", sandbox.account.service_sid)


async def test_the_fields_of_a_timer(sandbox: Sandbox, receiver: Receiver) -> None:
    sid = await begin(sandbox, receiver)
    await sandbox.timer_fires(sid)
    await sandbox.settled()
    assert set(receiver.heard[0].fields) == {
        "EventType", "StateFrom", "StateTo", "Reason", "ConversationSid", "ChatServiceSid", "AccountSid",
        "StateUpdated", "RetryCount", "MessagingServiceSid", "WebhookSid",
    }  # fmt: skip


async def test_media_is_told_as_json(sandbox: Sandbox, receiver: Receiver) -> None:
    sid = await begin(sandbox, receiver)
    await sandbox.customer_writes(
        sid, None, media=[Media(sid="ME1", content_type="image/png", filename="a.png", size=7)]
    )
    await sandbox.settled()
    fields = receiver.heard[0].fields
    assert fields["Body"] == ""
    expected = {"Sid": "ME1", "ContentType": "image/png", "Filename": "a.png", "Size": 7}
    assert json.loads(fields["Media"]) == [expected]


async def test_an_author_who_does_not_take_part_has_no_participant(
    sandbox: Sandbox, oracle: Oracle, receiver: Receiver
) -> None:
    sid = await begin(sandbox, receiver)
    messages = oracle.conversations.conversations(sid).messages
    await messages.create_async(author="Bot", body="hi", x_twilio_webhook_enabled="true")
    await sandbox.settled()
    assert "ParticipantSid" not in receiver.heard[0].fields


async def test_nothing_is_repeated_unless_asked(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [503]
    sid = await begin(sandbox, receiver)
    await sandbox.customer_writes(sid, "hello")
    await sandbox.settled()
    assert len(receiver.heard) == 1
    [delivery] = sandbox.webhooks.since(0)
    assert (delivery.status, delivery.error, delivery.attempts) == (503, None, 1)


async def test_attempts_of_one_delivery_have_one_token(receiver: Receiver) -> None:
    """And growing retry counts, each signed anew; another delivery has another token."""
    sandbox = create_sandbox(retries=2)
    receiver.answers = [503, 429, 200, 200]
    sid = await begin(sandbox, receiver)
    await sandbox.customer_writes(sid, "hello")
    await sandbox.settled()
    assert [one.fields["RetryCount"] for one in receiver.heard] == ["0", "1", "2"]
    assert len({one.headers["I-Twilio-Idempotency-Token"] for one in receiver.heard}) == 1
    validator = RequestValidator(sandbox.account.auth_token)
    assert all(validator.validate(one.url, one.fields, one.headers["X-Twilio-Signature"]) for one in receiver.heard)
    await sandbox.customer_writes(sid, "again")
    await sandbox.settled()
    assert len({one.headers["I-Twilio-Idempotency-Token"] for one in receiver.heard}) == 2
    await sandbox.close()


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_other_refusals_are_not_repeated(receiver: Receiver, status: int) -> None:
    sandbox = create_sandbox(retries=2)
    receiver.answers = [status]
    await sandbox.customer_writes(await begin(sandbox, receiver), "hello")
    await sandbox.settled()
    assert len(receiver.heard) == 1
    await sandbox.close()


async def test_a_chat_webhook_has_retries_of_its_own(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    begun = await sandbox.create_conversation(generation="chat", identity="ann")
    await oracle.chat.channels(begun["sid"]).webhooks.create_async(
        type="webhook",
        configuration_url=receiver.url,
        configuration_filters=["onMessageSent"],
        configuration_retry_count=1,
    )
    receiver.answers = [503, 503]
    await sandbox.customer_writes(begun["sid"], "hello")
    await sandbox.settled()
    assert len(receiver.heard) == 2


async def test_a_slow_receiver_is_given_up(
    sandbox: Sandbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "TIME_LIMIT_S", 0.05)
    held = asyncio.Event()
    receiver.gate = lambda _: held
    await sandbox.customer_writes(await begin(sandbox, receiver), "hello")
    await sandbox.settled()
    held.set()
    [delivery] = sandbox.webhooks.since(0)
    assert (delivery.status, delivery.error) == (None, "no answer within 0.05 s")


async def test_a_receiver_that_is_not_there(sandbox: Sandbox) -> None:
    begun = await sandbox.create_conversation(identity="ann", webhook_url="http://127.0.0.1:1/hook")
    await sandbox.customer_writes(begun["sid"], "hello")
    await sandbox.settled()
    [delivery] = sandbox.webhooks.since(0)
    assert delivery.status is None
    assert "Connect" in (delivery.error or "")


async def test_deliveries_do_not_wait_for_each_other(sandbox: Sandbox, receiver: Receiver) -> None:
    """The second message arrives while the first one's receiver still thinks."""
    held = asyncio.Event()

    def gate(one: Heard) -> asyncio.Event | None:
        return held if one.fields["Body"] == "first" else None

    receiver.gate = gate
    sid = await begin(sandbox, receiver)
    await sandbox.customer_writes(sid, "first")
    await until(lambda: len(receiver.heard) == 1)
    await sandbox.customer_writes(sid, "second")
    await until(lambda: sandbox.webhooks.since(1)[0].status == 200)
    first = sandbox.webhooks.since(0)[0]
    assert (first.status, first.error) == (None, None)
    held.set()
    await sandbox.settled()


async def test_both_levels_hear_the_same_message(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    service = oracle.conversations.services(sandbox.account.service_sid)
    await service.configuration.webhooks().update_async(post_webhook_url=receiver.url, filters=["onMessageAdded"])
    await sandbox.customer_writes(await begin(sandbox, receiver), "hello")
    await sandbox.settled()
    assert len({one.fields["MessageSid"] for one in receiver.heard}) == 1
    assert sorted("WebhookSid" in one.fields for one in receiver.heard) == [False, True]


@pytest.mark.parametrize("together", [True, False])
async def test_a_delivery_can_be_repeated(
    sandbox: Sandbox, desk: ClientSession, receiver: Receiver, together: bool
) -> None:
    """The same fields and token; signed for the URL it goes to."""
    await sandbox.customer_writes(await begin(sandbox, receiver), "hello")
    await sandbox.settled()
    other = receiver.url + "?elsewhere=1"
    order = {"times": 3, "together": together, "url": other}
    async with desk.post("/sandbox/deliveries/0/repeat", json=order) as answer:
        repeats = (await answer.json())["deliveries"]
    assert [one["status"] for one in repeats] == [200, 200, 200]
    assert {one["repeat_of"] for one in repeats} == {0}
    first, *again = receiver.heard
    assert len(again) == 3
    validator = RequestValidator(sandbox.account.auth_token)
    for one in again:
        assert one.pairs == first.pairs
        assert one.headers["I-Twilio-Idempotency-Token"] == first.headers["I-Twilio-Idempotency-Token"]
        assert validator.validate(other, one.fields, one.headers["X-Twilio-Signature"])


async def test_repeats_together_are_under_way_at_once(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.customer_writes(await begin(sandbox, receiver), "hello")
    await sandbox.settled()
    held = asyncio.Event()
    receiver.gate = lambda _: held
    repeating = asyncio.create_task(sandbox.webhooks.repeat(0, times=3, together=True))
    await until(lambda: len(receiver.heard) == 4)
    held.set()
    assert len(await repeating) == 3


async def test_closing_gives_up_what_is_under_way(receiver: Receiver) -> None:
    sandbox = create_sandbox()
    held = asyncio.Event()
    receiver.gate = lambda _: held
    async with serve(sandbox):
        await sandbox.customer_writes(await begin(sandbox, receiver), "hello")
        await until(lambda: len(receiver.heard) == 1)
    held.set()
    [delivery] = sandbox.webhooks.since(0)
    assert delivery.task is not None
    assert delivery.task.done()
    assert delivery.error == "it was given up"
