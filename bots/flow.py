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


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer of several. *value* is what is kept, the label where it is not given."""

    label: str
    goto: str | None = None
    value: str | None = None


class Scale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """A whole number from *from_* to *to*, both included."""

    from_: int
    to: int


class Tries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """With the wrong answer number *most* the question is given up, and *goto* follows."""

    most: int
    goto: str


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="ask"):
    """A question: *text* is put, the answer is kept under *save_as*, then *goto* or *end*.

    *choices* or a *scale* offer answers; *must* is a pattern that the whole answer, cleaned by *clean*, has to fit.
    *wrong* are the texts that answer wrong answers. *tries*: ``None`` is the flow's default, "none" no limit.
    """

    text: str
    choices: tuple[Choice, ...] = ()
    scale: Scale | None = None
    save_as: str | None = None
    clean: tuple[str, ...] = ()
    must: str | None = None
    wrong: tuple[str, ...] = ()
    tries: Tries | Literal["none"] | None = None
    goto: str | None = None
    end: End | None = None

    @property
    def is_free(self) -> bool:
        """Whether it takes any text, so that no answer is wrong."""
        return not self.choices and self.scale is None and self.must is None


class Say(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="say"):
    """A text without a question, then *goto* or *end*."""

    text: str
    goto: str | None = None
    end: End | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """*goto* follows where the condition *when* holds."""

    when: str
    goto: str


class Choose(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="choose"):
    """The first of *cases* that holds says what follows; where none does, *otherwise*."""

    cases: tuple[Case, ...] = ()
    otherwise: str


class HandOff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="handoff"):
    """A person takes over. *target* is a name of targets.yaml; *outcomes* say where each ending leads."""

    target: str
    attributes: dict[str, str] = {}
    outcomes: dict[str, str] = {}


State: TypeAlias = Ask | Say | Choose | HandOff


class Shortcut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"set_": "set"}):
    """What is heard before any question: *hears* names an entry of the flow's words, *set_* gives data values."""

    hears: str
    goto: str
    set_: dict[str, str] = {}


class EveryQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Defaults of all questions. `bots.defaults` tells which of them a question has."""

    wrong: tuple[str, ...] = ()
    tries: Tries | None = None


class Flow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bot. *states* keep the order of writing; *trouble* is where a broken text or call leads.

    *words* are named lists of phrases; *anywhere* tells which of them are heard before the current state.
    """

    name: str
    start: str
    format: int = 1
    language: str = "en"
    trouble: str | None = None
    data: dict[str, Field] = {}
    words: dict[str, tuple[str, ...]] = {}
    every_question: EveryQuestion = EveryQuestion()
    anywhere: tuple[Shortcut, ...] = ()
    states: dict[str, State] = {}
