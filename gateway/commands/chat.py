"""`usher chat`: a bot in the terminal, with the handoff played. No account is needed."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.commands.dev import make_stage, talk
from gateway.server import run
from gateway.stage import ROUTES, Generation, Stage
from gateway.terminal import HELP


@click.command
@click.option("--name", envvar="USHER_DEV_NAME", show_envvar=True, help="Your name; without it you are asked.")
@click.option("--flows", type=click.Path(path_type=Path), help="Folder of flows.  [env: USHER_FLOWS; default flows]")
@click.option(
    "--generation",
    type=click.Choice(list(ROUTES)),
    default="conversations",
    envvar="USHER_DEV_GENERATION",
    show_default=True,
    show_envvar=True,
    help="Flex Conversations, or a Flex Flow on Programmable Chat.",
)
@click.argument("flow", required=False, envvar="USHER_DEFAULT_FLOW")
def command(name: str | None, flows: Path | None, generation: Generation, flow: str | None) -> None:
    """Chat with the bot FLOW in the terminal; you are the customer and, after the handoff, the agent."""
    stage = make_stage(flows, flow, generation)
    run(lambda: _chat(stage, name))


async def _chat(stage: Stage, name: str | None) -> None:
    async with stage:
        click.echo(f"The bot is {stage.flows.default}.\n{HELP}", err=True)
        await talk(stage, name)
