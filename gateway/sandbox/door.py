"""The door: an ASGI layer before the app, where requests are written down and faults strike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from gateway.sandbox.errors import failure
from gateway.sandbox.faults import Fault, Faults
from gateway.sandbox.forms import parse_pairs
from gateway.sandbox.journal import Journal, Request

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[Any]]

CONTROL = "/sandbox/"

# uvicorn closes the connection, and writes nothing on it, when an app gives anything back without an answer.
CUT = "nothing: a fault of the sandbox cuts this connection"


class Door:
    """Lets requests in to *app*, one by one into the *journal*, and has *faults* spoil them."""

    def __init__(self, app: App, journal: Journal, faults: Faults) -> None:
        self._app = app
        self._journal = journal
        self._faults = faults

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> Any:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            return await self._app(scope, receive, send)
        body = await _read(receive)
        request = self._note(scope, body)
        fault = self._faults.strike(request.method, f"{request.host}{request.path}")
        if fault is None:
            return await self._answer(request, await self._serve(scope, body), send)
        request.fault = fault.kind
        match fault.kind:
            case "status":
                return await self._answer(request, _error(fault), send)
            case "slow":
                await asyncio.sleep(fault.seconds)
                return await self._answer(request, await self._serve(scope, body), send)
            case "cut_before":
                return CUT
            case "cut_after":
                await self._serve(scope, body)
                return CUT
            case "hold_after":
                answer = await self._serve(scope, body)
                if await _is_released(fault, receive):
                    return await self._answer(request, answer, send)
                return None

    async def _serve(self, scope: Any, body: bytes) -> list[Message]:
        """Have the app do it, also for a client who has gone by now; gives the messages of its answer."""
        answer: list[Message] = []
        request = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Message:
            message = next(request, None)
            return message if message is not None else await asyncio.get_running_loop().create_future()

        async def send(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, send)
        return answer

    async def _answer(self, request: Request, messages: list[Message], send: Send) -> None:
        request.status = messages[0]["status"]
        for message in messages:
            await send(message)

    def _note(self, scope: Any, body: bytes) -> Request:
        _, host, *rest = scope["path"].split("/", 2)
        return self._journal.note(
            scope["method"],
            host,
            "/" + "".join(rest),
            parse_pairs(scope["query_string"].decode()),
            parse_pairs(body.decode(errors="replace")),
            ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        )


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _is_released(fault: Fault, receive: Receive) -> bool:
    """Wait until the fault is released (true) or the client has gone (false)."""
    release = asyncio.create_task(fault.released.wait())
    gone = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait([release, gone], return_when=asyncio.FIRST_COMPLETED)
        return release.done()
    finally:
        release.cancel()
        gone.cancel()
        await asyncio.gather(release, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _error(fault: Fault) -> list[Message]:
    headers = [(b"content-type", b"application/json")]
    if fault.retry_after is not None:
        headers.append((b"retry-after", fault.retry_after.encode()))
    body = json.dumps(failure(fault.status).body).encode()
    headers.append((b"content-length", str(len(body)).encode()))
    return [
        {"type": "http.response.start", "status": fault.status, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]
