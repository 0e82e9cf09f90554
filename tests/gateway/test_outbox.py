"""The way out: every effect ends, in order, once, whatever Twilio does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from bots.conversation import Conversation
from bots.effects import Say
from bots.engine import BUILT_IN_TEXT
from bots.events import Event
from gateway.inbox import Inbox
from gateway.outbox import Done, Outbox, Performer
from gateway.store import Leased, Store, StoreUnavailable, open_store
from gateway.twilio_api.errors import Refused
from tests.gateway.house import GENERATIONS, TIME_LIMIT_S, Generation, House, house, until
from tests.gateway.store.turns import NOW, say, statuses

MESSAGES = "/Messages$"
INTERACTIONS = "/v1/Interactions$"


@pytest.mark.promise(5)
@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "hold_after"])
async def test_an_unknown_outcome_is_looked_into_and_the_message_is_there_once(
    home: House, generation: Generation, kind: str
) -> None:
    fault = home.fault(kind, MESSAGES, times=1)  # type: ignore[arg-type]
    sid = await home.begin(generation)
    await home.write(sid, "Hello")
    assert fault.hits == 1
    assert home.said(sid) == ["Hi Jana! What is it about?"]
    assert len(home.requests("GET", f"{sid}/Messages")) == 1, "it looked before it sent again"
    assert len(home.requests("POST", f"{sid}/Messages")) == (2 if kind == "cut_before" else 1)


@pytest.mark.promise(5)
async def test_an_impatient_customer_does_not_shorten_the_wait_after_an_unknown_outcome(tmp_path: Path) -> None:
    """Twilio may still be about to take the first question; the second waits behind it."""
    text = """\
flow: welcome
format: 1
start: one
states:
  one: {ask: "One?", goto: two}
  two: {ask: "Two?", goto: one}
"""
    async with house(tmp_path, text=text) as home:
        sid = await home.begin()
        fault = home.fault("cut_before", MESSAGES, times=1)
        await home.sandbox.customer_writes(sid, "Hello")
        await until(lambda: fault.hits == 1)
        loop = asyncio.get_running_loop()
        cut = loop.time()
        await home.sandbox.customer_writes(sid, "hello?")
        await home.sandbox.settled()
        await until(lambda: home.requests("GET", f"{sid}/Messages"))
        assert loop.time() - cut >= TIME_LIMIT_S * 0.9
        await home.settle()
        assert home.said(sid) == ["One?", "Two?"]


class _Ears:
    """An inbox that writes down what it is told; *deaf*: a mistake of ours keeps it from taking anything in."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.told: list[Event] = []
        self._deaf = deaf

    async def receive_surely(self, conversation: Conversation, event: Event) -> None:
        if self._deaf:
            raise LookupError("a version is not in the database")
        self.told.append(event)


@asynccontextmanager
async def outbox_with(folder: Path, ears: _Ears, perform: Performer) -> AsyncIterator[tuple[Outbox, Store]]:
    """An outbox on a store of its own, where *perform* performs what is said."""
    store = open_store(f"sqlite:///{folder}/usher.db", worker="one", lease_s=30)
    await store.open()
    outbox = Outbox(store, lambda: NOW, time_limit_s=TIME_LIMIT_S, lease_s=30)
    outbox.start(cast("Inbox", ears), {Say: perform})
    yield outbox, store
    await outbox.stop()
    await store.close()


async def put(outbox: Outbox, store: Store, *keys: str) -> None:
    """Messages come in, each is answered by an effect, and the effects are put together."""
    for changes in [await say(store, key) for key in keys]:
        assert changes is not None
        outbox.put(changes)


async def test_a_database_that_is_away_is_no_failure_of_an_effect(tmp_path: Path) -> None:
    """What performing reads of the database is tried again; the flow is not told that Twilio refused."""
    tries: list[str] = []

    async def perform(leased: Leased, look: bool) -> Done:
        tries.append(leased.outgoing.id)
        if len(tries) == 1:
            raise StoreUnavailable("the database is away")
        return Done(1)

    ears = _Ears()
    async with outbox_with(tmp_path, ears, perform) as (outbox, store):
        await put(outbox, store, "m1")
        await outbox.idle()
        assert tries == ["m1:0", "m1:0"]
        assert await statuses(store) == {"m1:0": "performed"}
        assert ears.told == []


async def test_an_effect_whose_answer_cannot_be_taken_in_does_not_hold_up_the_next(tmp_path: Path) -> None:
    async def perform(leased: Leased, look: bool) -> Done:
        if leased.outgoing.id == "m1:0":
            raise Refused("HTTP 400", code=400)
        return Done(1)

    async with outbox_with(tmp_path, _Ears(deaf=True), perform) as (outbox, store):
        await put(outbox, store, "m1", "m2")
        await outbox.idle()
        assert await statuses(store) == {"m1:0": "pending", "m2:0": "performed"}


@pytest.mark.promise(5)
@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_error_is_tried_again_until_it_is_done(home: House, status: int) -> None:
    fault = home.fault("status", MESSAGES, status=status, times=3)
    sid = await home.begin()
    await home.write(sid, "Hello")
    assert fault.hits == 3
    assert home.said(sid) == ["Hi Jana! What is it about?"]
    [effect] = [one for one in await home.effects(sid) if one.message_index is not None]
    assert (effect.status, effect.attempts) == ("performed", 3)


async def test_twilios_wish_for_patience_is_respected(home: House) -> None:
    home.fault("status", MESSAGES, status=429, retry_after="1", times=1)
    sid = await home.begin()
    started = asyncio.get_running_loop().time()
    await home.write(sid, "Hello")
    assert asyncio.get_running_loop().time() - started >= 1
    assert home.said(sid) == ["Hi Jana! What is it about?"]
    assert home.requests("GET", f"{sid}/Messages") == [], "429 had no effect, so there is nothing to look for"


@pytest.mark.promise(5)
@pytest.mark.promise(7)
async def test_a_message_that_twilio_refuses_takes_the_failure_path(home: House) -> None:
    home.fault("status", MESSAGES, status=400, times=1)
    sid = await home.begin()
    await home.write(sid, "Hello")
    assert home.said(sid) == [BUILT_IN_TEXT]
    assert (await home.record(sid)).owner == "queued"
    [failed] = [one for one in await home.effects(sid) if one.status == "failed"]
    assert failed.reason.startswith("HTTP 400")
    [task] = home.tasks(sid)
    assert task["attributes"]["reason"] == "trouble"


@pytest.mark.promise(7)
async def test_when_all_is_refused_the_ladder_ends_and_the_customer_is_marked_stranded(home: House) -> None:
    home.fault("status", MESSAGES, status=400)
    home.fault("status", INTERACTIONS, status=400)
    sid = await home.begin()
    await home.write(sid, "Hello")
    record = await home.record(sid)
    assert record.stranded
    assert record.ladder == ("built in", "stranded")
    assert len(home.requests("POST", "/v1/Interactions")) == 1
    assert {one.status for one in await home.effects(sid)} == {"performed", "failed"}


async def test_a_conversation_that_was_closed_meanwhile_is_over(home: House) -> None:
    sid = await home.begin(filters=["onMessageAdded"])
    await home.write(sid, "Hello")
    slow = home.fault("slow", MESSAGES, seconds=0.1, times=1)
    await home.sandbox.customer_writes(sid, "bill")
    await until(lambda: slow.hits == 1)
    await home.sandbox.close_conversation(sid)
    await home.settle()
    assert (await home.record(sid)).owner == "closed"
    assert home.tasks(sid) == []


@pytest.mark.promise(6)
async def test_words_that_a_change_of_owner_overtook_are_dropped(tmp_path: Path) -> None:
    """Twilio holds its answer to the first of two messages; the conversation ends; the second is never sent."""
    text = "flow: welcome\nformat: 1\nstart: a\nstates:\n  a: {say: one, goto: b}\n  b: {ask: two, goto: a}\n"
    async with house(tmp_path, text=text) as home:
        sid = await home.begin()
        held = home.fault("hold_after", MESSAGES, times=1)
        await home.sandbox.customer_writes(sid, "Hello")
        await until(lambda: held.hits == 1)
        await home.sandbox.close_conversation(sid)
        await home.settle()
        assert home.said(sid) == ["one"]
        assert len(home.requests("POST", f"{sid}/Messages")) == 1
        dropped = {one.outgoing.id.rsplit(".")[-1]: (one.status, one.reason) for one in await home.effects(sid)}
        assert dropped["1"] == ("dropped", "epoch")


@pytest.mark.promise(7)
@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "hold_after"])
@pytest.mark.parametrize("generation", GENERATIONS)
async def test_an_unknown_outcome_of_a_handoff_makes_one_task(home: House, generation: Generation, kind: str) -> None:
    fault = home.fault(kind, INTERACTIONS, times=1)  # type: ignore[arg-type]
    sid = await home.begin(generation)
    await home.write(sid, "Hello", "bill")
    assert fault.hits == 1
    [task] = home.tasks(sid)
    assert len(home.requests("POST", "/v1/Interactions")) == (2 if kind == "cut_before" else 1), "it looked first"
    handoff = (await home.record(sid)).handoff
    assert handoff is not None
    assert handoff.task == task["sid"]
    assert handoff.interaction.startswith("KD")


@pytest.mark.promise(7)
async def test_a_refused_handoff_goes_its_own_way(home: House) -> None:
    home.fault("status", INTERACTIONS, status=400)
    sid = await home.begin()
    await home.write(sid, "Hello", "bill")
    assert home.said(sid)[-1] == "Nobody is here. Leave a note."
    assert (await home.record(sid)).owner == "bot"


@pytest.mark.promise(6)
async def test_the_words_before_a_handoff_are_said_before_the_task_is_made(home: House) -> None:
    slow = home.fault("status", MESSAGES, status=500, times=4)
    sid = await home.begin()
    await home.write(sid, "Hello", "bill")
    assert slow.hits == 4
    order = [one.path.rsplit("/", 1)[-1] for one in home.requests("POST") if one.status == 201]
    assert order == ["Messages", "Messages", "Interactions"]


async def test_a_failed_lookup_is_tried_again_before_the_handoff(home: House) -> None:
    home.fault("status", r"/v1/(Services/\w+/)?Conversations/CH\w+$", method="GET", status=404, times=1)
    sid = await home.begin()
    await home.write(sid, "Hello")
    assert home.said(sid) == ["Hi there! What is it about?"]
    await home.write(sid, "bill")
    [task] = home.tasks(sid)
    assert task["attributes"]["pre_engagement_data"] == {"friendlyName": "Jana", "question": "invoice"}
    assert task["attributes"]["customerName"] == "Jana"
