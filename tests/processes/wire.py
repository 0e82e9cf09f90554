"""A wire that can be cut: a port behind which another one is, or nothing at all."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from tests.processes.process import until

PIECE = 65536


def free_port() -> int:
    """A port on which nobody listens, and nobody else will soon."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Wire:
    """Passes all that comes to *port* on to *target*, and back. `cut`, its port refuses connections.

    *pieces* counts what passed so far, in both directions.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pieces = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def mend(self) -> None:
        """Let connections pass."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Refuse connections, drop those that are."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def passed(self, pieces: int, limit_s: float = 40) -> None:
        """Wait until so many more pieces have passed."""
        goal = self.pieces + pieces

        async def is_there() -> bool:
            return self.pieces >= goal

        await until(is_there, limit_s)

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._pass(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            with suppress(OSError):
                target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target)
                writers.append(target_writer)
                ways = [
                    asyncio.create_task(self._carry(reader, target_writer)),
                    asyncio.create_task(self._carry(target_reader, writer)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for one in writers:
                one.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            self.pieces += 1
            writer.write(piece)
            await writer.drain()
