"""The client's edge: what goes out, and what each failure says about sending again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import BasicAuth
from aioresponses import CallbackResult, aioresponses
from twilio.rest import Client
from yarl import URL

from bots.conversation import Channel
from gateway.twilio_api import Twilio, connect
from gateway.twilio_api.errors import AlreadyClosed, NotTaken, OutcomeUnknown, Refused
from gateway.twilio_api.transport import Transport

AC, CH, IS, WS = "AC" + "a" * 32, "CH" + "c" * 32, "IS" + "e" * 32, "WS" + "b" * 32
MESSAGES = f"https://conversations.twilio.com/v1/Conversations/{CH}/Messages"


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    connected = connect(account_sid=AC, username=AC, password="token", workspace=WS, base_url=None, time_limit_s=0.2)
    yield connected
    await connected.close()


async def say(twilio: Twilio, text: str = "Hi!") -> int:
    medium = twilio.medium(Channel("conversations"))
    return await medium.send(CH, author="Bot", text=text, attributes='{"usher_effect_id": "IM1.0"}')


async def test_a_message_goes_out_as_the_official_client_builds_it(twilio: Twilio) -> None:
    sent: list[dict[str, Any]] = []

    def answer(url: URL, **request: Any) -> CallbackResult:
        sent.append({"url": str(url), **request})
        return CallbackResult(status=201, payload={"sid": "IM1", "index": 7})

    with aioresponses() as wire:
        wire.post(MESSAGES, callback=answer)
        assert await say(twilio, "Žluť & 🙂") == 7
    [request] = sent
    assert request["data"] == (
        b"Author=Bot&Body=%C5%BDlu%C5%A5+%26+%F0%9F%99%82&Attributes=%7B%22usher_effect_id%22%3A+%22IM1.0%22%7D"
    )
    assert request["headers"]["Authorization"] == BasicAuth(AC, "token").encode()
    assert request["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    assert "X-Twilio-Webhook-Enabled" not in request["headers"]
    assert request["allow_redirects"] is False


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 429}, NotTaken),
        ({"status": 500}, OutcomeUnknown),
        ({"status": 503}, OutcomeUnknown),
        ({"status": 400, "payload": {"code": 50504, "message": "Body too long", "status": 400}}, Refused),
        (
            {"status": 400, "payload": {"code": 50377, "message": "Conversation is closed", "status": 400}},
            AlreadyClosed,
        ),
        ({"status": 404, "payload": {"code": 20404, "message": "not found", "status": 404}}, Refused),
        ({"status": 401, "payload": {"code": 20003, "message": "Authenticate", "status": 401}}, NotTaken),
        ({"status": 400, "body": "<html>"}, Refused),
        ({"exception": aiohttp.ServerDisconnectedError()}, OutcomeUnknown),
        ({"exception": TimeoutError()}, OutcomeUnknown),
        ({"exception": aiohttp.ClientPayloadError("cut")}, OutcomeUnknown),
    ],
)
async def test_each_failure_says_whether_the_request_may_have_been_taken(
    twilio: Twilio, answer: dict[str, Any], error: type[Exception]
) -> None:
    with aioresponses() as wire:
        wire.post(MESSAGES, **answer)
        with pytest.raises(error) as raised:
            await say(twilio, "my secret")
    assert type(raised.value) is error
    assert "secret" not in str(raised.value)


async def test_a_closed_port_took_nothing() -> None:
    twilio = connect(
        account_sid=AC, username=AC, password="t", workspace=WS, base_url="http://127.0.0.1:1", time_limit_s=1
    )
    with pytest.raises(NotTaken):
        await say(twilio)
    await twilio.close()


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("Wed, 21 Oct", None)])
async def test_twilios_wish_for_patience_is_passed_on(twilio: Twilio, header: str, seconds: float | None) -> None:
    with aioresponses() as wire:
        wire.post(MESSAGES, status=429, headers={"Retry-After": header})
        with pytest.raises(NotTaken) as raised:
            await say(twilio)
    assert raised.value.retry_after_s == seconds


async def test_a_request_that_is_never_answered_ends_after_the_time_limit(twilio: Twilio) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = Transport(base_url=f"http://127.0.0.1:{port}", time_limit_s=0.1)
    with pytest.raises(OutcomeUnknown):
        await transport.request("POST", "https://conversations.twilio.com/v1/Conversations", data={"A": "1"})
    await transport.close()
    server.close()
    await server.wait_closed()


async def test_calls_at_once_get_their_own_answers(twilio: Twilio) -> None:
    """The stock transport, unpooled, gave 489 of 500 callers another's answer."""

    async def echo(url: URL, **request: Any) -> CallbackResult:
        number = int(request["data"].split(b"Body=")[1].split(b"&")[0])
        await asyncio.sleep((number % 7) / 1000)
        return CallbackResult(status=201, payload={"sid": "IM1", "index": number})

    with aioresponses() as wire:
        wire.post(MESSAGES, callback=echo, repeat=True)
        answers = await asyncio.gather(*(say(twilio, str(number)) for number in range(100)))
    assert answers == list(range(100))


async def test_a_base_url_stands_in_for_twilios_hosts() -> None:
    transport = Transport(base_url="http://127.0.0.1:4010/", time_limit_s=1)
    client = Client(AC, "token", http_client=transport)
    with aioresponses() as wire:
        wire.get(
            f"http://127.0.0.1:4010/chat.twilio.com/v2/Services/{IS}/Channels/{CH}",
            payload={"sid": CH, "attributes": "{}"},
        )
        channel = await client.chat.v2.services(IS).channels(CH).fetch_async()
    assert channel.sid == CH
    await transport.close()


async def test_messages_are_read_back_only_as_far_as_needed(twilio: Twilio) -> None:
    first = f"{MESSAGES}?Order=desc&PageSize=50"
    page = [
        {"sid": f"IM{n}", "index": n, "author": "jana", "body": str(n), "attributes": "broken {"} for n in (9, 8, 7)
    ]
    meta = {"next_page_url": MESSAGES + "?Page=1", "key": "messages"}
    with aioresponses() as wire:
        wire.get(first, payload={"messages": page, "meta": meta})
        found = await twilio.medium(Channel("conversations")).messages_after(CH, 7)
    assert [(one.index, one.text, one.attributes) for one in found] == [(8, "8", {}), (9, "9", {})]
