"""What can happen to tasks and reservations, whoever does it: each changes the world and is told.

https://www.twilio.com/docs/taskrouter/api/task#task-status
"""

from __future__ import annotations

from gateway.sandbox.callback import Callback
from gateway.sandbox.world import Reservation, Task, World, new_sid

DEFAULT_TIMEOUT_S = 86_400
EVERYONE_SID = "WQ" + "e" * 32
TARGET_DECLINED = "Routing target declined"


class Work:
    """Changes tasks and reservations, and tells the workspace's event callback. It checks nothing."""

    def __init__(self, world: World, callback: Callback) -> None:
        self._world = world
        self._callback = callback

    def add(
        self,
        *,
        attributes: str,
        channel: str = "default",
        workflow_sid: str | None = None,
        queue_sid: str | None = None,
        routing_target: str | None = None,
        priority: int = 0,
        timeout: int = DEFAULT_TIMEOUT_S,
        ignore_capacity: bool = False,
    ) -> Task:
        """Put a task in the queue; without a workflow it takes the account's one."""
        at = self._world.now()
        task = Task(
            sid=new_sid("WT"),
            attributes=attributes,
            status="pending",
            reason=None,
            priority=priority,
            timeout=timeout,
            channel=channel,
            workflow_sid=workflow_sid or self._world.account.workflow_sid,
            queue_sid=queue_sid or EVERYONE_SID,
            routing_target=routing_target,
            ignore_capacity=ignore_capacity,
            created=at,
            updated=at,
            virtual_start=at,
        )
        self._world.tasks[task.sid] = task
        for event in ("task.created", "workflow.entered", "task-queue.entered"):
            self._callback.tell(event, task)
        return task

    def change(
        self, task: Task, *, attributes: str | None = None, priority: int | None = None, channel: str | None = None
    ) -> None:
        """Set what is given; ``None`` leaves it as it is, and without anything nothing is told."""
        task.attributes = task.attributes if attributes is None else attributes
        task.priority = task.priority if priority is None else priority
        task.channel = channel or task.channel
        self._touch(task)
        if attributes is not None or priority is not None or channel:
            self._callback.tell("task.updated", task)

    def move(self, task: Task, status: str, reason: str | None = None) -> None:
        """Give a task the *status* ``wrapping``, ``completed`` or ``canceled``."""
        match status:
            case "wrapping":
                self.wrap_up(task, reason)
            case "completed":
                self.complete(task, reason)
            case _:
                self.cancel(task, reason)

    def offer(self, task: Task, worker_name: str) -> Reservation:
        """Offer a task to a worker; one that is offered to somebody else is not any more."""
        self._withdraw(task, "rescinded")
        at = self._world.now()
        reservation = Reservation(
            sid=new_sid("WR"),
            worker_sid=self._world.worker_sid(worker_name),
            worker_name=worker_name,
            status="pending",
            created=at,
            updated=at,
        )
        task.reservations[reservation.sid] = reservation
        self._set(task, "reserved" if task.status == "pending" else task.status)
        self._callback.tell("reservation.created", task, reservation)
        return reservation

    def accept(self, task: Task, reservation: Reservation) -> None:
        """The worker takes the task; one who had it before has done his part."""
        before = task.worker
        self._set(task, "assigned")
        self._mark(task, reservation, "accepted")
        if before is not None:
            self._mark(task, before, "completed")
            self._callback.tell("task.transfer-completed", task)

    def decline(self, task: Task, reservation: Reservation, status: str) -> None:
        """The worker does not take it: ``rejected``, or ``timeout`` if he did not even answer.

        The task waits again, but for one that was meant for this worker only: it is canceled.
        """
        # https://www.twilio.com/docs/flex/developer/conversations/best-practices
        is_last = task.routing_target == reservation.worker_sid
        self._set(task, "pending" if task.status == "reserved" else task.status)
        self._mark(task, reservation, status)
        if is_last:
            self.cancel(task, TARGET_DECLINED)

    def wrap_up(self, task: Task, reason: str | None = None) -> None:
        """The agent has ended the talk and writes his notes."""
        self._set(task, "wrapping", reason)
        if task.worker is not None:
            self._mark(task, task.worker, "wrapping")
        self._callback.tell("task.wrapup", task)

    def complete(self, task: Task, reason: str | None = None) -> None:
        """The work is done."""
        self._withdraw(task, "canceled")
        self._set(task, "completed", reason)
        if task.worker is not None:
            self._mark(task, task.worker, "completed")
        self._callback.tell("task.completed", task)

    def cancel(self, task: Task, reason: str | None = None) -> None:
        """The work is not wanted any more. Its conversation is left as it is."""
        self._withdraw(task, "canceled")
        self._set(task, "canceled", reason)
        self._callback.tell("task.canceled", task)

    def delete(self, task: Task) -> None:
        """Take a task away."""
        self._withdraw(task, "canceled")
        del self._world.tasks[task.sid]
        self._callback.tell("task.deleted", task)

    def tell_of_transfer(self, task: Task) -> None:
        """The agent who has the task passes it on."""
        self._callback.tell("task.transfer-initiated", task)

    def _withdraw(self, task: Task, status: str) -> None:
        if task.offer is not None:
            self._mark(task, task.offer, status)

    def _mark(self, task: Task, reservation: Reservation, status: str) -> None:
        reservation.status = status
        reservation.updated = self._world.now()
        self._callback.tell(f"reservation.{'wrapup' if status == 'wrapping' else status}", task, reservation)

    def _set(self, task: Task, status: str, reason: str | None = None) -> None:
        task.status = status
        task.reason = task.reason if reason is None else reason
        self._touch(task)

    def _touch(self, task: Task) -> None:
        task.version += 1
        task.updated = self._world.now()


def worker_identity(name: str) -> str:
    """A worker's name as Flex makes an identity of it: ``agent@example.com`` is ``agent_40example_2Ecom``."""
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "".join(f"_{byte:02X}" for byte in letter.encode())
        for letter in name
    )
