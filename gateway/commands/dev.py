"""`usher dev`: a bot on this machine, with the sandbox as Twilio and you as the customer. No account is needed."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import click
from pydantic import SecretStr

import gateway
from gateway.app import Gateway
from gateway.cli import Failed
from gateway.commands.serve import load_or_fail
from gateway.flows import Flows
from gateway.logs import start_logging
from gateway.sandbox import Sandbox, create_sandbox
from gateway.server import bind, listening, run
from gateway.settings import Settings, SettingsError, read_settings
from gateway.terminal import HELP, Terminal, keyboard

ROUTES = {"chat": "/webhooks/flex-flow", "conversations": "/webhooks/conversations"}
FILTERS = {
    "chat": ["onMessageSent", "onMediaMessageSent", "onChannelUpdated"],
    "conversations": ["onMessageAdded", "onConversationStateUpdated"],
}
CUSTOMER = "customer"
DEFAULT_NAME = "Jana"


@click.command
@click.option("--name", envvar="USHER_DEV_NAME", show_envvar=True, help="Your name; without it you are asked.")
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
def command(
    name: str | None, flows: Path | None, flow: str | None, generation: Literal["chat", "conversations"]
) -> None:
    """Try a bot on this machine: the gateway, a sandbox in Twilio's place, you as customer and agent."""
    try:
        settings = read_settings({"usher_flows": flows or _shipped(), "usher_default_flow": flow}, to_serve=False)
    except SettingsError as wrong:
        raise Failed(wrong.report("start")) from wrong
    loaded = load_or_fail(settings)
    start_logging(quiet=True)
    run(lambda: _dev(settings, loaded, name, generation))


def _shipped() -> Path | None:
    """The flows that come with Usher, where this folder has none of its own."""
    return None if Path("flows").is_dir() else Path(gateway.__file__).parent.parent / "flows"


async def _dev(
    settings: Settings, flows: Flows, name: str | None, generation: Literal["chat", "conversations"]
) -> None:
    lines = keyboard()
    if name is None:
        click.echo(f"What is your name? [{DEFAULT_NAME}] ", nl=False)
        name = (await lines.get() or "").strip() or DEFAULT_NAME
    sandbox = create_sandbox()
    twilio_socket, twilio_url = bind("127.0.0.1", 0)
    own_socket, own_url = bind("127.0.0.1", 0)
    with tempfile.TemporaryDirectory(prefix="usher-") as folder:
        own = _for_sandbox(settings, sandbox, twilio_url, own_url, folder)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(sandbox.close)
            await stack.enter_async_context(listening(sandbox.app, twilio_socket))
            running = await stack.enter_async_context(Gateway(own, flows))
            await stack.enter_async_context(listening(running.asgi, own_socket))
            click.echo(f"\nThe bot is {flows.default}; Twilio calls {ROUTES[generation]}.\n{HELP}")

            async def begin() -> str:
                conversation = await sandbox.create_conversation(
                    generation=generation,
                    identity=CUSTOMER,
                    friendly_name=name,
                    attributes={"pre_engagement_data": {"friendlyName": name}},
                    webhook_url=own_url + ROUTES[generation],
                    filters=FILTERS[generation],
                )
                return str(conversation["sid"])

            async def settle() -> None:
                await sandbox.settled()
                await running.idle()

            terminal = Terminal(sandbox, begin=begin, settle=settle, customer=CUSTOMER, bot_name=own.usher_bot_name)
            await terminal.talk(lines)


def _for_sandbox(settings: Settings, sandbox: Sandbox, twilio_url: str, own_url: str, folder: str) -> Settings:
    """The settings with the sandbox as the account, and a database that goes when we do."""
    account = sandbox.account
    return settings.model_copy(
        update={
            "twilio_account_sid": account.account_sid,
            "twilio_auth_token": SecretStr(account.auth_token),
            "twilio_api_key": "",
            "twilio_base_url": twilio_url,
            "flex_workspace_sid": account.workspace_sid,
            "flex_workflow_sid": account.workflow_sid,
            "usher_public_url": own_url,
            "usher_database_url": f"sqlite:///{folder}/usher.db",
        }
    )
