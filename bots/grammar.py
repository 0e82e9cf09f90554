"""The words of the flow language, in tables. The loader reads by them; the JSON Schema is tested against them."""

from __future__ import annotations

from typing import Final

FORMAT: Final = "1"

FLOW_KEYS: Final = (
    "flow",
    "format",
    "language",
    "start",
    "trouble",
    "data",
    "words",
    "every_question",
    "anywhere",
    "states",
)
FLOW_NEEDS: Final = ("flow", "start", "states")
FLOW_LATER: Final = ("moved",)

FIELD_KEYS: Final = ("type", "label", "otherwise", "from", "private")
FIELD_TYPES: Final = ("text", "integer", "object")
FIELD_TYPES_LATER: Final = ("email",)
FIELD_SOURCES: Final = ("customer", "channel", "pre_engagement", "first_message")

EVERY_QUESTION_KEYS: Final = ("wrong", "tries")
EVERY_QUESTION_LATER: Final = ("silence",)
SHORTCUT_KEYS: Final = ("hears", "goto", "set")

KINDS: Final = ("ask", "say", "choose", "handoff")
KINDS_LATER: Final = ("call", "run")
STATE_KEYS: Final = {
    "ask": ("ask", "choices", "save_as", "clean", "must", "wrong", "tries", "goto", "end"),
    "say": ("say", "goto", "end"),
    "choose": ("choose",),
    "handoff": ("handoff", "attributes", "outcomes"),
}
STATE_LATER: Final = (
    *KINDS_LATER,
    *("any_reply", "return", "set", "silence", "waiting", "with"),
)
CHOICE_KEYS: Final = ("label", "goto", "value")
SCALE_KEYS: Final = ("from", "to")
MUST_KEYS: Final = ("match",)
TRIES_KEYS: Final = ("most", "goto")
CASE_KEYS: Final = ("when", "goto")
CLEANINGS: Final = ("trim", "remove_spaces", "lower", "upper", "digits")

OUTCOMES: Final = ("failed", "ended", "out_of_hours", "waited_too_long", "cancelled")
OUTCOMES_NEEDED: Final = ("failed", "ended")

ENDS: Final = ("close", "start_over")

BUILT_IN_NAMES: Final = ("customer", "channel", "pre_engagement", "first_message")
TEXT_WORDS: Final = ("and", "else", "false", "if", "in", "is", "loop", "none", "not", "or", "self", "true")
