"""`usher check`: all mistakes in flows, at their places, at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bots.check import check_flow
from bots.loader import Loaded, load_flow, load_folder
from bots.problems import has_errors, in_order, render, to_json
from gateway.cli import Exit, Failed
from gateway.settings import read_settings


@click.command
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, envvar="USHER_JSON", help="For programs: a list of problems.")
def command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Look for mistakes in PATHS: flow files or folders of them. Without PATHS: the folder USHER_FLOWS, or flows."""
    loaded = [one for path in paths or (_default(),) for one in _load(path)]
    problems = in_order(problem for one in loaded for problem in (*one.problems, *check_flow(one)))
    if as_json:
        click.echo(json.dumps(to_json(problems), ensure_ascii=False, indent=1))
    else:
        click.echo(render(problems, flows=len(loaded)))
    sys.exit(Exit.PROBLEMS if has_errors(problems) else Exit.FINE)


def _default() -> Path:
    folder = read_settings(to_serve=False).usher_flows
    if not folder.is_dir():
        raise Failed(f"there is no folder {folder}; give a flow file or a folder, or set USHER_FLOWS")
    return folder


def _load(path: Path) -> tuple[Loaded, ...]:
    try:
        return load_folder(path).loaded if path.is_dir() else (load_flow(path.read_bytes(), path=str(path)),)
    except OSError as failed:
        raise Failed(f"{path} cannot be read: {failed.strerror}") from failed
