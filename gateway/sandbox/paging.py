"""Lists as Twilio answers them: one page, and where the others are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from gateway.sandbox.errors import invalid
from gateway.sandbox.forms import Form


class Listed(Protocol):
    """What can stand in a list."""

    @property
    def sid(self) -> str: ...


Item = TypeVar("Item", bound=Listed)


def page(
    url: str,
    query: Form,
    key: str,
    items: Sequence[Item],
    show: Callable[[Item], dict[str, Any]],
    *,
    size: int = 50,
    most: int = 100,
) -> dict[str, Any]:
    """The page of *items* that *query* asks for, under *key*, with its ``meta``.

    A page begins behind the item that its token names, so that newcomers do not shift it. *size* is the default
    page size, *most* the largest.
    """
    size = min(query.whole("PageSize", least=1) or size, most)
    number = query.whole("Page") or 0
    start = _start(query.text("PageToken"), items, number, size)
    shown = items[start : start + size]

    def link(to: int, token: str | None) -> str:
        rest = [pair for pair in query.pairs if pair[0] not in ("PageSize", "Page", "PageToken")]
        place = [("PageSize", str(size)), ("Page", str(to)), *([("PageToken", token)] if token else [])]
        return f"{url}?{urlencode([*rest, *place])}"

    has_next = start + size < len(items)
    meta = {
        "page": number,
        "page_size": size,
        "first_page_url": link(0, None),
        "previous_page_url": link(max(number - 1, 0), f"PB{items[start].sid}") if start and shown else None,
        "url": link(number, query.text("PageToken")),
        "next_page_url": link(number + 1, f"PA{shown[-1].sid}") if has_next else None,
        "key": key,
    }
    return {key: [show(item) for item in shown], "meta": meta}


def _start(token: str | None, items: Sequence[Item], number: int, size: int) -> int:
    if token is None:
        return number * size
    place = next((at for at, item in enumerate(items) if item.sid == token[2:]), None)
    if place is None or token[:2] not in ("PA", "PB"):
        raise invalid(f"Parameter PageToken is '{token}', which names no place in this list")
    return place + 1 if token[:2] == "PA" else max(place - size, 0)
