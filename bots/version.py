"""A version: a flow compiled once, known by the hash of its source, on which dialogues stay pinned."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from bots.defaults import all_tries, wrong_texts
from bots.flow import Ask, Choose, Field, Flow, HandOff, Say
from bots.hearing import Hearing
from bots.machine import FlowMachine
from bots.texts import Condition, Text, Value, compile_condition, compile_text, compile_value


class Version:
    """A flow, ready to run. *hash* names it, *source* is what `restore` makes it from again.

    By state: *texts*, *listings* of choices that follow a text, *wrong* texts, *most_tries*, *cases* of a choose,
    *attributes* of a handoff; by name of words: *settings*, what hearing them anywhere sets.
    """

    def __init__(self, flow: Flow) -> None:
        """Compile *flow*, which has passed the checks.

        Raises `BrokenText` or `BrokenPattern` where something cannot be compiled.
        """
        self.flow = flow
        self.source = msgspec.json.encode(flow)
        self.hash = hashlib.sha256(self.source).hexdigest()[:32]
        self.machine = FlowMachine(flow)
        self.hearing = Hearing(flow)
        self.texts: dict[str, Text] = {}
        self.listings: dict[str, str] = {}
        self.wrong: dict[str, tuple[Text, ...]] = {}
        self.cases: dict[str, tuple[Condition, ...]] = {}
        self.attributes: dict[str, dict[str, Value]] = {}
        for name, state in flow.states.items():
            match state:
                case Ask():
                    self.texts[name] = compile_text(state.text)
                    self.listings[name] = _listing(state)
                    self.wrong[name] = tuple(compile_text(text) for text in wrong_texts(flow, state))
                case Say():
                    self.texts[name] = compile_text(state.text)
                case Choose():
                    self.cases[name] = tuple(compile_condition(case.when) for case in state.cases)
                case HandOff():
                    self.attributes[name] = _values(state.attributes)
        self.most_tries = {name: tries.most for name, tries in all_tries(flow).items()}
        self.settings = {shortcut.hears: _values(shortcut.set_) for shortcut in flow.anywhere}
        self.fallbacks = {name: _fallback(field) for name, field in flow.data.items() if field.otherwise is not None}


def restore(source: bytes) -> Version:
    """The version whose `Version.source` this is."""
    return Version(msgspec.json.decode(source, type=Flow))


def _listing(ask: Ask) -> str:
    """The choices as they follow the question's text, a line each."""
    return "".join(f"\n{number}. {choice.label}" for number, choice in enumerate(ask.choices, 1))


def _values(sources: dict[str, str]) -> dict[str, Value]:
    return {name: compile_value(source) for name, source in sources.items()}


def _fallback(field: Field) -> Any:
    return int(field.otherwise or 0) if field.type == "integer" else field.otherwise
