from __future__ import annotations

import base64

from aiohttp import ClientSession

from gateway.sandbox import Sandbox
from tests.gateway.sandbox.oracle import Oracle


async def test_every_request_is_written_down(sandbox: Sandbox, oracle: Oracle, desk: ClientSession) -> None:
    made = await oracle.conversations.conversations.create_async()
    await made.webhooks.create_async(
        target="webhook", configuration_url="http://127.0.0.1:1/", configuration_filters=["a", "b"]
    )
    await made.messages.create_async(body="", author="Bot", x_twilio_webhook_enabled="true")
    status, _ = await oracle.call("GET", "https://conversations.twilio.com/v1/Conversations/CHx?a=&b=1")
    assert status == 404
    async with desk.get("/sandbox/journal") as answer:
        _, hook, message, missing = (await answer.json())["requests"]
    assert [pair for pair in hook["form"] if pair[0] == "Configuration.Filters"] == [
        ["Configuration.Filters", "a"],
        ["Configuration.Filters", "b"],
    ]
    assert (message["n"], message["method"], message["host"], message["status"]) == (
        2,
        "POST",
        "conversations.twilio.com",
        201,
    )
    assert message["path"] == f"/v1/Conversations/{made.sid}/Messages"
    assert sorted(message["form"]) == [["Author", "Bot"], ["Body", ""]]
    assert message["headers"]["x-twilio-webhook-enabled"] == "true"
    assert (missing["status"], missing["query"]) == (404, [["a", ""], ["b", "1"]])


async def test_credentials_are_not_written_down(sandbox: Sandbox, oracle: Oracle, desk: ClientSession) -> None:
    await oracle.conversations.conversations.create_async()
    async with desk.get("/sandbox/journal") as answer:
        text = await answer.text()
    pair = f"{oracle.account.account_sid}:{oracle.account.auth_token}"
    assert "authorization" not in text.lower()
    assert base64.b64encode(pair.encode()).decode() not in text


async def test_control_routes_are_not_written_down(sandbox: Sandbox, desk: ClientSession) -> None:
    async with desk.get("/sandbox/tasks"):
        assert sandbox.journal.requests == []


async def test_the_journal_can_be_cleared(sandbox: Sandbox, oracle: Oracle, desk: ClientSession) -> None:
    await oracle.conversations.conversations.create_async()
    async with desk.delete("/sandbox/journal") as answer:
        assert answer.status == 204
    assert sandbox.journal.requests == []
    await oracle.conversations.conversations.create_async()
    assert [one.n for one in sandbox.journal.requests] == [1]
