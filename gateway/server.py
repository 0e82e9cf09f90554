"""An ASGI application on a port, and the signals that end a process."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
import uvloop

GRACE_S = 10


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *main* on a fast loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def bind(host: str, port: int) -> tuple[socket.socket, str]:
    """A socket that connections can reach, and its base URL. Port 0 is any free one. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.create_server((host, port), family=family, backlog=2048)
    # Inherited by the connections; asyncio's own loop forgets it where it did not make the socket itself.
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return taken, f"http://{host}:{taken.getsockname()[1]}"


@asynccontextmanager
async def listening(app: Callable[..., Any], taken: socket.socket) -> AsyncIterator[None]:
    """Serve *app* on a bound socket meanwhile. On leaving, requests under way have 10 seconds to end."""
    # Not `serve`, which takes the process's signals for itself and looks ten times a second whether to stop.
    server = uvicorn.Server(_config(app))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[taken])
    try:
        yield
    finally:
        await server.shutdown(sockets=[taken])


def stop_signal() -> asyncio.Future[signal.Signals]:
    """From now on SIGTERM and SIGINT are noted; gives the first one that comes."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()

    def note(number: signal.Signals) -> None:
        if not told.done():
            told.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    return told


async def until_stopped(told: asyncio.Future[signal.Signals]) -> None:
    """Wait for the signal. Raises `KeyboardInterrupt` at SIGINT; await it in the main task."""
    if await told == signal.SIGINT:
        raise KeyboardInterrupt


def _config(app: Callable[..., Any]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
