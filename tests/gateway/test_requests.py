"""Every request that we send is one that Twilio's OpenAPI files know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from gateway.sandbox.journal import Request
from tests.gateway.house import GENERATIONS, House
from tests.openapi import as_json_schema, document, needs_openapi

pytestmark = needs_openapi

PRODUCTS = {
    "conversations.twilio.com": "conversations_v1",
    "chat.twilio.com": "chat_v2",
    "flex-api.twilio.com": "flex_v1",
    "taskrouter.twilio.com": "taskrouter_v1",
}


async def test_all_that_a_conversation_can_make_us_send(home: House) -> None:
    """A whole dialogue, unknown outcomes, a gap, a task looked for, a refused handoff, a close: on both generations."""
    for generation in GENERATIONS:
        home.fault("cut_after", "/Messages$", times=1)
        home.fault("cut_after", "/v1/Interactions$", times=1)
        handed_over = await home.begin(generation)
        await home.write(handed_over, "Hello", "bill")
        home.fault("status", "/v1/Interactions$", status=400, times=1)
        closed = await home.begin(generation, identity="other")
        await home.unheard(closed, "Hello", author="other")
        await home.write(closed, "Hello?", "my note")
        named = await home.begin(generation, identity="third", attributes={"task_sid": "WT" + "1" * 32})
        await home.write(named, "Hello")
    sent = home.requests()
    kinds = {(one.method, template(one)) for one in sent}
    assert len(kinds) >= 12, kinds
    for request in sent:
        check(request)


def check(request: Request) -> None:
    """Path, method, query and form are declared, with values of the right form, and none that is required lacks."""
    product = PRODUCTS[request.host]
    path = document(product)["paths"][template(request)]
    operation = path[request.method.lower()]
    declared = {one["name"]: one["schema"] for one in operation.get("parameters", []) if one["in"] == "query"}
    validate(product, {"type": "object", "properties": declared, "additionalProperties": False}, request.query)
    if request.method == "POST":
        [body] = operation["requestBody"]["content"].values()
        schema = as_json_schema(product, body["schema"])
        validate(product, {**schema, "additionalProperties": False}, request.form)


def validate(product: str, schema: dict[str, Any], pairs: list[tuple[str, str]]) -> None:
    """A form's values are texts: numbers and booleans are read before they are compared."""
    properties = {name: as_json_schema(product, one) for name, one in schema["properties"].items()}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if properties.get(name, {}).get("type") == "array":
            values.setdefault(name, []).append(value)
        else:
            values[name] = typed(value, properties.get(name, {}))
    Draft202012Validator({**schema, "properties": properties}).validate(values)


def typed(value: str, schema: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "integer":
            return int(value)
        case "boolean":
            return {"true": True, "false": False}[value]
        case _:
            return value


def template(request: Request) -> str:
    """The path as the OpenAPI file spells it, with its parameters in braces."""
    [found] = [one for one in templates(PRODUCTS[request.host]) if one[1].fullmatch(request.path)][:1]
    return found[0]


def templates(product: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    for path in document(product)["paths"]:
        yield path, re.compile(re.sub(r"\\{\w+\\}", "[A-Z]{2}[0-9a-f]{32}", re.escape(path)))
