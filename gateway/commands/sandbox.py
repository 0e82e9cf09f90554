"""`usher sandbox`: Twilio on this machine, for a gateway whose TWILIO_BASE_URL points here."""

from __future__ import annotations

import socket

import click

from gateway.commands.serve import bind_or_fail
from gateway.sandbox import Sandbox, create_sandbox
from gateway.sandbox.sandbox import ACCOUNT_SID, AUTH_TOKEN
from gateway.server import listening, run, stop_signal, until_stopped


@click.command
@click.option("--host", envvar="USHER_SANDBOX_HOST", default="127.0.0.1", show_default=True, show_envvar=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="USHER_SANDBOX_PORT",
    default=4010,
    show_default=True,
    show_envvar=True,
)
@click.option("--account-sid", envvar="TWILIO_ACCOUNT_SID", default=ACCOUNT_SID, show_envvar=True)
@click.option("--auth-token", envvar="TWILIO_AUTH_TOKEN", default=AUTH_TOKEN, show_envvar=True)
@click.option("--retries", envvar="USHER_SANDBOX_RETRIES", default=0, show_default=True, show_envvar=True)
def command(host: str, port: int, account_sid: str, auth_token: str, retries: int) -> None:
    """Be Twilio: the endpoints and webhooks that Usher uses, in memory. Failed webhooks are repeated RETRIES times."""
    sandbox = create_sandbox(account_sid=account_sid, auth_token=auth_token, retries=retries)
    taken, url = bind_or_fail(host, port)
    run(lambda: _serve(sandbox, taken, url))


async def _serve(sandbox: Sandbox, taken: socket.socket, url: str) -> None:
    stopped = stop_signal()
    try:
        async with listening(sandbox.app, taken):
            account = sandbox.account
            click.echo(
                f"the sandbox listens on {url}; point a gateway at it with"
                f" TWILIO_ACCOUNT_SID={account.account_sid} TWILIO_AUTH_TOKEN={account.auth_token}"
                f" FLEX_WORKSPACE_SID={account.workspace_sid} FLEX_WORKFLOW_SID={account.workflow_sid}"
                f" TWILIO_BASE_URL={url}",
                err=True,
            )
            await until_stopped(stopped)
    finally:
        await sandbox.close()
