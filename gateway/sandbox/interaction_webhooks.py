"""Who wants to hear of interactions: https://flex-api.twilio.com/v1/Instances/{GO}/InteractionWebhooks.

https://www.twilio.com/docs/flex/developer/conversations/register-interactions-webhooks
"""

from __future__ import annotations

import secrets

from gateway.sandbox.errors import invalid, not_found
from gateway.sandbox.forms import Form
from gateway.sandbox.paging import page
from gateway.sandbox.rest import Answer, Call, Route
from gateway.sandbox.world import JSON, InteractionWebhook, World

EVENTS = (
    "onInteractionCreated", "onChannelCreated", "onChannelCreateFailed", "onChannelStatusUpdated",
    "onParticipantJoined", "onParticipantLeft", "onParticipantUpdated",
)  # fmt: skip
TYPES = ("global", "interaction")
METHODS = ("GET", "POST")
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


class InteractionWebhooks:
    """The API of the interaction webhooks, for the account's one Flex instance."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """What is served under Flex's ``v1``."""
        all_of_them = "/Instances/<instance>/InteractionWebhooks"
        return [
            Route("GET", all_of_them, self.list_webhooks),
            Route("POST", all_of_them, self.create_webhook),
            Route("GET", f"{all_of_them}/<ttid>", self.fetch_webhook),
            Route("POST", f"{all_of_them}/<ttid>", self.update_webhook),
            Route("DELETE", f"{all_of_them}/<ttid>", self.delete_webhook),
        ]

    def list_webhooks(self, call: Call) -> Answer:
        self._check_instance(call)
        hooks = list(self._world.interaction_webhooks.values())
        return Answer(200, page(call.url, call.query, "data", hooks, lambda one: self._show(call, one)))

    def create_webhook(self, call: Call) -> Answer:
        self._check_instance(call)
        form = call.form
        form.required("WebhookUrl")
        hook = InteractionWebhook(
            sid="flex_interactionwebhook_" + "".join(secrets.choice(_LETTERS) for _ in range(26)),
            type=form.one_of("Type", TYPES) or "global",
            url=form.url("WebhookUrl") or "",
            method=form.one_of("WebhookMethod", METHODS) or "POST",
            events=_events(form),
        )
        if not hook.events:
            raise invalid("Missing required parameter WebhookEvents in the post body")
        self._world.interaction_webhooks[hook.sid] = hook
        return Answer(201, self._show(call, hook))

    def fetch_webhook(self, call: Call) -> Answer:
        return Answer(200, self._show(call, self._found(call)))

    def update_webhook(self, call: Call) -> Answer:
        hook, form = self._found(call), call.form
        events, method = _events(form), form.one_of("WebhookMethod", METHODS)
        kind, url = form.one_of("Type", TYPES), form.url("WebhookUrl")
        hook.events, hook.method = events or hook.events, method or hook.method
        hook.type, hook.url = kind or hook.type, url or hook.url
        return Answer(200, self._show(call, hook))

    def delete_webhook(self, call: Call) -> Answer:
        del self._world.interaction_webhooks[self._found(call).sid]
        return Answer(204)

    def _check_instance(self, call: Call) -> None:
        if call.args["instance"] != self._world.account.instance_sid:
            raise not_found(call.resource)

    def _found(self, call: Call) -> InteractionWebhook:
        self._check_instance(call)
        found = self._world.interaction_webhooks.get(call.args["ttid"])
        if found is None:
            raise not_found(call.resource)
        return found

    def _show(self, call: Call, hook: InteractionWebhook) -> JSON:
        instance = self._world.account.instance_sid
        return {
            "ttid": hook.sid,
            "account_sid": self._world.account.account_sid,
            "instance_sid": instance,
            "type": hook.type,
            "webhook_url": hook.url,
            "webhook_method": hook.method,
            "webhook_events": hook.events,
            "url": f"{call.base}/Instances/{instance}/InteractionWebhooks/{hook.sid}",
        }


def _events(form: Form) -> list[str]:
    events = form.all("WebhookEvents")
    strange = next((one for one in events if one not in EVENTS), None)
    if strange is not None:
        raise invalid(f"Parameter WebhookEvents has '{strange}'; the events are {', '.join(EVENTS)}")
    return events
