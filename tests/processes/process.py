"""One process of `usher`, as a test sees it from outside: what it writes, how it ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

REPOSITORY = Path(__file__).parents[2]
START_LIMIT_S = 20.0
END_LIMIT_S = 15.0


async def until(condition: Callable[[], Awaitable[T]], limit_s: float = 20) -> T:
    """The first true value of *condition*, asked again and again; fails after *limit_s*."""
    ends = time.monotonic() + limit_s
    while not (value := await condition()):
        assert time.monotonic() < ends, f"not within {limit_s:g} s: {condition}"
        await asyncio.sleep(0.01)
    return value


class Process:
    """`usher` with *arguments*, in *folder*, with *settings* and little else in its environment.

    *typed* is what stands on its standard input.
    """

    def __init__(
        self, *arguments: str, folder: Path, settings: Mapping[str, str] | None = None, typed: str = ""
    ) -> None:
        self.arguments = arguments
        self._written: dict[str, list[str]] = {"out": [], "err": []}
        self._child = subprocess.Popen(
            [sys.executable, "-c", "from gateway.cli import main; main()", *arguments],
            cwd=folder,
            env=_environment(folder, settings or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert self._child.stdin is not None
        with self._child.stdin as keyboard:
            keyboard.write(typed)
        self._readers = [
            threading.Thread(target=self._read, args=("out", self._child.stdout), daemon=True),
            threading.Thread(target=self._read, args=("err", self._child.stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def out(self) -> str:
        """All that it wrote to stdout so far."""
        return "".join(self._written["out"])

    @property
    def err(self) -> str:
        """All that it wrote to stderr so far."""
        return "".join(self._written["err"])

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None

    async def says(self, words: str) -> None:
        """Wait until *words* stand in its stderr; fails when it ends without."""

        async def said() -> bool:
            assert words in self.err or self.is_alive, f"ended with {self._child.returncode} and said: {self.err}"
            return words in self.err

        await until(said, START_LIMIT_S)

    async def ended(self) -> int:
        """Its exit code, when it has ended and all that it wrote is read."""

        async def is_dead() -> bool:
            return not self.is_alive

        await until(is_dead, END_LIMIT_S)
        for reader in self._readers:
            reader.join(END_LIMIT_S)
        return self._child.returncode

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL: it has no time for anything."""
        self._child.kill()
        await self.ended()

    def _read(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._written[name].append(line)


async def run(*arguments: str, folder: Path, settings: Mapping[str, str] | None = None, typed: str = "") -> Process:
    """A process of `usher` that has ended by itself."""
    process = Process(*arguments, folder=folder, settings=settings, typed=typed)
    try:
        await process.ended()
    finally:
        if process.is_alive:
            await process.kill()
    return process


def _environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUTF8": "1",
        "TMPDIR": str(folder),
        **settings,
    }
