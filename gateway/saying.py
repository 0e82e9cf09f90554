"""What the bot says, and closing: the two effects that are one request each."""

from __future__ import annotations

import json

from bots.effects import Say
from gateway.outbox import Done
from gateway.store import Leased
from gateway.twilio_api import Twilio
from gateway.twilio_api.messages import EFFECT_ID

LOOK_BACK = 50
"""How far before the last index known to us a message of ours is looked for: a page."""


class Saying:
    """Performs `bots.effects.Say` and `bots.effects.Close`. *bot_name* signs the messages."""

    def __init__(self, twilio: Twilio, *, bot_name: str) -> None:
        self._twilio = twilio
        self._bot_name = bot_name

    async def say(self, leased: Leased, look: bool) -> Done:  # a performer
        """Write the message; gives its index. With *look* one that carries our id already counts as written."""
        conversation, outgoing = leased.conversation, leased.outgoing
        assert isinstance(outgoing.effect, Say)  # noqa: S101
        medium = self._twilio.medium(conversation.channel)
        if look:
            for message in await medium.messages_after(conversation.id, conversation.heard.through - LOOK_BACK):
                if message.attributes.get(EFFECT_ID) == outgoing.id:
                    return Done(message.index)
        index = await medium.send(
            conversation.id,
            author=self._bot_name,
            text=outgoing.effect.text,
            attributes=json.dumps({EFFECT_ID: outgoing.id}),
        )
        return Done(index)

    async def close(self, leased: Leased, look: bool) -> Done:  # noqa: ARG002
        """Close the conversation; a second time changes nothing, so there is no need to look."""
        await self._twilio.medium(leased.conversation.channel).close(leased.conversation.id)
        return Done()
