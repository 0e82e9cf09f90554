"""REST: what all of Twilio's APIs have in common, between Quart and the handlers of each product."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from quart import Quart, Response, request

from gateway.sandbox.account import Account
from gateway.sandbox.errors import TwilioError, unauthorized
from gateway.sandbox.forms import Form, parse_pairs
from gateway.sandbox.webhooks import Actor


@dataclass(frozen=True, slots=True)
class Call:
    """One request. *url* is Twilio's own, without the query; *base* is its part before the first resource.

    *resource* is its part behind the version; *args* are the names in the path.
    """

    url: str
    base: str
    resource: str
    args: Mapping[str, str]
    query: Form
    form: Form
    actor: Actor
    if_match: str | None


class Answer(NamedTuple):
    """A status, the JSON if there is any, and headers of its own."""

    status: int
    body: dict[str, Any] | None = None
    headers: Mapping[str, str] = {}


Handler: TypeAlias = Callable[[Call], Answer]


class Route(NamedTuple):
    """A method and a path behind the version, with Quart's ``<names>``."""

    method: str
    path: str
    handler: Handler


def mount(app: Quart, account: Account, host: str, base: str, routes: Sequence[Route]) -> None:
    """Serve *routes* under ``/HOST/BASE``; *base* is the version, with ``/Services/<service>`` where there is one."""
    by_path: dict[str, dict[str, Handler]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route.handler
    for path, handlers in by_path.items():
        rule, view = f"/{host}/{base}{path}", _view(account, host, base, handlers)
        app.add_url_rule(rule, rule, view, methods=list(handlers), provide_automatic_options=False)


def render(answer: Answer) -> Response:
    """The HTTP answer."""
    if answer.body is None:
        return Response("", status=answer.status, headers=dict(answer.headers))
    text = json.dumps(answer.body)
    return Response(text, status=answer.status, headers=dict(answer.headers), content_type="application/json")


def render_error(error: TwilioError) -> Response:
    """The HTTP answer of a refusal."""
    headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if error.status == 401 else {}
    return render(Answer(error.status, error.body, headers))


def _view(
    account: Account, host: str, base: str, handlers: Mapping[str, Handler]
) -> Callable[..., Awaitable[Response]]:
    async def view(**args: str) -> Response:
        given = request.authorization
        if given is None or not account.knows(given.username, given.password):
            raise unauthorized()
        # Quart adds HEAD to GET.
        handler = handlers["GET" if request.method == "HEAD" else request.method]
        return render(handler(await _call(host, base, args)))

    return view


async def _call(host: str, base: str, args: dict[str, str]) -> Call:
    path = request.path.removeprefix(f"/{host}")
    heard = request.headers.get("X-Twilio-Webhook-Enabled", "").lower() == "true"
    body: bytes = await request.body
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    return Call(
        url=f"https://{host}{path}",
        base=f"https://{host}/{base}".replace("<service>", args.get("service", "")),
        resource="/" + path.split("/", 2)[2],
        args=args,
        query=Form(parse_pairs(request.query_string.decode())),
        form=Form(parse_pairs(body.decode()) if is_form else ()),
        actor=Actor("API", heard=heard),
        if_match=request.headers.get("If-Match"),
    )
