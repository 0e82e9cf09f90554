"""The agents: what those with Flex open do, and a supervisor and the clock with their tasks."""

from __future__ import annotations

import json

from gateway.sandbox.desk import Desk, Refusal
from gateway.sandbox.interactions import Interactions
from gateway.sandbox.life import Life, check_open
from gateway.sandbox.webhooks import Actor
from gateway.sandbox.work import Work, worker_identity
from gateway.sandbox.world import Conversation, Interaction, Message, Reservation, Task, World

DEFAULT_WORKER = "agent@example.com"
TOO_OLD = "Task TTL Exceeded"


class Agents:
    """What agents do. What breaks a rule of Twilio raises `TwilioError`, what makes no sense `Refusal`."""

    def __init__(self, world: World, life: Life, work: Work, interactions: Interactions, desk: Desk) -> None:
        self._world = world
        self._life = life
        self._work = work
        self._interactions = interactions
        self._desk = desk

    def offer(self, task_sid: str, worker: str | None = None) -> Task:
        """A waiting task is offered to an agent, who has not answered yet."""
        task = self._waiting(task_sid, "offered")
        self._work.offer(task, worker or DEFAULT_WORKER)
        return task

    def accept(self, task_sid: str, worker: str | None = None) -> Task:
        """An agent takes a task and joins its conversation; the agent who passed it on goes then.

        *worker* is the one to whom it is offered, if not given.
        """
        task = self._desk.task(task_sid)
        if task.offer is None:
            self._waiting(task_sid, "accepted")
        before, reservation = task.worker, self._offer_to(task, worker)
        self._work.accept(task, reservation)
        conversation = self._conversation_of(task)
        if conversation is not None:
            self._interactions.join(conversation, task, reservation)
        if before is not None and conversation is not None:
            self._interactions.leave(conversation, task, before)
        first = self._world.tasks.get(task.passed_on_from or "")
        if first is not None and first.is_live:
            self._interactions.end_part(first, "closed")
        return task

    def decline(self, task_sid: str, worker: str | None = None) -> Task:
        """An agent does not want the task: it waits again (or is canceled, if it was for this agent only)."""
        return self._decline(task_sid, worker, "rejected")

    def ignore(self, task_sid: str, worker: str | None = None) -> Task:
        """An agent does not answer the offer in time: the task waits again."""
        return self._decline(task_sid, worker, "timeout")

    def write(self, task_sid: str, body: str) -> Message:
        """The agent who has a task writes in its conversation, through the SDK."""
        task = self._desk.task(task_sid)
        conversation, worker = self._conversation_of(task), task.worker
        if worker is None:
            raise Refusal(f"Task {task_sid} is {task.status}; an agent has to accept it first.")
        if conversation is None:
            raise Refusal(f"Task {task_sid} names no conversation in its attributes.")
        identity = worker_identity(worker.worker_name)
        return self._life.add_message(conversation, Actor("SDK", identity), author=identity, body=body)

    def wrap_up(self, task_sid: str) -> Task:
        """The agent ends the talk and has notes to write; `finish` completes the task then.

        The conversation is over with it: a chat always, a Conversation by the switch *wrap_up_closes*.
        """
        task, worker = self._taken(task_sid, "wrapped up", ("assigned",))
        conversation = self._conversation_of(task)
        is_chat = conversation is not None and conversation.generation == "chat"
        if conversation is not None and (is_chat or self._world.switches.wrap_up_closes):
            self._end(conversation, worker.worker_name)
        self._work.wrap_up(task)
        return task

    def finish(self, task_sid: str, *, keep_open: bool = False) -> Task:
        """The agent is done: the task is completed and its conversation over, unless it is kept *open*.

        Kept open, only the agent's own part ends, as by the interaction's participant.
        """
        task, worker = self._taken(task_sid, "finished", ("assigned", "wrapping"))
        conversation = self._conversation_of(task)
        if conversation is None or keep_open or _is_over(conversation):
            self._interactions.end_part(task, "closed")
        else:
            self.close(conversation.sid, worker.worker_name)
        if task.is_live:
            self._work.complete(task)
        return task

    def leave(self, task_sid: str) -> Task:
        """The agent leaves the customer for later: his task is completed and the conversation parked.

        With another agent still there it is not parked.
        """
        # https://www.twilio.com/docs/flex/admin-guide/setup/conversations/leave-and-pause-for-conversations
        task, _ = self._taken(task_sid, "left", ("assigned",))
        interaction = self._world.interaction_of(task)
        if interaction is None:
            raise Refusal(f"Task {task_sid} is of no interaction; only these can be left, a chat cannot.")
        if self._is_chat(interaction):
            raise Refusal(f"Task {task_sid} is about a chat channel, which cannot be left.")
        others = [one for one in self._interactions.live_tasks(interaction) if one is not task and one.worker]
        if others:
            self._interactions.end_part(task, "closed")
        else:
            self._interactions.end(interaction, "inactive", completes=True)
        return task

    def transfer(self, task_sid: str, worker: str, *, accepts: bool = True) -> Task:
        """The agent passes the customer on to *worker*, who takes over at once or later (`accept`).

        Gives the task that is the other's: a new one of the interaction, or without one the same with another
        reservation. The first agent goes when the second has come.
        """
        task, _ = self._taken(task_sid, "transferred", ("assigned",))
        interaction, conversation = self._world.interaction_of(task), self._conversation_of(task)
        if interaction is None or conversation is None:
            self._work.tell_of_transfer(task)
            self._work.offer(task, worker)
            return self.accept(task.sid, worker) if accepts else task
        properties = {
            "attributes": task.details,
            "worker_sid": self._world.worker_sid(worker),
            "workflow_sid": task.workflow_sid,
            "task_channel_unique_name": task.channel_name,
            "priority": task.priority,
        }
        invite = self._interactions.invite(interaction, conversation, properties)
        second = self._world.tasks[invite.task_sid]
        second.passed_on_from = task.sid
        self._work.offer(second, worker)
        return self.accept(second.sid, worker) if accepts else second

    def time_out(self, task_sid: str) -> Task:
        """Nobody takes the task for so long that TaskRouter cancels it; the conversation stays as it is."""
        return self.cancel(task_sid, TOO_OLD)

    def cancel(self, task_sid: str, reason: str | None = None) -> Task:
        """A supervisor cancels a waiting task; the conversation stays as it is."""
        task = self._waiting(task_sid, "canceled")
        self._work.cancel(task, reason)
        return task

    def close(self, sid: str, worker: str | None = None) -> Conversation:
        """End a conversation as an agent ends it: closed (Conversations) or INACTIVE (chat), its tasks completed."""
        conversation = self._desk.conversation(sid)
        check_open(conversation)
        tasks = [task for task in self._world.tasks_of(sid) if task.is_live]
        held = next((task.worker.worker_name for task in tasks if task.worker), None)
        self._end(conversation, worker or held or DEFAULT_WORKER)
        for task in tasks:
            if task.status == "assigned":
                self._work.wrap_up(task)
            self._work.complete(task)
        self._interactions.dismiss(conversation)
        return conversation

    def fail_interaction(self, interaction_sid: str, code: int, message: str) -> Interaction:
        """An interaction fails after it was answered well; its tasks are canceled."""
        interaction = self._desk.interaction(interaction_sid)
        self._interactions.fail(interaction, (code, message))
        return interaction

    def _end(self, conversation: Conversation, worker: str) -> None:
        if conversation.generation == "chat":
            self._deactivate(conversation, worker_identity(worker))
        else:
            self._interactions.end_conversation(conversation, "closed")
        for interaction in self._world.interactions_of(conversation.sid):
            if interaction.status in ("active", "inactive"):
                self._interactions.change_status(interaction, "closed")

    def _deactivate(self, channel: Conversation, identity: str) -> None:
        # Flex's own way, as recorded: the agent's browser sets the attribute through the SDK.
        flowed = self._world.flow_channels.get(channel.sid)
        if flowed is not None and flowed.long_lived and not self._world.switches.long_lived_ends_inactive:
            return
        attributes = {**channel.details, "status": "INACTIVE"}
        self._life.update_conversation(channel, Actor("SDK", identity), attributes=json.dumps(attributes))

    def _decline(self, task_sid: str, worker: str | None, status: str) -> Task:
        task = self._desk.task(task_sid)
        if task.offer is None:
            self._waiting(task_sid, "declined")
        self._work.decline(task, self._offer_to(task, worker), status)
        return task

    def _offer_to(self, task: Task, worker: str | None) -> Reservation:
        """The offer that *worker* (anybody, if ``None``) has, or a new one."""
        offer = task.offer
        if offer is not None and worker in (None, offer.worker_name):
            return offer
        return self._work.offer(task, worker or DEFAULT_WORKER)

    def _waiting(self, task_sid: str, what: str) -> Task:
        task = self._desk.task(task_sid)
        if task.status not in ("pending", "reserved"):
            raise Refusal(f"Task {task_sid} is {task.status}; only a pending task can be {what}.")
        return task

    def _taken(self, task_sid: str, what: str, statuses: tuple[str, ...]) -> tuple[Task, Reservation]:
        task = self._desk.task(task_sid)
        if task.status not in statuses or task.worker is None:
            raise Refusal(f"Task {task_sid} is {task.status}; only an accepted task can be {what}.")
        return task, task.worker

    def _conversation_of(self, task: Task) -> Conversation | None:
        return self._world.conversations.get(task.conversation_sid or "")

    def _is_chat(self, interaction: Interaction) -> bool:
        conversation = self._world.conversations.get(interaction.conversation_sid)
        return conversation is not None and conversation.generation == "chat"


def _is_over(conversation: Conversation) -> bool:
    return conversation.state == "closed" or conversation.details.get("status") == "INACTIVE"
