"""The control routes: the desk, the journal, the deliveries and the faults, by HTTP. For loopback; no credentials."""

from __future__ import annotations

import dataclasses
import json
import re

import msgspec
from quart import Blueprint, Response, request

from gateway.sandbox.account import Switches
from gateway.sandbox.agents import Agents
from gateway.sandbox.desk import Desk, Refusal, Unknown, show_conversation, show_message, show_task
from gateway.sandbox.errors import TwilioError
from gateway.sandbox.faults import KINDS, Fault, Faults, Kind
from gateway.sandbox.given import REQUIRED, read_given
from gateway.sandbox.interactions import DOWNSTREAM_FAILED
from gateway.sandbox.journal import Journal, Request
from gateway.sandbox.webhooks import Delivery, Webhooks
from gateway.sandbox.world import JSON, Generation, World


def control_routes(
    world: World, desk: Desk, agents: Agents, webhooks: Webhooks, journal: Journal, faults: Faults
) -> Blueprint:
    """All routes under ``/sandbox``."""
    routes = Blueprint("sandbox", __name__, url_prefix="/sandbox")
    _conversation_routes(routes, desk, agents, webhooks)
    _task_routes(routes, desk, agents)
    _record_routes(routes, webhooks, journal)
    _delivery_routes(routes, webhooks)
    _fault_routes(routes, faults)
    _switch_routes(routes, world)

    @routes.errorhandler(Refusal)
    async def refuse(refusal: Refusal) -> Response:
        return _answer({"error": str(refusal)}, 404 if isinstance(refusal, Unknown) else 400)

    @routes.errorhandler(TwilioError)
    async def forbid(error: TwilioError) -> Response:
        return _answer({"error": error.message, "code": error.code}, error.status)

    return routes


def _conversation_routes(routes: Blueprint, desk: Desk, agents: Agents, webhooks: Webhooks) -> None:
    @routes.post("/conversations")
    async def create() -> Response:
        given = await read_given()
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
        given = await read_given()
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
        given = await read_given()
        given.only("worker")
        return _answer(show_conversation(agents.close(sid, given.text("worker"))))

    @routes.post("/conversations/<sid>/timer")
    async def timer(sid: str) -> Response:
        given = await read_given()
        given.only("state")
        return _answer(
            show_conversation(desk.timer_fires(sid, given.one_of("state", ("inactive", "closed"), "closed")))
        )

    @routes.post("/inbound")
    async def receive() -> Response:
        given = await read_given()
        given.only("from", "to", "body", "media")
        media = given.media()
        conversation, message = desk.inbound_message(
            given.text("from", REQUIRED),
            given.text("to", REQUIRED),
            given.text("body", None if media else REQUIRED),
            media,
        )
        return _answer({**show_message(message), "conversation_sid": conversation.sid}, 201)


def _task_routes(routes: Blueprint, desk: Desk, agents: Agents) -> None:
    @routes.get("/tasks")
    async def tasks() -> Response:
        return _answer({"tasks": desk.tasks()})

    by_a_worker = {
        "offer": agents.offer,
        "accept": agents.accept,
        "decline": agents.decline,
        "ignore": agents.ignore,
    }

    @routes.post("/tasks/<sid>/<any(offer, accept, decline, ignore):what>")
    async def answer(sid: str, what: str) -> Response:
        given = await read_given()
        given.only("worker")
        return _answer(show_task(by_a_worker[what](sid, given.text("worker"))))

    by_the_agent = {"wrap_up": agents.wrap_up, "leave": agents.leave, "time_out": agents.time_out}

    @routes.post("/tasks/<sid>/<any(wrap_up, leave, time_out):what>")
    async def act(sid: str, what: str) -> Response:
        (await read_given()).only()
        return _answer(show_task(by_the_agent[what](sid)))

    @routes.post("/tasks/<sid>/messages")
    async def write_as_agent(sid: str) -> Response:
        given = await read_given()
        given.only("body")
        return _answer(show_message(agents.write(sid, given.text("body", REQUIRED))), 201)

    @routes.post("/tasks/<sid>/finish")
    async def finish(sid: str) -> Response:
        given = await read_given()
        given.only("keep_open")
        return _answer(show_task(agents.finish(sid, keep_open=given.flag("keep_open"))))

    @routes.post("/tasks/<sid>/transfer")
    async def transfer(sid: str) -> Response:
        given = await read_given()
        given.only("worker", "accepts")
        worker, accepts = given.text("worker", REQUIRED), given.flag("accepts", True)
        return _answer(show_task(agents.transfer(sid, worker, accepts=accepts)))

    @routes.post("/tasks/<sid>/cancel")
    async def cancel(sid: str) -> Response:
        given = await read_given()
        given.only("reason")
        return _answer(show_task(agents.cancel(sid, given.text("reason"))))

    @routes.post("/interactions/<sid>/fail")
    async def fail(sid: str) -> Response:
        given = await read_given()
        given.only("code", "message")
        code, message = DOWNSTREAM_FAILED
        failed = agents.fail_interaction(sid, given.whole("code", code), given.text("message", message))
        return _answer({"sid": failed.sid, "status": failed.status})


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
        given = await read_given()
        given.only("times", "together", "url")
        times, together, url = given.whole("times", 1, least=1), given.flag("together"), given.text("url")
        if n not in webhooks.deliveries:
            raise Unknown(f"There is no delivery {n} in this sandbox.")
        repeats = await webhooks.repeat(n, times=times, together=together, url=url)
        return _answer({"deliveries": [show_delivery(one) for one in repeats]})


def _delivery_routes(routes: Blueprint, webhooks: Webhooks) -> None:
    @routes.post("/deliveries/hold")
    async def hold() -> Response:
        given = await read_given()
        given.only("conversation_sid")
        webhooks.hold(given.text("conversation_sid"))
        return _answer(None, 204)

    @routes.post("/deliveries/release")
    async def release() -> Response:
        given = await read_given()
        given.only("conversation_sid", "seed", "together")
        freed = await webhooks.release(
            given.text("conversation_sid"), seed=given.whole("seed"), together=given.flag("together")
        )
        return _answer({"deliveries": [show_delivery(one) for one in freed]})

    @routes.post("/deliveries/spoil")
    async def spoil() -> Response:
        given = await read_given()
        given.only("copies", "delay_s")
        webhooks.copies, webhooks.delay_s = given.whole("copies", 1, least=1), given.seconds("delay_s")
        return _answer({"copies": webhooks.copies, "delay_s": webhooks.delay_s})


def _fault_routes(routes: Blueprint, faults: Faults) -> None:
    @routes.post("/faults")
    async def add() -> Response:
        given = await read_given()
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


def _switch_routes(routes: Blueprint, world: World) -> None:
    @routes.get("/switches")
    async def switches() -> Response:
        return _answer(dataclasses.asdict(world.switches))

    @routes.post("/switches")
    async def turn() -> Response:
        given = await read_given()
        given.only(*(one.name for one in dataclasses.fields(Switches)))
        try:
            world.switches = msgspec.convert({**dataclasses.asdict(world.switches), **given.all}, Switches)
        except msgspec.ValidationError as problem:
            raise Refusal(f"{problem}.") from None
        return _answer(dataclasses.asdict(world.switches))


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


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as problem:
        raise Refusal(f"The key path is no regular expression: {problem}.") from None


def _answer(body: JSON | None, status: int = 200) -> Response:
    if body is None:
        return Response("", status=status)
    return Response(json.dumps(body), status=status, content_type="application/json")
