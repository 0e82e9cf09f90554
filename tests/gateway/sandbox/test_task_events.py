"""The workspace's event callback."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from gateway.sandbox import Sandbox
from tests.gateway.sandbox.floor import Floor, sandbox_with
from tests.gateway.sandbox.oracle import Oracle
from tests.gateway.sandbox.serving import Receiver, serve

CREATED = ["task.created", "workflow.entered", "task-queue.entered"]


@pytest.fixture
async def floor(sandbox: Sandbox, oracle: Oracle, receiver: Receiver) -> Floor:
    return await Floor(sandbox, oracle, receiver).open()


async def test_a_task_goes_from_the_queue_to_its_end(floor: Floor) -> None:
    task = await floor.hand_off()
    assert await floor.events("tasks") == CREATED
    await floor.forget()
    await floor.sandbox.agent_accepts(task)
    assert await floor.events("tasks") == ["reservation.created", "reservation.accepted"]
    await floor.forget()
    await floor.sandbox.agent_finishes(task)
    assert await floor.events("tasks") == [
        "reservation.wrapup", "task.wrapup", "reservation.completed", "task.completed",
    ]  # fmt: skip


async def test_the_official_validator_accepts_an_event(floor: Floor) -> None:
    await floor.hand_off()
    for one in await floor.heard("tasks"):
        signature = one.headers["X-Twilio-Signature"]
        assert RequestValidator(floor.sandbox.account.auth_token).validate(one.url, one.fields, signature)
        assert one.method == "POST"


async def test_the_fields_of_a_task(floor: Floor) -> None:
    task = await floor.hand_off(attributes={"order_no": "1"}, task_channel_unique_name="chat", priority=3)
    fields = (await floor.heard("tasks"))[0].fields
    assert set(fields) == {
        "EventType", "AccountSid", "WorkspaceSid", "WorkspaceName", "EventDescription", "ResourceType", "ResourceSid",
        "Timestamp", "TaskSid", "TaskAttributes", "TaskAge", "TaskPriority", "TaskAssignmentStatus", "TaskChannelSid",
        "TaskChannelUniqueName", "TaskQueueSid", "TaskQueueName", "WorkflowSid", "WorkflowName",
    }  # fmt: skip
    assert (fields["ResourceType"], fields["ResourceSid"], fields["TaskSid"]) == ("task", task, task)
    assert (fields["TaskPriority"], fields["TaskAssignmentStatus"], fields["TaskChannelUniqueName"]) == (
        "3",
        "pending",
        "chat",
    )
    attributes = json.loads(fields["TaskAttributes"])
    assert (attributes["order_no"], attributes["conversationSid"]) == ("1", floor.sid)


async def test_the_fields_of_a_reservation(floor: Floor) -> None:
    task = await floor.hand_off()
    await floor.forget()
    await floor.sandbox.agent_accepts(task, "jana@example.com")
    fields = (await floor.heard("tasks"))[1].fields
    reservation = (await floor.oracle.workspace.tasks(task).reservations.list_async())[0]
    assert (fields["ResourceType"], fields["ResourceSid"]) == ("reservation", reservation.sid)
    assert (fields["ReservationSid"], fields["WorkerSid"]) == (reservation.sid, reservation.worker_sid)
    assert (fields["WorkerName"], fields["TaskAssignmentStatus"]) == ("jana@example.com", "assigned")
    assert json.loads(fields["WorkerAttributes"]) == {"email": "jana@example.com"}


@pytest.mark.parametrize("form", ["epoch", "iso"])
async def test_the_timestamp_may_have_either_form(receiver: Receiver, form: Any) -> None:
    sandbox = sandbox_with(task_event_time=form)
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        floor = await Floor(sandbox, oracle, receiver).open()
        await floor.hand_off()
        stamp = (await floor.heard("tasks"))[0].fields["Timestamp"]
        await oracle.close()
    at = float(stamp) if form == "epoch" else datetime.fromisoformat(stamp).timestamp()
    assert stamp.isdigit() is (form == "epoch")
    assert abs(at - sandbox.world.now().timestamp()) < 60


@pytest.mark.parametrize("means_all", [True, False])
async def test_an_empty_filter_may_mean_all_events_or_none(receiver: Receiver, means_all: bool) -> None:
    sandbox = sandbox_with(empty_events_filter_means_all=means_all)
    async with serve(sandbox) as base:
        oracle = Oracle(base, sandbox.account)
        floor = await Floor(sandbox, oracle, receiver).open()
        await floor.hand_off()
        assert await floor.events("tasks") == (CREATED if means_all else [])
        await oracle.close()


async def test_a_filter_lets_through_only_what_it_names(floor: Floor) -> None:
    workspace = await floor.oracle.workspace.update_async(events_filter="task.created, reservation.accepted")
    assert workspace.events_filter == "task.created, reservation.accepted"
    task = await floor.hand_off()
    await floor.sandbox.agent_accepts(task)
    assert await floor.events("tasks") == ["task.created", "reservation.accepted"]


async def test_without_a_url_nobody_is_told(floor: Floor) -> None:
    await floor.oracle.workspace.update_async(event_callback_url="")
    await floor.hand_off()
    assert await floor.events("tasks") == []


async def test_the_workspace(oracle: Oracle, receiver: Receiver) -> None:
    assert (await oracle.workspace.fetch_async()).event_callback_url == ""
    [one] = await oracle.client.taskrouter.v1.workspaces.list_async()
    assert one.sid == oracle.account.workspace_sid
    changed = await oracle.workspace.update_async(event_callback_url=receiver.url, friendly_name="Sales")
    assert (changed.event_callback_url, changed.friendly_name, changed.events_filter) == (receiver.url, "Sales", None)
    again = await oracle.workspace.update_async(events_filter="task.created")
    assert (again.event_callback_url, again.events_filter) == (receiver.url, "task.created")
    base = "https://taskrouter.twilio.com/v1/Workspaces"
    status, refusal = await oracle.call("POST", again.url, {"EventCallbackUrl": "here"})
    assert (status, refusal["code"]) == (400, 20001)
    assert (await oracle.call("GET", f"{base}/WS{'9' * 32}"))[0] == 404


@pytest.mark.parametrize(
    ("change", "events"),
    [
        ({"attributes": '{"a": 1}'}, ["task.updated"]),
        ({"priority": 2}, ["task.updated"]),
        ({"assignment_status": "canceled", "reason": "by hand"}, ["task.canceled"]),
    ],
)
async def test_an_update_by_rest_is_told(floor: Floor, change: dict[str, Any], events: list[str]) -> None:
    task = await floor.hand_off()
    await floor.forget()
    await floor.oracle.workspace.tasks(task).update_async(**change)
    assert await floor.events("tasks") == events
    fields = (await floor.heard("tasks"))[0].fields
    assert fields.get("TaskCanceledReason") == change.get("reason")
    assert floor.state == "active"


async def test_completing_by_rest_is_told(floor: Floor) -> None:
    task = await floor.hand_off()
    await floor.sandbox.agent_accepts(task)
    await floor.forget()
    await floor.oracle.workspace.tasks(task).update_async(assignment_status="completed", reason="solved")
    assert await floor.events("tasks") == ["reservation.completed", "task.completed"]
    assert (await floor.heard("tasks"))[1].fields["TaskCompletedReason"] == "solved"


async def test_deleting_by_rest_is_told(floor: Floor) -> None:
    """An offer that was open is withdrawn by it."""
    task = await floor.hand_off()
    await floor.sandbox.offer_task(task)
    await floor.forget()
    await floor.oracle.workspace.tasks(task).delete_async()
    assert await floor.events("tasks") == ["reservation.canceled", "task.deleted"]
    assert floor.state == "active"


async def test_a_refused_change_is_not_told(floor: Floor) -> None:
    task = await floor.hand_off()
    await floor.forget()
    url = (await floor.oracle.workspace.tasks(task).fetch_async()).url
    form = {"AssignmentStatus": "completed", "Attributes": '{"a": 1}'}
    assert (await floor.oracle.call("POST", url, form))[0] == 400
    assert await floor.events("tasks") == []
    assert "a" not in floor.sandbox.tasks()[0]["attributes"]
