"""The handoff: a task for a person, made through Flex's Interactions API.

https://www.twilio.com/docs/flex/developer/conversations/interactions-api/interactions
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import structlog

from bots.conversation import Conversation
from bots.effects import HandOff
from bots.events import HandedOff, LookedUp
from gateway.inbox import Inbox
from gateway.lookup import Lookup
from gateway.outbox import TOLD, Done
from gateway.store import Leased, Store
from gateway.targets import Target, Targets
from gateway.twilio_api import Twilio
from gateway.twilio_api.errors import Refused, TwilioError
from gateway.twilio_api.flex import Interaction

HANDOFF_ID = "usher_handoff_id"
# https://www.twilio.com/docs/flex/developer/conversations/interactions-api/interactions: what an interaction's channel
# may be; a custom channel or another one of Programmable Chat goes as web.
MEDIA = {one: one for one in ("web", "chat", "sms", "whatsapp", "email", "messenger", "gbm")} | {
    "facebook": "messenger"
}
# https://www.twilio.com/docs/api/errors/45353: the conversation has an interaction already
DUPLICATE = 45353
# https://www.twilio.com/docs/taskrouter/taskrouter-resource-limits: 4,096 bytes, blanks included; Flex adds its own.
MOST_ATTRIBUTES = 3_000
SHORTEST_CUT = 16
ALSO_HEARD = ["onChannelUpdated", "onMemberAdded", "onMemberRemoved"]


class Handoffs:
    """Performs `bots.effects.HandOff`. *webhook_url* is that of our route for Programmable Chat."""

    def __init__(
        self,
        twilio: Twilio,
        store: Store,
        inbox: Inbox,
        lookup: Lookup,
        clock: Callable[[], datetime],
        *,
        targets: Targets,
        webhook_url: str,
    ) -> None:
        self._twilio = twilio
        self._store = store
        self._inbox = inbox
        self._lookup = lookup
        self._clock = clock
        self._targets = targets
        self._webhook_url = webhook_url
        self._log = structlog.get_logger("handoff")

    async def perform(self, leased: Leased, look: bool) -> Done:
        """Create the task unless, with *look*, it is found; tell the inbox. Raises `TwilioError`."""
        conversation = await self._informed(leased)
        handoff_id = leased.outgoing.id
        made = await self._find(handoff_id) if look else None
        if made is None:
            await self._keep_hearing(conversation)
            made = await self._create(conversation, leased)
        done = HandedOff(
            key=f"{handoff_id}:answer",
            at=self._clock(),
            answers=handoff_id,
            interaction=made.sid,
            interaction_channel=made.channel,
            task=made.task,
        )
        await self._inbox.receive_surely(conversation, done)
        return TOLD

    async def _create(self, conversation: Conversation, leased: Leased) -> Interaction:
        effect = leased.outgoing.effect
        assert isinstance(effect, HandOff)  # noqa: S101
        target = self._targets[effect.target]
        own = {"language": effect.language, "reason": effect.reason, **target.attributes, **effect.attributes}
        attributes = fitted(_attributes(conversation, leased.outgoing.id, own))
        if target.via == "task" and conversation.channel.generation == "chat":
            return await self._create_task(conversation, target, attributes)
        try:
            return await self._twilio.flex.create_interaction(
                medium=MEDIA.get(conversation.channel.type, "web"),
                conversation_id=conversation.id,
                routing={
                    "workspace_sid": self._twilio.tasks.workspace,
                    **target.routing(),
                    "attributes": attributes,
                },
            )
        except Refused as refused:
            made = await self._find(leased.outgoing.id) if refused.code == DUPLICATE else None
            if made is None:
                raise
            return made

    async def _create_task(self, conversation: Conversation, target: Target, attributes: dict[str, Any]) -> Interaction:
        """A plain task, as Flex knows it from Programmable Chat: the channel's attributes and its SID."""
        surroundings = await self._twilio.medium(conversation.channel).surroundings(conversation.id)
        task = await self._twilio.tasks.create(
            attributes={**surroundings.attributes, **attributes, "channelSid": conversation.id},
            workflow=target.workflow,
            queue=target.queue,
            task_channel=target.task_channel,
            priority=target.priority,
            timeout_s=target.timeout_s,
        )
        return Interaction(sid="", channel="", task=task)

    async def _keep_hearing(self, conversation: Conversation) -> None:
        """The webhook that Flex puts on a channel may carry messages only: add one of ours for who joins and ends."""
        if conversation.channel.generation != "chat":
            return
        try:
            chat = self._twilio.chat(conversation.channel)
            await chat.ensure_webhook(conversation.id, f"{self._webhook_url}?flow={conversation.flow}", ALSO_HEARD)
        except TwilioError as failed:
            self._log.warning("no webhook of ours on the channel", conversation=conversation.id, why=str(failed))

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


def fitted(attributes: dict[str, Any]) -> dict[str, Any]:
    """*attributes*, the longest texts in them cut until TaskRouter takes them all. Our own id stays whole."""
    kept = copy.deepcopy(attributes)
    while len(json.dumps(kept, ensure_ascii=False).encode()) > MOST_ATTRIBUTES:
        longest = max(_texts(kept), key=lambda found: len(found[2]), default=None)
        if longest is None or len(longest[2]) < SHORTEST_CUT:
            break
        holder, name, text = longest
        holder[name] = text[: len(text) * 2 // 3] + "…"
    return kept


def _texts(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """All texts in *values* and the mappings below, each with its mapping and its name there."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _texts(value)
        elif isinstance(value, str) and name != HANDOFF_ID:
            yield values, name, value


def _attributes(conversation: Conversation, handoff_id: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """What the agent sees. The target's and the flow's *own* win over those that Studio's *Send to Flex* would set."""
    # https://www.twilio.com/docs/studio/widget-library/send-flex
    customer = conversation.customer
    usual = {
        "channelType": conversation.channel.type or "web",
        "name": customer.name,
        "from": customer.name,
        "customerName": customer.name,
        "customerAddress": customer.address or customer.author,
    }
    known = {name: value for name, value in usual.items() if value and name not in own}
    return {**own, **known, "pre_engagement_data": conversation.pre_engagement, HANDOFF_ID: handoff_id}
