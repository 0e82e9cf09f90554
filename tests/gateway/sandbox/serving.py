"""Real servers on loopback: the sandbox, and somebody who receives its webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from aiohttp import web

from gateway.sandbox import Sandbox

PATIENCE_S = 5.0


@asynccontextmanager
async def serve(sandbox: Sandbox) -> AsyncIterator[str]:
    """The sandbox behind uvicorn on a free port; gives its URL."""
    config = uvicorn.Config(sandbox.app, host="127.0.0.1", port=0, log_level="critical", ws="none", lifespan="on")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        # As uvicorn's own shutdown does, but for its sleep of a tenth of a second.
        for one in server.servers:
            one.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        await until(lambda: not server.server_state.connections)
        await server.lifespan.shutdown()


@dataclass(frozen=True)
class Heard:
    """One webhook as it came over the wire."""

    method: str
    url: str
    headers: dict[str, str]
    pairs: list[tuple[str, str]]

    @property
    def fields(self) -> dict[str, str]:
        return dict(self.pairs)

    @property
    def event_type(self) -> str:
        return self.fields["EventType"]


@dataclass
class Receiver:
    """Hears webhooks at *url*. *answers* are the next statuses (200 when used up); *gate* holds answers back."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    gate: Callable[[Heard], asyncio.Event | None] = lambda _: None

    @property
    def event_types(self) -> list[str]:
        return [one.event_type for one in self.heard]

    async def handle(self, request: web.Request) -> web.Response:
        form = await request.post()
        given = request.query if request.method == "GET" else form
        pairs = [(name, str(value)) for name, value in given.items()]
        url = self.url.rsplit("/", 1)[0] + request.raw_path
        one = Heard(request.method, url, dict(request.headers), pairs)
        self.heard.append(one)
        held = self.gate(one)
        if held is not None:
            await held.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@asynccontextmanager
async def receive() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds; fails after some seconds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)
