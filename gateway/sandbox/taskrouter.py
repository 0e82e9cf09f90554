"""https://taskrouter.twilio.com/v1: tasks and their reservations."""

from __future__ import annotations

import json
from typing import Any

from gateway.sandbox.clock import rest_date
from gateway.sandbox.errors import invalid, not_found, refused
from gateway.sandbox.expressions import matches
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import JSON, Reservation, Task, World, new_sid

HOST = "taskrouter.twilio.com"
BASE = "v1/Workspaces/<workspace>"

STATUSES = ("pending", "reserved", "assigned", "canceled", "completed", "wrapping")
MOST_TIMEOUT_S = 1_209_600
DEFAULT_TIMEOUT_S = 86_400
EVERYONE_SID = "WQ" + "e" * 32
CHANNELS = ("default", "chat", "sms", "video", "voice", "email")
CHANNEL_SIDS = {name: "TC" + str(n) * 32 for n, name in enumerate(CHANNELS)}

# What a task can become by AssignmentStatus: https://www.twilio.com/docs/taskrouter/api/task#task-status
_BECOMES = {
    "canceled": ("pending", "reserved"),
    "wrapping": ("assigned",),
    "completed": ("assigned", "wrapping"),
}


class TaskRouter:
    """The API of TaskRouter, for the account's one workspace."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """What is served under `BASE`."""
        return [
            Route("GET", "/Tasks", self.list_tasks),
            Route("POST", "/Tasks", self.create_task),
            Route("GET", "/Tasks/<task>", self.fetch_task),
            Route("POST", "/Tasks/<task>", self.update_task),
            Route("DELETE", "/Tasks/<task>", self.delete_task),
            Route("GET", "/Tasks/<task>/Reservations", self.list_reservations),
            Route("GET", "/Tasks/<task>/Reservations/<reservation>", self.fetch_reservation),
        ]

    def list_tasks(self, call: Call) -> Answer:
        self._check_workspace(call)
        chosen = [task for task in self._world.tasks.values() if _is_asked_for(task, call)]
        show = self._show
        return Answer(200, page(call.url, call.query, "tasks", chosen, lambda one: show(call, one), most=1000))

    def create_task(self, call: Call) -> Answer:
        self._check_workspace(call)
        form = call.form
        priority, timeout = form.whole("Priority"), form.whole("Timeout", most=MOST_TIMEOUT_S)
        task = add_task(
            self._world,
            attributes=form.json_text("Attributes") or "{}",
            channel=form.text("TaskChannel") or "default",
            workflow_sid=form.text("WorkflowSid"),
            queue_sid=form.text("TaskQueueSid"),
            routing_target=form.text("RoutingTarget"),
            priority=priority or 0,
            timeout=DEFAULT_TIMEOUT_S if timeout is None else timeout,
            ignore_capacity=form.flag("IgnoreCapacity") or False,
        )
        return self._answer(call, task, 201)

    def fetch_task(self, call: Call) -> Answer:
        return self._answer(call, self._task(call), 200)

    def update_task(self, call: Call) -> Answer:
        task, form = self._task(call), call.form
        _check_version(call, task)
        status = form.one_of("AssignmentStatus", STATUSES)
        attributes, priority = form.json_text("Attributes"), form.whole("Priority")
        channel = form.text("TaskChannel")
        if status is not None:
            _check_becomes(task, status)
            move_task(self._world, task, status, form.text("Reason"))
        task.attributes = task.attributes if attributes is None else attributes
        task.priority = task.priority if priority is None else priority
        task.channel = channel or task.channel
        touch_task(self._world, task)
        return self._answer(call, task, 200)

    def delete_task(self, call: Call) -> Answer:
        task = self._task(call)
        _check_version(call, task)
        del self._world.tasks[task.sid]
        return Answer(204)

    def list_reservations(self, call: Call) -> Answer:
        task = self._task(call)
        status = call.query.text("ReservationStatus")
        chosen = [one for one in task.reservations.values() if status in (None, one.status)]
        show = self._show_reservation
        return Answer(200, page(call.url, call.query, "reservations", chosen, lambda one: show(call, task, one)))

    def fetch_reservation(self, call: Call) -> Answer:
        task = self._task(call)
        found = task.reservations.get(call.args["reservation"])
        if found is None:
            raise not_found(call.resource)
        return Answer(200, self._show_reservation(call, task, found))

    def _check_workspace(self, call: Call) -> None:
        if call.args["workspace"] != self._world.account.workspace_sid:
            raise not_found(call.resource)

    def _task(self, call: Call) -> Task:
        self._check_workspace(call)
        found = self._world.tasks.get(call.args["task"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _answer(self, call: Call, task: Task, status: int) -> Answer:
        return Answer(status, self._show(call, task), {"ETag": f'"{task.version}"'})

    def _show(self, call: Call, task: Task) -> JSON:
        url = f"{call.base}/Tasks/{task.sid}"
        return {
            "sid": task.sid,
            "account_sid": self._world.account.account_sid,
            "workspace_sid": self._world.account.workspace_sid,
            "workflow_sid": task.workflow_sid,
            "workflow_friendly_name": "Assign to Anyone",
            "task_queue_sid": task.queue_sid,
            "task_queue_friendly_name": "Everyone",
            "task_channel_sid": channel_sid(task.channel),
            "task_channel_unique_name": channel_name(task.channel),
            "assignment_status": task.status,
            "attributes": task.attributes,
            "addons": "{}",
            "age": age_s(self._world, task),
            "priority": task.priority,
            "reason": task.reason,
            "timeout": task.timeout,
            "ignore_capacity": task.ignore_capacity,
            "routing_target": task.routing_target,
            "date_created": rest_date(task.created),
            "date_updated": rest_date(task.updated),
            "task_queue_entered_date": rest_date(task.created),
            "virtual_start_time": rest_date(task.virtual_start),
            "url": url,
            "links": {
                "workspace": call.base,
                "workflow": f"{call.base}/Workflows/{task.workflow_sid}",
                "task_queue": f"{call.base}/TaskQueues/{task.queue_sid}",
                "reservations": f"{url}/Reservations",
            },
        }

    def _show_reservation(self, call: Call, task: Task, one: Reservation) -> JSON:
        url = f"{call.base}/Tasks/{task.sid}"
        return {
            "sid": one.sid,
            "account_sid": self._world.account.account_sid,
            "workspace_sid": self._world.account.workspace_sid,
            "task_sid": task.sid,
            "worker_sid": one.worker_sid,
            "worker_name": one.worker_name,
            "reservation_status": one.status,
            "date_created": rest_date(one.created),
            "date_updated": rest_date(one.updated),
            "url": f"{url}/Reservations/{one.sid}",
            "links": {"workspace": call.base, "task": url, "worker": f"{call.base}/Workers/{one.worker_sid}"},
        }


def add_task(
    world: World,
    *,
    attributes: str,
    channel: str,
    workflow_sid: str | None,
    queue_sid: str | None,
    routing_target: str | None,
    priority: int,
    timeout: int,
    ignore_capacity: bool = False,
) -> Task:
    """Put a task in the queue; without a workflow it takes the account's one."""
    at = world.now()
    task = Task(
        sid=new_sid("WT"),
        attributes=attributes,
        status="pending",
        reason=None,
        priority=priority,
        timeout=timeout,
        channel=channel,
        workflow_sid=workflow_sid or world.account.workflow_sid,
        queue_sid=queue_sid or EVERYONE_SID,
        routing_target=routing_target,
        ignore_capacity=ignore_capacity,
        created=at,
        updated=at,
        virtual_start=at,
    )
    world.tasks[task.sid] = task
    return task


def move_task(world: World, task: Task, status: str, reason: str | None = None) -> None:
    """Give a task another status; its accepted reservation goes with it."""
    worker = task.worker
    if worker is not None and status in ("wrapping", "completed", "canceled"):
        worker.status = status
        worker.updated = world.now()
    task.status = status
    task.reason = reason if reason is not None else task.reason
    touch_task(world, task)


def touch_task(world: World, task: Task) -> None:
    """Note that a task has changed: a new version."""
    task.version += 1
    task.updated = world.now()


def age_s(world: World, task: Task) -> int:
    """How long ago the task was made, in seconds."""
    return int((world.now() - task.created).total_seconds())


def channel_sid(channel: str) -> str:
    """The SID of a task channel given by SID or unique name."""
    return channel if channel.startswith("TC") else CHANNEL_SIDS.get(channel, CHANNEL_SIDS["default"])


def channel_name(channel: str) -> str:
    """The unique name of a task channel given by SID or unique name."""
    return next((name for name, sid in CHANNEL_SIDS.items() if channel == sid), channel)


def _is_asked_for(task: Task, call: Call) -> bool:
    query = call.query
    statuses = [status for value in query.all("AssignmentStatus") for status in value.split(",")]
    expression = query.text("EvaluateTaskAttributes")
    priority = query.whole("Priority")
    return (
        (not statuses or task.status in statuses)
        and (priority is None or task.priority == priority)
        and query.text("WorkflowSid") in (None, task.workflow_sid)
        and query.text("TaskQueueSid") in (None, task.queue_sid)
        and (not expression or matches(expression, _details(task)))
    )


def _details(task: Task) -> dict[str, Any]:
    loaded = json.loads(task.attributes)
    return loaded if isinstance(loaded, dict) else {}


def _check_version(call: Call, task: Task) -> None:
    # https://www.twilio.com/docs/usage/mutation-and-conflict-resolution
    if call.if_match is not None and call.if_match.strip('"') != str(task.version):
        raise refused(20412, "Precondition failed: the task has changed since it was read", status=412)


def _check_becomes(task: Task, status: str) -> None:
    if task.status not in _BECOMES.get(status, ()):
        raise invalid(f"Cannot move task {task.sid} from {task.status} to {status}")
