"""The lookup at the first message: two reads, and what they decide."""

import pytest
from structlog.testing import capture_logs

from bots.events import LookedUp, LookupFailed
from tests.gateway.house import GENERATIONS, Generation, House

CONVERSATION = r"/(Conversations|Channels)/CH\w+$"
PARTICIPANTS = r"/(Participants|Members)$"


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_it_takes_two_reads_and_is_made_once(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello")
    assert len(home.requests("GET")) == 2
    await home.write(sid, "bill", "anyone?")
    assert [one.path.rsplit("/", 1)[1] for one in home.requests("GET")[2:]] in ([], ["Webhooks"])
    [answer] = [entry.event for entry in await home.journal(sid) if isinstance(entry.event, LookedUp)]
    assert answer.attributes["pre_engagement_data"] == {"friendlyName": "Jana", "question": "invoice"}
    assert [one.identity for one in answer.participants] == ["guest"]


@pytest.mark.parametrize("path", [CONVERSATION, PARTICIPANTS])
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_read_that_fails_is_tried_again(home: House, generation: Generation, path: str) -> None:
    fault = home.fault("status", path, method="GET", status=500, times=2)
    sid = await home.begin(generation)
    await home.write(sid, "Hello")
    assert fault.hits == 2
    assert home.said(sid) == ["Hi Jana! What is it about?"]


async def test_after_three_failures_the_bot_goes_on_without_and_the_log_says_so_once(home: House) -> None:
    home.fault("status", CONVERSATION, method="GET", status=500, times=3)
    sid = await home.begin()
    with capture_logs() as logs:
        await home.write(sid, "Hello", "bill")
    assert home.said(sid) == ["Hi there! What is it about?", "I will find somebody."]
    assert [one["event"] for one in logs] == ["lookup failed, going on without"]
    [failed] = [entry.event for entry in await home.journal(sid) if isinstance(entry.event, LookupFailed)]
    assert failed.reason == "Twilio is in trouble: HTTP 500"


async def test_messages_wait_for_the_answer_and_are_then_taken_in_order(home: House) -> None:
    home.fault("slow", CONVERSATION, method="GET", seconds=0.1, times=1)
    sid = await home.begin()
    await home.sandbox.customer_writes(sid, "Hello")
    await home.sandbox.customer_writes(sid, "bill")
    await home.sandbox.settled()
    assert (await home.record(sid)).waiting == 2, "both are acknowledged and wait"
    await home.settle()
    assert (await home.record(sid)).waiting == 0
    assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"


@pytest.mark.promise(6)
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_the_bot_does_not_begin_where_an_agent_is(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.agent_joins(sid, generation)
    await home.write(sid, "Hello")
    assert home.said(sid) == []
    assert (await home.record(sid)).owner == "agent"


@pytest.mark.promise(6)
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_the_bot_does_not_begin_where_a_task_waits(home: House, generation: Generation) -> None:
    """Another bot handed over before we were asked: its task names the conversation."""
    sid = await home.begin(generation)
    await home.unheard(sid, "old words")
    await home.make_task(sid, generation)
    await home.write(sid, "Hello")
    assert home.said(sid) == []
    assert (await home.record(sid)).owner == "agent"


async def test_a_closed_conversation_is_left_alone(home: House) -> None:
    home.fault("slow", PARTICIPANTS, method="GET", seconds=0.15, times=1)
    sid = await home.begin(filters=["onMessageAdded"])
    await home.sandbox.customer_writes(sid, "Hello")
    await home.sandbox.close_conversation(sid)
    await home.settle()
    assert home.said(sid) == []
    assert (await home.record(sid)).owner == "closed"
