"""The gateway: all rooms wired together, as one ASGI application that is ready when it is entered."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType

from quart import Quart

from bots.effects import Close, Effect, Fetch, HandOff, LookAround, LookUp, Say
from gateway.catching_up import CatchingUp
from gateway.ending import Ending
from gateway.flows import Flows
from gateway.handoff import Handoffs
from gateway.inbox import Inbox
from gateway.lookup import Lookup
from gateway.outbox import Outbox, Performer
from gateway.saying import Saying
from gateway.settings import Settings
from gateway.signature import Signatures
from gateway.store import Store, StoreUnavailable, open_store
from gateway.targets import Target, Targets
from gateway.twilio_api import Twilio, connect
from gateway.webhooks import CHAT_ROUTE, App, Webhooks

LEASE_IN_TIME_LIMITS = 3
SETTLING_IN_TIME_LIMITS = 0.4


class Gateway:
    """Enter it to open the database and begin; leave it to end what is under way and let go. *asgi* is the application.

    Raises `gateway.store.StoreUnavailable` on entering where the database cannot be reached.
    """

    asgi: App
    catching_up: CatchingUp
    store: Store

    def __init__(
        self,
        settings: Settings,
        flows: Flows,
        targets: Targets | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._settings = settings
        self._flows = flows
        self._targets = targets or Targets(default_target(settings))
        self._clock = clock or _utc_now

    async def __aenter__(self) -> Gateway:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack) -> None:
        settings, clock = self._settings, self._clock
        lease_s = settings.usher_time_limit * LEASE_IN_TIME_LIMITS
        self.store = store = open_store(settings.usher_database_url, worker=_worker(), lease_s=lease_s)
        await store.open()
        stack.push_async_callback(store.close)
        await self._flows.keep(store)
        twilio = _connect(settings)
        stack.push_async_callback(twilio.close)
        self._outbox = outbox = Outbox(store, clock, time_limit_s=settings.usher_time_limit, lease_s=lease_s)
        stack.push_async_callback(outbox.stop)
        inbox = Inbox(store, self._flows, outbox, clock)
        lookup = Lookup(twilio, inbox, clock, ours=settings.ours)
        webhook_url = settings.usher_public_url + CHAT_ROUTE
        handoffs = Handoffs(twilio, store, inbox, lookup, clock, targets=self._targets, webhook_url=webhook_url)
        saying = Saying(twilio, bot_name=settings.usher_bot_name)
        self.catching_up = catching_up = CatchingUp(
            twilio, store, inbox, clock, bot_name=settings.usher_bot_name, ours=settings.ours
        )
        settling_s = settings.usher_time_limit * SETTLING_IN_TIME_LIMITS
        ending = Ending(twilio, store, inbox, clock, settling_s=settling_s, ours=settings.ours)
        performers: dict[type[Effect], Performer] = {
            Say: saying.say,
            Close: saying.close,
            LookUp: lookup.perform,
            Fetch: catching_up.perform,
            LookAround: ending.perform,
            HandOff: handoffs.perform,
        }
        outbox.start(inbox, performers)
        self.asgi = Webhooks(
            _pages(store),
            inbox=inbox,
            catching_up=catching_up,
            flows=self._flows,
            signatures=Signatures(settings.usher_public_url, settings.tokens),
            account_sid=settings.twilio_account_sid,
            ours=settings.ours,
            key=settings.usher_webhook_key.get_secret_value(),
            clock=clock,
        )
        for running in (outbox.run(), catching_up.run()):
            stack.push_async_callback(_cancel, asyncio.create_task(running))

    async def idle(self) -> None:
        """Wait until no effect is under way or due."""
        await self._outbox.idle()


def default_target(settings: Settings) -> Target:
    """Where tasks go that no other target takes."""
    return Target(workflow=settings.flex_workflow_sid, task_channel=settings.flex_task_channel)


def _connect(settings: Settings) -> Twilio:
    username, password = settings.credentials
    return connect(
        account_sid=settings.twilio_account_sid,
        username=username,
        password=password,
        workspace=settings.flex_workspace_sid,
        base_url=settings.twilio_base_url or None,
        time_limit_s=settings.usher_time_limit,
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _pages(store: Store) -> Quart:
    """What Quart answers: everything but the webhooks."""
    app = Quart("gateway")

    @app.get("/livez")
    async def livez() -> tuple[str, int]:
        return "alive\n", 200

    @app.get("/readyz")
    async def readyz() -> tuple[str, int]:
        try:
            await store.load("readyz")
        except StoreUnavailable:
            return "the database cannot be reached\n", 503
        return "ready\n", 200

    return app


def _worker() -> str:
    """A name that no other process has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _utc_now() -> datetime:
    return datetime.now(UTC)
