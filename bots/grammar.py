"""The words of the flow language, in tables. The loader reads by them; the JSON Schema is tested against them."""

from __future__ import annotations

from typing import Final

FORMAT: Final = "1"

FLOW_KEYS: Final = ("flow", "format", "language", "start", "trouble", "data", "states")
FLOW_NEEDS: Final = ("flow", "start", "states")
FLOW_LATER: Final = ("words", "every_question", "anywhere", "moved")

FIELD_KEYS: Final = ("type", "label", "otherwise", "from", "private")
FIELD_TYPES: Final = ("text", "object")
FIELD_TYPES_LATER: Final = ("email", "integer")
FIELD_SOURCES: Final = ("customer", "channel", "pre_engagement", "first_message")

KINDS: Final = ("ask", "say", "handoff")
KINDS_LATER: Final = ("call", "choose", "run")
STATE_KEYS: Final = {
    "ask": ("ask", "save_as", "goto", "end"),
    "say": ("say", "goto", "end"),
    "handoff": ("handoff", "attributes", "outcomes"),
}
STATE_LATER: Final = (
    *KINDS_LATER,
    *("any_reply", "choices", "clean", "must", "return", "set", "silence", "tries", "waiting", "with", "wrong"),
)

OUTCOMES: Final = ("failed", "ended", "out_of_hours", "waited_too_long", "cancelled")
OUTCOMES_NEEDED: Final = ("failed", "ended")

ENDS: Final = ("close", "start_over")

BUILT_IN_NAMES: Final = ("customer", "channel", "pre_engagement", "first_message")
TEXT_WORDS: Final = ("and", "else", "false", "if", "in", "is", "loop", "none", "not", "or", "self", "true")
