"""The dialogue of the benchmark: what a customer writes, what the bot must answer, and how Twilio tells of it."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

ACCOUNT = "AC" + "0a" * 16
SERVICE = "IS" + "0b" * 16
WORKSPACE = "WS" + "0c" * 16
WORKFLOW = "WW" + "0d" * 16
TOKEN = "f" * 32
PUBLIC_URL = "https://bot.example.com"
PATH = "/webhooks/conversations"
QUERY = "flow=order"
BOT = "Bot"

QUESTIONS = (
    "Hello, this is the workshop. What is your name?",
    "Thank you. What did you order?",
    "I see, {name}. On which day did you order {topic}?",
)
"""The texts of `flows/order.yaml`, as Python formats them."""


class Turn(NamedTuple):
    """A customer's message and the answer that is right."""

    text: str
    reply: str


def turns(conversation: str) -> tuple[Turn, ...]:
    """The dialogue of *conversation* (a SID): no other has the same third answer."""
    name, topic = f"Jana {conversation[2:14]}", f"bicycle {conversation[-12:]}"
    first, second, third = QUESTIONS
    return Turn("Hello, is anybody here?", first), Turn(name, second), Turn(topic, third.format(name=name, topic=topic))


def new_sid(prefix: str) -> str:
    """A SID that nothing else has."""
    return prefix + secrets.token_hex(16)


def author(conversation: str) -> str:
    """The chat identity of the customer in *conversation*."""
    return f"guest_{conversation[2:18]}"


def webhook(conversation: str, index: int, text: str) -> tuple[bytes, str]:
    """The form that tells of a customer's message, and its signature."""
    # https://www.twilio.com/docs/conversations/conversations-webhooks#onmessageadded
    fields = {
        "AccountSid": ACCOUNT,
        "Attributes": "{}",
        "Author": author(conversation),
        "Body": text,
        "ChatServiceSid": SERVICE,
        "ClientIdentity": author(conversation),
        "ConversationSid": conversation,
        "DateCreated": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "EventType": "onMessageAdded",
        "Index": str(index),
        "MessageSid": new_sid("IM"),
        "MessagingServiceSid": "MG" + "0e" * 16,
        "ParticipantSid": "MB" + conversation[2:],
        "RetryCount": "0",
        "RoleSid": "RL" + "0f" * 16,
        "Source": "SDK",
        "WebhookSid": "WH" + conversation[2:],
    }
    return urlencode(fields).encode(), sign(sorted(fields.items()))


def sign(fields: list[tuple[str, str]]) -> str:
    """The value of ``X-Twilio-Signature`` for *fields*, which are sorted."""
    # https://www.twilio.com/docs/usage/security#validating-requests
    signed = f"{PUBLIC_URL}{PATH}?{QUERY}" + "".join([name + value for name, value in fields])
    return base64.b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()
