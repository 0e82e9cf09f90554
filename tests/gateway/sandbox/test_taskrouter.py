from __future__ import annotations

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from gateway.sandbox import Sandbox, TwilioError
from gateway.sandbox.expressions import matches
from tests.gateway.sandbox.oracle import Oracle

ATTRIBUTES = {"handoff": "h-1", "usher": {"id": "x y"}, "n": 3, "vip": True, "skills": ["en", "es"], "none": None}


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ('handoff == "h-1"', True),
        ("handoff == 'h-1'", True),
        ("handoff=='h-2'", False),
        ('handoff != "h-2"', True),
        ('usher.id == "x y"', True),
        ('usher.other == "x y"', False),
        ('handoff.id == "x"', False),
        ("n == 3", True),
        ("vip == true", True),
        ('skills HAS "es"', True),
        ('skills HAS "de"', False),
        ('handoff == "h-1" AND n == 3', True),
        ('handoff == "h-1" and n == 4', False),
        ('n == 4 AND handoff == "h-1"', False),
        ('handoff == "a AND b"', False),
    ],
)
def test_expressions(expression: str, fits: bool) -> None:
    assert matches(expression, ATTRIBUTES) is fits


@pytest.mark.parametrize("expression", ["handoff", 'handoff == "h-1" OR n == 3', "== 3", 'handoff == "h-1" n', ""])
def test_an_expression_that_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(TwilioError, match="not understood"):
        matches(expression, ATTRIBUTES)


async def refusal_of(doing: Any) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refusal:
        await doing
    return refusal.value.status, refusal.value.code


async def test_a_task_has_its_defaults(oracle: Oracle) -> None:
    task = await oracle.workspace.tasks.create_async(attributes='{"a": 1}')
    assert oracle.http.status == 201
    assert (task.assignment_status, task.timeout, task.priority, task.task_channel_unique_name) == (
        "pending",
        86400,
        0,
        "default",
    )
    assert task.workflow_sid == oracle.account.workflow_sid


async def test_tasks_are_found_by_their_attributes(oracle: Oracle) -> None:
    tasks = oracle.workspace.tasks
    await tasks.create_async(attributes='{"handoff": "h-1"}')
    wanted = await tasks.create_async(attributes='{"handoff": "h-2"}')
    await tasks.create_async(attributes='["no object"]')
    found = await tasks.list_async(evaluate_task_attributes='handoff == "h-2"')
    assert [one.sid for one in found] == [wanted.sid]
    assert await tasks.list_async(evaluate_task_attributes="handoff == 'h-3'") == []


async def test_tasks_are_found_by_their_status(oracle: Oracle) -> None:
    tasks = oracle.workspace.tasks
    first = await tasks.create_async()
    second = await tasks.create_async()
    await first.update_async(assignment_status="canceled", reason="changed my mind")
    assert [one.sid for one in await tasks.list_async(assignment_status=["pending", "assigned"])] == [second.sid]
    assert (await first.fetch_async()).reason == "changed my mind"


async def test_an_update_may_ask_that_nobody_was_faster(oracle: Oracle) -> None:
    task = await oracle.workspace.tasks.create_async()
    read = oracle.http.headers["ETag"]
    await task.update_async(attributes='{"a": 1}')
    assert await refusal_of(task.update_async(attributes='{"a": 2}', if_match=read)) == (412, 20412)
    assert await refusal_of(task.update_async(assignment_status="canceled", if_match=read)) == (412, 20412)
    await task.fetch_async()
    changed = await task.update_async(attributes='{"a": 3}', if_match=oracle.http.headers["ETag"])
    assert (changed.attributes, changed.assignment_status) == ('{"a": 3}', "pending")


@pytest.mark.parametrize("status", ["completed", "wrapping", "assigned"])
async def test_a_pending_task_can_only_be_canceled(oracle: Oracle, status: str) -> None:
    task = await oracle.workspace.tasks.create_async()
    assert await refusal_of(task.update_async(assignment_status=status)) == (400, 20001)
    assert (await task.update_async(assignment_status="canceled")).assignment_status == "canceled"


async def test_canceling_a_task_leaves_its_conversation_open(sandbox: Sandbox, oracle: Oracle) -> None:
    begun = await sandbox.create_conversation(identity="ann")
    task = await oracle.workspace.tasks.create_async(attributes=f'{{"conversationSid": "{begun["sid"]}"}}')
    await task.update_async(assignment_status="canceled")
    assert sandbox.transcript(begun["sid"])["state"] == "active"


async def test_a_deleted_task_is_gone(oracle: Oracle) -> None:
    task = await oracle.workspace.tasks.create_async()
    await task.delete_async()
    assert await refusal_of(task.fetch_async()) == (404, 20404)


async def test_another_workspace_is_not_found(oracle: Oracle) -> None:
    other = oracle.client.taskrouter.v1.workspaces("WS" + "9" * 32)
    assert await refusal_of(other.tasks.create_async()) == (404, 20404)


async def test_reservations(sandbox: Sandbox, oracle: Oracle) -> None:
    task = await oracle.workspace.tasks.create_async()
    await sandbox.agent_accepts(task.sid, "jana@example.com")
    [one] = await task.reservations.list_async()
    assert (one.worker_name, one.reservation_status) == ("jana@example.com", "accepted")
    assert (await task.fetch_async()).assignment_status == "assigned"
    await task.update_async(assignment_status="wrapping")
    await task.update_async(assignment_status="completed")
    assert (await task.reservations(one.sid).fetch_async()).reservation_status == "completed"
