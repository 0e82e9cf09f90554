"""Ways to clean an answer before it is looked at and kept."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Final


def clean(text: str, ways: Iterable[str]) -> str:
    """*text* after all *ways*, names of `WAYS`, one after another."""
    for way in ways:
        text = WAYS[way](text)
    return text


def _remove_spaces(text: str) -> str:
    return "".join(text.split())


def _digits(text: str) -> str:
    """The digits alone, also those of other scripts, as 0 to 9."""
    return "".join(str(unicodedata.decimal(one)) for one in text if one.isdecimal())


WAYS: Final[Mapping[str, Callable[[str], str]]] = {
    "trim": str.strip,
    "remove_spaces": _remove_spaces,
    "lower": str.lower,
    "upper": str.upper,
    "digits": _digits,
}
