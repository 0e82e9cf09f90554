"""The command line: `usher`. One command, one file in `gateway/commands`; here only how a command ends.

Exit codes: 0 fine, 1 your files or settings have problems, 2 wrong usage, 3 our bug, 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import traceback
from enum import IntEnum

import click

COMMANDS = {
    "chat": "Chat with a bot in the terminal.",
    "check": "Look for mistakes in flows.",
    "dev": "Try a bot on this machine: gateway, sandbox and you.",
    "sandbox": "Be Twilio on this machine.",
    "serve": "Run the gateway.",
}


class Exit(IntEnum):
    """How a command ends."""

    FINE = 0
    PROBLEMS = 1
    USAGE = 2
    BUG = 3
    INTERRUPTED = 130


class Failed(click.ClickException):
    """A command cannot do what was asked; the text says why and what to do next."""

    exit_code = Exit.PROBLEMS

    def show(self, file: object = None) -> None:  # noqa: ARG002  # click's signature
        """Words go to stderr, without click's own "Error:"."""
        click.echo(self.message, err=True)


class _Commands(click.Group):
    """Commands are imported when they are asked for, so that `usher check` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gateway.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flex-usher", prog_name="usher")
def usher() -> None:
    """A bot answers first, a person takes over when it cannot help: the gateway between Twilio Flex and your bot."""


def main() -> None:
    """The entry point; ends the process."""
    try:
        usher.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as failed:
        failed.show()
        sys.exit(failed.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(Exit.INTERRUPTED)
    # The last door: whatever comes here is a mistake of ours, and the user gets a report to send, not a traceback.
    except Exception as bug:
        _report(bug)
        sys.exit(Exit.BUG)


def _report(bug: Exception) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="usher-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write("".join(traceback.format_exception(bug)))
    click.echo(f"usher has a bug: {type(bug).__name__}. Please report it with the file {log.name}", err=True)
