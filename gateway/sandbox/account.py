"""The account that the sandbox plays: who it is, who may use it, and what Twilio leaves open."""

from __future__ import annotations

import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What Twilio's documentation leaves open: a gateway must live with both settings.

    *flex_joins_are_heard*, *flex_leaves_are_heard* and *flex_closes_are_heard*: whether Flex's own doings reach the
    webhooks of a conversation, then with *flex_source* and, for a state, *flex_reason*. *web_chats_are_heard*: whether
    the making of a web chat reaches the service's webhook. *interactions_on_chat_channels*: whether an Interaction
    takes the SID of a Programmable Chat channel. *canceled_task_frees_conversation*: whether a conversation whose
    interaction has no live task left may get another one.
    """

    interactions_on_chat_channels: bool = True
    canceled_task_frees_conversation: bool = True
    flex_joins_are_heard: bool = True
    flex_leaves_are_heard: bool = True
    flex_closes_are_heard: bool = True
    flex_source: str = "API"
    flex_reason: str = "EVENT"
    web_chats_are_heard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Credentials and SIDs. *service_sid* is the default conversation service and the only chat service at first."""

    account_sid: str
    auth_token: str
    api_key: str | None
    api_secret: str | None
    service_sid: str
    messaging_service_sid: str
    workspace_sid: str
    workflow_sid: str

    def knows(self, username: str | None, password: str | None) -> bool:
        """Whether HTTP Basic credentials are AccountSid:AuthToken or APIKey:Secret."""
        pairs = [(self.account_sid, self.auth_token), (self.api_key, self.api_secret)]
        return any(
            hmac.compare_digest(f"{username}\n{password}".encode(), f"{name}\n{secret}".encode())
            for name, secret in pairs
            if name and secret
        )
