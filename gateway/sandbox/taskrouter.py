"""https://taskrouter.twilio.com/v1: the workspace, tasks and their reservations."""

from __future__ import annotations

from gateway.sandbox.clock import rest_date
from gateway.sandbox.errors import invalid, not_found, refused
from gateway.sandbox.expressions import matches
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.work import DEFAULT_TIMEOUT_S, Work
from gateway.sandbox.world import JSON, QUEUE_NAME, WORKFLOW_NAME, Reservation, Task, World

HOST = "taskrouter.twilio.com"
BASE = "v1"

STATUSES = ("pending", "reserved", "assigned", "canceled", "completed", "wrapping")
MOST_TIMEOUT_S = 1_209_600
OFFLINE_SID = "WA" + "0" * 32

# What a task can become by AssignmentStatus: https://www.twilio.com/docs/taskrouter/api/task#task-status
_BECOMES = {
    "canceled": ("pending", "reserved"),
    "wrapping": ("assigned",),
    "completed": ("assigned", "wrapping"),
}


class TaskRouter:
    """The API of TaskRouter, for the account's one workspace."""

    def __init__(self, world: World, work: Work) -> None:
        self._world = world
        self._work = work

    def routes(self) -> list[Route]:
        """What is served under `BASE`."""
        workspace = "/Workspaces/<workspace>"
        tasks = f"{workspace}/Tasks"
        return [
            Route("GET", "/Workspaces", self.list_workspaces),
            Route("GET", workspace, self.fetch_workspace),
            Route("POST", workspace, self.update_workspace),
            Route("GET", tasks, self.list_tasks),
            Route("POST", tasks, self.create_task),
            Route("GET", f"{tasks}/<task>", self.fetch_task),
            Route("POST", f"{tasks}/<task>", self.update_task),
            Route("DELETE", f"{tasks}/<task>", self.delete_task),
            Route("GET", f"{tasks}/<task>/Reservations", self.list_reservations),
            Route("GET", f"{tasks}/<task>/Reservations/<reservation>", self.fetch_reservation),
        ]

    def list_workspaces(self, call: Call) -> Answer:
        name = call.query.text("FriendlyName")
        chosen = [one for one in (self._world.workspace,) if name in (None, one.friendly_name)]
        return Answer(200, page(call.url, call.query, "workspaces", chosen, lambda _: self._show_workspace(call)))

    def fetch_workspace(self, call: Call) -> Answer:
        self._check_workspace(call)
        return Answer(200, self._show_workspace(call))

    def update_workspace(self, call: Call) -> Answer:
        self._check_workspace(call)
        workspace, form = self._world.workspace, call.form
        order = form.one_of("PrioritizeQueueOrder", ("LIFO", "FIFO"))
        multi_task_enabled = form.flag("MultiTaskEnabled")
        url = form.url("EventCallbackUrl")
        workspace.friendly_name = form.text("FriendlyName") or workspace.friendly_name
        workspace.event_callback_url = workspace.event_callback_url if url is None else url
        if "EventsFilter" in form:
            workspace.events_filter = form.text("EventsFilter") or None
        workspace.queue_order = order or workspace.queue_order
        if multi_task_enabled is not None:
            workspace.multi_task_enabled = multi_task_enabled
        workspace.updated = self._world.now()
        return Answer(200, self._show_workspace(call))

    def list_tasks(self, call: Call) -> Answer:
        self._check_workspace(call)
        chosen = [task for task in self._world.tasks.values() if _is_asked_for(task, call)]
        show = self._show
        return Answer(200, page(call.url, call.query, "tasks", chosen, lambda one: show(call, one), most=1000))

    def create_task(self, call: Call) -> Answer:
        self._check_workspace(call)
        form = call.form
        priority, timeout = form.whole("Priority"), form.whole("Timeout", most=MOST_TIMEOUT_S)
        task = self._work.add(
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
        if status is not None:
            _check_becomes(task, status)
        self._work.change(task, attributes=attributes, priority=priority, channel=form.text("TaskChannel"))
        if status is not None:
            self._work.move(task, status, form.text("Reason"))
        return self._answer(call, task, 200)

    def delete_task(self, call: Call) -> Answer:
        task = self._task(call)
        _check_version(call, task)
        self._work.delete(task)
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

    def _show_workspace(self, call: Call) -> JSON:
        workspace, url = self._world.workspace, self._base(call)
        things = ("Activities", "Statistics", "RealTimeStatistics", "CumulativeStatistics", "TaskQueues", "Tasks")
        names = ("activities", "statistics", "real_time_statistics", "cumulative_statistics", "task_queues", "tasks")
        return {
            "sid": workspace.sid,
            "account_sid": self._world.account.account_sid,
            "friendly_name": workspace.friendly_name,
            "event_callback_url": workspace.event_callback_url,
            "events_filter": workspace.events_filter,
            "default_activity_name": "Offline",
            "default_activity_sid": OFFLINE_SID,
            "timeout_activity_name": "Offline",
            "timeout_activity_sid": OFFLINE_SID,
            "multi_task_enabled": workspace.multi_task_enabled,
            "prioritize_queue_order": workspace.queue_order,
            "date_created": rest_date(workspace.created),
            "date_updated": rest_date(workspace.updated),
            "url": url,
            "links": {name: f"{url}/{thing}" for name, thing in zip(names, things, strict=True)},
        }

    def _base(self, call: Call) -> str:
        return f"{call.base}/Workspaces/{self._world.workspace.sid}"

    def _show(self, call: Call, task: Task) -> JSON:
        base = self._base(call)
        url = f"{base}/Tasks/{task.sid}"
        return {
            "sid": task.sid,
            "account_sid": self._world.account.account_sid,
            "workspace_sid": self._world.account.workspace_sid,
            "workflow_sid": task.workflow_sid,
            "workflow_friendly_name": WORKFLOW_NAME,
            "task_queue_sid": task.queue_sid,
            "task_queue_friendly_name": QUEUE_NAME,
            "task_channel_sid": task.channel_sid,
            "task_channel_unique_name": task.channel_name,
            "assignment_status": task.status,
            "attributes": task.attributes,
            "addons": "{}",
            "age": self._world.age_s(task),
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
                "workspace": base,
                "workflow": f"{base}/Workflows/{task.workflow_sid}",
                "task_queue": f"{base}/TaskQueues/{task.queue_sid}",
                "reservations": f"{url}/Reservations",
            },
        }

    def _show_reservation(self, call: Call, task: Task, one: Reservation) -> JSON:
        base = self._base(call)
        url = f"{base}/Tasks/{task.sid}"
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
            "links": {"workspace": base, "task": url, "worker": f"{base}/Workers/{one.worker_sid}"},
        }


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
        and (not expression or matches(expression, task.details))
    )


def _check_version(call: Call, task: Task) -> None:
    # https://www.twilio.com/docs/usage/mutation-and-conflict-resolution
    if call.if_match is not None and call.if_match.strip('"') != str(task.version):
        raise refused(20412, "Precondition failed: the task has changed since it was read", status=412)


def _check_becomes(task: Task, status: str) -> None:
    if task.status not in _BECOMES.get(status, ()):
        raise invalid(f"Cannot move task {task.sid} from {task.status} to {status}")
