"""What a request says: names and values as text, read with the checks that Twilio makes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from gateway.sandbox.clock import parse_date
from gateway.sandbox.errors import invalid

Pairs = tuple[tuple[str, str], ...]


def parse_pairs(text: str) -> Pairs:
    """The names and values of a form or query, in order, repeated names and blank values too."""
    return tuple(parse_qsl(text, keep_blank_values=True))


class Form:
    """The parameters of one request. What was not sent is ``None``; what is wrong raises 20001."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self._first: dict[str, str] = {}
        for name, value in self.pairs:
            self._first.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def text(self, name: str, *, most: int | None = None) -> str | None:
        value = self._first.get(name)
        if value is not None and most is not None and len(value) > most:
            raise invalid(f"Parameter {name} is longer than {most} characters")
        return value

    def required(self, name: str) -> str:
        value = self._first.get(name)
        if not value:
            raise invalid(f"Missing required parameter {name} in the post body")
        return value

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def one_of(self, name: str, allowed: Iterable[str]) -> str | None:
        value = self._first.get(name)
        allowed = list(allowed)
        if value is not None and value not in allowed:
            raise invalid(f"Parameter {name} is '{value}'; it must be one of {', '.join(allowed)}")
        return value

    def whole(self, name: str, *, least: int = 0, most: int | None = None) -> int | None:
        value = self._first.get(name)
        if value is None:
            return None
        number = int(value) if value.isascii() and value.isdigit() else -1
        if number < least or (most is not None and number > most):
            raise invalid(f"Parameter {name} is '{value}'; it must be a whole number from {least}")
        return number

    def flag(self, name: str) -> bool | None:
        value = self.one_of(name, ["true", "false", "True", "False"])
        return None if value is None else value.lower() == "true"

    def date(self, name: str) -> datetime | None:
        value = self._first.get(name)
        if value is None:
            return None
        at = parse_date(value)
        if at is None:
            raise invalid(f"Parameter {name} is '{value}'; it must be an ISO 8601 date")
        return at

    def url(self, name: str) -> str | None:
        """An absolute URL; blank, which takes one away, is blank."""
        value = self._first.get(name)
        if value and not value.startswith(("http://", "https://")):
            raise invalid(f"Parameter {name} is '{value}', which is not an absolute URL")
        return value

    def json_text(self, name: str) -> str | None:
        """A value that must be JSON; it is kept as the text that was given."""
        value = self._first.get(name)
        if value is not None:
            _load(name, value)
        return value

    def json_object(self, name: str) -> dict[str, Any] | None:
        value = self._first.get(name)
        if value is None:
            return None
        loaded = _load(name, value)
        if not isinstance(loaded, dict):
            raise invalid(f"Parameter {name} must be a JSON object")
        return loaded


def _load(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise invalid(f"Parameter {name} is not valid JSON") from None
