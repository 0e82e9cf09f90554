"""The workspace's event callback: what TaskRouter tells of tasks and reservations.

https://www.twilio.com/docs/taskrouter/api/event/reference
"""

from __future__ import annotations

import json

from gateway.sandbox.clock import webhook_date
from gateway.sandbox.webhooks import Ear, Webhooks
from gateway.sandbox.world import QUEUE_NAME, WORKFLOW_NAME, Reservation, Task, World

TIME_LIMIT_S = 15.0

AVAILABLE = {"WorkerActivitySid": "WA" + "a" * 32, "WorkerActivityName": "Available"}


class Callback:
    """Tells the events that the workspace's filter names, as signed forms."""

    def __init__(self, world: World, webhooks: Webhooks) -> None:
        self._world = world
        self._webhooks = webhooks

    def tell(self, event_type: str, task: Task, reservation: Reservation | None = None) -> None:
        """Something has happened to *task*, or to its *reservation*. Nobody is waited for."""
        url = self._world.workspace.event_callback_url
        if not url or not self._is_wanted(event_type):
            return
        ear = Ear(url=url, time_limit_s=TIME_LIMIT_S)
        self._webhooks.tell(ear, self._fields(event_type, task, reservation), conversation_sid=task.conversation_sid)

    def _is_wanted(self, event_type: str) -> bool:
        names = {name.strip() for name in (self._world.workspace.events_filter or "").split(",")} - {""}
        return event_type in names if names else self._world.switches.empty_events_filter_means_all

    def _fields(self, event_type: str, task: Task, reservation: Reservation | None) -> dict[str, str]:
        workspace = self._world.workspace
        noun, sid = ("task", task.sid) if reservation is None else ("reservation", reservation.sid)
        return {
            "EventType": event_type,
            "AccountSid": self._world.account.account_sid,
            "WorkspaceSid": workspace.sid,
            "WorkspaceName": workspace.friendly_name,
            "EventDescription": f"{noun.capitalize()} {sid} {event_type.rpartition('.')[2].capitalize()}",
            "ResourceType": noun,
            "ResourceSid": sid,
            "Timestamp": self._timestamp(),
            **self._task_fields(task),
            **({} if reservation is None else _reservation_fields(reservation)),
        }

    def _timestamp(self) -> str:
        at = self._world.now()
        return str(int(at.timestamp())) if self._world.switches.task_event_time == "epoch" else webhook_date(at)

    def _task_fields(self, task: Task) -> dict[str, str]:
        reasons = {"canceled": "TaskCanceledReason", "completed": "TaskCompletedReason"}
        name = reasons.get(task.status)
        return {
            "TaskSid": task.sid,
            "TaskAttributes": task.attributes,
            "TaskAge": str(self._world.age_s(task)),
            "TaskPriority": str(task.priority),
            "TaskAssignmentStatus": task.status,
            "TaskChannelSid": task.channel_sid,
            "TaskChannelUniqueName": task.channel_name,
            "TaskQueueSid": task.queue_sid,
            "TaskQueueName": QUEUE_NAME,
            "WorkflowSid": task.workflow_sid or "",
            "WorkflowName": WORKFLOW_NAME,
            **({name: task.reason} if name and task.reason else {}),
        }


def _reservation_fields(reservation: Reservation) -> dict[str, str]:
    return {
        "ReservationSid": reservation.sid,
        "WorkerSid": reservation.worker_sid,
        "WorkerName": reservation.worker_name,
        "WorkerAttributes": json.dumps({"email": reservation.worker_name}),
        **AVAILABLE,
    }
