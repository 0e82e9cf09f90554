"""Counts of what a piece of work costs, the same on every machine: calls, SQL statements, rows."""

from __future__ import annotations

import gc
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import bots
import gateway

OURS = tuple(f"{Path(package.__file__ or '').parent}/" for package in (gateway, bots))
# Python 3.12 runs comprehensions inside their function, 3.11 calls them; so they are not counted.
INLINED = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})


@dataclass
class Calls:
    """Python functions entered in a thread. A coroutine counts once, however often it goes on after a wait."""

    counting: bool = False
    _by_code: Counter[CodeType] = field(default_factory=Counter)
    _entered: set[FrameType] = field(default_factory=set)

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        """What `sys.setprofile` calls."""
        if event != "call" or not self.counting or frame in self._entered:
            return
        self._entered.add(frame)
        if frame.f_code.co_name not in INLINED:
            self._by_code[frame.f_code] += 1

    @property
    def ours(self) -> Counter[str]:
        """The product's own functions, by name."""
        ours: Counter[str] = Counter()
        for code, count in self._by_code.items():
            if code.co_filename.startswith(OURS):
                ours[f"{Path(code.co_filename).stem}.{code.co_qualname}"] += count
        return ours

    @property
    def total(self) -> int:
        """All calls, the libraries' too."""
        return self._by_code.total()


@dataclass
class Counts:
    """What happened: calls on the event loop's thread and in the store's, SQL *statements*, *rows* written."""

    loop: Calls = field(default_factory=Calls)
    store: Calls = field(default_factory=Calls)
    statements: list[str] = field(default_factory=list)
    rows: int = 0

    @contextmanager
    def new_threads(self) -> Iterator[None]:
        """Threads that start meanwhile are the store's: `count` looks into them."""
        threading.setprofile(self.store.profile)
        try:
            yield
        finally:
            threading.setprofile(None)

    @contextmanager
    def count(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Count what happens meanwhile. *connection* is the store's and is at rest before and after."""
        rows = connection.total_changes
        # A collection could run finalizers at any moment, which are calls too.
        gc.collect()
        gc.disable()
        connection.set_trace_callback(self.statements.append)
        before = sys.getprofile()
        self.loop.counting = self.store.counting = True
        sys.setprofile(self.loop.profile)
        try:
            yield
        finally:
            sys.setprofile(before)
            self.loop.counting = self.store.counting = False
            connection.set_trace_callback(None)
            gc.enable()
            self.rows = connection.total_changes - rows
