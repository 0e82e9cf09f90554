"""The handoff's attributes: what the agent sees, within what TaskRouter takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.handoff import MOST_ATTRIBUTES, fitted
from gateway.sandbox import Media
from tests.gateway.house import GENERATIONS, Generation, House, house


def size(attributes: dict[str, Any]) -> int:
    return len(json.dumps(attributes, ensure_ascii=False).encode())


def test_what_fits_is_left_alone() -> None:
    attributes = {"topic": "bill", "pre_engagement_data": {"question": "invoice"}, "score": 5, "tags": ["a"]}
    assert fitted(attributes) == attributes


def test_the_longest_texts_are_cut_first_and_our_id_never() -> None:
    attributes = {
        "topic": "bill",
        "note": "ž" * 4000,
        "pre_engagement_data": {"question": "🙂" * 2000, "friendlyName": "Jana"},
        "usher_handoff_id": "IM" + "d" * 32 + ".1",
    }
    before = json.dumps(attributes)
    cut = fitted(attributes)
    assert size(cut) <= MOST_ATTRIBUTES
    assert (cut["topic"], cut["usher_handoff_id"]) == ("bill", attributes["usher_handoff_id"])
    assert cut["pre_engagement_data"]["friendlyName"] == "Jana"
    assert cut["note"].endswith("…")
    assert json.dumps(attributes) == before, "what was given is left as it was"


def test_what_cannot_be_cut_ends_all_the_same() -> None:
    assert fitted({"numbers": list(range(5000))}) == {"numbers": list(range(5000))}


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_very_long_answer_does_not_cost_the_customer_their_agent(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello", "a" * 30_000)
    [task] = home.tasks(sid)
    assert task["attributes"]["topic"].endswith("aaa…")
    assert task["attributes"]["pre_engagement_data"] == {"friendlyName": "Jana", "question": "invoice"}


async def test_the_agent_is_told_language_and_reason_unless_the_flow_says_its_own(home: House) -> None:
    sid = await home.begin()
    await home.write(sid, "Hello", "bill")
    attributes = home.tasks(sid)[0]["attributes"]
    assert (attributes["language"], attributes["reason"]) == ("en", "answered")


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_picture_is_an_answer_by_its_name(home: House, generation: Generation) -> None:
    sid = await home.begin(generation)
    await home.write(sid, "Hello")
    picture = Media(sid="ME" + "1" * 32, content_type="image/jpeg", filename="car.jpg", size=42_056)
    await home.sandbox.customer_writes(sid, None, media=[picture])
    await home.settle()
    assert home.tasks(sid)[0]["attributes"]["topic"] == "car.jpg"


async def test_each_rung_of_the_ladder_once(tmp_path: Path) -> None:
    """A broken text leads to `trouble`, which is broken too, to a person whom Twilio refuses, to *stranded*."""
    text = """\
flow: welcome
format: 1
start: greet
trouble: sorry
data: {topic: {type: text}}
states:
  greet: {ask: "Hi {{ topic }}", save_as: topic, goto: sorry}
  sorry: {say: "Sorry {{ topic }}", end: close}
"""
    async with house(tmp_path, text=text) as home:
        home.fault("status", "/v1/Interactions$", status=400)
        sid = await home.begin()
        await home.write(sid, "Hello")
        record = await home.record(sid)
        assert record.ladder == ("trouble", "built in", "stranded")
        assert record.stranded
        assert len(home.said(sid)) == 1
        assert len(home.requests("POST", "/v1/Interactions")) == 1
