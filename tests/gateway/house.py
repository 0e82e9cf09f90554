"""A whole house for tests: the gateway and the sandbox, over real HTTP on loopback, on one event loop."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp

from bots.conversation import Conversation
from bots.loader import load_flow
from bots.version import Version
from gateway.app import Gateway, default_target
from gateway.flows import Flows
from gateway.sandbox import Fault, Sandbox, create_sandbox
from gateway.sandbox.faults import Kind
from gateway.sandbox.journal import Request
from gateway.server import bind, listening
from gateway.settings import Settings, read_settings
from gateway.store import Entry, StoredEffect
from gateway.targets import Target, Targets

Generation = Literal["chat", "conversations"]
GENERATIONS: tuple[Generation, ...] = ("chat", "conversations")
ROUTES = {"chat": "/webhooks/flex-flow", "conversations": "/webhooks/conversations"}
FILTERS = {
    "chat": ["onMessageSent", "onMediaMessageSent", "onChannelUpdated"],
    "conversations": ["onMessageAdded", "onConversationStateUpdated"],
}
FLOW = """\
flow: welcome
format: 1
start: greet
data:
  topic: {type: text}
  note: {type: text}
states:
  greet:
    ask: "Hi {{ customer.name | otherwise('there') }}! What is it about?"
    save_as: topic
    goto: bridge
  bridge:
    say: "I will find somebody."
    goto: to_agent
  to_agent:
    handoff: support
    attributes: {topic: "{{ topic }}"}
    outcomes: {failed: leave_note, ended: bye}
  leave_note:
    ask: "Nobody is here. Leave a note."
    save_as: note
    goto: bye
  bye:
    say: "Goodbye!"
    end: close
"""
TIME_LIMIT_S = 0.3


def flows_of(text: str = FLOW) -> Flows:
    """The flow in *text*, as the gateway runs it."""
    loaded = load_flow(text, path="welcome.yaml")
    assert loaded.flow is not None, loaded.problems
    return Flows([Version(loaded.flow)], "welcome")


async def until(condition: Callable[[], Any], limit_s: float = 10) -> Any:
    """The first true value of *condition*, asked again and again; fails after *limit_s*."""
    ends = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < ends, f"not within {limit_s} s: {condition}"
        await asyncio.sleep(0.005)
    return value


class House:
    """A sandbox, a gateway and where both listen. `gateway` is a new one after `restart`."""

    def __init__(self, sandbox: Sandbox, settings: Settings, targets: Mapping[str, Target]) -> None:
        self.targets = targets
        self.sandbox = sandbox
        self.settings = settings
        self.gateway: Gateway
        self.url = settings.usher_public_url
        self._running = AsyncExitStack()

    async def start(self, own_socket: socket.socket, text: str) -> None:
        """Run a gateway with the bot in *text*."""
        targets = Targets(default_target(self.settings), self.targets)
        gateway = Gateway(self.settings, flows_of(text), targets)
        self.gateway = await self._running.enter_async_context(gateway)
        await self._running.enter_async_context(listening(self.gateway.asgi, own_socket))

    async def stop(self) -> None:
        """End the gateway in good order."""
        await self._running.aclose()

    async def restart(self, text: str = FLOW) -> None:
        """End the gateway in good order and run another one on the same database and port."""
        await self.stop()
        own_socket, _ = bind("127.0.0.1", int(self.url.rsplit(":", 1)[1]))
        await self.start(own_socket, text)

    @property
    def database(self) -> Path:
        """The file of the embedded store."""
        return Path(self.settings.usher_database_url.removeprefix("sqlite:///"))

    async def begin(self, generation: Generation = "conversations", *, name: str = "Jana", **changes: Any) -> str:
        """A web chat with a pre-engagement form; gives its SID."""
        given: dict[str, Any] = {
            "generation": generation,
            "identity": "guest",
            "friendly_name": "Web visitor",
            "attributes": {"pre_engagement_data": {"friendlyName": name, "question": "invoice"}},
            "webhook_url": self.url + ROUTES[generation],
            "filters": FILTERS[generation],
        }
        conversation = await self.sandbox.create_conversation(**{**given, **changes})
        return str(conversation["sid"])

    async def write(self, sid: str, *texts: str) -> None:
        """The customer writes *texts*, each after all that came of the one before."""
        for text in texts:
            await self.sandbox.customer_writes(sid, text)
            await self.settle()

    async def unheard(self, sid: str, text: str, *, author: str = "guest") -> None:
        """*author* writes, and the delivery never reaches us."""
        webhooks = self.sandbox.desk.conversation(sid).webhooks
        kept = dict(webhooks)
        webhooks.clear()
        await self.sandbox.customer_writes(sid, text, author=author)
        webhooks.update(kept)

    async def settle(self) -> None:
        """Wait until nothing more comes of what was done."""
        await self.sandbox.settled()
        await self.gateway.idle()

    def said(self, sid: str) -> list[str]:
        """What the bot has written, in order."""
        return [one["body"] for one in self.sandbox.transcript(sid)["messages"] if one["author"] == "Bot"]

    def tasks(self, sid: str) -> list[dict[str, Any]]:
        """The conversation's tasks."""
        tasks: list[dict[str, Any]] = self.sandbox.transcript(sid)["tasks"]
        return tasks

    async def record(self, sid: str) -> Conversation:
        """What the gateway keeps of the conversation."""
        record = await self.gateway.store.load(sid)
        assert record is not None, "there is no record"
        return record

    async def journal(self, sid: str) -> list[Entry]:
        return list(await self.gateway.store.journal(sid))

    async def effects(self, sid: str) -> list[StoredEffect]:
        return list(await self.gateway.store.effects(sid))

    async def rest(
        self, host_and_path: str, *, headers: Mapping[str, str] | None = None, **form: str
    ) -> dict[str, Any]:
        """A POST to the sandbox as somebody else with the account's credentials makes it."""
        account = self.sandbox.account
        auth = aiohttp.BasicAuth(account.account_sid, account.auth_token)
        url = f"{self.settings.twilio_base_url}/{host_and_path}"
        async with aiohttp.ClientSession(auth=auth) as session, session.post(url, data=form, headers=headers) as answer:
            answer.raise_for_status()
            made: dict[str, Any] = await answer.json()
            return made

    async def agent_joins(self, sid: str, generation: Generation) -> None:
        """Somebody with a chat identity of their own takes part, without a task."""
        account = self.sandbox.account
        chat = f"chat.twilio.com/v2/Services/{account.service_sid}/Channels/{sid}/Members"
        conversations = f"conversations.twilio.com/v1/Conversations/{sid}/Participants"
        await self.rest(chat if generation == "chat" else conversations, Identity="ann_40example_2Ecom")

    async def make_task(self, sid: str, generation: Generation) -> None:
        """A task for the conversation that is none of ours."""
        name = "channelSid" if generation == "chat" else "conversationSid"
        path = f"taskrouter.twilio.com/v1/Workspaces/{self.sandbox.account.workspace_sid}/Tasks"
        await self.rest(path, Attributes=json.dumps({name: sid}))

    async def complete(self, task: str, status: str = "completed") -> None:
        """The task is over, and only the task."""
        path = f"taskrouter.twilio.com/v1/Workspaces/{self.sandbox.account.workspace_sid}/Tasks/{task}"
        await self.rest(path, AssignmentStatus=status)

    def remove_agents(self, sid: str) -> None:
        """Nobody takes part but the customer."""
        people = self.sandbox.desk.conversation(sid).participants
        for person in [one for one in people.values() if one.identity not in {None, "guest"}]:
            del people[person.sid]

    async def return_from_absence(self) -> None:
        """What a start does for the conversations that may have gone on without us."""
        await self.gateway.catching_up.return_from_absence()
        await self.settle()

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """Another process writes to the embedded store and does not come to an end."""
        connection = sqlite3.connect(self.database, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def rows(self) -> int:
        """How many rows the gateway's database holds of conversations, events and effects."""
        with sqlite3.connect(self.database) as connection:
            tables = ("conversations", "journal", "effects")
            counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
        connection.close()
        return sum(counts)

    def requests(self, method: str = "", path: str = "") -> list[Request]:
        """The requests that reached the sandbox's REST side, their *path* a part of HOST/PATH."""
        return [
            one
            for one in self.sandbox.journal.requests
            if method in {"", one.method} and path in f"{one.host}{one.path}"
        ]

    def fault(self, kind: Kind, path: str, *, method: str = "POST", **how: Any) -> Fault:
        """Let requests to *path* (a pattern) go wrong."""
        fault = Fault(kind=kind, path=re.compile(path), method=method, **how)
        self.sandbox.faults.add(fault)
        return fault

    async def repeat(self, number: int, *, times: int, together: bool = True, url: str | None = None) -> list[int]:
        """Send the delivery *number* again; gives the answers' statuses."""
        again = await self.sandbox.webhooks.repeat(number, times=times, together=together, url=url)
        return [one.status or 0 for one in again]


@asynccontextmanager
async def house(
    folder: Path,
    *,
    text: str = FLOW,
    sandbox: Sandbox | None = None,
    targets: Mapping[str, Target] | None = None,
    **overrides: Any,
) -> AsyncIterator[House]:
    """A house with its database in *folder*, the bot in *text* and short time limits."""
    twilio = sandbox or create_sandbox()
    twilio_socket, twilio_url = bind("127.0.0.1", 0)
    own_socket, own_url = bind("127.0.0.1", 0)
    account = twilio.account
    given = {
        "twilio_account_sid": account.account_sid,
        "twilio_auth_token": account.auth_token,
        "twilio_base_url": twilio_url,
        "flex_workspace_sid": account.workspace_sid,
        "flex_workflow_sid": account.workflow_sid,
        "usher_public_url": own_url,
        "usher_database_url": f"sqlite:///{folder / 'usher.db'}",
        "usher_time_limit": TIME_LIMIT_S,
        "usher_webhook_key": "let-me-in",
    }
    built = House(twilio, read_settings({**given, **overrides}), targets or {})
    try:
        async with listening(twilio.app, twilio_socket):
            await built.start(own_socket, text)
            yield built
            await built.stop()
    finally:
        await twilio.close()


async def post(url: str, body: bytes | str, headers: dict[str, str]) -> tuple[int, str]:
    """A raw POST; gives status and body."""
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.text()
