"""TaskRouter's expressions over a task's attributes, as far as lists of tasks are asked for with them.

https://www.twilio.com/docs/taskrouter/expression-syntax: comparisons of a (dotted) name with a text, number or
truth value by ``==``, ``!=``, ``HAS`` and ``CONTAINS``, joined by ``AND``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.sandbox.errors import invalid

_COMPARISON = re.compile(
    r"""\s*(?P<name>[A-Za-z_][\w.]*)\s*
        (?P<operator>==|!=|=|HAS\b|CONTAINS\b)\s*
        (?P<value>"[^"]*"|'[^']*'|-?\d+(?:\.\d+)?|true|false|null)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_AND = re.compile(r"(?:AND\b|&&)", re.IGNORECASE)


def matches(expression: str, attributes: Mapping[str, Any]) -> bool:
    """Whether *attributes* fit. Raises 20001 on an expression that the sandbox does not know."""
    place, fits = 0, True
    while True:
        comparison = _COMPARISON.match(expression, place)
        if comparison is None:
            raise invalid(f"The expression {expression!r} is not understood at character {place + 1}")
        fits = _holds(comparison, attributes) and fits
        place = comparison.end()
        if place == len(expression):
            return fits
        joint = _AND.match(expression, place)
        if joint is None:
            raise invalid(f"The expression {expression!r} is not understood at character {place + 1}")
        place = joint.end()


def _holds(comparison: re.Match[str], attributes: Mapping[str, Any]) -> bool:
    found = _look_up(comparison["name"], attributes)
    wanted = _value(comparison["value"])
    match comparison["operator"].upper():
        case "==" | "=":
            return bool(found == wanted)
        case "!=":
            return bool(found != wanted)
        case _:
            return isinstance(found, list | str) and wanted in found


def _look_up(name: str, attributes: Mapping[str, Any]) -> Any:
    found: Any = attributes
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _value(text: str) -> Any:
    return text[1:-1] if text[0] in "\"'" else json.loads(text.lower())
