"""What a control request carries: a JSON object, read key by key with checks that explain themselves."""

from __future__ import annotations

import json
from typing import Any, cast

from quart import request

from gateway.sandbox.desk import Refusal
from gateway.sandbox.world import JSON, Media, new_sid

REQUIRED: Any = object()


class Given:
    """The JSON object that a request carries. A key that is missing or wrong raises `Refusal`."""

    def __init__(self, given: JSON) -> None:
        self.all = given

    def only(self, *keys: str) -> None:
        """Refuse keys that nothing reads: they are typing errors."""
        strange = sorted(set(self.all) - set(keys))
        if strange:
            known = f"the keys are {', '.join(keys)}" if keys else "it takes none"
            raise Refusal(f"There is no key {strange[0]} here; {known}.")

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

    def flag(self, key: str, otherwise: bool = False) -> bool:
        return bool(self._take(key, otherwise, bool, "true or false"))

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
        value = self.all.get(key)
        if value is None:
            if otherwise is REQUIRED:
                raise Refusal(f"The key {key} is missing; it must be {noun}.")
            return otherwise
        if not isinstance(value, kind):
            raise Refusal(f"The key {key} must be {noun}.")
        return value


async def read_given() -> Given:
    """The object in the body of the request; an empty one where there is no body. Raises `Refusal`."""
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
