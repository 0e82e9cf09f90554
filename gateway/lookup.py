"""The lookup: at a conversation's first message, who is the customer and what is known of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec.structs import replace

from bots.conversation import Conversation
from bots.events import LookedUp, LookupFailed, Participant
from gateway.inbox import Inbox
from gateway.outbox import TOLD, Done
from gateway.patience import READ_LIMIT_S, READS_LIMIT_S, reads
from gateway.store import Leased
from gateway.twilio_api import Surroundings, Task, Twilio
from gateway.twilio_api.errors import TwilioError


class Lookup:
    """Performs `bots.effects.LookUp`. *ours* are the house's own authors."""

    def __init__(self, twilio: Twilio, inbox: Inbox, clock: Callable[[], datetime], *, ours: frozenset[str]) -> None:
        self._twilio = twilio
        self._inbox = inbox
        self._clock = clock
        self._ours = ours
        self._log = structlog.get_logger("lookup")

    async def perform(self, leased: Leased, look: bool) -> Done:  # noqa: ARG002  # a read may be repeated
        """Ask, and put what comes back into the inbox: an answer, or that there was none in time."""
        key = f"{leased.outgoing.id}:answer"
        answer: LookedUp | LookupFailed
        try:
            answer = await self.ask(leased.conversation, key)
        except (TwilioError, TimeoutError) as failed:
            reason = str(failed) or type(failed).__name__
            self._log.warning("lookup failed, going on without", conversation=leased.conversation.id, why=reason)
            answer = LookupFailed(key=key, at=self._clock(), reason=reason)
        await self._inbox.receive_surely(leased.conversation, replace(answer, answers=leased.outgoing.id))
        return TOLD

    async def ask(self, conversation: Conversation, key: str) -> LookedUp:
        """Two reads at once, 2 s each, three tries within 5 s. Raises `TwilioError` or `TimeoutError`."""
        async with asyncio.timeout(READS_LIMIT_S):
            async for attempt in reads():
                with attempt:
                    async with asyncio.timeout(READ_LIMIT_S):
                        surroundings, participants = await self._read(conversation)
        return LookedUp(
            key=key,
            at=self._clock(),
            participants=tuple(one for one in participants if one.identity not in self._ours),
            attributes=surroundings.attributes,
            state=surroundings.state,
            channel_type=_channel_type(participants, surroundings),
            live_task=await self._live_task(conversation, surroundings),
        )

    async def _read(self, conversation: Conversation) -> tuple[Surroundings, list[Participant]]:
        medium = self._twilio.medium(conversation.channel)
        return await asyncio.gather(medium.surroundings(conversation.id), medium.participants(conversation.id))

    async def _live_task(self, conversation: Conversation, surroundings: Surroundings) -> str:
        """The task that an agent has or may get. Only a conversation with a history can have one already."""
        named = str(surroundings.attributes.get("task_sid") or "")
        has_history = conversation.heard.through > 0 or bool(conversation.heard.ahead)
        if not named and not has_history:
            return ""
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                tasks = await self._tasks(conversation, named)
        except (TwilioError, TimeoutError) as failed:
            self._log.warning("cannot tell whether there is a task", conversation=conversation.id, why=str(failed))
            return ""
        return next((task.sid for task in tasks if task.is_live), "")

    async def _tasks(self, conversation: Conversation, named: str) -> list[Task]:
        if named:
            task = await self._twilio.tasks.fetch(named)
            return [task] if task else []
        return await self._twilio.tasks.of_conversation(conversation.id, conversation.channel.generation)


def _channel_type(participants: list[Participant], surroundings: Surroundings) -> str:
    """Flex's name of the medium: that of the customer's address, else what the attributes say, else the web chat."""
    bound = next((one.medium for one in participants if one.address), "")
    return bound or str(surroundings.attributes.get("channel_type") or "web")
