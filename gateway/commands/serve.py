"""`usher serve`: the gateway itself."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from bots.problems import render
from gateway.app import Gateway
from gateway.cli import Failed
from gateway.flows import BrokenFlows, Flows, load_flows
from gateway.logs import start_logging
from gateway.server import bind, listening, run, until_stopped
from gateway.settings import Settings, SettingsError, read_settings
from gateway.store import StoreUnavailable, open_store


@click.command
@click.option("--host", help="Where to listen.  [env: USHER_HOST; default 127.0.0.1]")
@click.option("--port", type=int, help="The port; 0 takes a free one.  [env: USHER_PORT; default 8080]")
@click.option("--flows", type=click.Path(path_type=Path), help="Folder of flows.  [env: USHER_FLOWS; default flows]")
def command(host: str | None, port: int | None, flows: Path | None) -> None:
    """Run the gateway: take Twilio's webhooks, answer, hand over. Settings come from the environment."""
    try:
        settings = read_settings({"usher_host": host, "usher_port": port, "usher_flows": flows})
    except SettingsError as wrong:
        raise Failed(wrong.report("start")) from wrong
    loaded = load_or_fail(settings)
    start_logging()
    taken, url = bind_or_fail(settings.usher_host, settings.usher_port)
    try:
        run(lambda: _serve(settings, loaded, taken, url))
    except StoreUnavailable as unavailable:
        raise Failed(f"the database of USHER_DATABASE_URL cannot be used: {unavailable}") from unavailable


def bind_or_fail(host: str, port: int) -> tuple[socket.socket, str]:
    """A bound socket and its URL, or an error that says why not."""
    try:
        return bind(host, port)
    except OSError as failed:
        raise Failed(f"cannot listen on {host}:{port}: {failed.strerror or failed}") from failed


def load_or_fail(settings: Settings) -> Flows:
    """The flows to run, or an error that says what is wrong with them."""
    try:
        open_store(settings.usher_database_url, worker="none")
    except ValueError as wrong:
        raise Failed(SettingsError([("USHER_DATABASE_URL", str(wrong))]).report("start")) from wrong
    try:
        return load_flows(settings.usher_flows, settings.usher_default_flow)
    except BrokenFlows as broken:
        raise Failed(render(broken.problems, flows=broken.files)) from broken
    except ValueError as wrong:
        raise Failed(SettingsError([("USHER_DEFAULT_FLOW", str(wrong))]).report("start")) from wrong


async def _serve(settings: Settings, flows: Flows, taken: socket.socket, url: str) -> None:
    async with Gateway(settings, flows) as gateway, listening(gateway.asgi, taken):
        click.echo(f"usher listens on {url}, Twilio reaches it at {settings.usher_public_url}", err=True)
        await until_stopped()
