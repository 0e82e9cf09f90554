"""Who has the chat: an agent joins, by whatever sign, once; and when they are done a look decides what that means."""

from __future__ import annotations

import json
import time
from itertools import permutations
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from tests.gateway.house import GENERATIONS, Generation, House, post

ANN = "ann_40example_2Ecom"
AWAY = {"chat": ["onMessageSent"], "conversations": ["onMessageAdded"]}


async def told(home: House, path: str, fields: dict[str, str], *, query: str = "", sign: bool = True) -> int:
    """Twilio tells *fields*; gives the answer's status."""
    url = f"{home.url}{path}{query}"
    fields = {"AccountSid": home.sandbox.account.account_sid, **fields}
    signature = RequestValidator(home.sandbox.account.auth_token).compute_signature(url, fields)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _ = await post(url, urlencode(fields), {**headers, **({"X-Twilio-Signature": signature} if sign else {})})
    await home.settle()
    return status


async def task_event(home: House, kind: str, sid: str, *, task: str = "WT" + "1" * 32) -> int:
    fields = {
        "EventType": kind,
        "ResourceSid": task,
        "TaskSid": task,
        "TaskAttributes": json.dumps({"conversationSid": sid}),
        "Timestamp": str(time.time()),
    }
    return await told(home, "/webhooks/taskrouter", fields)


async def joined(home: House, sid: str, generation: Generation, identity: str = ANN) -> int:
    chat = generation == "chat"
    fields = {
        "EventType": "onMemberAdded" if chat else "onParticipantAdded",
        "InstanceSid" if chat else "ChatServiceSid": home.sandbox.account.service_sid,
        "ChannelSid" if chat else "ConversationSid": sid,
        "MemberSid" if chat else "ParticipantSid": "MB" + "1" * 32,
        "Identity": identity,
        "DateCreated": "2036-01-10T09:00:00.000Z",
    }
    return await told(home, "/webhooks/flex-flow" if chat else "/webhooks/conversations", fields)


async def ended(home: House, sid: str, generation: Generation) -> int:
    """The conversation tells that it is closed, the channel that it is INACTIVE."""
    service = home.sandbox.account.service_sid
    if generation == "chat":
        fields = {
            "EventType": "onChannelUpdated",
            "InstanceSid": service,
            "ChannelSid": sid,
            "Attributes": json.dumps({"status": "INACTIVE"}),
            "DateUpdated": "2036-01-10T09:00:00.000Z",
        }
        return await told(home, "/webhooks/flex-flow", fields)
    fields = {
        "EventType": "onConversationStateUpdated",
        "ChatServiceSid": service,
        "ConversationSid": sid,
        "StateFrom": "active",
        "StateTo": "closed",
        "Reason": "EVENT",
        "StateUpdated": "2036-01-10T09:00:00.000Z",
    }
    return await told(home, "/webhooks/conversations", fields)


async def handed_over(home: House, generation: Generation) -> tuple[str, str]:
    """A conversation that waits for an agent, and its task."""
    sid = await home.begin(generation, filters=AWAY[generation])
    await home.write(sid, "Hello", "bill")
    return sid, home.tasks(sid)[0]["sid"]


async def with_an_agent(home: House, generation: Generation) -> tuple[str, str]:
    """A conversation that an agent has, and its task."""
    sid, task = await handed_over(home, generation)
    await home.sandbox.agent_accepts(task)
    await task_event(home, "reservation.accepted", sid, task=task)
    assert (await home.record(sid)).owner == "agent"
    return sid, task


async def agent_goes(home: House, sid: str, task: str) -> None:
    """Only the agent's part is over: the task is completed, they leave, the conversation stays open."""
    await home.complete(task)
    home.remove_agents(sid)


class TestJoining:
    """An agent joins by any of four signs, once, in any order."""

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_each_sign_alone(self, home: House, generation: Generation) -> None:
        for sign in ("accepted", "joined", "message"):
            sid, task = await handed_over(home, generation)
            await self.tell(home, sign, sid, task, generation)
            record = await home.record(sid)
            assert (record.owner, record.epoch) == ("agent", 2), sign

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_all_signs_in_any_order_count_once(self, home: House, generation: Generation) -> None:
        for order in permutations(("accepted", "joined", "message")):
            sid, task = await handed_over(home, generation)
            for sign in order:
                await self.tell(home, sign, sid, task, generation)
            record = await home.record(sid)
            assert (record.owner, record.epoch) == ("agent", 2), order

    async def tell(self, home: House, sign: str, sid: str, task: str, generation: Generation) -> None:
        if sign == "accepted":
            await task_event(home, "reservation.accepted", sid, task=task)
        elif sign == "joined":
            await joined(home, sid, generation)
        else:
            await home.sandbox.customer_writes(sid, "I am Ann", author=ANN)
            await home.settle()

    @pytest.mark.promise(6)
    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_an_agent_who_writes_while_the_bot_has_the_chat_takes_it_over(
        self, home: House, generation: Generation
    ) -> None:
        sid = await home.begin(generation, filters=AWAY[generation])
        await home.write(sid, "Hello")
        await home.sandbox.customer_writes(sid, "Let me help", author=ANN)
        await home.settle()
        await home.write(sid, "my bill")
        assert (await home.record(sid)).owner == "agent"
        assert len(home.said(sid)) == 1

    async def test_a_message_that_software_posts_under_another_name_takes_nothing_over(self, home: House) -> None:
        sid = await home.begin(filters=AWAY["conversations"])
        await home.write(sid, "Hello")
        await home.sandbox.customer_writes(sid, "Your ticket is 5", author="crm", source="API")
        await home.settle()
        await home.write(sid, "bill")
        assert home.tasks(sid)[0]["attributes"]["topic"] == "bill"

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_the_customer_who_joins_is_no_agent(self, home: House, generation: Generation) -> None:
        sid = await home.begin(generation, filters=AWAY[generation])
        await home.write(sid, "Hello")
        assert await joined(home, sid, generation, identity="guest") == 200
        assert (await home.record(sid)).owner == "bot"

    async def test_what_concerns_a_conversation_that_is_not_ours_leaves_nothing(self, home: House) -> None:
        stranger = "CH" + "9" * 32
        assert await task_event(home, "task.completed", stranger) == 204
        assert await joined(home, stranger, "conversations") == 200
        assert home.rows() == 0


class TestEnding:
    """Each sign of the end is a hint; the look decides."""

    SIGNS = ("task.completed", "task.wrapup", "task.canceled", "task.deleted")

    @pytest.mark.parametrize("sign", SIGNS)
    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_an_open_conversation_without_a_live_task_comes_back_to_the_flow(
        self, home: House, generation: Generation, sign: str
    ) -> None:
        sid, task = await with_an_agent(home, generation)
        await agent_goes(home, sid, task)
        assert await task_event(home, sign, sid, task=task) == 204
        assert home.said(sid)[-1] == "Goodbye!", "the flow's `ended` goes on without waiting for the customer"
        assert (await home.record(sid)).owner == "closed"

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_a_closed_conversation_is_over_and_nothing_is_said(self, home: House, generation: Generation) -> None:
        sid, task = await with_an_agent(home, generation)
        before = home.said(sid)
        await home.sandbox.agent_finishes(task)
        await task_event(home, "task.completed", sid, task=task)
        assert (await home.record(sid)).owner == "closed"
        assert home.said(sid) == before

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_a_second_task_keeps_the_chat_with_the_agents(self, home: House, generation: Generation) -> None:
        """A transfer: the first task is completed, another one lives."""
        sid, task = await with_an_agent(home, generation)
        await agent_goes(home, sid, task)
        await home.make_task(sid, generation)
        await task_event(home, "task.completed", sid, task=task)
        assert (await home.record(sid)).owner == "agent"

    async def test_a_parked_conversation_is_paused_not_over(self, home: House) -> None:
        sid, task = await with_an_agent(home, "conversations")
        await agent_goes(home, sid, task)
        await home.sandbox.timer_fires(sid, "inactive")
        await task_event(home, "task.completed", sid, task=task)
        assert (await home.record(sid)).owner == "paused"

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_a_task_that_goes_while_nobody_has_it_is_a_failed_handoff(
        self, home: House, generation: Generation
    ) -> None:
        sid, task = await handed_over(home, generation)
        await home.complete(task, "canceled")
        await task_event(home, "task.canceled", sid, task=task)
        assert home.said(sid)[-1] == "Nobody is here. Leave a note."
        assert (await home.record(sid)).owner == "bot"

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_two_signs_of_one_end_count_once_in_either_order(self, home: House, generation: Generation) -> None:
        for order in (("task.wrapup", "task.completed"), ("task.completed", "task.wrapup")):
            sid, task = await with_an_agent(home, generation)
            await agent_goes(home, sid, task)
            for sign in order:
                await task_event(home, sign, sid, task=task)
            assert home.said(sid).count("Goodbye!") == 1

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_the_conversations_end_and_the_tasks_end_count_once_in_either_order(
        self, home: House, generation: Generation
    ) -> None:
        for task_first in (True, False):
            sid, task = await with_an_agent(home, generation)
            said = home.said(sid)
            await home.sandbox.agent_finishes(task)
            if task_first:
                await task_event(home, "task.completed", sid, task=task)
            await ended(home, sid, generation)
            if not task_first:
                await task_event(home, "task.completed", sid, task=task)
            record = await home.record(sid)
            assert (record.owner, record.epoch) == ("closed", 3)
            assert home.said(sid) == said

    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_the_conversations_end_alone(self, home: House, generation: Generation) -> None:
        sid, task = await with_an_agent(home, generation)
        await home.sandbox.agent_finishes(task)
        await ended(home, sid, generation)
        assert (await home.record(sid)).owner == "closed"

    async def test_an_early_sign_of_an_end_that_did_not_come_changes_nothing(self, home: House) -> None:
        sid, task = await with_an_agent(home, "conversations")
        await task_event(home, "task.wrapup", sid, task=task)
        assert (await home.record(sid)).owner == "agent"

    async def test_the_look_is_tried_again_when_twilio_is_in_trouble(self, home: House) -> None:
        sid, task = await with_an_agent(home, "conversations")
        await agent_goes(home, sid, task)
        fault = home.fault("status", r"/Tasks$", method="GET", status=500, times=3)
        await task_event(home, "task.completed", sid, task=task)
        assert fault.hits == 3
        assert home.said(sid)[-1] == "Goodbye!"

    async def test_after_the_flow_came_back_and_closed_nothing_more_is_heard(self, home: House) -> None:
        sid, task = await with_an_agent(home, "conversations")
        await agent_goes(home, sid, task)
        await task_event(home, "task.completed", sid, task=task)
        before: list[Any] = home.said(sid)
        await task_event(home, "task.wrapup", sid, task=task)
        assert home.said(sid) == before


class TestInteractionWebhooks:
    """They may be unsigned, so what they say is only a reason to look."""

    FORM: ClassVar = {"EventType": "onParticipantLeft", "ParticipantSid": "UT" + "1" * 32}

    async def test_a_right_key_stands_in_for_a_signature(self, home: House) -> None:
        sid, task = await with_an_agent(home, "conversations")
        await agent_goes(home, sid, task)
        form = {**self.FORM, "MediaChannelSid": sid}
        assert await told(home, "/webhooks/interactions", form, query="?key=wrong", sign=False) == 403
        assert await told(home, "/webhooks/interactions", form, sign=False) == 403
        assert home.said(sid)[-1] != "Goodbye!"
        assert await told(home, "/webhooks/interactions", form, query="?key=let-me-in", sign=False) == 200
        assert home.said(sid)[-1] == "Goodbye!"

    @pytest.mark.parametrize(
        "form",
        [
            {"EventType": "onParticipantLeft", "ParticipantSid": "UT" + "1" * 32},
            {"EventType": "onChannelStatusUpdated", "ChannelSid": "UO" + "1" * 32, "ChannelStatus": "closed"},
            {"EventType": "onChannelStatusUpdated", "ChannelSid": "UO" + "1" * 32, "ChannelStatus": "inactive"},
        ],
        ids=["left", "closed", "inactive"],
    )
    async def test_each_of_their_signs_alone(self, home: House, form: dict[str, str]) -> None:
        """Rightly signed; what they say of the channel is not believed: the conversation is open and nobody has it."""
        sid, task = await with_an_agent(home, "conversations")
        await agent_goes(home, sid, task)
        assert await told(home, "/webhooks/interactions", {**form, "MediaChannelSid": sid}) == 200
        assert home.said(sid)[-1] == "Goodbye!"

    async def test_the_key_opens_no_other_door(self, home: House) -> None:
        fields = {"EventType": "task.completed"}
        assert await told(home, "/webhooks/taskrouter", fields, query="?key=let-me-in", sign=False) == 403

    async def test_a_joined_agent_is_found_by_the_look(self, home: House) -> None:
        sid, task = await handed_over(home, "conversations")
        await home.sandbox.agent_accepts(task)
        form = {**self.FORM, "EventType": "onParticipantJoined", "MediaChannelSid": sid}
        assert await told(home, "/webhooks/interactions", form) == 200
        assert (await home.record(sid)).owner == "agent"
