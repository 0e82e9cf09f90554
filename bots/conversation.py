"""The record of a conversation: all that the next turn needs to know."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Owner: TypeAlias = Literal["bot", "queued", "agent", "paused", "closed"]
Generation: TypeAlias = Literal["chat", "conversations"]


class Channel(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a conversation lives: Programmable Chat or Conversations, which service, and which medium."""

    generation: Generation
    service: str = ""
    type: str = ""


class Customer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom we talk with. *author* is how their messages are signed; empty while unknown."""

    author: str = ""
    name: str = ""
    address: str = ""


class Heard(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which message indexes we know: all up to *through*, and those *ahead* of a gap (ascending)."""

    through: int = -1
    ahead: tuple[int, ...] = ()

    def plus(self, *indexes: int) -> Heard:
        """The same with *indexes* known too."""
        if len(indexes) == 1 and not self.ahead and indexes[0] == self.through + 1:
            return Heard(indexes[0])
        known = {index for index in (*self.ahead, *indexes) if index > self.through}
        through = self.through
        while through + 1 in known:
            through += 1
        return Heard(through, tuple(sorted(index for index in known if index > through)))

    def up_to(self, index: int) -> Heard:
        """The same with all up to *index* known: nothing more is to be found there."""
        return Heard(max(self.through, index), self.ahead).plus()

    def missing_before(self, index: int) -> int:
        """How many messages before *index* we do not know."""
        return max(0, index - self.through - 1) - sum(1 for known in self.ahead if known < index)


class Dialogue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run of a flow: on which *version*, in which *state*, with what *data*.

    *tries* counts the wrong answers while the question is open.
    """

    version: str
    state: str
    data: dict[str, Any] = {}
    first_message: str = ""
    tries: int = 0


class Handoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """A handoff that was asked for and is not over. *id* is ours and stands in the task's attributes."""

    id: str
    target: str
    interaction: str = ""
    interaction_channel: str = ""
    task: str = ""


class Conversation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chat with a customer, known by its ``CH…`` SID.

    *owner* is who speaks for the house now; each change raises *epoch*, and effects made under an
    older epoch are dropped. *journal* counts the events so far. *lookup* tells whether we know who
    the customer is; *catching_up*, that a look for missed messages is under way. *ladder* holds the
    rungs of the failure path taken since the customer last wrote.
    """

    id: str
    channel: Channel
    flow: str
    owner: Owner = "bot"
    epoch: int = 0
    journal: int = 0
    waiting: int = 0
    lookup: Literal["", "out", "done", "failed"] = ""
    catching_up: bool = False
    customer: Customer = Customer()
    pre_engagement: dict[str, Any] = {}
    heard: Heard = Heard()
    dialogue: Dialogue | None = None
    handoff: Handoff | None = None
    ladder: tuple[str, ...] = ()
    stranded: bool = False
