"""The way in: what is refused, with which sentence, and that a refusal changes nothing."""

import asyncio
from urllib.parse import urlencode

import aiohttp
import pytest
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator

from gateway.webhooks import LARGEST_BODY
from tests.gateway.house import House, post, until

SID, MESSAGE = "CH" + "c" * 32, "IM" + "d" * 32
HEAD = b"POST /webhooks/conversations HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: A\r\n"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}


def form(home: House, **changes: str) -> dict[str, str]:
    """A customer's message as Conversations tells it."""
    given = {
        "EventType": "onMessageAdded",
        "AccountSid": home.sandbox.account.account_sid,
        "ChatServiceSid": home.sandbox.account.service_sid,
        "ConversationSid": SID,
        "MessageSid": MESSAGE,
        "Index": "0",
        "Author": "guest",
        "Body": "my secret words",
        "DateCreated": "2036-01-10T09:00:00.000Z",
    }
    return {**given, **changes}


def signed(home: House, url: str, fields: dict[str, str], *, token: str | None = None) -> dict[str, str]:
    """The headers of a delivery, signed by the official client."""
    validator = RequestValidator(token or home.sandbox.account.auth_token)
    return {**FORM_TYPE, "X-Twilio-Signature": validator.compute_signature(url, fields)}


async def deliver(home: House, fields: dict[str, str], path: str = "/webhooks/conversations") -> tuple[int, str]:
    """A rightly signed delivery."""
    url = home.url + path
    return await post(url, urlencode(fields), signed(home, url, fields))


@pytest.mark.promise(1)
class TestSignature:
    """Promise 1: a request whose signature is wrong changes nothing."""

    async def refused(self, home: House, headers: dict[str, str], fields: dict[str, str]) -> str:
        status, body = await post(home.url + "/webhooks/conversations", urlencode(fields), headers)
        await home.settle()
        assert status == 403
        assert home.rows() == 0
        assert home.requests() == []
        return body

    async def test_a_missing_one(self, home: House) -> None:
        assert await self.refused(home, FORM_TYPE, form(home)) == "X-Twilio-Signature is missing.\n"

    async def test_a_bad_one(self, home: House) -> None:
        body = await self.refused(home, {**FORM_TYPE, "X-Twilio-Signature": "AAAA"}, form(home))
        assert body == "X-Twilio-Signature is wrong: compare USHER_PUBLIC_URL and TWILIO_AUTH_TOKEN.\n"

    async def test_another_accounts_one(self, home: House) -> None:
        url = home.url + "/webhooks/conversations"
        await self.refused(home, signed(home, url, form(home), token="f" * 32), form(home))

    async def test_one_for_another_body(self, home: House) -> None:
        url = home.url + "/webhooks/conversations"
        await self.refused(home, signed(home, url, form(home)), form(home, Body="other words"))

    async def test_one_for_another_path(self, home: House) -> None:
        url = home.url + "/webhooks/flex-flow"
        await self.refused(home, signed(home, url, form(home)), form(home))

    async def test_a_right_one_of_another_account_sid(self, home: House) -> None:
        fields = form(home, AccountSid="AC" + "9" * 32)
        url = home.url + "/webhooks/conversations"
        assert await self.refused(home, signed(home, url, fields), fields) == "AccountSid is not TWILIO_ACCOUNT_SID.\n"


@pytest.mark.promise(2)
async def test_the_same_delivery_twenty_times_at_once_by_two_webhooks_is_one_turn(home: House) -> None:
    """Two webhooks, two idempotency tokens, one happening: its key is made of what happened."""
    sid = await home.begin()
    for text in ("Hello", "bill"):
        written = await home.sandbox.customer_writes(sid, text)
        number = home.sandbox.webhooks.count - 1
        other_url = home.url + "/webhooks/conversations?flow=welcome"
        answers = await asyncio.gather(home.repeat(number, times=10), home.repeat(number, times=10, url=other_url))
        await home.settle()
        answers.append(await home.repeat(number, times=1))
        await home.settle()
        assert [status for statuses in answers for status in statuses] == [200] * 21
        assert [entry.event.key for entry in await home.journal(sid)].count(written["sid"]) == 1
    assert home.said(sid) == ["Hi Jana! What is it about?", "I will find somebody."]
    assert len(home.tasks(sid)) == 1
    assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"


@pytest.mark.promise(2)
async def test_two_webhooks_with_tokens_of_their_own_tell_of_one_happening(home: House) -> None:
    """A second scoped webhook: each delivery has its own idempotency token, and both are repeated ten times."""
    sid = await home.begin()
    await home.rest(
        f"conversations.twilio.com/v1/Conversations/{sid}/Webhooks",
        Target="webhook",
        **{
            "Configuration.Url": home.url + "/webhooks/conversations?flow=welcome",
            "Configuration.Method": "post",
            "Configuration.Filters": "onMessageAdded",
        },
    )
    for text in ("Hello", "bill"):
        before = home.sandbox.webhooks.count
        await home.sandbox.customer_writes(sid, text)
        first, second = range(before, home.sandbox.webhooks.count)
        deliveries = home.sandbox.webhooks.deliveries
        assert deliveries[first].token != deliveries[second].token
        await asyncio.gather(home.repeat(first, times=10), home.repeat(second, times=10))
        await home.settle()
    assert {one.status for one in deliveries.values()} == {200}
    assert home.said(sid) == ["Hi Jana! What is it about?", "I will find somebody."]
    assert [task["attributes"]["topic"] for task in home.tasks(sid)] == ["bill"]


@pytest.mark.promise(2)
async def test_what_happened_more_than_a_day_ago_is_acknowledged_and_not_taken(home: House) -> None:
    assert await deliver(home, form(home, DateCreated="2026-01-10T09:00:00.000Z")) == (200, "{}")
    assert home.rows() == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Index": "many"}, "Index is not a whole number.\n"),
        ({"MessageSid": "my secret words"}, "MessageSid is not IM and 32 characters.\n"),
        ({"Author": ""}, "Author is missing.\n"),
    ],
)
async def test_what_is_malformed_is_refused_in_one_sentence_and_logged_without_the_words(
    home: House, changes: dict[str, str], sentence: str
) -> None:
    with capture_logs() as logs:
        assert await deliver(home, form(home, **changes)) == (400, sentence)
    assert home.rows() == 0
    assert len(logs) == 1
    assert "my secret words" not in str(logs)


@pytest.mark.parametrize("body", [b"no form", b"a=%ff%fe", b"\xff=1", b"&".join(b"a=1" for _ in range(500)), b"{}"])
async def test_a_body_that_is_no_form_is_refused(home: House, body: bytes) -> None:
    status, sentence = await post(home.url + "/webhooks/conversations", body, {**FORM_TYPE, "X-Twilio-Signature": "A"})
    assert (status, sentence) == (400, "the body is not a form in UTF-8.\n")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(home: House) -> None:
    """The client says how much will come and sends none of it: the answer comes all the same."""
    port = int(home.url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + f"Content-Length: {LARGEST_BODY + 1}\r\n\r\n".encode())
    async with asyncio.timeout(2):
        assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_body_of_unknown_length_is_refused_when_it_has_become_too_large(home: House) -> None:
    port = int(home.url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    writer.write((b"10000\r\n" + b"a" * 0x10000 + b"\r\n") * 5)
    async with asyncio.timeout(2):
        assert b" 413 " in await reader.readline()
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.mark.parametrize("path", ["/webhooks/conversations", "/webhooks/flex-flow"])
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
async def test_another_method_is_refused_and_names_the_setting_at_fault(home: House, path: str, method: str) -> None:
    async with aiohttp.ClientSession() as session, session.request(method, home.url + path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
        if method != "HEAD":
            assert "Twilio must POST here: set " in await answer.text()


async def test_the_url_names_the_flow(home: House) -> None:
    assert (await deliver(home, form(home), "/webhooks/conversations?flow=welcome"))[0] == 200
    assert (await home.record(SID)).flow == "welcome"


async def test_a_flow_that_is_not_there_is_refused_and_the_others_are_named(home: House) -> None:
    status, sentence = await deliver(home, form(home), "/webhooks/conversations?flow=welcom")
    assert (status, sentence) == (404, "there is no such flow; flows here: welcome.\n")
    assert home.rows() == 0


@pytest.mark.parametrize("kind", ["onMessageUpdated", "onParticipantAdded", "onSomethingNew"])
async def test_other_events_are_acknowledged_and_leave_nothing(home: House, kind: str) -> None:
    assert await deliver(home, form(home, EventType=kind)) == (200, "{}")
    assert home.rows() == 0


@pytest.mark.promise(3)
async def test_a_webhook_never_waits_for_twilio(home: House) -> None:
    """Twilio holds its answer to the bot's message; the next webhooks, its own conversation's too, are answered."""
    first, second = await home.begin(), await home.begin(identity="other")
    await home.write(first, "Hello")
    held = home.fault("hold_after", f"{first}/Messages")
    await home.sandbox.customer_writes(first, "bill")
    async with asyncio.timeout(5):
        await home.sandbox.settled()
        await home.sandbox.customer_writes(first, "are you there?")
        await home.sandbox.settled()
        await home.sandbox.customer_writes(second, "Hello")
        await until(lambda: home.said(second) == ["Hi Jana! What is it about?"])
    assert held.hits == 1
    home.sandbox.faults.clear()
    await home.settle()
    assert home.said(first) == ["Hi Jana! What is it about?", "I will find somebody."]


@pytest.mark.promise(3)
async def test_two_messages_sent_at_once_are_taken_in_the_order_of_their_index(home: House) -> None:
    sid = await home.begin()
    await asyncio.gather(*(home.sandbox.customer_writes(sid, text) for text in ("Hello", "bill", "really")))
    await home.settle()
    taken = [entry.event.text for entry in await home.journal(sid) if hasattr(entry.event, "text")]
    assert sorted(taken) == ["Hello", "bill", "really"]
    assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"


async def test_pages_say_whether_the_gateway_lives_and_is_ready(home: House) -> None:
    async with aiohttp.ClientSession() as session:
        for path, text in (("/livez", "alive\n"), ("/readyz", "ready\n")):
            async with session.get(home.url + path) as answer:
                assert (answer.status, await answer.text()) == (200, text)
        async with session.get(home.url + "/elsewhere") as answer:
            assert answer.status == 404
