"""The journal: every REST request that reached the sandbox, and what it was answered. Never credentials."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sandbox.forms import Pairs

KEPT_REQUESTS = 10_000
SHOWN_HEADERS = frozenset(
    {"accept", "content-type", "if-match", "user-agent", "x-twilio-client", "x-twilio-webhook-enabled", "ui-version"}
)


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. *status* is ``None`` while it is not answered, for ever if it was cut; *fault* says why."""

    n: int
    method: str
    host: str
    path: str
    query: Pairs
    form: Pairs
    headers: dict[str, str]
    status: int | None = None
    fault: str | None = None


class Journal:
    """The requests in the order in which they came; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=KEPT_REQUESTS)
        self._count = 0

    def note(
        self, method: str, host: str, path: str, query: Pairs, form: Pairs, headers: Iterable[tuple[str, str]]
    ) -> Request:
        """Write a request down."""
        shown = {name: value for name, value in headers if name in SHOWN_HEADERS}
        request = Request(n=self._count, method=method, host=host, path=path, query=query, form=form, headers=shown)
        self._count += 1
        self._requests.append(request)
        return request

    @property
    def requests(self) -> list[Request]:
        """All that is kept, oldest first."""
        return list(self._requests)

    def clear(self) -> None:
        """Forget them; the numbers go on."""
        self._requests.clear()
