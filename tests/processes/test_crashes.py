"""A gateway that is killed: what it acknowledged is done by the next one, and nothing is done twice."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.gateway.house import GENERATIONS, Generation
from tests.processes.database import Database
from tests.processes.harness import BRIDGE, GREETING, Site, site
from tests.processes.process import until

pytestmark = pytest.mark.process

MESSAGES = "/Messages$"
INTERACTIONS = "/v1/Interactions$"
NAMELESS_GREETING = "Hi there! What is it about?"
LONG_LIMIT_S = "1"
"""Long enough that a request can be met on the wire."""

KILLS = int(os.environ.get("USHER_TEST_KILLS", "5"))
SEED = int(os.environ.get("USHER_TEST_SEED", "1"))
# A start takes a second, and one that is killed at once brings nobody on.
PATIENCE_S = 20 + 3 * KILLS
CONVERSATIONS = 10
QUESTIONS = 4
LONG_FLOW = """\
flow: welcome
format: 1
start: q0
data:
  first: {type: text}
  a0: {type: text}
  a1: {type: text}
  a2: {type: text}
  a3: {type: text}
states:
  q0: {ask: "question 0", save_as: a0, goto: q1}
  q1: {ask: "question 1", save_as: a1, goto: q2}
  q2: {ask: "question 2", save_as: a2, goto: q3}
  q3: {ask: "question 3", save_as: a3, goto: bridge}
  bridge: {say: "I will find somebody.", goto: to_agent}
  to_agent:
    handoff: support
    attributes: {answers: "{{ a0 }}, {{ a1 }}, {{ a2 }}, {{ a3 }}"}
    outcomes: {failed: bye, ended: bye}
  bye: {say: "Goodbye!", end: close}
"""
LONG_LINES = [*(f"question {n}" for n in range(QUESTIONS)), BRIDGE]


@pytest.mark.promise(4)
@pytest.mark.promise(5)
async def test_what_was_acknowledged_while_twilio_refused_connections_is_answered_after_a_kill(place: Site) -> None:
    """One message is killed while the bot tries to say its answer, the others right after they were acknowledged."""
    await place.start()
    tried, *fresh = [await place.begin(generation) for generation in ("chat", *GENERATIONS)]
    await place.twilio.cut()
    assert await place.write(tried, "Hello") == 200
    await place.gateway.says('"kind": "say"')
    assert [await place.write(sid, "Hello") for sid in fresh] == [200, 200]
    await place.gateway.kill()
    assert await place.said(tried) == []

    await place.twilio.mend()
    await place.start()
    await place.says(tried, NAMELESS_GREETING)
    for sid in fresh:
        [line] = await until(lambda sid=sid: place.said(sid))  # type: ignore[misc]
        assert line in {GREETING, NAMELESS_GREETING}, "by name, unless the lookup had failed before the kill"
    await place.settled()
    assert [len(await place.said(sid)) for sid in (tried, *fresh)] == [1, 1, 1]


@pytest.mark.promise(5)
@pytest.mark.parametrize("catching_up", ["works", "fails"])
async def test_a_message_that_twilio_took_unheard_is_not_said_again_after_a_kill(place: Site, catching_up: str) -> None:
    """To one request Twilio never answers, the other's connection breaks.

    The next gateway comes upon the message while it catches up, or failing that when it looks before it sends.
    """
    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    held, cut = [await place.begin(generation) for generation in GENERATIONS]
    await place.fault("hold_after", f"{held}{MESSAGES}")
    await place.fault("cut_after", f"{cut}{MESSAGES}")
    for sid in (held, cut):
        assert await place.write(sid, "Hello") == 200
    for sid in (held, cut):
        await place.says(sid, GREETING)
    await place.gateway.kill()
    assert await place.requests("GET", "/Messages") == [], "nobody has looked before the kill"
    await place.lift_faults()
    if catching_up == "fails":
        for sid in (held, cut):
            await place.fault("status", f"{sid}{MESSAGES}", method="GET", status=404, times=1)

    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    await place.settled()
    for sid in (held, cut):
        assert await place.said(sid) == [GREETING]
        assert len(await place.requests("POST", f"{sid}/Messages")) == 1
        assert await place.write(sid, "bill") == 200
        await place.says(sid, GREETING, BRIDGE)


@pytest.mark.promise(5)
@pytest.mark.promise(7)
async def test_a_task_that_twilio_made_unheard_is_not_made_again_after_a_kill(place: Site) -> None:
    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    sids = [await place.begin(generation) for generation in GENERATIONS]
    for sid in sids:
        assert await place.write(sid, "Hello") == 200
        await place.says(sid, GREETING)
    for kind in ("hold_after", "cut_after"):
        await place.fault(kind, INTERACTIONS, times=1)
    for sid in sids:
        assert await place.write(sid, "bill") == 200
    for sid in sids:
        await place.hands_over(sid)
    await place.gateway.kill()
    assert await place.requests("GET", "/Tasks") == [], "nobody has looked before the kill"
    await place.lift_faults()

    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    await place.settled()
    for sid in sids:
        await place.hands_over(sid)
        assert await place.said(sid) == [GREETING, BRIDGE]
    assert len(await place.requests("POST", "/v1/Interactions")) == len(sids)
    assert await place.database.count("SELECT count(*) FROM effects WHERE status <> 'performed'") == 0


@pytest.mark.promise(4)
@pytest.mark.promise(5)
@pytest.mark.timeout(60 + 2 * PATIENCE_S)
async def test_killed_at_any_moment_each_line_is_said_once_in_order_and_one_task_is_made(
    tmp_path: Path, database: Database
) -> None:
    """Ten customers talk at a time, Twilio repeats nothing, and the gateway is killed in the midst of its traffic."""
    dice = random.Random(SEED)
    print(f"USHER_TEST_SEED={SEED} USHER_TEST_KILLS={KILLS}")
    async with site(tmp_path, database, flow=LONG_FLOW) as place:
        await place.start()
        kills = asyncio.create_task(_kill_again_and_again(place, dice))
        try:
            while True:
                talks = [_talk(place, GENERATIONS[n % 2]) for n in range(CONVERSATIONS)]
                sids = await asyncio.gather(*talks)
                if kills.done():
                    break
            await kills
        finally:
            kills.cancel()
            await asyncio.gather(kills, return_exceptions=True)
        await place.settled()
        for sid in sids:
            assert await place.said(sid) == LONG_LINES
            assert len(await place.tasks(sid)) == 1


async def _kill_again_and_again(place: Site, dice: random.Random) -> None:
    for _ in range(KILLS):
        await place.twilio.passed(dice.randint(1, 30))
        await asyncio.sleep(dice.uniform(0, 0.02))
        await place.gateway.kill()
        await place.start()


async def _talk(place: Site, generation: Generation) -> str:
    """A customer who answers each question when it is there; the conversation's SID when it is over."""
    sid = await place.begin(generation)
    # Nobody can know of a conversation of which not one webhook arrived: this customer begins anew.
    while await place.write(sid, "Hello") != 200:
        await place.answers()
        sid = await place.begin(generation)
    for n in range(QUESTIONS):
        await place.says(sid, *LONG_LINES[: n + 1], limit_s=PATIENCE_S)
        await place.write(sid, f"answer {n}")
    await place.says(sid, *LONG_LINES, limit_s=PATIENCE_S)
    task = await place.hands_over(sid)
    assert task["attributes"]["answers"] == ", ".join(f"answer {n}" for n in range(QUESTIONS))
    return sid
