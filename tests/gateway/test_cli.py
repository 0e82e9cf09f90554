"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gateway import cli
from gateway.cli import COMMANDS, Exit

FLOWS = Path(__file__).parents[2] / "flows"
BAD_FLOWS = Path(__file__).parents[1] / "bad_flows"


def usher(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command; gives the exit code."""
    monkeypatch.setattr(sys, "argv", ["usher", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_check_says_so_when_all_is_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert usher(monkeypatch, "check", str(FLOWS)) == Exit.FINE
    assert capsys.readouterr().out == "1 flow, no problems.\n"


def test_check_takes_the_folder_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USHER_FLOWS", str(FLOWS))
    assert usher(monkeypatch, "check") == Exit.FINE
    monkeypatch.setenv("USHER_FLOWS", "nowhere")
    assert usher(monkeypatch, "check") == Exit.PROBLEMS
    assert capsys.readouterr().err == "there is no folder nowhere; give a flow file or a folder, or set USHER_FLOWS\n"


def test_check_shows_every_problem_at_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(BAD_FLOWS)
    assert usher(monkeypatch, "check", "unknown_state.yaml") == Exit.PROBLEMS
    assert capsys.readouterr().out == (BAD_FLOWS / "unknown_state.txt").read_text()


def test_check_speaks_json_to_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(BAD_FLOWS)
    assert usher(monkeypatch, "check", "--json", "unknown_state.yaml") == Exit.PROBLEMS
    first = json.loads(capsys.readouterr().out)[0]
    assert {"code", "path", "line", "column", "message"} <= first.keys()


def test_wrong_usage_is_told_apart(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert usher(monkeypatch, "check", "nowhere.yaml") == Exit.USAGE
    assert "does not exist" in capsys.readouterr().err
    assert usher(monkeypatch, "chekc") == Exit.USAGE


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert usher(monkeypatch, name, "--help") == Exit.FINE
    assert f"Usage: usher {name}" in capsys.readouterr().out


def test_a_bug_leaves_a_report_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cli.COMMANDS, "broken", "")
    assert usher(monkeypatch, "broken") == Exit.BUG
    error = capsys.readouterr().err
    assert error.startswith("usher has a bug: ModuleNotFoundError. Please report it with the file ")
    report = Path(error.rsplit(" ", 1)[1].strip())
    assert "Traceback" in report.read_text()
    report.unlink()


def test_serve_tells_all_wrong_settings_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "FLEX_WORKSPACE_SID", "USHER_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    assert usher(monkeypatch, "serve") == Exit.PROBLEMS
    assert capsys.readouterr().err.startswith("usher cannot start, 4 settings are wrong:\n")
