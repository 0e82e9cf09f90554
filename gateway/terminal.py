"""A chat in the terminal: one person at the keyboard is the customer and, with a key, the agent."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import click

from gateway.sandbox import Refusal, Sandbox

AGENT_KEY = "!"
DEFAULT_NAME = "Jana"
HELP = f"""\
You are the customer: write, and press Enter.
  {AGENT_KEY}         be the agent and take the waiting task
  {AGENT_KEY} TEXT    write as the agent
  {AGENT_KEY}{AGENT_KEY}        be the agent and end the chat
  Ctrl-D    leave
"""
FLEXS_OWN = {"conversations", "customers", "conversationSid", "initiatedBy", "direction", "taskCreateSource"}


class Begin(Protocol):
    """Makes a new conversation of a customer called *name*; gives its SID."""

    def __call__(self, *, name: str) -> Awaitable[str]: ...


class Terminal:
    """The customer's and the agent's words, and what comes of them.

    *begin* makes a new conversation; *settle* waits until nothing more comes of what was done.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        begin: Begin,
        settle: Callable[[], Awaitable[None]],
        customer: str,
        bot_name: str,
    ) -> None:
        self._sandbox = sandbox
        self._begin = begin
        self._settle = settle
        self._names = {customer: "you", bot_name: "bot"}
        self._name = ""
        self._sid = ""
        self._shown = 0
        self._shown_tasks: set[str] = set()

    async def talk(self, lines: asyncio.Queue[str | None], *, name: str | None) -> bool:
        """Take *lines* until there are no more; False where there were none. *name* is asked for if not given."""
        if name is None:
            click.echo(f"What is your name? [{DEFAULT_NAME}] ", nl=False)
            line = await lines.get()
            if line is None:
                return False
            name = line.strip() or DEFAULT_NAME
        self._name = name
        while (line := await lines.get()) is not None:
            try:
                await self._take(line.strip())
            except Refusal as refused:
                click.echo(f"       {refused}")
            await self._settle()
            self._show()
        return True

    async def _take(self, line: str) -> None:
        if line.startswith(AGENT_KEY):
            await self._agent(line.removeprefix(AGENT_KEY).strip())
        elif line:
            await self._customer(line)

    async def _customer(self, text: str) -> None:
        if self._is_over():
            if self._sid:
                click.echo("       That chat is over; this is a new one.")
            self._sid, self._shown = await self._begin(name=self._name), 0
        await self._sandbox.customer_writes(self._sid, text)

    async def _agent(self, text: str) -> None:
        task = self._sandbox.transcript(self._sid)["tasks"][-1:] if self._sid else []
        if not task:
            raise Refusal("No task waits: the bot has not handed over yet.")
        if not text:
            await self._sandbox.agent_accepts(task[0]["sid"])
            click.echo("       The agent has joined. The bot is silent now.")
        elif text == AGENT_KEY:
            await self._sandbox.agent_finishes(task[0]["sid"])
            click.echo("       The agent has ended the chat.")
        else:
            await self._sandbox.agent_writes(task[0]["sid"], text)

    def _is_over(self) -> bool:
        if not self._sid:
            return True
        conversation = self._sandbox.transcript(self._sid)
        return bool(conversation["state"] == "closed" or conversation["attributes"].get("status") == "INACTIVE")

    def _show(self) -> None:
        if not self._sid:
            return
        conversation = self._sandbox.transcript(self._sid)
        for message in conversation["messages"][self._shown :]:
            name = self._names.get(message["author"], "agent")
            # On a terminal the customer sees what they typed already.
            if name != "you" or not sys.stdin.isatty():
                click.echo(f"{name:>5}: {message['body']}")
        self._shown = len(conversation["messages"])
        for task in conversation["tasks"]:
            if task["sid"] not in self._shown_tasks:
                self._shown_tasks.add(task["sid"])
                click.echo(f"       A task waits for an agent; {AGENT_KEY} takes it. The agent will see:")
                _show_attributes(task["attributes"])


def keyboard() -> asyncio.Queue[str | None]:
    """The lines of standard input as they come; ``None`` at its end. Its thread does not keep the process alive."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    return lines


def _show_attributes(attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        if name not in FLEXS_OWN and not name.startswith("flex"):
            click.echo(f"         {name}: {json.dumps(value, ensure_ascii=False)}")
