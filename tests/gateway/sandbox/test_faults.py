"""Faults really happen, seen by real clients over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, ServerDisconnectedError
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import Sandbox
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import until

MESSAGES = r"^conversations\.twilio\.com/v1/Conversations/CH\w+/Messages$"


async def order(desk: ClientSession, **fault: Any) -> None:
    async with desk.post("/sandbox/faults", json={"path": MESSAGES, "method": "POST", **fault}) as answer:
        assert answer.status == 201


async def lift(desk: ClientSession) -> None:
    async with desk.delete("/sandbox/faults") as answer:
        assert answer.status == 204


@pytest.fixture
async def sid(sandbox: Sandbox) -> str:
    return str((await sandbox.create_conversation(identity="ann"))["sid"])


def bodies(sandbox: Sandbox, sid: str) -> list[str]:
    return [one["body"] for one in sandbox.transcript(sid)["messages"]]


async def say(oracle: Oracle, sid: str, body: str = "hello") -> Any:
    return await oracle.conversations.conversations(sid).messages.create_async(author="Bot", body=body)


@pytest.mark.parametrize(("status", "code"), [(429, 20429), (500, 20500), (503, 20503)])
async def test_a_status_is_answered_without_effect(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str, status: int, code: int
) -> None:
    await order(desk, kind="status", status=status, retry_after=2, times=1)
    with pytest.raises(TwilioRestException) as refusal:
        await say(oracle, sid, "refused")
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert oracle.http.headers["Retry-After"] == "2"
    await say(oracle, sid, "taken")
    assert bodies(sandbox, sid) == ["taken"]


async def test_a_fault_without_times_lasts_until_it_is_lifted(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str
) -> None:
    await order(desk, kind="status", status=503)
    for _ in range(3):
        with pytest.raises(TwilioRestException):
            await say(oracle, sid)
    await lift(desk)
    await say(oracle, sid, "taken")
    assert bodies(sandbox, sid) == ["taken"]


async def test_other_requests_are_spared(oracle: Oracle, desk: ClientSession, sid: str) -> None:
    """Another method or another path."""
    await order(desk, kind="status", status=503)
    assert await oracle.conversations.conversations(sid).messages.list_async() == []
    assert (await oracle.conversations.conversations(sid).update_async(friendly_name="x")).friendly_name == "x"


@pytest.mark.parametrize(("kind", "effect"), [("cut_before", []), ("cut_after", ["hello"])])
async def test_a_connection_is_cut(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str, kind: str, effect: list[str]
) -> None:
    await order(desk, kind=kind, times=1)
    with pytest.raises(ServerDisconnectedError):
        await say(oracle, sid)
    assert bodies(sandbox, sid) == effect
    await say(oracle, sid, "then")
    assert bodies(sandbox, sid) == [*effect, "then"]
    assert [(one.status, one.fault) for one in sandbox.journal.requests] == [(None, kind), (201, None)]


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
async def test_not_a_byte_is_written_on_a_cut_connection(base: str, desk: ClientSession, kind: str) -> None:
    await order(desk, kind=kind, path="nonsense", method="GET")
    address = urlsplit(base)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET /conversations.twilio.com/v1/nonsense HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_slow_waits_first(sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str) -> None:
    await order(desk, kind="slow", seconds=0.05)
    started = asyncio.get_running_loop().time()
    await say(oracle, sid)
    assert asyncio.get_running_loop().time() - started >= 0.05
    assert bodies(sandbox, sid) == ["hello"]


async def test_slow_is_done_even_for_a_client_who_has_gone(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str
) -> None:
    await order(desk, kind="slow", seconds=0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await say(oracle, sid)
    await until(lambda: bodies(sandbox, sid) == ["hello"])


async def test_a_held_answer_comes_when_it_is_released(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str
) -> None:
    """What was asked is done meanwhile."""
    await order(desk, kind="hold_after")
    asking = asyncio.create_task(say(oracle, sid))
    await until(lambda: bodies(sandbox, sid) == ["hello"])
    async with desk.get("/sandbox/journal") as answer:
        [request] = (await answer.json())["requests"]
    assert (request["status"], request["fault"], asking.done()) == (None, "hold_after", False)
    await lift(desk)
    assert (await asking).body == "hello"


async def test_a_held_answer_ends_with_the_client(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str
) -> None:
    await order(desk, kind="hold_after")
    asking = asyncio.create_task(say(oracle, sid))
    await until(lambda: bodies(sandbox, sid) == ["hello"])
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await lift(desk)
    assert sandbox.journal.requests[0].status is None


async def test_closing_the_sandbox_releases_what_is_held(
    sandbox: Sandbox, oracle: Oracle, desk: ClientSession, sid: str
) -> None:
    await order(desk, kind="hold_after")
    asking = asyncio.create_task(say(oracle, sid))
    await until(lambda: bodies(sandbox, sid) == ["hello"])
    await sandbox.close()
    assert (await asking).body == "hello"
