"""How the store writes records, events, traces and effects: as JSON text, the same on both sides.

The columns are of type ``text``. PostgreSQL's ``jsonb`` refuses the character U+0000, which a customer's message may
hold, and parses what only we read; in JSON text the character is the six letters ``\\u0000``, which any column takes.
"""

from __future__ import annotations

import msgspec

from bots.conversation import Conversation
from bots.effects import Effect
from bots.events import Event
from bots.turn import Trace

_encoder = msgspec.json.Encoder()
_conversation = msgspec.json.Decoder(Conversation)
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_trace = msgspec.json.Decoder(Trace)
_effect: msgspec.json.Decoder[Effect] = msgspec.json.Decoder(Effect)

decode_conversation = _conversation.decode
decode_event = _event.decode
decode_trace = _trace.decode
decode_effect = _effect.decode


def encode(value: msgspec.Struct) -> str:
    """The JSON text of *value*."""
    return _encoder.encode(value).decode()


def kind_of(effect: Effect) -> str:
    """The name of an effect's kind, as it stands in its JSON text: ``say``, ``look_up``, …"""
    return str(effect.__struct_config__.tag)


def printable(reason: str) -> str:
    """*reason* without U+0000, which PostgreSQL takes in no text."""
    return reason.replace("\0", "\N{REPLACEMENT CHARACTER}")
