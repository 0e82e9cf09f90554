"""The end of an agent's part: many signs may tell of it, a look decides.

A sign (a task that was completed, a participant who left) may come twice, early, or not mean the end. So after a
settling time we look at the conversation, who takes part in it, and its tasks; and once more before we believe that
nobody has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from bots.conversation import Conversation
from bots.effects import LookAround
from bots.events import LookedAround, Participant
from gateway.inbox import Inbox
from gateway.outbox import TOLD, Done
from gateway.store import Leased, Store
from gateway.twilio_api import Twilio


class Ending:
    """Performs `bots.effects.LookAround`. *settling_s* is how long a sign has to settle; *ours* our own authors."""

    def __init__(
        self,
        twilio: Twilio,
        store: Store,
        inbox: Inbox,
        clock: Callable[[], datetime],
        *,
        settling_s: float,
        ours: frozenset[str],
    ) -> None:
        self._twilio = twilio
        self._store = store
        self._inbox = inbox
        self._clock = clock
        self._settling_s = settling_s
        self._ours = ours

    async def perform(self, leased: Leased, look: bool) -> Done:  # noqa: ARG002  # a read may be repeated
        """Let the sign settle, look, and tell the inbox. Raises `TwilioError`."""
        effect = leased.outgoing.effect
        assert isinstance(effect, LookAround)  # noqa: S101
        await asyncio.sleep(self._settling_s)
        conversation = await self._store.load(leased.conversation.id) or leased.conversation
        if conversation.owner not in {"queued", "agent"}:
            return Done()
        medium = self._twilio.medium(conversation.channel)
        surroundings, participants, tasks = await asyncio.gather(
            medium.surroundings(conversation.id),
            medium.participants(conversation.id),
            self._twilio.tasks.of_conversation(conversation.id, conversation.channel.generation),
        )
        live = [task for task in tasks if task.is_live]
        found = LookedAround(
            key=f"{leased.outgoing.id}:answer",
            answers=leased.outgoing.id,
            at=self._clock(),
            state=surroundings.state,
            live_tasks=tuple(task.sid for task in live),
            assigned=any(task.is_assigned for task in live),
            agents=tuple(one.identity for one in participants if self._is_agent(one, conversation)),
            again=effect.again,
        )
        await self._inbox.receive_surely(conversation, found)
        return TOLD

    def _is_agent(self, participant: Participant, conversation: Conversation) -> bool:
        known = {"", conversation.customer.author, *self._ours}
        return participant.identity not in known and not participant.address
