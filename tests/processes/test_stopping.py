"""Signals: how a gateway ends when it is asked to, and what it leaves to the next."""

import signal
import time

import pytest

from tests.gateway.house import GENERATIONS
from tests.processes.harness import GREETING, Site
from tests.processes.process import END_LIMIT_S, until

pytestmark = pytest.mark.process

LONG_LIMIT_S = "1"
PENDING_SAYS = "SELECT count(*) FROM effects WHERE status = 'pending' AND kind = 'say'"


@pytest.mark.promise(5)
async def test_asked_to_end_it_finishes_what_is_on_the_wire_and_leaves_nothing_to_do(place: Site) -> None:
    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    sids = [await place.begin(generation) for generation in GENERATIONS]
    await place.fault("slow", "/Messages$", seconds=0.4)
    await _until_on_the_wire(place, sids)
    await _stop(place)
    assert await place.database.count(PENDING_SAYS) == 0
    assert [await place.said(sid) for sid in sids] == [[GREETING], [GREETING]]

    await place.lift_faults()
    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    await place.settled()
    assert [await place.said(sid) for sid in sids] == [[GREETING], [GREETING]]


@pytest.mark.promise(5)
async def test_asked_to_end_it_leaves_what_twilio_does_not_answer_to_the_next_which_looks(place: Site) -> None:
    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    sids = [await place.begin(generation) for generation in GENERATIONS]
    await place.fault("hold_after", "/Messages$")
    await _until_on_the_wire(place, sids)
    await _stop(place)
    assert await place.database.count(PENDING_SAYS) == len(sids)

    await place.lift_faults()
    await place.start(USHER_TIME_LIMIT=LONG_LIMIT_S)
    await place.settled()
    assert [await place.said(sid) for sid in sids] == [[GREETING], [GREETING]]
    assert len(await place.requests("POST", "/Messages")) == len(sids)


async def test_interrupted_it_says_so_and_ends_with_130(place: Site) -> None:
    await place.start()
    place.gateway.signal(signal.SIGINT)
    assert await place.gateway.ended() == 130
    assert place.gateway.err.endswith("interrupted\n")


async def test_the_sandbox_ends_when_it_is_asked_to(place: Site) -> None:
    place.sandbox.signal(signal.SIGTERM)
    assert await place.sandbox.ended() == 0


async def _until_on_the_wire(place: Site, sids: list[str]) -> None:
    for sid in sids:
        assert await place.write(sid, "Hello") == 200

    async def is_on_the_wire() -> bool:
        return len(await place.requests("POST", "/Messages")) == len(sids)

    await until(is_on_the_wire)


async def _stop(place: Site) -> None:
    started = time.monotonic()
    place.gateway.signal(signal.SIGTERM)
    assert await place.gateway.ended() == 0
    assert time.monotonic() - started < END_LIMIT_S
