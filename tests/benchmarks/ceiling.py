"""The ceiling: the same dialogue with as little as can be between the sockets, for the product to be measured against.

It checks the signature, drops what it heard before, keeps its state in a dict and sends by a prebuilt request. It keeps
no promise of the product: nothing is stored, no order is kept, nobody is looked up, a failure is not noticed. It is
fixed: the product's ratio to it is the figure to watch, so nothing here is to be made faster or slower.

`python -m tests.benchmarks.ceiling PROVIDER_URL` prints its own URL and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import socket
import sys
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
import uvicorn
import uvloop
from yarl import URL

from tests.benchmarks.dialogue import ACCOUNT, BOT, PATH, PUBLIC_URL, QUERY, QUESTIONS, SERVICE, TOKEN

KEY = TOKEN.encode()
SIGNED_URL = f"{PUBLIC_URL}{PATH}?{QUERY}"
FORM = "application/x-www-form-urlencoded"


class Ceiling:
    """The ASGI application."""

    def __init__(self, provider_url: str) -> None:
        self._base = f"{provider_url}/conversations.twilio.com/v1/Services/{SERVICE}/Conversations/"
        credentials = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Content-Type": FORM}
        self._session: aiohttp.ClientSession | None = None
        self._seen: set[str] = set()
        self._answers: dict[str, list[str]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        form = parse_qsl((await _body(receive)).decode("ascii"), keep_blank_values=True)
        headers = dict(scope["headers"])
        signed = (SIGNED_URL + "".join([name + value for name, value in sorted(form)])).encode()
        right = base64.b64encode(hmac.digest(KEY, signed, "sha1"))
        if not hmac.compare_digest(right, headers.get(b"x-twilio-signature", b"")):
            return await _answer(send, 403)
        self._take(dict(form))
        return await _answer(send, 200)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    def _take(self, message: dict[str, str]) -> None:
        if message["MessageSid"] in self._seen:
            return
        self._seen.add(message["MessageSid"])
        conversation = message["ConversationSid"]
        answers = self._answers.setdefault(conversation, [])
        answers.append(message["Body"])
        _, name, topic = (*answers, "", "")[:3]
        reply = QUESTIONS[len(answers) - 1].format(name=name, topic=topic)
        task = asyncio.create_task(self._say(conversation, reply))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _say(self, conversation: str, text: str, *, author: str = BOT) -> None:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=500, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        url = URL(f"{self._base}{conversation}/Messages", encoded=True)
        body = urlencode({"Author": author, "Body": text, "Attributes": "{}"}).encode()
        async with self._session.post(url, data=body, headers=self._headers) as answer:
            await answer.read()


def main(provider_url: str) -> None:
    """Serve, until the process is ended."""
    taken = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sys.stdout.write(f"http://127.0.0.1:{taken.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        Ceiling(provider_url),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[taken]))


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message: dict[str, Any] = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def _answer(send: Any, status: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    main(sys.argv[1])
