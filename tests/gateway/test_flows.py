"""Flows in use: a dialogue finishes on the version on which it began."""

from pathlib import Path

import pytest

from gateway.flows import BrokenFlows, load_flows
from tests.gateway.house import FLOW, House, flows_of

CHANGED = FLOW.replace("I will find somebody.", "Somebody is on the way.").replace("topic", "subject")


@pytest.mark.promise(8)
async def test_a_dialogue_finishes_on_the_version_on_which_it_began(home: House) -> None:
    old = await home.begin()
    await home.write(old, "Hello")
    await home.restart(CHANGED)
    new = await home.begin(identity="other")
    await home.write(old, "bill")
    await home.write(new, "Hello", "bill")
    assert home.said(old)[-1] == "I will find somebody."
    assert home.tasks(old)[0]["attributes"]["topic"] == "bill"
    assert home.said(new)[-1] == "Somebody is on the way."
    assert home.tasks(new)[0]["attributes"]["subject"] == "bill"


async def test_a_conversation_whose_flow_is_gone_begins_the_default_one(home: House) -> None:
    conversation = await home.begin()
    await home.write(conversation, "Hello")
    record = await home.record(conversation)
    assert flows_of().version_for(type(record)(id="CH1", channel=record.channel, flow="gone")).flow.name == "welcome"


def test_one_flow_or_one_called_welcome_needs_no_default(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(FLOW.replace("flow: welcome", "flow: orders"))
    assert load_flows(tmp_path, "").default == "orders"
    (tmp_path / "welcome.yaml").write_text(FLOW)
    assert load_flows(tmp_path, "").default == "welcome"
    assert load_flows(tmp_path, "orders").names == ["orders", "welcome"]


def test_a_default_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "welcome.yaml").write_text(FLOW)
    with pytest.raises(ValueError, match='there is no flow "orders"; flows here: welcome'):
        load_flows(tmp_path, "orders")


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="flows here: none"):
        load_flows(tmp_path, "")


def test_problems_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("flow: a\n")
    (tmp_path / "b.yaml").write_text("flow: b\nstart: [\n")
    with pytest.raises(BrokenFlows) as broken:
        load_flows(tmp_path, "")
    assert broken.value.files == 2
    assert {problem.path.rsplit("/", 1)[1] for problem in broken.value.problems} == {"a.yaml", "b.yaml"}
