"""What agents, supervisors and the clock do with tasks, and who is told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.sandbox import Refusal, Sandbox
from tests.gateway.sandbox.floor import Floor, sandbox_with
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver, serve

AGENT = "agent_40example_2Ecom"
JANA = "jana_40example_2Ecom"


@pytest.fixture
async def floor(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> Floor:
    return await Floor(sandbox, oracle, receiver).open()


@pytest.fixture
async def taken(floor: Floor) -> Floor:
    """An agent is in the conversation; what was told until now is forgotten."""
    await floor.sandbox.agent_accepts(await floor.hand_off())
    await floor.forget()
    return floor


@pytest.fixture
async def chat(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> Floor:
    """The same on Programmable Chat."""
    floor = await Floor(sandbox, oracle, receiver).open(generation="chat")
    await sandbox.agent_accepts(await floor.hand_off_by_task())
    await floor.forget()
    return floor


async def test_an_agent_declines_and_another_accepts(floor: Floor) -> None:
    task = await floor.hand_off()
    await floor.forget()
    declined = await floor.sandbox.agent_declines(task)
    assert declined["status"] == "pending"
    assert await floor.events("tasks") == ["reservation.created", "reservation.rejected"]
    assert (floor.agents, await floor.events("interactions")) == ([], [])
    await floor.sandbox.agent_accepts(task, "jana@example.com")
    assert floor.agents == [JANA]
    reservations = await floor.oracle.workspace.tasks(task).reservations.list_async()
    assert [one.reservation_status for one in reservations] == ["rejected", "accepted"]


async def test_an_agent_does_not_answer(floor: Floor) -> None:
    task = await floor.hand_off()
    await floor.forget()
    offered = await floor.sandbox.offer_task(task)
    assert offered["status"] == "reserved"
    assert (await floor.sandbox.agent_ignores(task))["status"] == "pending"
    assert await floor.events("tasks") == ["reservation.created", "reservation.timeout"]


async def test_an_offer_that_another_takes_is_rescinded(floor: Floor) -> None:
    task = await floor.hand_off()
    await floor.sandbox.offer_task(task)
    await floor.forget()
    await floor.sandbox.agent_accepts(task, "jana@example.com")
    assert await floor.events("tasks") == ["reservation.rescinded", "reservation.created", "reservation.accepted"]


async def test_a_task_that_only_one_agent_could_take_is_canceled_when_he_declines(floor: Floor) -> None:
    """And the conversation stays open."""
    task = await floor.hand_off(worker_sid=floor.sandbox.world.worker_sid("jana@example.com"))
    await floor.sandbox.agent_declines(task, "jana@example.com")
    assert (floor.statuses, floor.state) == (["canceled"], "active")
    assert (await floor.events("tasks"))[-2:] == ["reservation.rejected", "task.canceled"]


async def test_an_agent_ends(taken: Floor) -> None:
    await taken.sandbox.agent_finishes(taken.task_sid)
    assert (taken.state, taken.statuses, taken.agents) == ("closed", ["completed"], [])
    assert await taken.channel_status() == "closed"
    assert sorted(await taken.events("conversation")) == ["onConversationStateUpdated", "onParticipantRemoved"]
    assert await taken.events("interactions") == ["onChannelStatusUpdated", "onParticipantLeft"]


async def test_an_agent_ends_only_his_part(taken: Floor) -> None:
    """The conversation stays open for a survey."""
    await taken.sandbox.agent_finishes(taken.task_sid, keep_open=True)
    assert (taken.state, taken.statuses, taken.agents) == ("active", ["completed"], [])
    assert await taken.channel_status() == "active"
    assert await taken.events("conversation") == ["onParticipantRemoved"]
    assert await taken.events("interactions") == ["onParticipantLeft"]
    assert await taken.events("tasks") == ["reservation.completed", "task.completed"]
    await taken.sandbox.customer_writes(taken.sid, "5")


@pytest.mark.parametrize(("status", "becomes"), [("closed", "completed"), ("wrapup", "wrapping")])
async def test_the_gateway_ends_an_agents_part(taken: Floor, status: str, becomes: str) -> None:
    """By the interaction's participant, as the agent's desktop does."""
    people = taken.interaction.channels(taken.interaction.channel["sid"]).participants
    agent = (await people.list_async())[1]
    await agent.update_async(status=status)
    assert (taken.statuses, taken.state, taken.agents) == ([becomes], "active", [])
    assert [one.type for one in await people.list_async()] == ["customer"]


async def test_an_agent_wraps_up_first(taken: Floor) -> None:
    assert (await taken.sandbox.agent_wraps_up(taken.task_sid))["status"] == "wrapping"
    assert (taken.state, await taken.channel_status()) == ("closed", "closed")
    assert await taken.events("tasks") == ["reservation.wrapup", "task.wrapup"]
    await taken.forget()
    assert (await taken.sandbox.agent_finishes(taken.task_sid))["status"] == "completed"
    assert await taken.events("tasks") == ["reservation.completed", "task.completed"]
    assert await taken.events("conversation") == ["onParticipantRemoved"]


async def test_the_conversation_may_end_with_the_task_only(receiver: Receiver) -> None:
    sandbox = sandbox_with(wrap_up_closes=False)
    async with serve(sandbox) as base:
        floor = await Floor(sandbox, Oracle(base, sandbox.account), receiver).open()
        task = await floor.hand_off()
        await sandbox.agent_accepts(task)
        await sandbox.agent_wraps_up(task)
        assert (floor.state, floor.statuses) == ("active", ["wrapping"])
        await sandbox.agent_finishes(task)
        assert (floor.state, floor.statuses) == ("closed", ["completed"])
        await floor.oracle.close()


async def test_an_agent_leaves(taken: Floor) -> None:
    """The conversation is parked; the customer's next message wakes it, and it can be handed off again."""
    await taken.sandbox.agent_leaves(taken.task_sid)
    assert (taken.state, taken.statuses, taken.agents) == ("inactive", ["completed"], [])
    assert await taken.channel_status() == "inactive"
    states = [one.fields for one in await taken.heard("conversation") if one.event_type == "onConversationStateUpdated"]
    assert [one["StateTo"] for one in states] == ["inactive"]
    assert await taken.events("interactions") == ["onChannelStatusUpdated", "onParticipantLeft"]
    assert (await taken.heard("interactions"))[0].fields["ChannelStatus"] == "inactive"
    assert await taken.events("tasks") == ["reservation.completed", "task.completed"]
    await taken.sandbox.customer_writes(taken.sid, "hello again")
    assert taken.state == "active"
    await taken.hand_off()
    assert taken.statuses == ["completed", "pending"]


async def test_a_chat_cannot_be_left(chat: Floor) -> None:
    with pytest.raises(Refusal, match="cannot"):
        await chat.sandbox.agent_leaves(chat.task_sid)
    assert chat.statuses == ["assigned"]


async def test_an_interaction_about_a_chat_cannot_be_left(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> None:
    floor = await Floor(sandbox, oracle, receiver).open(generation="chat")
    await sandbox.agent_accepts(await floor.hand_off())
    with pytest.raises(Refusal, match="chat channel"):
        await sandbox.agent_leaves(floor.task_sid)


async def test_an_agent_wraps_up_a_chat(chat: Floor) -> None:
    """INACTIVE comes with the wrap-up, once; completing the task does not say it again."""
    await chat.sandbox.agent_wraps_up(chat.task_sid)
    [one] = await chat.heard("conversation")
    assert (one.event_type, json.loads(one.fields["Attributes"])["status"]) == ("onChannelUpdated", "INACTIVE")
    await chat.sandbox.agent_finishes(chat.task_sid)
    assert sorted(await chat.events("conversation")) == ["onChannelUpdated", "onMemberRemoved"]
    assert chat.statuses == ["completed"]


async def test_an_agent_finishes_a_chat_and_keeps_it(chat: Floor) -> None:
    await chat.sandbox.agent_finishes(chat.task_sid, keep_open=True)
    assert await chat.events("conversation") == ["onMemberRemoved"]
    assert chat.sandbox.transcript(chat.sid)["attributes"]["status"] == "ACTIVE"
    assert chat.statuses == ["completed"]


async def test_an_agent_passes_the_customer_on(floor: Floor) -> None:
    """By a new task with the attributes of the first, which is completed when the second agent has come."""
    await floor.sandbox.agent_accepts(await floor.hand_off(attributes={"order_no": "1"}))
    await floor.forget()
    second = await floor.sandbox.agent_transfers(floor.task_sid, "jana@example.com")
    assert second["sid"] != floor.task_sid
    assert (floor.statuses, floor.agents, floor.state) == (["completed", "assigned"], [JANA], "active")
    attributes = second["attributes"]
    assert (attributes["order_no"], attributes["flexInteractionSid"]) == ("1", floor.interaction.sid)
    events = await floor.events("tasks")
    assert events.index("reservation.accepted") < events.index("task.completed")
    assert events.index("task.created") < events.index("task.completed")
    assert await floor.events("interactions") == ["onParticipantJoined", "onParticipantLeft"]
    assert sorted(await floor.events("conversation")) == ["onParticipantAdded", "onParticipantRemoved"]
    assert (await floor.sandbox.agent_writes(second["sid"], "Jana here"))["author"] == JANA
    await floor.sandbox.agent_finishes(second["sid"])
    assert floor.state == "closed"


async def test_the_second_agent_may_take_his_time(taken: Floor) -> None:
    """Until then the first one is there; and also if the second declines."""
    second = await taken.sandbox.agent_transfers(taken.task_sid, "jana@example.com", accepts=False)
    assert (taken.statuses, taken.agents) == (["assigned", "reserved"], [AGENT])
    await taken.sandbox.agent_declines(second["sid"])
    assert (taken.statuses, taken.agents) == (["assigned", "canceled"], [AGENT])
    third = await taken.sandbox.agent_transfers(taken.task_sid, "jana@example.com", accepts=False)
    await taken.sandbox.agent_accepts(third["sid"])
    assert (taken.statuses, taken.agents) == (["completed", "canceled", "assigned"], [JANA])


async def test_a_chat_is_passed_on_with_its_task(chat: Floor) -> None:
    second = await chat.sandbox.agent_transfers(chat.task_sid, "jana@example.com", accepts=False)
    assert (second["sid"], chat.statuses, chat.agents) == (chat.task_sid, ["assigned"], [AGENT])
    await chat.sandbox.agent_accepts(chat.task_sid)
    assert (chat.statuses, chat.agents) == (["assigned"], [JANA])
    assert "task.completed" not in await chat.events("tasks")
    reservations = await chat.oracle.workspace.tasks(chat.task_sid).reservations.list_async()
    assert [one.reservation_status for one in reservations] == ["completed", "accepted"]


async def test_a_second_agent_by_invite_keeps_the_conversation_when_the_first_leaves(taken: Floor) -> None:
    channel = taken.interaction.channels(taken.interaction.channel["sid"])
    await channel.invites.create_async(routing={"properties": {"workspace_sid": taken.oracle.account.workspace_sid}})
    second = taken.sandbox.tasks()[1]["sid"]
    await taken.sandbox.agent_accepts(second, "jana@example.com")
    assert taken.agents == [AGENT, JANA]
    await taken.sandbox.agent_leaves(taken.task_sid)
    assert (taken.state, taken.agents, await taken.channel_status()) == ("active", [JANA], "active")
    await taken.sandbox.agent_leaves(second)
    assert (taken.state, taken.agents) == ("inactive", [])


async def test_an_invite_wakes_a_parked_channel(taken: Floor) -> None:
    await taken.sandbox.agent_leaves(taken.task_sid)
    await taken.forget()
    channel = taken.interaction.channels(taken.interaction.channel["sid"])
    await channel.invites.create_async(routing={"properties": {"workspace_sid": taken.oracle.account.workspace_sid}})
    [one] = await taken.heard("interactions")
    assert (one.event_type, one.fields["ChannelStatus"]) == ("onChannelStatusUpdated", "active")


async def test_closing_the_channel_by_rest_sends_the_agents_away(taken: Floor) -> None:
    channel = taken.interaction.channels(taken.interaction.channel["sid"])
    await channel.update_async(status="closed", routing={"status": "closed"})
    assert (taken.state, taken.agents, taken.statuses) == ("closed", [], ["completed"])
    assert await taken.events("interactions") == ["onChannelStatusUpdated", "onParticipantLeft"]


@pytest.mark.parametrize("by_supervisor", [True, False])
async def test_a_task_is_canceled(floor: Floor, by_supervisor: bool) -> None:
    """By a supervisor, or because it is too old; its conversation stays open and nobody tells it."""
    task = await floor.hand_off()
    await floor.forget()
    if by_supervisor:
        await floor.sandbox.cancel_task(task, "not ours")
    else:
        await floor.sandbox.task_times_out(task)
    reason = "not ours" if by_supervisor else "Task TTL Exceeded"
    assert (floor.statuses, floor.state) == (["canceled"], "active")
    [event] = await floor.heard("tasks")
    assert (event.event_type, event.fields["TaskCanceledReason"]) == ("task.canceled", reason)
    assert await floor.events("conversation") == await floor.events("interactions") == []
    assert (await floor.oracle.workspace.tasks(task).fetch_async()).reason == reason


@pytest.mark.parametrize("heard", [True, False])
async def test_joins_leaves_and_states_are_told_as_the_switches_say(receiver: Receiver, heard: bool) -> None:
    """On the conversation; the other webhooks tell them always."""
    sandbox = sandbox_with(flex_joins_are_heard=heard, flex_leaves_are_heard=heard, flex_closes_are_heard=heard)
    async with serve(sandbox) as base:
        floor = await Floor(sandbox, Oracle(base, sandbox.account), receiver).open()
        task = await floor.hand_off()
        await sandbox.agent_accepts(task)
        await sandbox.agent_leaves(task)
        events = ["onConversationStateUpdated", "onParticipantAdded", "onParticipantRemoved"]
        assert sorted(await floor.events("conversation")) == (events if heard else [])
        assert "onParticipantLeft" in await floor.events("interactions")
        await floor.oracle.close()


async def test_what_makes_no_sense_is_refused(taken: Floor) -> None:
    sandbox, task = taken.sandbox, taken.task_sid
    doings: list[Any] = [
        sandbox.offer_task(task),
        sandbox.agent_declines(task),
        sandbox.agent_ignores(task),
        sandbox.cancel_task(task),
        sandbox.task_times_out(task),
    ]
    for doing in doings:
        with pytest.raises(Refusal, match="is assigned; only a pending task can be"):
            await doing
    waiting = (await taken.oracle.workspace.tasks.create_async()).sid
    doings = [
        sandbox.agent_leaves(waiting),
        sandbox.agent_wraps_up(waiting),
        sandbox.agent_finishes(waiting, keep_open=True),
        sandbox.agent_transfers(waiting, "jana@example.com"),
    ]
    for doing in doings:
        with pytest.raises(Refusal, match="is pending; only an accepted task can be"):
            await doing


async def post(desk: ClientSession, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with desk.post(f"/sandbox/tasks/{path}", json=body) as answer:
        return answer.status, await answer.json()


async def test_all_of_it_by_control_routes(floor: Floor, desk: ClientSession) -> None:
    task = await floor.hand_off()
    steps: list[tuple[str, Any, str]] = [
        ("offer", None, "reserved"),
        ("ignore", None, "pending"),
        ("decline", {"worker": "jana@example.com"}, "pending"),
        ("accept", {"worker": "jana@example.com"}, "assigned"),
        ("wrap_up", None, "wrapping"),
        ("finish", {"keep_open": True}, "completed"),
    ]
    for what, body, status in steps:
        assert (await post(desk, f"{task}/{what}", body))[1]["status"] == status
    assert floor.state == "closed"


async def test_leaving_transferring_and_canceling_by_control_routes(floor: Floor, desk: ClientSession) -> None:
    task = await floor.hand_off()
    await post(desk, f"{task}/accept")
    _, second = await post(desk, f"{task}/transfer", {"worker": "jana@example.com", "accepts": False})
    assert second["status"] == "reserved"
    assert (await post(desk, f"{second['sid']}/cancel", {"reason": "no"}))[1]["reason"] == "no"
    assert (await post(desk, f"{task}/leave"))[1]["status"] == "completed"
    third = await floor.hand_off()
    assert (await post(desk, f"{third}/time_out"))[1]["reason"] == "Task TTL Exceeded"
    assert (await post(desk, f"{third}/leave"))[0] == 400
    assert (await post(desk, "WTx/leave"))[0] == 404
    assert await post(desk, f"{third}/leave", {"worker": "x"}) == (
        400,
        {"error": "There is no key worker here; it takes none."},
    )
