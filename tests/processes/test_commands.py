"""Commands as a shell sees them: exit codes, and what stands on which stream."""

import errno
import os
import socket
from pathlib import Path

import pytest

import gateway
from gateway.sandbox.sandbox import ACCOUNT_SID, AUTH_TOKEN, WORKSPACE_SID
from tests.gateway.house import FLOW
from tests.processes.process import run

pytestmark = pytest.mark.process

SETTINGS = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "FLEX_WORKSPACE_SID": WORKSPACE_SID,
    "USHER_PUBLIC_URL": "https://bot.example.com",
    "USHER_PORT": "0",
}
BROKEN_FLOW = FLOW.replace("goto: bridge", "goto: brigde").replace("goto: to_agent", "goto: nowhere")
SHIPPED = Path(gateway.__file__).parent.parent / "flows"


def write_flow(folder: Path, text: str) -> Path:
    (folder / "flows").mkdir()
    path = folder / "flows" / "welcome.yaml"
    path.write_text(text, encoding="utf-8")
    return path


async def test_without_settings_serve_tells_all_that_is_missing_at_once(tmp_path: Path) -> None:
    ended = await run("serve", folder=tmp_path)
    assert (await ended.ended(), ended.out) == (1, "")
    assert (
        ended.err
        == """\
usher cannot start, 4 settings are wrong:
  FLEX_WORKSPACE_SID  is missing; it is in the console under TaskRouter, Workspaces
  TWILIO_ACCOUNT_SID  is missing; it is on the Twilio console's first page
  TWILIO_AUTH_TOKEN   is missing; it is on the Twilio console's first page
  USHER_PUBLIC_URL    is missing; it is the URL under which Twilio reaches this gateway, https://…
"""
    )


async def test_wrong_and_missing_settings_are_told_together(tmp_path: Path) -> None:
    settings = SETTINGS | {
        "TWILIO_ACCOUNT_SID": "AC123",
        "TWILIO_AUTH_TOKEN": "",
        "TWILIO_API_KEY": "SK" + "1" * 32,
        "USHER_PUBLIC_URL": "bot.example.com",
        "USHER_DATABASE_URL": "mysql://root@localhost/usher",
    }
    ended = await run("serve", folder=tmp_path, settings=settings)
    assert (await ended.ended(), ended.out) == (1, "")
    assert (
        ended.err
        == """\
usher cannot start, 5 settings are wrong:
  TWILIO_ACCOUNT_SID  is "AC123"; it is AC and 32 hexadecimal digits
  TWILIO_API_SECRET   is missing; it goes with TWILIO_API_KEY
  TWILIO_AUTH_TOKEN   is missing; it is on the Twilio console's first page
  USHER_DATABASE_URL  is "mysql:…"; give sqlite:///FILE or postgresql://…
  USHER_PUBLIC_URL    is "bot.example.com"; give a URL such as https://bot.example.com, without "?" or "#"
"""
    )


async def test_serve_on_a_busy_port_says_so_in_one_sentence(tmp_path: Path) -> None:
    write_flow(tmp_path, FLOW)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await run("serve", folder=tmp_path, settings=SETTINGS | {"USHER_PORT": str(port)})
    assert (await ended.ended(), ended.out) == (1, "")
    [sentence] = ended.err.splitlines()
    assert sentence.startswith(f"cannot listen on 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}")


async def test_serve_with_a_database_that_cannot_be_opened_says_which_setting_names_it(tmp_path: Path) -> None:
    write_flow(tmp_path, FLOW)
    ended = await run(
        "serve", folder=tmp_path, settings=SETTINGS | {"USHER_DATABASE_URL": "sqlite:///nowhere/usher.db"}
    )
    assert (await ended.ended(), ended.out) == (1, "")
    assert ended.err.startswith("the database of USHER_DATABASE_URL cannot be used: ")
    assert "unable to open database file" in ended.err


async def test_serve_without_a_folder_of_flows_says_which_setting_names_it(tmp_path: Path) -> None:
    ended = await run("serve", folder=tmp_path, settings=SETTINGS | {"USHER_FLOWS": "nowhere"})
    assert (await ended.ended(), ended.out) == (1, "")
    assert "nowhere" in ended.err
    assert "USHER_FLOWS" in ended.err


async def test_serve_with_mistakes_in_flows_shows_what_check_shows(tmp_path: Path) -> None:
    path = write_flow(tmp_path, BROKEN_FLOW)
    checked = await run("check", folder=tmp_path)
    assert (await checked.ended(), checked.err) == (1, "")
    assert f"{path.relative_to(tmp_path)}:" in checked.out
    assert "brigde" in checked.out
    assert "nowhere" in checked.out
    served = await run("serve", folder=tmp_path, settings=SETTINGS)
    assert (await served.ended(), served.out) == (1, "")
    assert served.err == checked.out


async def test_check_of_good_flows_ends_well(tmp_path: Path) -> None:
    ended = await run("check", str(SHIPPED), folder=tmp_path)
    assert (await ended.ended(), ended.err) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "no_such_file.yaml"),
        ("check", "--loudly"),
        ("serve", "--port", "many"),
        ("sandbox", "--port", "99999"),
        ("sing",),
    ],
)
async def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = await run(*arguments, folder=tmp_path)
    assert (await ended.ended(), ended.out) == (2, "")
    assert "Error: " in ended.err


@pytest.mark.parametrize("generation", ["conversations", "chat"])
async def test_dev_greets_by_name_and_hands_over(tmp_path: Path, generation: str) -> None:
    """Typed as the README says: a name, hello, a person, then the agent's key."""
    typed = "Jana\nHello\na person, please\nanyone?\n!\n! Good morning\n!!\n"
    ended = await run("dev", "--port", "0", "--generation", generation, folder=tmp_path, typed=typed)
    assert await ended.ended() == 0, ended.err
    assert ended.err.startswith("The bot is welcome. Open http://127.0.0.1:")
    lines = [line.strip() for line in ended.out.splitlines()]
    assert any(line.startswith("bot: Hi Jana") for line in lines)
    story = [
        "you: a person, please",
        "A task waits for an agent; ! takes it. The agent will see:",
        "you: anyone?",
        "The agent has joined. The bot is silent now.",
        "agent: Good morning",
        "The agent has ended the chat.",
    ]
    assert [line for line in lines if line in story] == story
    assert not [line for line in lines[lines.index("you: anyone?") :] if line.startswith("bot:")]
