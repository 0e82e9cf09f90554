"""A sandbox and gateways, each a process of its own, on a database that outlives them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from gateway.sandbox.sandbox import ACCOUNT_SID, AUTH_TOKEN, WORKFLOW_SID, WORKSPACE_SID
from tests.gateway.house import FILTERS, FLOW, ROUTES, Generation
from tests.processes.database import PENDING, Database
from tests.processes.process import END_LIMIT_S, Process, until
from tests.processes.wire import Wire, free_port

TIME_LIMIT_S = 0.3
"""The lease of a gateway is three times as long."""
CONFUSED = ("Exception in ASGI application", "was never retrieved", "was never awaited", "a bug")
"""Words by which a process says that something happened that nobody thought of."""
GREETING = "Hi Jana! What is it about?"
BRIDGE = "I will find somebody."


class Site:
    """A sandbox, the gateway, and two wires: *twilio* leads to the sandbox, *door* to the gateway."""

    def __init__(self, folder: Path, database: Database, sandbox: Process, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.database = database
        self.sandbox = sandbox
        self.gateway: Process
        self.processes = [sandbox]
        self._session = session
        self._sandbox_url = sandbox.err.rsplit("TWILIO_BASE_URL=", 1)[1].strip()
        self.twilio = Wire(int(self._sandbox_url.rsplit(":", 1)[1]))
        self.port = free_port()
        self.door = Wire(self.port)

    def settings(self, **changes: str) -> dict[str, str]:
        """The environment of a gateway."""
        return {
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_BASE_URL": self.twilio.url,
            "FLEX_WORKSPACE_SID": WORKSPACE_SID,
            "FLEX_WORKFLOW_SID": WORKFLOW_SID,
            "USHER_PUBLIC_URL": self.door.url,
            "USHER_DATABASE_URL": self.database.url,
            "USHER_FLOWS": str(self.folder / "flows"),
            "USHER_PORT": str(self.port),
            "USHER_TIME_LIMIT": str(TIME_LIMIT_S),
            **changes,
        }

    async def start(self, **changes: str) -> Process:
        """Start the gateway, with *changes* of its settings, and wait until it listens."""
        self.gateway = Process("serve", folder=self.folder, settings=self.settings(**changes))
        self.processes.append(self.gateway)
        await self.gateway.says("usher listens on")
        return self.gateway

    async def answers(self) -> None:
        """Wait until the gateway takes requests."""

        async def is_alive() -> bool:
            try:
                async with self._session.get(f"{self.door.url}/livez") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(is_alive)

    # The customer and the agent

    async def begin(self, generation: Generation = "conversations", *, url: str = "") -> str:
        """A web chat with a pre-engagement form, whose webhook goes to *url* or through the door; gives its SID."""
        conversation = await self.ask(
            "POST",
            "conversations",
            generation=generation,
            identity="guest",
            friendly_name="Web visitor",
            attributes={"pre_engagement_data": {"friendlyName": "Jana", "question": "invoice"}},
            webhook_url=(url or self.door.url) + ROUTES[generation],
            filters=FILTERS[generation],
        )
        return str(conversation["sid"])

    async def write(self, sid: str, text: str) -> int | None:
        """The customer writes, as the SDK posts it; gives the status of the one delivery, ``None`` if unanswered."""
        message = await self.ask("POST", f"conversations/{sid}/messages?wait=true", body=text)
        [delivery] = message["deliveries"]
        status: int | None = delivery["status"]
        return status

    async def said(self, sid: str) -> list[str]:
        """What the bot has written, in order."""
        return [one["body"] for one in (await self.transcript(sid))["messages"] if one["author"] == "Bot"]

    async def tasks(self, sid: str) -> list[dict[str, Any]]:
        """The conversation's tasks."""
        tasks: list[dict[str, Any]] = (await self.transcript(sid))["tasks"]
        return tasks

    async def transcript(self, sid: str) -> dict[str, Any]:
        return await self.ask("GET", f"conversations/{sid}")

    async def says(self, sid: str, *lines: str, limit_s: float = 20) -> None:
        """Wait until the bot has written *lines*; fails when it writes others."""

        async def has_said() -> bool:
            said = await self.said(sid)
            assert said == list(lines)[: len(said)], f"{said} in place of {lines}"
            return len(said) == len(lines)

        await until(has_said, limit_s)

    async def hands_over(self, sid: str) -> dict[str, Any]:
        """The conversation's only task, as soon as there is one."""
        [task] = await until(lambda: self.tasks(sid))
        return task

    # Twilio

    async def requests(self, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """The requests that reached Twilio, their *path* a part of HOST/PATH."""
        journal = (await self.ask("GET", "journal"))["requests"]
        return [one for one in journal if method in {"", one["method"]} and path in one["host"] + one["path"]]

    async def asked(self, sid: str) -> list[tuple[str, Any]]:
        """What was asked of Twilio for a conversation, in words that both generations share, in order.

        A channel is closed by reading and writing its attributes; the reading is no second look-up.
        """
        found: list[tuple[str, Any]] = []
        for one in await self.requests():
            form, path = dict(one["form"]), one["path"]
            if one["method"] == "GET" and path.endswith(sid) and ("look up", None) not in found:
                found.append(("look up", None))
            elif one["method"] == "POST" and path.endswith(f"{sid}/Messages"):
                found.append(("say", form["Body"]))
            elif one["method"] == "POST" and path.endswith("/v1/Interactions") and sid in form["Channel"]:
                attributes = json.loads(form["Routing"])["properties"]["attributes"]
                found.append(("hand off", {**attributes, "usher_handoff_id": "its own"}))
            elif one["method"] == "POST" and path.endswith(sid):
                found.append(("close", None))
        return found

    async def deliveries(self) -> list[dict[str, Any]]:
        """All webhooks that were sent."""
        sent: list[dict[str, Any]] = (await self.ask("GET", "deliveries"))["deliveries"]
        return sent

    async def repeat(self, n: int, *, times: int, url: str) -> list[int | None]:
        """Send the delivery *n* again, *times* times at once, to *url*; gives the answers' statuses."""
        again = await self.ask("POST", f"deliveries/{n}/repeat", times=times, together=True, url=url)
        return [one["status"] for one in again["deliveries"]]

    async def fault(self, kind: str, path: str, *, method: str = "POST", **how: Any) -> None:
        """Let requests to *path* (a pattern) go wrong."""
        await self.ask("POST", "faults", kind=kind, path=path, method=method, **how)

    async def lift_faults(self) -> None:
        await self.ask("DELETE", "faults")

    async def ask(self, verb: str, route: str, **given: Any) -> dict[str, Any]:
        """A control route of the sandbox."""
        async with self._session.request(verb, f"{self._sandbox_url}/sandbox/{route}", json=given or None) as answer:
            body: dict[str, Any] = await answer.json() if answer.status != 204 else {}
            assert answer.status < 300, body
            return body

    async def settled(self) -> None:
        """Wait until no effect is pending and no webhook under way, so that nothing more comes of what was done."""

        async def is_quiet() -> bool:
            under_way = [one for one in await self.deliveries() if one["status"] is None and one["error"] is None]
            return not under_way and await self.database.count(PENDING) == 0

        await until(is_quiet)


@asynccontextmanager
async def site(folder: Path, database: Database, *, flow: str = FLOW) -> AsyncIterator[Site]:
    """A site with the sandbox running and the wires whole; the gateway is yet to be started.

    In the end what all processes said is printed, which pytest shows where the test failed.
    """
    (folder / "flows").mkdir()
    (folder / "flows" / "welcome.yaml").write_text(flow, encoding="utf-8")
    sandbox = Process("sandbox", "--port", "0", folder=folder)
    limit = aiohttp.ClientTimeout(total=END_LIMIT_S)
    built: Site | None = None
    try:
        await sandbox.says("TWILIO_BASE_URL=")
        async with aiohttp.ClientSession(timeout=limit) as session:
            built = Site(folder, database, sandbox, session)
            for wire in (built.twilio, built.door):
                await wire.mend()
            try:
                yield built
            finally:
                for wire in (built.twilio, built.door):
                    await wire.cut()
    finally:
        await _end(built.processes if built else [sandbox])


async def _end(processes: Sequence[Process]) -> None:
    await asyncio.gather(*(one.kill() for one in processes))
    for one in processes:
        print(f"--- usher {' '.join(one.arguments)}, process {one.pid}, said:\n{one.err}")
    confused = [words for one in processes for words in CONFUSED if words in one.err]
    assert not confused, f"a process has a bug: {confused}"
