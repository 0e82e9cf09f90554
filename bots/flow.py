"""The neutral model of a flow: what an author wrote, as plain data.

Expressions and texts are still strings; nothing here can be called. The loader makes it from YAML,
the checks walk it, `bots.version` compiles it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

End: TypeAlias = Literal["close", "start_over"]


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """One thing that the bot may remember.

    *otherwise* is its value while nothing was saved; *from_* a dotted name (``pre_engagement.email``)
    that it starts with.
    """

    type: str = "text"
    label: str = ""
    otherwise: str | None = None
    from_: str | None = None
    private: bool = False


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="ask"):
    """A question: *text* is put, the answer is kept under *save_as*, then *goto* or *end*."""

    text: str
    save_as: str | None = None
    goto: str | None = None
    end: End | None = None


class Say(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="say"):
    """A text without a question, then *goto* or *end*."""

    text: str
    goto: str | None = None
    end: End | None = None


class HandOff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="handoff"):
    """A person takes over. *target* is a name of targets.yaml; *outcomes* say where each ending leads."""

    target: str
    attributes: dict[str, str] = {}
    outcomes: dict[str, str] = {}


State: TypeAlias = Ask | Say | HandOff


class Flow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bot. *states* keep the order of writing; *trouble* is where a broken text or call leads."""

    name: str
    start: str
    format: int = 1
    language: str = "en"
    trouble: str | None = None
    data: dict[str, Field] = {}
    states: dict[str, State] = {}
