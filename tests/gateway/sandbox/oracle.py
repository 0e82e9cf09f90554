"""The official client, pointed at the sandbox."""

from __future__ import annotations

import json
from typing import Any

from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from gateway.sandbox import Account


class Loopback(AsyncTwilioHttpClient):
    """Sends ``https://HOST/PATH`` to ``BASE/HOST/PATH``; remembers the last answer."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.status = 0
        self.text = ""
        self.headers: dict[str, str] = {}

    async def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        response = await super().request(method, url.replace("https://", f"{self.base}/", 1), *args, **kwargs)
        self.status, self.text, self.headers = response.status_code, response.text, response.headers or {}
        return response

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded


class Oracle:
    """A client of the account, and the last raw answer it got."""

    def __init__(self, base: str, account: Account, *, token: str | None = None) -> None:
        self.http = Loopback(base)
        self.client = Client(account.account_sid, token or account.auth_token, http_client=self.http)
        self.account = account

    @property
    def conversations(self) -> Any:
        return self.client.conversations.v1

    @property
    def chat(self) -> Any:
        return self.client.chat.v2.services(self.account.service_sid)

    @property
    def interactions(self) -> Any:
        return self.client.flex_api.v1.interaction

    @property
    def flex(self) -> Any:
        return self.client.flex_api.v1

    @property
    def addresses(self) -> Any:
        return self.client.conversations.v1.address_configurations

    @property
    def workspace(self) -> Any:
        return self.client.taskrouter.v1.workspaces(self.account.workspace_sid)

    async def call(
        self, method: str, url: str, form: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """A raw request with the account's credentials."""
        response = await self.client.request_async(method, url, data=form, headers=headers)
        return response.status_code, json.loads(response.text or "{}")

    async def webhook(self, url: str, *events: str, **more: str) -> dict[str, Any]:
        """An interaction webhook, made by a raw request: the client does not know them."""
        instances = f"https://flex-api.twilio.com/v1/Instances/{self.account.instance_sid}"
        form = {"WebhookUrl": url, "WebhookMethod": "POST", "WebhookEvents": list(events), **more}
        status, body = await self.call("POST", f"{instances}/InteractionWebhooks", form)
        assert status == 201, body
        return body

    async def delete(self, thing: Any, header: dict[str, str]) -> None:
        """Delete *thing* with the webhook header in *header*, which the client's own ``delete`` forgets to send."""
        headers = {name.replace("_", "-"): value for name, value in header.items()}
        status, _ = await self.call("DELETE", thing.url, headers=headers)
        assert status == 204

    async def close(self) -> None:
        await self.http.close()
