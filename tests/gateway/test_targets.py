"""Targets: where tasks go, and what is wrong with the file that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from bots.problems import render
from gateway.targets import Target, Targets, read_targets
from tests.gateway.house import GENERATIONS, Generation, House, house

DEFAULT = Target(workflow="WW" + "d" * 32, task_channel="chat")
WORKFLOW = "WW" + "a" * 32
TEXT = """\
support:
  workflow: "${SUPPORT_WORKFLOW}"
  channel: support
  priority: 5
  timeout: 1h
  via: task
  attributes: {team: orders, site: "${SITE} shop"}
sales: {priority: 1}
"""


def read(text: str) -> tuple[dict[str, Target], str]:
    """The targets, and what the operator would see of problems."""
    environment = {"SUPPORT_WORKFLOW": WORKFLOW, "SITE": "Brno"}
    targets, problems = read_targets(text, path="targets.yaml", default=DEFAULT, environment=environment)
    return targets, render(problems, flows=1) if problems else ""


def test_a_target_says_where_and_how() -> None:
    targets, problems = read(TEXT)
    assert problems == ""
    assert targets["support"] == Target(
        workflow=WORKFLOW,
        task_channel="support",
        priority=5,
        timeout_s=3600,
        via="task",
        attributes={"team": "orders", "site": "Brno shop"},
    )


def test_what_a_target_does_not_say_is_the_defaults() -> None:
    assert read(TEXT)[0]["sales"] == Target(workflow="WW" + "d" * 32, task_channel="chat", priority=1)


def test_a_name_that_the_file_does_not_have_is_the_default() -> None:
    targets = Targets(DEFAULT, read(TEXT)[0])
    assert targets["billing"] == DEFAULT
    assert targets["sales"].priority == 1


def test_all_problems_are_told_at_their_places() -> None:
    wrong = "  workflow: ${NOWHERE}\n  chanel: x\n  priority: high\n  timeout: 3 weeks\n  via: phone\n"
    assert read(f"support:\n{wrong}sales: yes\n")[1] + "\n" == (Path(__file__).parent / "bad_targets.txt").read_text()


@pytest.mark.parametrize("timeout", ["0s", "15d", "1", "-1h", "1.5h", "99999999s"])
def test_a_timeout_that_taskrouter_would_not_take(timeout: str) -> None:
    assert "14d is the most" in read(f"a: {{timeout: '{timeout}'}}\n")[1]


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_target_reaches_the_task(tmp_path: Path, generation: Generation) -> None:
    target = Target(
        workflow=WORKFLOW, task_channel="support", priority=5, timeout_s=600, attributes={"team": "a", "topic": "b"}
    )
    async with house(tmp_path, targets={"support": target}) as home:
        sid = await home.begin(generation)
        await home.write(sid, "Hello", "bill")
        [task] = home.tasks(sid)
        assert (task["channel"], task["workflow_sid"], task["priority"], task["timeout"]) == (
            "support",
            WORKFLOW,
            5,
            600,
        )
        assert task["attributes"]["team"] == "a"
        assert task["attributes"]["topic"] == "bill", "what the flow says of this customer wins"


class TestViaTask:
    """A legacy channel may get a plain task in place of an interaction."""

    TARGET = Target(workflow="", task_channel="chat", via="task", timeout_s=600)

    async def test_the_task_carries_the_channels_attributes_and_its_sid(self, tmp_path: Path) -> None:
        async with house(tmp_path, targets={"support": self.TARGET}) as home:
            sid = await home.begin("chat")
            await home.write(sid, "Hello", "bill", "anyone?")
            assert home.requests("POST", "/v1/Interactions") == []
            [task] = home.tasks(sid)
            attributes = task["attributes"]
            assert attributes["channelSid"] == sid
            assert attributes["topic"] == "bill"
            assert attributes["pre_engagement_data"] == {"friendlyName": "Jana", "question": "invoice"}
            assert attributes["status"] == "ACTIVE"
            assert len(home.said(sid)) == 2
            handoff = (await home.record(sid)).handoff
            assert handoff is not None
            assert handoff.task == task["sid"]

    @pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
    async def test_an_unknown_outcome_makes_one_task(self, tmp_path: Path, kind: str) -> None:
        async with house(tmp_path, targets={"support": self.TARGET}) as home:
            fault = home.fault(kind, "/Tasks$", times=1)  # type: ignore[arg-type]
            sid = await home.begin("chat")
            await home.write(sid, "Hello", "bill")
            assert fault.hits == 1
            assert len(home.tasks(sid)) == 1

    async def test_a_conversation_of_the_new_generation_gets_an_interaction_all_the_same(self, tmp_path: Path) -> None:
        async with house(tmp_path, targets={"support": self.TARGET}) as home:
            sid = await home.begin("conversations")
            await home.write(sid, "Hello", "bill")
            assert len(home.requests("POST", "/v1/Interactions")) == 1


async def test_a_channel_gets_one_webhook_of_ours_for_who_joins_and_ends(home: House) -> None:
    """The webhook that Flex puts on a channel may carry messages only."""
    sid = await home.begin("chat", filters=["onMessageSent"])
    await home.write(sid, "Hello", "bill")
    ours = [one for one in home.sandbox.transcript(sid)["webhooks"] if "onChannelUpdated" in one["filters"]]
    assert [one["url"] for one in ours] == [f"{home.url}/webhooks/flex-flow?flow=welcome"]
    task = home.tasks(sid)[0]["sid"]
    await home.sandbox.agent_accepts(task)
    await home.settle()
    assert (await home.record(sid)).owner == "agent"
    await home.sandbox.agent_finishes(task)
    await home.settle()
    assert (await home.record(sid)).owner == "closed"


async def test_without_room_for_a_webhook_the_handoff_goes_on(home: House) -> None:
    home.fault("status", "/Webhooks$", status=400)
    sid = await home.begin("chat")
    await home.write(sid, "Hello", "bill")
    assert len(home.tasks(sid)) == 1
