"""Faults: how the sandbox misbehaves when it is told to, as a network and a busy Twilio do."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["status", "slow", "cut_before", "cut_after", "hold_after"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(slots=True, kw_only=True)
class Fault:
    """Requests of *method* (any, if ``None``) whose ``HOST/PATH`` has *path* in it go wrong, *times* or for ever.

    ``status``: answered with that error and no effect; ``slow``: served after *seconds*; ``cut_before``: the
    connection is dropped and nothing is done; ``cut_after``: it is done, then the connection is dropped;
    ``hold_after``: it is done and the answer waits for *released*.
    """

    kind: Kind
    path: re.Pattern[str]
    method: str | None = None
    status: int = 503
    retry_after: str | None = None
    seconds: float = 0.0
    times: int | None = None
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_spent(self) -> bool:
        return self.times is not None and self.hits >= self.times


class Faults:
    """The faults in force; the first that fits a request takes it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force, after the others."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Lift all faults and let the held answers go."""
        for fault in self._faults:
            fault.released.set()
        self._faults.clear()

    def strike(self, method: str, place: str) -> Fault | None:
        """The fault for a request to *place* (``HOST/PATH``), counted as one of its times."""
        for fault in self._faults:
            if not fault.is_spent and fault.method in (None, method) and fault.path.search(place):
                fault.hits += 1
                return fault
        return None
