"""The guard: what a message costs, counted, so that no change makes it dearer unnoticed.

Counts do not depend on the machine. Lower a limit when you make a message cheaper; raise one only with a reason.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.flows import Flows, load_flows
from gateway.server import run
from gateway.settings import Settings, read_settings
from gateway.store.sqlite import SqliteStore
from tests.benchmarks import dialogue
from tests.benchmarks.counting import Counts
from tests.benchmarks.provider import Arrived, Provider

FIRST, LATER = 0, 1
LIMITS = {
    # What is counted: for the first message of a conversation, for a later one.
    #
    # From BEGIN to COMMIT. A later message has two transactions: the turn (8 statements), the end of its effect (3).
    # The first has the lookup's answer as well, which ends the lookup.
    "SQL statements": (22, 11),
    # A later message: its entry in the journal, the record, the effect, the effect's end.
    "rows written": (9, 4),
    # Times that the event loop waits for the store's thread: one for each transaction.
    "hops to the store's thread": (3, 2),
    # The reply; at first the lookup's two reads as well.
    "requests to Twilio": (3, 1),
    # Functions of the packages gateway and bots that are entered on the event loop.
    "own calls on the event loop": (99, 59),
    # The same in the store's thread, where turns are taken: load, decide, save.
    "own calls in the store's thread": (106, 63),
    # Functions of all packages. They are 1014 to 1089 and 376 to 407 on Python 3.11 to 3.13; a tenth is added for
    # other versions of the libraries.
    "all calls on the event loop": (1200, 450),
    # The same in the store's thread: 177 and 128.
    "all calls in the store's thread": (195, 141),
}


@pytest.mark.parametrize("which", [FIRST, LATER], ids=["first", "later"])
def test_a_message_costs_no_more_than_it_did(tmp_path: Path, which: int) -> None:
    """From the webhook until the reply is written at Twilio and all that came of it is committed."""
    counts, requests = _cost(tmp_path, 0 if which == FIRST else 2)
    found = {
        "SQL statements": len(counts.statements),
        "rows written": counts.rows,
        "hops to the store's thread": counts.loop.ours["group_commit.GroupCommit.do"],
        "requests to Twilio": requests,
        "own calls on the event loop": counts.loop.ours.total(),
        "own calls in the store's thread": counts.store.ours.total(),
        "all calls on the event loop": counts.loop.total,
        "all calls in the store's thread": counts.store.total,
    }
    assert all(found.values()), f"what is not counted is not guarded: {found}"
    limits = {what: both[which] for what, both in LIMITS.items()}
    risen = [f"{what} rose from {limits[what]} to {count}" for what, count in found.items() if count > limits[what]]
    assert not risen, "\n".join([*risen, "", *_details(counts)])


def _cost(folder: Path, turn: int) -> tuple[Counts, int]:
    """What message number *turn* of a dialogue costs a warm gateway, and how many requests it makes to Twilio."""
    counts, said, requests = Counts(), dict[str, list[str]](), 0

    async def talk(provider: Provider) -> None:
        nonlocal requests
        async with AsyncExitStack() as stack:
            with counts.new_threads():
                gateway = await stack.enter_async_context(Gateway(_settings(folder, provider), _flows()))
            for _ in range(2):
                await _dialogue(gateway, dialogue.new_sid("CH"), 3)
            conversation = dialogue.new_sid("CH")
            await _dialogue(gateway, conversation, turn)
            delivery = _delivery(conversation, turn)
            before = sum(provider.answered.values())
            assert isinstance(gateway.store, SqliteStore)
            assert gateway.store._commits is not None
            with counts.count(gateway.store._commits._connection):
                await _deliver(gateway, *delivery)
                await gateway.idle()
            requests = sum(provider.answered.values()) - before
            assert said[conversation] == [one.reply for one in dialogue.turns(conversation)[: turn + 1]]

    with _twilio(said) as provider:
        run(lambda: talk(provider))
    return counts, requests


def _flows() -> Flows:
    return load_flows(Path(__file__).parent / "flows", "order")


def _settings(folder: Path, provider: Provider) -> Settings:
    given = {
        "twilio_account_sid": dialogue.ACCOUNT,
        "twilio_auth_token": dialogue.TOKEN,
        "twilio_base_url": provider.url,
        "flex_workspace_sid": dialogue.WORKSPACE,
        "usher_public_url": dialogue.PUBLIC_URL,
        "usher_database_url": f"sqlite:///{folder / 'usher.db'}",
        "usher_bot_name": dialogue.BOT,
        # Long, so that keeping the lease does not come between.
        "usher_time_limit": 60,
    }
    return read_settings(given)


async def _dialogue(gateway: Gateway, conversation: str, turns: int) -> None:
    for turn in range(turns):
        await _deliver(gateway, *_delivery(conversation, turn))
        await gateway.idle()


def _delivery(conversation: str, turn: int) -> tuple[bytes, str]:
    # The bot's replies take every second index.
    return dialogue.webhook(conversation, 2 * turn, dialogue.turns(conversation)[turn].text)


async def _deliver(gateway: Gateway, body: bytes, signature: str) -> None:
    """A webhook, given to the ASGI application without a server between."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": dialogue.PATH,
        "raw_path": dialogue.PATH.encode(),
        "query_string": dialogue.QUERY.encode(),
        "headers": [(b"content-length", b"%d" % len(body)), (b"x-twilio-signature", signature.encode())],
    }
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, int]) -> None:
        statuses.append(message.get("status", 0))

    await gateway.asgi(scope, receive, send)
    assert statuses[0] == 200, statuses


@contextmanager
def _twilio(said: dict[str, list[str]]) -> Iterator[Provider]:
    """The stub of Twilio on a thread and an event loop of its own, whose calls are not the gateway's.

    *said* gets what the bot says, by conversation.
    """

    def hear(arrived: Arrived) -> int:
        texts = said.setdefault(arrived.conversation, [])
        texts.append(arrived.text)
        return 2 * len(texts) - 1

    provider, ready, loop = Provider(hear), threading.Event(), asyncio.new_event_loop()

    def serve() -> None:
        server = loop.run_until_complete(provider.start())
        ready.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()

    thread = threading.Thread(target=serve, name="twilio", daemon=True)
    thread.start()
    assert ready.wait(5), "the stub of Twilio does not start"
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def _details(counts: Counts) -> list[str]:
    """What was counted, to be compared with what was before."""
    return [
        "statements:",
        *[f"  {' '.join(statement.split())[:100]}" for statement in counts.statements],
        "own calls on the event loop:",
        *[f"  {count:3} {name}" for name, count in sorted(counts.loop.ours.items())],
        "own calls in the store's thread:",
        *[f"  {count:3} {name}" for name, count in sorted(counts.store.ours.items())],
    ]
