"""Catching up: what we refused or were never told of is taken all the same, once and in order."""

from typing import Any

import pytest

from bots.events import Missed
from tests.gateway.house import GENERATIONS, Generation, House, until

pytestmark = pytest.mark.promise(4)


def texts(journal: Any) -> list[str]:
    return [entry.event.text for entry in journal if hasattr(entry.event, "text")]


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_gap_is_read_and_taken_before_what_came_after_it(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello")
    await home.unheard(sid, "bill")
    await home.write(sid, "are you there?")
    assert home.said(sid)[1:] == ["I will find somebody."]
    assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"
    assert (await home.record(sid)).heard.ahead == ()


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_our_own_messages_are_no_gap(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello", "bill", "one", "two")
    assert home.requests("GET", f"{sid}/Messages") == []


async def test_messages_of_others_that_wake_nobody_are_looked_at_once(home: House) -> None:
    """The web chat's `Concierge` welcomes without a webhook."""
    sid = await home.begin()
    await home.sandbox.customer_writes(sid, "Hello")
    await home.settle()
    await home.unheard(sid, "Welcome!", author="Concierge")
    await home.write(sid, "bill")
    assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"
    assert len(home.requests("GET", f"{sid}/Messages")) == 1
    await home.write(sid, "anyone?")
    assert len(home.requests("GET", f"{sid}/Messages")) == 1


async def test_of_a_conversation_that_is_new_to_us_only_what_nobody_answered_is_taken(home: House) -> None:
    sid = await home.begin()
    await home.unheard(sid, "last week's question")
    await home.unheard(sid, "last week's answer", author="Bot")
    await home.unheard(sid, "Hello")
    await home.unheard(sid, "Welcome!", author="Concierge")
    await home.write(sid, "bill")
    assert texts(await home.journal(sid)) == ["bill", "Hello"]
    assert home.said(sid)[-1] == "I will find somebody."
    assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"


@pytest.mark.promise(2)
async def test_what_was_fetched_and_is_then_told_counts_once(home: House) -> None:
    sid = await home.begin()
    await home.write(sid, "Hello")
    await home.sandbox.customer_writes(sid, "bill")
    late = home.sandbox.webhooks.count - 1
    await home.settle()
    assert await home.repeat(late, times=1) == [200]
    await home.settle()
    assert texts(await home.journal(sid)) == ["Hello", "bill"]


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_after_an_absence_the_conversations_of_the_bot_are_looked_into(
    home: House, generation: Generation
) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello")
    await home.unheard(sid, "bill")
    await home.return_from_absence()
    assert home.said(sid)[1:] == ["I will find somebody."]
    missed = [entry for entry in await home.journal(sid) if isinstance(entry.event, Missed)]
    assert len(missed) == 1


async def test_the_end_of_an_agents_part_that_we_were_not_told_of_is_noticed_when_we_are_back(home: House) -> None:
    sid = await home.begin()
    await home.write(sid, "Hello", "bill")
    task = home.tasks(sid)[0]["sid"]
    await home.sandbox.agent_accepts(task)
    await home.sandbox.agent_writes(task, "I am Ann")
    await home.settle()
    assert (await home.record(sid)).owner == "agent"
    await home.complete(task)
    home.remove_agents(sid)
    await home.return_from_absence()
    assert home.said(sid)[-1] == "Goodbye!"


async def test_a_conversation_that_is_over_is_not_looked_into(home: House) -> None:
    sid = await home.begin()
    await home.write(sid, "Hello", "bill")
    await home.sandbox.close_conversation(sid)
    await home.settle()
    before = len(home.requests())
    await home.return_from_absence()
    assert len(home.requests()) == before


async def test_a_delivery_that_was_refused_is_taken_as_soon_as_the_database_commits_again(home: House) -> None:
    """Another process holds the database's lock; nothing is repeated by Twilio."""
    sid = await home.begin()
    await home.write(sid, "Hello")
    with home.locked_database():
        await home.sandbox.customer_writes(sid, "bill")
        await home.sandbox.settled()
        assert [one.status for one in home.sandbox.webhooks.deliveries.values()][-1] == 503
    await until(lambda: home.tasks(sid))
    assert home.said(sid)[1:] == ["I will find somebody."]


async def test_a_first_message_that_was_refused_is_taken_too(home: House) -> None:
    sid = await home.begin()
    with home.locked_database():
        await home.sandbox.customer_writes(sid, "Hello")
        await home.sandbox.settled()
    await until(lambda: home.said(sid) == ["Hi Jana! What is it about?"])


async def test_when_twilio_cannot_be_read_the_dialogue_goes_on(home: House) -> None:
    sid = await home.begin()
    await home.write(sid, "Hello")
    await home.unheard(sid, "lost")
    home.fault("status", f"{sid}/Messages", method="GET", status=404)
    await home.write(sid, "bill")
    assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"
    assert not (await home.record(sid)).catching_up
