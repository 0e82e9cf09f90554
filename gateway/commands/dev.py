"""`usher dev`: a bot on this machine, with the sandbox as Twilio and you as the customer. No account is needed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import click

import gateway
from gateway.cli import Failed
from gateway.commands.serve import bind_or_fail, problems_as_failures
from gateway.logs import start_logging
from gateway.playground import Playground
from gateway.server import listening, run, stop_signal, until_stopped
from gateway.settings import SettingsError, read_settings
from gateway.stage import CUSTOMER, ROUTES, Generation, Stage
from gateway.terminal import HELP, Terminal, keyboard


@click.command
@click.option("--name", envvar="USHER_DEV_NAME", show_envvar=True, help="Your name; without it you are asked.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="USHER_DEV_PORT",
    default=8080,
    show_default=True,
    show_envvar=True,
    help="The page's; 0 takes a free one.",
)
@click.option("--flows", type=click.Path(path_type=Path), help="Folder of flows.  [env: USHER_FLOWS; default flows]")
@click.option("--flow", help="Which of the flows.  [env: USHER_DEFAULT_FLOW]")
@click.option(
    "--generation",
    type=click.Choice(list(ROUTES)),
    default="conversations",
    envvar="USHER_DEV_GENERATION",
    show_default=True,
    show_envvar=True,
    help="Flex Conversations, or a Flex Flow on Programmable Chat.",
)
def command(name: str | None, port: int, flows: Path | None, flow: str | None, generation: Generation) -> None:
    """Try a bot on this machine, in your browser or in the terminal: the gateway, a sandbox in Twilio's place, and you
    as customer and agent."""
    stage = make_stage(flows, flow, generation)
    taken, url = bind_or_fail("127.0.0.1", port)
    run(lambda: _dev(stage, taken, url, name))


def make_stage(flows: Path | None, flow: str | None, generation: Generation) -> Stage:
    """A stage with the flows of *flows*, of the settings, or those that come with Usher; or an error for the author."""
    try:
        settings = read_settings({"usher_flows": flows or _shipped(), "usher_default_flow": flow}, to_serve=False)
    except SettingsError as wrong:
        raise Failed(wrong.report("start")) from wrong
    start_logging(quiet=True)
    with problems_as_failures():
        return Stage(settings, settings.usher_flows, flow=settings.usher_default_flow, generation=generation)


async def talk(stage: Stage, name: str | None) -> bool:
    """The chat in the terminal; False where nobody typed anything."""
    terminal = Terminal(
        stage.sandbox, begin=stage.begin, settle=stage.settle, customer=CUSTOMER, bot_name=stage.bot_name
    )
    return await terminal.talk(keyboard(), name=name)


async def _dev(stage: Stage, taken: socket.socket, url: str, name: str | None) -> None:
    stopped = stop_signal()
    async with stage:
        page = Playground(
            stage.sandbox, stage.gateway.store, begin=stage.begin, customer=CUSTOMER, bot_name=stage.bot_name
        )
        async with listening(page.app, taken):
            click.echo(f"The bot is {stage.flows.default}. Open {url} in a browser, or chat here.\n{HELP}", err=True)
            talking = asyncio.create_task(talk(stage, name))
            ends: set[asyncio.Future[Any]] = {talking, stopped}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done() or not await talking:
                talking.cancel()
                await until_stopped(stopped)


def _shipped() -> Path | None:
    """The flows that come with Usher, where this folder has none of its own."""
    return None if Path("flows").is_dir() else Path(gateway.__file__).parent.parent / "flows"
