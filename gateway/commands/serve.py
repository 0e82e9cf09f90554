"""`usher serve`: the gateway itself."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bots.problems import render
from gateway.app import Gateway, default_target
from gateway.cli import Failed
from gateway.flows import BrokenFlows, Flows, NoFlows, load_flows, load_targets
from gateway.logs import start_logging
from gateway.server import bind, listening, run, stop_signal, until_stopped
from gateway.settings import Settings, SettingsError, read_settings
from gateway.store import StoreUnavailable, open_store
from gateway.targets import Targets


@click.command
@click.option("--host", help="Where to listen.  [env: USHER_HOST; default 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one.  [env: USHER_PORT; default 8080]"
)
@click.option("--flows", type=click.Path(path_type=Path), help="Folder of flows.  [env: USHER_FLOWS; default flows]")
def command(host: str | None, port: int | None, flows: Path | None) -> None:
    """Run the gateway: take Twilio's webhooks, answer, hand over. Settings come from the environment."""
    try:
        settings = read_settings({"usher_host": host, "usher_port": port, "usher_flows": flows})
    except SettingsError as wrong:
        raise Failed(wrong.report("start")) from wrong
    _check_database(settings.usher_database_url)
    with problems_as_failures():
        targets = load_targets(settings.usher_flows, default_target(settings), os.environ)
        loaded = load_flows(settings.usher_flows, settings.usher_default_flow)
    start_logging()
    taken, url = bind_or_fail(settings.usher_host, settings.usher_port)
    try:
        run(lambda: _serve(settings, loaded, targets, taken, url))
    except StoreUnavailable as unavailable:
        raise Failed(f"the database of USHER_DATABASE_URL cannot be used: {unavailable}") from unavailable


def bind_or_fail(host: str, port: int) -> tuple[socket.socket, str]:
    """A bound socket and its URL, or an error that says why not."""
    try:
        return bind(host, port)
    except OSError as failed:
        # socket.create_server adds the address, which we say ourselves.
        why = (failed.strerror or str(failed)).partition(" (while attempting")[0]
        raise Failed(f"cannot listen on {host}:{port}: {why}; choose another one with --port") from failed


@contextmanager
def problems_as_failures() -> Iterator[None]:
    """What is wrong with flows and targets, told as the author needs it."""
    try:
        yield
    except NoFlows as missing:
        raise Failed(SettingsError([("USHER_FLOWS", str(missing))]).report("start")) from missing
    except BrokenFlows as broken:
        raise Failed(render(broken.problems, flows=broken.files)) from broken
    except ValueError as wrong:
        raise Failed(SettingsError([("USHER_DEFAULT_FLOW", str(wrong))]).report("start")) from wrong


def _check_database(url: str) -> None:
    try:
        open_store(url, worker="none")
    except ValueError as wrong:
        raise Failed(SettingsError([("USHER_DATABASE_URL", str(wrong))]).report("start")) from wrong


async def _serve(settings: Settings, flows: Flows, targets: Targets, taken: socket.socket, url: str) -> None:
    stopped = stop_signal()
    async with Gateway(settings, flows, targets) as gateway, listening(gateway.asgi, taken):
        # What is there now stays: left out of every collection, it costs a tenth of a message's time less.
        gc.collect()
        gc.freeze()
        click.echo(f"usher listens on {url}, Twilio reaches it at {settings.usher_public_url}", err=True)
        await until_stopped(stopped)
