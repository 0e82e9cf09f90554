"""The main job, over both generations: a message in, an answer out, a task for a person, and then silence."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.house import GENERATIONS, Generation, House, house
from tests.postgres import empty_postgres


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_customer_is_greeted_by_name_handed_over_and_then_left_to_the_agent(
    home: House, generation: Generation
) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello")
    assert home.said(sid) == ["Hi Jana! What is it about?"]

    await home.write(sid, "My invoice is wrong")
    assert home.said(sid)[1:] == ["I will find somebody."]
    [task] = home.tasks(sid)
    expected: dict[str, Any] = {
        "topic": "My invoice is wrong",
        "pre_engagement_data": {"friendlyName": "Jana", "question": "invoice"},
        "from": "Jana",
        "customerName": "Jana",
        "channelType": "web",
        "conversationSid": sid,
    }
    assert {name: task["attributes"].get(name) for name in expected} == expected

    before = home.said(sid)
    await home.sandbox.agent_accepts(task["sid"])
    for turn in range(20):
        await home.write(sid, f"customer {turn}")
        await home.sandbox.agent_writes(task["sid"], f"agent {turn}")
        await home.settle()
    assert home.said(sid) == before
    assert len(home.requests("POST", "/v1/Interactions")) == 1

    await home.sandbox.agent_finishes(task["sid"])
    await home.settle()
    assert (await home.record(sid)).owner == "closed"
    assert home.said(sid) == before


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_the_interaction_is_asked_for_as_flex_wants_it(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello", "My invoice is wrong")
    [request] = home.requests("POST", "/v1/Interactions")
    form = dict(request.form)
    assert json.loads(form["Channel"]) == {
        "type": "web",
        "initiated_by": "customer",
        "properties": {"media_channel_sid": sid},
    }
    routing = json.loads(form["Routing"])
    assert routing["type"] == "TaskRouter"
    account = home.sandbox.account
    assert routing["properties"]["workspace_sid"] == account.workspace_sid
    assert routing["properties"]["workflow_sid"] == account.workflow_sid
    assert routing["properties"]["task_channel_unique_name"] == "chat"
    handoff = (await home.record(sid)).handoff
    assert handoff is not None
    assert routing["properties"]["attributes"]["usher_handoff_id"] == handoff.id
    assert handoff.interaction.startswith("KD")
    assert handoff.interaction_channel.startswith("UO")
    assert handoff.task.startswith("WT")


@pytest.mark.postgres
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_it_is_the_same_on_postgresql(tmp_path: Path, generation: Generation) -> None:
    async with empty_postgres() as url, house(tmp_path, usher_database_url=url) as home:
        sid = await home.begin(generation)
        await home.write(sid, "Hello", "bill", "anyone?")
        assert home.said(sid) == ["Hi Jana! What is it about?", "I will find somebody."]
        assert [task["attributes"]["topic"] for task in home.tasks(sid)] == ["bill"]
        assert {effect.status for effect in await home.effects(sid)} == {"performed"}


async def test_a_customer_by_sms_is_known_by_their_number(home: House) -> None:
    sid = await home.begin(
        identity=None,
        address="+420601000111",
        proxy_address="+15017122661",
        friendly_name=None,
        attributes={},
    )
    await home.write(sid, "Hello", "bill")
    assert home.said(sid)[0] == "Hi there! What is it about?"
    [task] = home.tasks(sid)
    assert task["attributes"]["customerAddress"] == "+420601000111"
    assert task["attributes"]["channelType"] == "sms"


@pytest.mark.promise(9)
@pytest.mark.parametrize("words", ["{{ 7*7 }}", "{% raw %}", "مرحبا، أحتاج مساعدة", "🙂👩‍👩‍👧", "\x00", "a" * 1600])
async def test_what_a_customer_writes_reaches_the_agent_as_it_was_written(home: House, words: str) -> None:
    sid = await home.begin()
    await home.write(sid, words, words)
    [task] = home.tasks(sid)
    assert task["attributes"]["topic"] == words
    assert len(home.said(sid)) == 2


async def test_our_messages_carry_the_id_of_their_effect_and_wake_no_webhook(home: House) -> None:
    sid = await home.begin()
    await home.write(sid, "Hello")
    messages = home.sandbox.transcript(sid)["messages"]
    [effect] = [one for one in await home.effects(sid) if one.message_index is not None]
    assert messages[1]["attributes"] == {"usher_effect_id": effect.outgoing.id}
    assert effect.message_index == messages[1]["index"] == 1
    assert [one.event_type for one in home.sandbox.webhooks.deliveries.values()] == ["onMessageAdded"]


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_the_journal_tells_the_whole_story(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello", "My invoice is wrong", "anyone?")
    story = [
        (entry.trace.rule, entry.trace.came_from, entry.trace.went_to)
        for entry in await home.journal(sid)
        if entry.trace
    ]
    assert story == [
        ("open", "", "greet"),
        ("looked up", "", ""),
        ("answered", "greet", "to_agent"),
        ("handed off", "to_agent", "to_agent"),
        ("silent: queued", "to_agent", "to_agent"),
    ]
    assert all(effect.status == "performed" for effect in await home.effects(sid))


async def test_end_close_closes_the_conversation(home: House) -> None:
    home.fault("status", "/v1/Interactions", status=400)
    sid = await home.begin()
    await home.write(sid, "Hello", "bill", "call me")
    assert home.said(sid)[-2:] == ["Nobody is here. Leave a note.", "Goodbye!"]
    assert home.sandbox.transcript(sid)["state"] == "closed"


async def test_end_close_makes_a_channel_inactive_and_keeps_its_attributes(home: House) -> None:
    home.fault("status", "/v1/Interactions", status=400)
    sid = await home.begin("chat")
    await home.write(sid, "Hello", "bill", "call me")
    attributes = home.sandbox.transcript(sid)["attributes"]
    assert attributes["status"] == "INACTIVE"
    assert attributes["pre_engagement_data"] == {"friendlyName": "Jana", "question": "invoice"}
    [update] = home.requests("POST", f"/Channels/{sid}")[-1:]
    assert update.headers["x-twilio-webhook-enabled"] == "true"
