"""The control routes: the desk, the journal, the deliveries and the faults, by HTTP. For loopback; no credentials."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from quart import Blueprint, Response, request

from gateway.sandbox.desk import DEFAULT_WORKER, Desk, Refusal, Unknown, show_conversation, show_message, show_task
from gateway.sandbox.errors import TwilioError
from gateway.sandbox.faults import KINDS, Fault, Faults, Kind
from gateway.sandbox.journal import Journal, Request
from gateway.sandbox.webhooks import Delivery, Webhooks
from gateway.sandbox.world import JSON, Generation, Media, new_sid

REQUIRED: Any = object()


class Given:
    """The JSON object that a request carries. A key that is missing or wrong raises `Refusal`."""

    def __init__(self, given: JSON) -> None:
        self._given = given

    def only(self, *keys: str) -> None:
        """Refuse keys that nothing reads: they are typing errors."""
        strange = sorted(set(self._given) - set(keys))
        if strange:
            raise Refusal(f"There is no key {strange[0]} here; the keys are {', '.join(keys)}.")

    def text(self, key: str, otherwise: Any = None) -> Any:
        return self._take(key, otherwise, str, "a text")

    def thing(self, key: str, otherwise: Any = None) -> Any:
        return self._take(key, otherwise, dict, "an object")

    def whole(self, key: str, otherwise: Any = None, *, least: int = 0) -> Any:
        value = self._take(key, otherwise, int, "a whole number")
        if value is not None and value is not otherwise and (isinstance(value, bool) or value < least):
            raise Refusal(f"The key {key} must be a whole number from {least}.")
        return value

    def seconds(self, key: str) -> float:
        value = self._take(key, 0.0, (int, float), "a number of seconds")
        return float(value)

    def flag(self, key: str) -> bool:
        return bool(self._take(key, False, bool, "true or false"))

    def texts(self, key: str) -> list[str] | None:
        values = self._take(key, None, list, "a list of texts")
        if values is not None and not all(isinstance(one, str) for one in values):
            raise Refusal(f"The key {key} must be a list of texts.")
        return cast("list[str] | None", values)

    def one_of(self, key: str, allowed: tuple[str, ...], otherwise: Any = None) -> Any:
        value = self.text(key, otherwise)
        if value is not None and value not in allowed:
            raise Refusal(f"The key {key} must be one of {', '.join(allowed)}.")
        return value

    def media(self) -> list[Media]:
        values = self._take("media", [], list, "a list of objects")
        return [_media(one) for one in values]

    def _take(self, key: str, otherwise: Any, kind: Any, noun: str) -> Any:
        value = self._given.get(key)
        if value is None:
            if otherwise is REQUIRED:
                raise Refusal(f"The key {key} is missing; it must be {noun}.")
            return otherwise
        if not isinstance(value, kind):
            raise Refusal(f"The key {key} must be {noun}.")
        return value


def control_routes(desk: Desk, webhooks: Webhooks, journal: Journal, faults: Faults) -> Blueprint:
    """All routes under ``/sandbox``."""
    routes = Blueprint("sandbox", __name__, url_prefix="/sandbox")
    _conversation_routes(routes, desk, webhooks)
    _task_routes(routes, desk)
    _record_routes(routes, webhooks, journal)
    _fault_routes(routes, faults)

    @routes.errorhandler(Refusal)
    async def refuse(refusal: Refusal) -> Response:
        return _answer({"error": str(refusal)}, 404 if isinstance(refusal, Unknown) else 400)

    @routes.errorhandler(TwilioError)
    async def forbid(error: TwilioError) -> Response:
        return _answer({"error": error.message, "code": error.code}, error.status)

    return routes


def _conversation_routes(routes: Blueprint, desk: Desk, webhooks: Webhooks) -> None:
    @routes.post("/conversations")
    async def create() -> Response:
        given = await _given()
        given.only(
            "generation", "identity", "address", "proxy_address", "friendly_name", "attributes", "webhook_url",
            "filters", "service_sid",
        )  # fmt: skip
        generation: Generation = given.one_of("generation", ("conversations", "chat"), REQUIRED)
        conversation = desk.create_conversation(
            generation=generation,
            identity=given.text("identity"),
            address=given.text("address"),
            proxy_address=given.text("proxy_address"),
            friendly_name=given.text("friendly_name"),
            attributes=given.thing("attributes"),
            webhook_url=given.text("webhook_url"),
            filters=given.texts("filters"),
            service_sid=given.text("service_sid"),
        )
        return _answer(show_conversation(conversation), 201)

    @routes.get("/conversations/<sid>")
    async def transcript(sid: str) -> Response:
        return _answer(desk.transcript(sid))

    @routes.post("/conversations/<sid>/messages")
    async def write(sid: str) -> Response:
        given = await _given()
        given.only("author", "body", "media", "attributes", "source")
        count, media = webhooks.count, given.media()
        message = desk.customer_writes(
            sid,
            given.text("body", None if media else REQUIRED),
            author=given.text("author"),
            media=media,
            attributes=given.thing("attributes"),
            source=given.text("source"),
        )
        shown = {**show_message(message), "conversation_sid": sid}
        if request.args.get("wait") != "true":
            return _answer(shown, 201)
        sent = webhooks.since(count)
        await webhooks.ended(sent)
        return _answer({**shown, "deliveries": [show_delivery(one) for one in sent]}, 201)

    @routes.post("/conversations/<sid>/close")
    async def close(sid: str) -> Response:
        given = await _given()
        given.only("worker")
        return _answer(show_conversation(desk.close(sid, given.text("worker"))))

    @routes.post("/conversations/<sid>/timer")
    async def timer(sid: str) -> Response:
        given = await _given()
        given.only("state")
        return _answer(
            show_conversation(desk.timer_fires(sid, given.one_of("state", ("inactive", "closed"), "closed")))
        )


def _task_routes(routes: Blueprint, desk: Desk) -> None:
    @routes.get("/tasks")
    async def tasks() -> Response:
        return _answer({"tasks": desk.tasks()})

    @routes.post("/tasks/<sid>/accept")
    async def accept(sid: str) -> Response:
        given = await _given()
        given.only("worker")
        return _answer(show_task(desk.agent_accepts(sid, given.text("worker", DEFAULT_WORKER))))

    @routes.post("/tasks/<sid>/messages")
    async def write_as_agent(sid: str) -> Response:
        given = await _given()
        given.only("body")
        return _answer(show_message(desk.agent_writes(sid, given.text("body", REQUIRED))), 201)

    @routes.post("/tasks/<sid>/finish")
    async def finish(sid: str) -> Response:
        return _answer(show_task(desk.agent_finishes(sid)))


def _record_routes(routes: Blueprint, webhooks: Webhooks, journal: Journal) -> None:
    @routes.get("/journal")
    async def requests() -> Response:
        return _answer({"requests": [show_request(one) for one in journal.requests]})

    @routes.delete("/journal")
    async def forget() -> Response:
        journal.clear()
        return _answer(None, 204)

    @routes.get("/deliveries")
    async def deliveries() -> Response:
        return _answer({"deliveries": [show_delivery(one) for one in webhooks.since(0)]})

    @routes.post("/deliveries/<int:n>/repeat")
    async def repeat(n: int) -> Response:
        given = await _given()
        given.only("times", "together", "url")
        times, together, url = given.whole("times", 1, least=1), given.flag("together"), given.text("url")
        if n not in webhooks.deliveries:
            raise Unknown(f"There is no delivery {n} in this sandbox.")
        repeats = await webhooks.repeat(n, times=times, together=together, url=url)
        return _answer({"deliveries": [show_delivery(one) for one in repeats]})


def _fault_routes(routes: Blueprint, faults: Faults) -> None:
    @routes.post("/faults")
    async def add() -> Response:
        given = await _given()
        given.only("method", "path", "kind", "status", "retry_after", "seconds", "times")
        kind: Kind = given.one_of("kind", KINDS, REQUIRED)
        retry_after = given.whole("retry_after")
        method = given.text("method")
        faults.add(
            Fault(
                kind=kind,
                path=_pattern(given.text("path", REQUIRED)),
                method=method.upper() if method else None,
                status=given.whole("status", 503, least=400),
                retry_after=None if retry_after is None else str(retry_after),
                seconds=given.seconds("seconds"),
                times=given.whole("times", least=1),
            )
        )
        return _answer({"kind": kind}, 201)

    @routes.delete("/faults")
    async def lift() -> Response:
        faults.clear()
        return _answer(None, 204)


def refuse_route(status: int) -> Response:
    """The answer for a path or method that is no control route."""
    return _answer({"error": f"There is no control route for {request.method} {request.path}."}, status)


def show_delivery(delivery: Delivery) -> JSON:
    """A delivery for the desk's reader. Without a status and an error it is under way."""
    return {
        "n": delivery.n,
        "url": delivery.url,
        "method": delivery.method,
        "event_type": delivery.event_type,
        "conversation_sid": delivery.conversation_sid,
        "webhook_sid": delivery.webhook_sid,
        "form": [list(pair) for pair in delivery.pairs],
        "headers": delivery.headers,
        "status": delivery.status,
        "error": delivery.error,
        "attempts": delivery.attempts,
        "repeat_of": delivery.repeat_of,
    }


def show_request(noted: Request) -> JSON:
    """A request of the journal for the desk's reader."""
    return {
        "n": noted.n,
        "method": noted.method,
        "host": noted.host,
        "path": noted.path,
        "query": [list(pair) for pair in noted.query],
        "form": [list(pair) for pair in noted.form],
        "headers": noted.headers,
        "status": noted.status,
        "fault": noted.fault,
    }


async def _given() -> Given:
    body: bytes = await request.body
    if not body.strip():
        return Given({})
    try:
        given = json.loads(body)
    except ValueError:
        raise Refusal("The body is not JSON.") from None
    if not isinstance(given, dict):
        raise Refusal("The body must be a JSON object.")
    return Given(given)


def _media(given: Any) -> Media:
    if not isinstance(given, dict):
        raise Refusal("The key media must be a list of objects.")
    one = Given(given)
    one.only("sid", "content_type", "filename", "size")
    return Media(
        sid=one.text("sid") or new_sid("ME"),
        content_type=one.text("content_type", "image/jpeg"),
        filename=one.text("filename"),
        size=one.whole("size", 0),
    )


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as problem:
        raise Refusal(f"The key path is no regular expression: {problem}.") from None


def _answer(body: JSON | None, status: int = 200) -> Response:
    if body is None:
        return Response("", status=status)
    return Response(json.dumps(body), status=status, content_type="application/json")
