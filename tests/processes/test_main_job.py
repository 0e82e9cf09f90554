"""The main job, by two processes: `usher serve` against `usher sandbox`."""

import pytest

from tests.gateway.house import GENERATIONS
from tests.processes.harness import BRIDGE, GREETING, Site

pytestmark = pytest.mark.process


@pytest.mark.promise(6)
async def test_a_customer_is_greeted_handed_over_and_then_met_with_silence(place: Site) -> None:
    await place.start()
    sids = [await place.begin(generation) for generation in GENERATIONS]
    for sid in sids:
        assert await place.write(sid, "Hello") == 200
        await place.says(sid, GREETING)
        assert await place.write(sid, "My invoice is wrong") == 200
        await place.says(sid, GREETING, BRIDGE)
        task = await place.hands_over(sid)
        assert task["attributes"]["topic"] == "My invoice is wrong"
        assert task["attributes"]["pre_engagement_data"] == {"friendlyName": "Jana", "question": "invoice"}

        await place.ask("POST", f"tasks/{task['sid']}/accept")
        for turn in range(20):
            assert await place.write(sid, f"message {turn}") == 200
            await place.ask("POST", f"tasks/{task['sid']}/messages", body=f"answer {turn}")
        await place.settled()
        assert await place.said(sid) == [GREETING, BRIDGE]
        assert len(await place.tasks(sid)) == 1
    assert len(await place.requests("POST", "/v1/Interactions")) == len(sids)


async def test_the_same_dialogue_over_both_webhooks_asks_the_same_of_twilio(place: Site) -> None:
    """What is looked up, said, handed off and closed: the same list, whichever generation it goes over."""
    await place.start()
    lists = []
    for generation in GENERATIONS:
        await place.fault("status", "/v1/Interactions$", status=400, times=1)
        refused, served = await place.begin(generation), await place.begin(generation)
        for sid, texts in ((refused, ("Hello", "bill", "call me")), (served, ("Hello", "bill", "anyone?"))):
            for number, text in enumerate(texts):
                assert await place.write(sid, text) == 200
                await place.settled()
                assert number == 2 or len(await place.said(sid)) > number
        lists.append([await place.asked(sid) for sid in (refused, served)])
    chat, conversations = lists
    assert chat == conversations
    assert [kind for kind, _ in chat[0]] == ["look up", "say", "say", "hand off", "say", "say", "close"]
    assert [kind for kind, _ in chat[1]] == ["look up", "say", "say", "hand off"]
