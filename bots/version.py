"""A version: a flow compiled once, known by the hash of its source, on which dialogues stay pinned."""

from __future__ import annotations

import hashlib

import msgspec

from bots.flow import Flow, HandOff
from bots.machine import FlowMachine
from bots.texts import Text, Value, compile_text, compile_value


class Version:
    """A flow, ready to run. *hash* names it, *source* is what `restore` makes it from again."""

    def __init__(self, flow: Flow) -> None:
        """Compile *flow*, which has passed the checks. Raises `BrokenText` where a text cannot be compiled."""
        self.flow = flow
        self.source = msgspec.json.encode(flow)
        self.hash = hashlib.sha256(self.source).hexdigest()[:32]
        self.machine = FlowMachine(flow)
        self.texts: dict[str, Text] = {}
        self.attributes: dict[str, dict[str, Value]] = {}
        for name, state in flow.states.items():
            if isinstance(state, HandOff):
                self.attributes[name] = {key: compile_value(source) for key, source in state.attributes.items()}
            else:
                self.texts[name] = compile_text(state.text)
        self.fallbacks = {name: field.otherwise for name, field in flow.data.items() if field.otherwise is not None}


def restore(source: bytes) -> Version:
    """The version whose `Version.source` this is."""
    return Version(msgspec.json.decode(source, type=Flow))
