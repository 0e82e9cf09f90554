"""The handoff: a task for a person, made through Flex's Interactions API.

https://www.twilio.com/docs/flex/developer/conversations/interactions-api/interactions
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bots.conversation import Conversation
from bots.effects import HandOff
from bots.events import HandedOff, LookedUp
from gateway.inbox import Inbox
from gateway.lookup import Lookup
from gateway.store import Leased, Store
from gateway.targets import Target
from gateway.twilio_api import Twilio
from gateway.twilio_api.errors import Refused, TwilioError
from gateway.twilio_api.flex import Interaction

HANDOFF_ID = "usher_handoff_id"
# https://www.twilio.com/docs/api/errors/45353: the conversation has an interaction already
DUPLICATE = 45353


class Handoffs:
    """Performs `bots.effects.HandOff`. *target* is where tasks go that no other target takes."""

    def __init__(
        self,
        twilio: Twilio,
        store: Store,
        inbox: Inbox,
        lookup: Lookup,
        clock: Callable[[], datetime],
        *,
        target: Target,
    ) -> None:
        self._twilio = twilio
        self._store = store
        self._inbox = inbox
        self._lookup = lookup
        self._clock = clock
        self._target = target

    async def perform(self, leased: Leased, look: bool) -> None:
        """Create the interaction unless, with *look*, its task is found; tell the inbox. Raises `TwilioError`."""
        conversation = await self._informed(leased)
        handoff_id = leased.outgoing.id
        made = await self._find(handoff_id) if look else None
        if made is None:
            made = await self._create(conversation, leased)
        done = HandedOff(
            key=f"{handoff_id}:answer",
            at=self._clock(),
            handoff_id=handoff_id,
            interaction=made.sid,
            interaction_channel=made.channel,
            task=made.task,
        )
        await self._inbox.receive_surely(conversation, done)

    async def _create(self, conversation: Conversation, leased: Leased) -> Interaction:
        try:
            return await self._twilio.flex.create_interaction(
                medium=conversation.channel.type or "web",
                conversation_id=conversation.id,
                routing={
                    "workspace_sid": self._twilio.tasks.workspace,
                    **self._target.routing(),
                    "attributes": _attributes(conversation, leased),
                },
            )
        except Refused as refused:
            made = await self._find(leased.outgoing.id) if refused.code == DUPLICATE else None
            if made is None:
                raise
            return made

    async def _find(self, handoff_id: str) -> Interaction | None:
        """The interaction that an earlier try made, told by our id in its task's attributes."""
        for task in await self._twilio.tasks.with_attribute(HANDOFF_ID, handoff_id):
            return Interaction(
                sid=str(task.attributes.get("flexInteractionSid") or ""),
                channel=str(task.attributes.get("flexInteractionChannelSid") or ""),
                task=task.sid,
            )
        return None

    async def _informed(self, leased: Leased) -> Conversation:
        """The record; where the first lookup failed, one more try, so that the agent knows whom they meet."""
        conversation = await self._store.load(leased.conversation.id) or leased.conversation
        if conversation.lookup != "failed":
            return conversation
        try:
            answer: LookedUp = await self._lookup.ask(conversation, f"{leased.outgoing.id}:lookup")
        except (TwilioError, TimeoutError):
            return conversation
        await self._inbox.receive_surely(conversation, answer)
        return await self._store.load(conversation.id) or conversation


def _attributes(conversation: Conversation, leased: Leased) -> dict[str, Any]:
    """What the agent sees. The flow's own attributes win over those that Studio's *Send to Flex* would set."""
    # https://www.twilio.com/docs/studio/widget-library/send-flex
    effect, customer = leased.outgoing.effect, conversation.customer
    assert isinstance(effect, HandOff)  # noqa: S101
    usual = {
        "channelType": conversation.channel.type or "web",
        "name": customer.name,
        "from": customer.name,
        "customerName": customer.name,
        "customerAddress": customer.address or customer.author,
    }
    return {
        **{name: value for name, value in usual.items() if value},
        "pre_engagement_data": conversation.pre_engagement,
        **effect.attributes,
        HANDOFF_ID: leased.outgoing.id,
    }
