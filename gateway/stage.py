"""The stage: the gateway and, in Twilio's place, the sandbox, in one process, for trying a bot without an account."""

from __future__ import annotations

import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

from pydantic import SecretStr

from gateway.app import Gateway, default_target
from gateway.flows import Flows, load_flows, load_targets
from gateway.sandbox import Sandbox, create_sandbox
from gateway.server import bind, listening
from gateway.settings import Settings
from gateway.targets import Targets

Generation: TypeAlias = Literal["chat", "conversations"]

ROUTES = {"chat": "/webhooks/flex-flow", "conversations": "/webhooks/conversations"}
FILTERS = {
    "chat": ["onMessageSent", "onMediaMessageSent", "onChannelUpdated"],
    "conversations": ["onMessageAdded", "onParticipantAdded", "onParticipantRemoved", "onConversationStateUpdated"],
}
CUSTOMER = "customer"


class Stage:
    """Enter it to raise the curtain. *folder* holds the flows; *flow* is the one to play, *generation* Twilio's."""

    gateway: Gateway

    def __init__(self, settings: Settings, folder: Path, *, flow: str, generation: Generation) -> None:
        self.sandbox: Sandbox = create_sandbox()
        self._settings = settings
        self._generation = generation
        account = self.sandbox.account
        stand_ins = {"FLEX_WORKSPACE_SID": account.workspace_sid, "FLEX_WORKFLOW_SID": account.workflow_sid}
        self.flows: Flows = load_flows(folder, flow)
        self._targets = load_targets(folder, default_target(settings), {**stand_ins, **os.environ})

    @property
    def bot_name(self) -> str:
        """Who signs the bot's messages."""
        return self._settings.usher_bot_name

    async def __aenter__(self) -> Stage:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.sandbox.close)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="usher-"))
            twilio_socket, twilio_url = bind("127.0.0.1", 0)
            own_socket, self._url = bind("127.0.0.1", 0)
            settings = self._for_sandbox(twilio_url, folder)
            targets = Targets(default_target(settings), self._targets.named)
            await stack.enter_async_context(listening(self.sandbox.app, twilio_socket))
            self.gateway = await stack.enter_async_context(Gateway(settings, self.flows, targets))
            await stack.enter_async_context(listening(self.gateway.asgi, own_socket))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def begin(self, *, name: str, question: str = "", generation: str = "") -> str:
        """A customer called *name* fills in the web chat's form; gives the conversation's SID."""
        chosen: Generation = "chat" if (generation or self._generation) == "chat" else "conversations"
        form = {"friendlyName": name, "question": question}
        conversation = await self.sandbox.create_conversation(
            generation=chosen,
            identity=CUSTOMER,
            friendly_name=name,
            attributes={"pre_engagement_data": {key: value for key, value in form.items() if value}},
            webhook_url=self._url + ROUTES[chosen],
            filters=FILTERS[chosen],
        )
        return str(conversation["sid"])

    async def settle(self) -> None:
        """Wait until nothing more comes of what was done."""
        await self.sandbox.settled()
        await self.gateway.idle()

    def _for_sandbox(self, twilio_url: str, folder: str) -> Settings:
        """The settings with the sandbox as the account, and a database that goes when we do."""
        account = self.sandbox.account
        return self._settings.model_copy(
            update={
                "twilio_account_sid": account.account_sid,
                "twilio_auth_token": SecretStr(account.auth_token),
                "twilio_api_key": "",
                "twilio_base_url": twilio_url,
                "flex_workspace_sid": account.workspace_sid,
                "flex_workflow_sid": account.workflow_sid,
                "usher_public_url": self._url,
                "usher_database_url": f"sqlite:///{folder}/usher.db",
            }
        )
