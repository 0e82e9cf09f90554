"""The account that the sandbox plays: who it is, who may use it, and what Twilio leaves open."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What Twilio's documentation leaves open: a gateway must live with both settings.

    *flex_joins_are_heard*, *flex_leaves_are_heard* and *flex_closes_are_heard*: whether Flex's own doings reach the
    webhooks of a conversation, then with *flex_source* and, for a state, *flex_reason*. *web_chats_are_heard*: whether
    the making of a web chat reaches the service's webhook. *interactions_on_chat_channels*: whether an Interaction
    takes the SID of a Programmable Chat channel. *canceled_task_frees_conversation*: whether a conversation whose
    interaction has no live task left may get another one.

    *interactions_fail_later*: an Interaction is answered well and fails then. *interaction_status*: what a good one is
    answered. *initiated_by_in_any_case*: ``Customer`` is ``customer``. *routing_type_is_needed*: an Interaction's
    routing must say ``TaskRouter``. *interaction_webhooks_are_signed*, and *instance_field*, the name in them of the
    Flex instance. *wrap_up_closes*: a conversation ends when its agent goes into wrap-up, not when the task is
    completed (a chat always does, as recorded).

    *task_event_time*: how a task event's ``Timestamp`` is written. *empty_events_filter_means_all*: a workspace whose
    filter is empty tells every event. *flex_flow_filters*: of the webhook that a Flex Flow puts on its channels.
    *long_lived_ends_inactive*: an ended long-lived channel is INACTIVE as others are.

    *deliveries_carry_tokens*: webhooks have an idempotency token. *webhook_type_in_conversations*: scoped deliveries
    of Conversations have a ``WebhookType`` too. *media_names*: ``Sid``, ``MediaSid`` or ``sid`` in a message's media.
    """

    interactions_on_chat_channels: bool = True
    canceled_task_frees_conversation: bool = True
    flex_joins_are_heard: bool = True
    flex_leaves_are_heard: bool = True
    flex_closes_are_heard: bool = True
    flex_source: str = "API"
    flex_reason: str = "EVENT"
    web_chats_are_heard: bool = False
    interactions_fail_later: bool = False
    interaction_status: Literal[200, 201] = 201
    initiated_by_in_any_case: bool = False
    routing_type_is_needed: bool = False
    interaction_webhooks_are_signed: bool = True
    instance_field: Literal["InstanceSid", "FlexInstanceSid"] = "InstanceSid"
    wrap_up_closes: bool = True
    task_event_time: Literal["epoch", "iso"] = "epoch"
    empty_events_filter_means_all: bool = True
    flex_flow_filters: tuple[str, ...] = ("onMessageSent",)
    long_lived_ends_inactive: bool = True
    deliveries_carry_tokens: bool = True
    webhook_type_in_conversations: bool = False
    media_names: Literal["Sid", "MediaSid", "sid"] = "Sid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Credentials and SIDs. *service_sid* is the default conversation service and the only chat service at first.

    *instance_sid* is the Flex instance, a ``GO…``.
    """

    account_sid: str
    auth_token: str
    api_key: str | None
    api_secret: str | None
    service_sid: str
    messaging_service_sid: str
    workspace_sid: str
    workflow_sid: str
    instance_sid: str = "GO" + "0" * 32

    def knows(self, username: str | None, password: str | None) -> bool:
        """Whether HTTP Basic credentials are AccountSid:AuthToken or APIKey:Secret."""
        pairs = [(self.account_sid, self.auth_token), (self.api_key, self.api_secret)]
        return any(
            hmac.compare_digest(f"{username}\n{password}".encode(), f"{name}\n{secret}".encode())
            for name, secret in pairs
            if name and secret
        )
