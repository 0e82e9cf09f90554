from __future__ import annotations

import pytest
from aiohttp import BasicAuth, ClientSession
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import create_sandbox
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import serve

CONVERSATIONS = "https://conversations.twilio.com/v1"


async def test_wrong_credentials_are_refused(base: str, oracle: Oracle) -> None:
    wrong = Oracle(base, oracle.account, token="wrong")
    with pytest.raises(TwilioRestException) as refusal:
        await wrong.conversations.conversations.create_async()
    await wrong.close()
    assert (refusal.value.status, refusal.value.code) == (401, 20003)
    assert wrong.http.json == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


@pytest.mark.parametrize("auth", [None, BasicAuth("", ""), BasicAuth("None", "None"), BasicAuth("SK" + "0" * 32, "")])
async def test_no_credentials_are_refused(desk: ClientSession, auth: BasicAuth | None) -> None:
    """Also empty ones, where the account has no API key."""
    async with desk.get("/conversations.twilio.com/v1/Conversations", auth=auth) as answer:
        assert answer.status == 401


async def test_an_api_key_is_let_in() -> None:
    sandbox = create_sandbox(api_key="SK" + "1" * 32, api_secret="s3cret")
    async with serve(sandbox) as base, ClientSession(base) as session:
        for secret, status in (("s3cret", 200), ("other", 401)):
            auth = BasicAuth("SK" + "1" * 32, secret)
            async with session.get("/conversations.twilio.com/v1/Conversations", auth=auth) as answer:
                assert answer.status == status


async def test_what_is_not_there_is_20404(oracle: Oracle) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        await oracle.conversations.conversations("CHx").fetch_async()
    assert (refusal.value.status, refusal.value.code) == (404, 20404)
    assert oracle.http.json["message"] == "The requested resource /Conversations/CHx was not found"


@pytest.mark.parametrize("path", ["/conversations.twilio.com/v1/Nonsense", "/voice.twilio.com/v1/Calls", "/"])
async def test_unknown_paths_are_answered_as_twilio_does(desk: ClientSession, path: str) -> None:
    async with desk.get(path) as answer:
        assert answer.status == 404
        assert (await answer.json())["code"] == 20404


async def test_a_wrong_method_is_405(oracle: Oracle) -> None:
    status, body = await oracle.call("PUT", f"{CONVERSATIONS}/Conversations")
    assert (status, body["code"]) == (405, 20004)


async def test_attributes_are_given_back_as_the_text_that_came(oracle: Oracle) -> None:
    text = '{ "b": 1,\n  "a": "žluť" }'
    made = await oracle.conversations.conversations.create_async(attributes=text)
    assert (await made.fetch_async()).attributes == text


async def test_attributes_that_are_not_json_are_refused(oracle: Oracle) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        await oracle.conversations.conversations.create_async(attributes="{nope")
    assert (refusal.value.status, refusal.value.code) == (400, 20001)


async def test_blank_values_and_repeated_keys_are_kept(oracle: Oracle) -> None:
    made = await oracle.conversations.conversations.create_async()
    message = await made.messages.create_async(author="Bot", body="")
    assert message.body == ""
    webhooks = oracle.conversations.conversations(made.sid).webhooks
    hook = await webhooks.create_async(
        target="webhook",
        configuration_url="http://127.0.0.1:1/hook",
        configuration_filters=["onMessageAdded", "onParticipantAdded"],
    )
    assert hook.configuration["filters"] == ["onMessageAdded", "onParticipantAdded"]


async def test_a_json_body_is_no_form(oracle: Oracle, desk: ClientSession) -> None:
    """A client that sends JSON where a form is due sends no parameters."""
    made = await oracle.conversations.conversations.create_async()
    auth = BasicAuth(oracle.account.account_sid, oracle.account.auth_token)
    url = f"/conversations.twilio.com/v1/Conversations/{made.sid}/Messages"
    async with desk.post(url, json={"Body": "hello"}, auth=auth) as answer:
        assert (await answer.json())["body"] is None


async def test_dates_have_no_fraction(oracle: Oracle) -> None:
    await oracle.conversations.conversations.create_async()
    assert len(oracle.http.json["date_created"]) == len("2015-12-16T22:18:37Z")
    assert oracle.http.json["date_created"].endswith("Z")
