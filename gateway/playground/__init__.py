"""The playground: a page in the browser where one person is the customer on the left and the agent on the right.

It speaks with the sandbox as customer and agent would, and shows what the gateway keeps of the conversation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from quart import Quart, Response, jsonify, request, send_from_directory

from gateway.sandbox import Refusal, Sandbox, TwilioError
from gateway.store import Store

FILES = Path(__file__).parent
LAST_EVENTS = 12
# Only what we serve ourselves runs or is loaded.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"


class Begin(Protocol):
    """Makes a new conversation; gives its SID."""

    def __call__(self, *, name: str, question: str, generation: str) -> Awaitable[str]: ...


class Playground:
    """The page's application, *app*. *begin* makes conversations, *bot_name* signs the bot's messages."""

    def __init__(self, sandbox: Sandbox, store: Store, *, begin: Begin, customer: str, bot_name: str) -> None:
        self._sandbox = sandbox
        self._store = store
        self._begin = begin
        self._names = {customer: "customer", bot_name: "bot"}
        self.app = self._make_app()

    def _make_app(self) -> Quart:
        app = Quart(__name__, static_folder=None)
        app.json.sort_keys = False  # type: ignore[attr-defined]  # the attributes as the agent would see them
        app.add_url_rule("/", "page", self._page)
        app.add_url_rule("/<any('page.js', 'page.css'):name>", "file", self._file)
        app.add_url_rule("/conversations", "begin", self._begin_route, methods=["POST"])
        app.add_url_rule("/conversations/<sid>", "show", self._show)
        app.add_url_rule("/conversations/<sid>/messages", "write", self._write, methods=["POST"])
        app.add_url_rule("/conversations/<sid>/agent", "agent", self._agent, methods=["POST"])
        app.register_error_handler(Refusal, _refused)
        app.register_error_handler(TwilioError, _refused)
        app.after_request(_protect)
        return app

    async def _page(self) -> Response:
        return await send_from_directory(FILES, "page.html")

    async def _file(self, name: str) -> Response:
        return await send_from_directory(FILES, name)

    async def _begin_route(self) -> Response:
        asked = await _json()
        sid = await self._begin(
            name=asked.get("name", "").strip() or "Jana",
            question=asked.get("question", "").strip(),
            generation="chat" if asked.get("generation") == "chat" else "conversations",
        )
        return jsonify(sid=sid)

    async def _write(self, sid: str) -> Response:
        await self._sandbox.customer_writes(sid, (await _json()).get("text", ""))
        return jsonify(done=True)

    async def _agent(self, sid: str) -> Response:
        asked = await _json()
        task = self._sandbox.transcript(sid)["tasks"][-1:]
        if not task:
            raise Refusal("No task waits: the bot has not handed over yet.")
        deeds: dict[str, Callable[[str], Awaitable[Any]]] = {
            "accept": self._sandbox.agent_accepts,
            "finish": self._sandbox.agent_finishes,
            "write": lambda sid_of_task: self._sandbox.agent_writes(sid_of_task, asked.get("text", "")),
        }
        if asked.get("do") not in deeds:
            raise Refusal(f"An agent can {', '.join(deeds)}.")
        await deeds[asked["do"]](task[0]["sid"])
        return jsonify(done=True)

    async def _show(self, sid: str) -> Response:
        conversation = self._sandbox.transcript(sid)
        record = await self._store.load(sid)
        journal = await self._store.journal(sid)
        return jsonify(
            messages=[
                {"who": self._names.get(one["author"], "agent"), "text": one["body"]}
                for one in conversation["messages"]
            ],
            over=conversation["state"] == "closed" or conversation["attributes"].get("status") == "INACTIVE",
            task=next((_task(one) for one in reversed(conversation["tasks"])), None),
            owner=record.owner if record else "",
            state=record.dialogue.state if record and record.dialogue else "",
            data=record.dialogue.data if record and record.dialogue else {},
            events=[
                {"what": type(entry.event).__name__, "rule": entry.trace.rule if entry.trace else "waiting"}
                for entry in reversed(journal[-LAST_EVENTS:])
            ],
        )


def _task(task: dict[str, Any]) -> dict[str, Any]:
    return {"status": task["status"], "worker": task["worker"], "attributes": task["attributes"]}


async def _json() -> dict[str, Any]:
    """The request's JSON. Pages of other sites cannot send that type without asking first, and are not let."""
    asked = await request.get_json()
    if not isinstance(asked, dict) or not all(isinstance(value, str) for value in asked.values()):
        raise Refusal("Send a JSON object of texts.")
    return asked


async def _refused(error: Exception) -> tuple[Response, int]:
    return jsonify(why=str(error)), 400


async def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
