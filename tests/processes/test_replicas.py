"""Two gateways on one PostgreSQL database."""

import asyncio
from pathlib import Path

import pytest

from tests.gateway.house import GENERATIONS, ROUTES, Generation
from tests.processes.database import EVENTS, PostgresDatabase
from tests.processes.harness import BRIDGE, GREETING, Site, site
from tests.processes.wire import free_port

pytestmark = [pytest.mark.process, pytest.mark.postgres]

EQUAL = 20


@pytest.mark.promise(2)
@pytest.mark.promise(3)
async def test_twenty_equal_deliveries_at_once_to_two_processes_are_one_turn(
    tmp_path: Path, postgres: PostgresDatabase
) -> None:
    """The first delivery reaches nobody, so that the twenty have everything still before them."""
    async with site(tmp_path, postgres) as place:
        urls = [f"http://127.0.0.1:{port}" for port in (place.port, free_port())]
        for url in urls:
            await place.start(USHER_PUBLIC_URL=url, USHER_PORT=url.rsplit(":", 1)[1])
        nowhere = f"http://127.0.0.1:{free_port()}"
        for generation in GENERATIONS:
            sid = await place.begin(generation, url=nowhere)
            before = await postgres.count(EVENTS)
            await _deliver(place, sid, "Hello", [url + ROUTES[generation] for url in urls])
            await place.says(sid, GREETING)
            await place.settled()
            assert await postgres.count(EVENTS) == before + 2, "the message, and the lookup's answer"

            await _deliver(place, sid, "bill", [url + ROUTES[generation] for url in urls])
            await place.says(sid, GREETING, BRIDGE)
            await place.hands_over(sid)
            await place.settled()
            assert await postgres.count(EVENTS) == before + 4, "the message, and the handoff's answer"
            assert await place.said(sid) == [GREETING, BRIDGE]
            assert len(await place.requests("POST", f"{sid}/Messages")) == 2
        assert len(await place.requests("POST", "/v1/Interactions")) == len(GENERATIONS)


@pytest.mark.promise(5)
async def test_what_a_killed_process_left_is_done_by_its_neighbour(tmp_path: Path, postgres: PostgresDatabase) -> None:
    generation: Generation = "conversations"
    async with site(tmp_path, postgres) as place:
        neighbour = free_port()
        await place.start(USHER_PORT=str(neighbour))
        doomed = await place.start()
        sid = await place.begin(generation)
        await place.fault("hold_after", "/Messages$", times=1)
        assert await place.write(sid, "Hello") == 200
        await place.says(sid, GREETING)
        await doomed.kill()
        await place.settled()
        assert await place.said(sid) == [GREETING]
        assert len(await place.requests("POST", f"{sid}/Messages")) == 1


async def _deliver(place: Site, sid: str, text: str, urls: list[str]) -> None:
    """The customer writes; of that *urls* are told twenty times together, all at once."""
    assert await place.write(sid, text) is None
    first = (await place.deliveries())[-1]["n"]
    answers = await asyncio.gather(*(place.repeat(first, times=EQUAL // len(urls), url=url) for url in urls))
    assert [status for statuses in answers for status in statuses] == [200] * EQUAL
