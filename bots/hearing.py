"""What a customer's message means in a question: a move of the flow, and a value to keep."""

from __future__ import annotations

import msgspec

from bots.cleaning import clean
from bots.flow import Ask, Flow, Scale
from bots.matching import Phrases, Spoken
from bots.patterns import Pattern


class Meaning(msgspec.Struct, frozen=True):
    """The *move* to make, as `bots.machine` names it.

    *value* is what the question keeps; *words* name the entry that was heard anywhere, else they are empty.
    """

    move: str
    value: str | int | None = None
    words: str = ""


class Hearing:
    """What is heard in a flow, and where; compiled once.

    What was written without an error goes before what was meant with one: else the typing error of a phrase
    that is heard anywhere could be the exact label of a choice.
    """

    def __init__(self, flow: Flow) -> None:
        """Raises `bots.patterns.BrokenPattern`."""
        self._anywhere = Phrases(
            (phrase, Meaning(f"anywhere {shortcut.hears}", words=shortcut.hears))
            for shortcut in flow.anywhere
            for phrase in flow.words[shortcut.hears]
        )
        self._hears_anywhere = bool(flow.anywhere)
        self._questions = {name: _Question(state) for name, state in flow.states.items() if isinstance(state, Ask)}

    def opening(self, text: str) -> Meaning | None:
        """What a message that begins a dialogue means anywhere; ``None`` where it is for the start to hear."""
        if not self._hears_anywhere:
            return None
        spoken = Spoken(text)
        return self._anywhere.exact(spoken) or self._anywhere.near(spoken)

    def answer(self, name: str, text: str) -> Meaning | None:
        """What *text* means in the open question *name*; ``None`` where it is a wrong answer."""
        question = self._questions[name]
        if question.is_free and not self._hears_anywhere:
            return question.typed(text)
        spoken = Spoken(text, whole_only=question.is_free)
        return (
            self._anywhere.exact(spoken)
            or question.exact(spoken)
            or question.numbers.get(spoken.text)
            or self._anywhere.near(spoken)
            or question.labels.near(spoken)
            or question.typed(text)
        )

    def offered(self, name: str, text: str) -> Meaning | None:
        """What *text*, which was not written for the question *name*, means there; ``None`` where it is let go.

        A free question takes no such text. A number may count other things, so choices are heard by label only.
        """
        question = self._questions[name]
        if question.is_free:
            return None
        spoken = Spoken(text)
        return question.exact(spoken) or question.labels.near(spoken) or question.typed(text)


class _Question:
    """What one question hears."""

    def __init__(self, ask: Ask) -> None:
        self.is_free = ask.is_free
        meanings = [
            (choice, Meaning(f"choice {number}", choice.value if choice.value is not None else choice.label))
            for number, choice in enumerate(ask.choices, 1)
        ]
        self.labels = Phrases((choice.label, meaning) for choice, meaning in meanings)
        self.numbers = {str(number): meaning for number, (_, meaning) in enumerate(meanings, 1)}
        self._scale = ask.scale
        self._clean = ask.clean
        self._pattern = Pattern(ask.must) if ask.must is not None else None

    def exact(self, spoken: Spoken) -> Meaning | None:
        """The choice whose label was written, or the only number on the scale."""
        return self.labels.exact(spoken) or (_on_scale(self._scale, spoken) if self._scale is not None else None)

    def typed(self, text: str) -> Meaning | None:
        """*text* as an answer in the customer's own words."""
        if not self.is_free and self._pattern is None:
            return None
        cleaned = clean(text, self._clean) if self._clean else text
        return Meaning("answered", cleaned) if self._pattern is None or self._pattern.fits(cleaned) else None


def _on_scale(scale: Scale, spoken: Spoken) -> Meaning | None:
    found = {int(part) for part in spoken.parts if part.isdecimal() and len(part) <= _MOST_DIGITS}
    on_it = {number for number in found if scale.from_ <= number <= scale.to}
    return Meaning("answered", on_it.pop()) if len(on_it) == 1 else None


# Python refuses to read numbers of thousands of digits.
_MOST_DIGITS = 9
