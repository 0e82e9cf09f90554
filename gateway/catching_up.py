"""Catching up: messages that we refused or were never told of are fetched, and come in by the same door.

Three things start it: an index that jumps over messages that are not ours, a start after an absence, and a
delivery that we had to refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from bots.conversation import Conversation
from bots.effects import Fetch
from bots.events import CaughtUp, Message, Missed
from gateway.inbox import TOO_OLD, Inbox
from gateway.outbox import TOLD, Done
from gateway.patience import READ_LIMIT_S, READS_LIMIT_S, reads
from gateway.store import Leased, Store, StoreUnavailable
from gateway.twilio_api import StoredMessage, Twilio
from gateway.twilio_api.errors import TwilioError
from gateway.twilio_api.messages import EFFECT_ID

RETRY_S = 0.5
MOST_REMEMBERED = 10_000


class CatchingUp:
    """Performs `bots.effects.Fetch`, and tells the inbox when there is reason for one.

    *bot_name* signs what the bot says, *ours* are all the house's authors.
    """

    def __init__(
        self,
        twilio: Twilio,
        store: Store,
        inbox: Inbox,
        clock: Callable[[], datetime],
        *,
        bot_name: str,
        ours: frozenset[str],
    ) -> None:
        self._twilio = twilio
        self._store = store
        self._inbox = inbox
        self._clock = clock
        self._bot_name = bot_name
        self._ours = ours
        self._refused: dict[str, Conversation | None] = {}
        self._something_refused = asyncio.Event()
        self._log = structlog.get_logger("catching_up")

    def remember(self, conversation_id: str, new: Conversation | None = None) -> None:
        """A delivery for a conversation was refused: look there as soon as the database commits again.

        *new* is the record to begin with where there is none yet; without it only a known conversation is looked into.
        """
        if len(self._refused) < MOST_REMEMBERED:
            self._refused[conversation_id] = new or self._refused.get(conversation_id)
        self._something_refused.set()

    async def run(self) -> None:
        """Look into all that may have gone on while we were away, then into what we refuse. Ends when cancelled."""
        await self.return_from_absence()
        while True:
            await self._something_refused.wait()
            await asyncio.sleep(RETRY_S)
            await self._look_into_refused()

    async def perform(self, leased: Leased, look: bool) -> Done:  # noqa: ARG002  # a read may be repeated
        """Read the messages after the last known one; those of others go into the inbox, then that it is done."""
        effect, conversation = leased.outgoing.effect, leased.conversation
        assert isinstance(effect, Fetch)  # noqa: S101
        through, reason = effect.after, ""
        try:
            messages = await self._read(conversation, effect.after)
            await self._note_ours(messages)
            for message in self._missed(messages, conversation, effect.after):
                await self._inbox.receive_surely(conversation, message)
            through = messages[-1].index if messages else effect.after
        except (TwilioError, TimeoutError) as failed:
            reason = str(failed) or type(failed).__name__
            self._log.warning("cannot read missed messages", conversation=conversation.id, why=reason)
        name = leased.outgoing.id
        done = CaughtUp(
            key=f"{name}:answer", answers=name, at=self._clock(), after=effect.after, through=through, reason=reason
        )
        await self._inbox.receive_surely(conversation, done)
        return TOLD

    async def _read(self, conversation: Conversation, after: int) -> list[StoredMessage]:
        medium = self._twilio.medium(conversation.channel)
        async with asyncio.timeout(READS_LIMIT_S):
            async for attempt in reads():
                with attempt:
                    async with asyncio.timeout(READ_LIMIT_S):
                        messages = await medium.messages_after(conversation.id, after)
        return messages

    async def _note_ours(self, messages: Sequence[StoredMessage]) -> None:
        """Messages of ours that Twilio took although we never heard so: they are performed."""
        for message in messages:
            if effect_id := message.attributes.get(EFFECT_ID):
                await self._store.finish(str(effect_id), "performed", message_index=message.index)

    def _missed(self, messages: Sequence[StoredMessage], conversation: Conversation, after: int) -> Sequence[Message]:
        if after == -1:
            messages = _unanswered(messages, self._bot_name, conversation.customer.author, self._ours)
        return [
            Message(
                key=one.sid,
                at=one.at,
                author=one.author,
                text=one.text,
                index=one.index,
                media=one.media,
                by_participant=one.by_participant,
            )
            for one in messages
            if one.author not in self._ours and (one.text or one.media)
        ]

    async def return_from_absence(self) -> None:
        """Look into all conversations that are not over and may have gone on without us."""
        now = self._clock()
        while True:
            try:
                for conversation in await self._store.conversations_since(now - TOO_OLD):
                    await self._tell(conversation.id, conversation)
                return
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)

    async def _look_into_refused(self) -> None:
        self._something_refused.clear()
        for conversation_id, new in list(self._refused.items()):
            # Taken out first: a delivery that is refused meanwhile puts it in again.
            del self._refused[conversation_id]
            try:
                await self._tell(conversation_id, new)
            except StoreUnavailable:
                self.remember(conversation_id, new)
                return

    async def _tell(self, conversation_id: str, new: Conversation | None) -> None:
        now = self._clock()
        missed = Missed(key=f"{conversation_id}:missed:{self._store.worker}:{now.timestamp():.6f}", at=now)
        try:
            if new is None:
                await self._inbox.receive_known(conversation_id, missed)
            else:
                await self._inbox.receive(new, missed)
        except StoreUnavailable:
            raise
        # A mistake of ours in one conversation must not end this for all others.
        except Exception:
            self._log.exception("cannot look for missed messages: a bug", conversation=conversation_id)


def _unanswered(
    messages: Sequence[StoredMessage], bot_name: str, customer: str, ours: frozenset[str]
) -> Sequence[StoredMessage]:
    """Of a conversation that is new to us, what the customer wrote since anyone else did: the rest is history."""
    run: list[StoredMessage] = []
    for message in reversed(messages):
        if message.author in ours - {bot_name}:
            continue
        customer = customer or message.author
        if message.author != customer:
            break
        run.append(message)
    return run[::-1]
