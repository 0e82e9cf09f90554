"""Webhooks that were refused or never came, and that Twilio does not repeat: what they told of is fetched."""

import resource
from pathlib import Path

import pytest

from tests.gateway.house import GENERATIONS
from tests.processes.database import EVENTS, Database
from tests.processes.harness import BRIDGE, GREETING, Site, site

pytestmark = [pytest.mark.process, pytest.mark.promise(4)]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux lets us fill another process's disk")
async def test_what_was_refused_is_answered_as_soon_as_the_database_commits_again(
    tmp_path: Path, database: Database
) -> None:
    """The disk is full, or the database server gone, while one customer opens and another answers."""
    async with site(tmp_path, database) as place:
        await place.start()
        opening, answering = [await place.begin(generation) for generation in GENERATIONS]
        assert await place.write(answering, "Hello") == 200
        await place.says(answering, GREETING)
        await place.settled()
        before = await database.count(EVENTS)

        await database.refuse(place.gateway.pid)
        assert await place.write(opening, "Hello") == 503
        assert await place.write(answering, "bill") == 503
        assert await place.said(answering) == [GREETING]
        await place.gateway.says("the lease cannot be kept")
        await database.accept(place.gateway.pid)
        assert await database.count(EVENTS) == before

        await place.says(opening, GREETING)
        await place.says(answering, GREETING, BRIDGE)
        assert (await place.hands_over(answering))["attributes"]["topic"] == "bill"
        await place.settled()
        assert await place.said(opening) == [GREETING]
        assert await place.said(answering) == [GREETING, BRIDGE]
        assert {one["attempts"] for one in await place.deliveries()} == {1}


@pytest.mark.parametrize("messages", [["bill"], ["bill", "anyone?"]])
async def test_what_was_written_while_the_gateway_was_dead_is_answered_after_the_start(
    place: Site, messages: list[str]
) -> None:
    await place.start()
    sids = [await place.begin(generation) for generation in GENERATIONS]
    for sid in sids:
        assert await place.write(sid, "Hello") == 200
        await place.says(sid, GREETING)
    await place.settled()
    await place.gateway.kill()
    for sid in sids:
        assert [await place.write(sid, message) for message in messages] == [None] * len(messages)

    await place.start()
    for sid in sids:
        await place.says(sid, GREETING, BRIDGE)
        assert (await place.hands_over(sid))["attributes"]["topic"] == "bill"
    await place.settled()
    for sid in sids:
        assert await place.said(sid) == [GREETING, BRIDGE]


async def test_a_message_of_which_we_were_never_told_is_taken_before_the_next_one(place: Site) -> None:
    """The way to us is cut while the second message is written, and the gateway knows nothing of that."""
    await place.start()
    sids = [await place.begin(generation) for generation in GENERATIONS]
    for sid in sids:
        assert await place.write(sid, "Hello") == 200
        await place.says(sid, GREETING)
    await place.settled()
    await place.door.cut()
    assert [await place.write(sid, "bill") for sid in sids] == [None, None]
    await place.door.mend()
    await place.settled()
    assert [await place.said(sid) for sid in sids] == [[GREETING], [GREETING]]

    for sid in sids:
        assert await place.write(sid, "are you there?") == 200
        await place.says(sid, GREETING, BRIDGE)
        assert (await place.hands_over(sid))["attributes"]["topic"] == "bill"
    await place.settled()
    for sid in sids:
        assert await place.said(sid) == [GREETING, BRIDGE]
    assert len(await place.requests("POST", "/v1/Interactions")) == len(sids)
