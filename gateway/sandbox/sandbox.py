"""The sandbox as a whole: one account of Twilio, served by one app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException

from gateway.sandbox import chat, conversations, flex, taskrouter, web_chats
from gateway.sandbox.account import Account, Switches
from gateway.sandbox.addresses import Addresses
from gateway.sandbox.agents import Agents
from gateway.sandbox.callback import Callback
from gateway.sandbox.clock import utc_now
from gateway.sandbox.contacts import Contacts
from gateway.sandbox.control import control_routes, refuse_route
from gateway.sandbox.desk import Desk, show_conversation, show_message, show_task
from gateway.sandbox.door import Door
from gateway.sandbox.errors import TwilioError, failure, not_found
from gateway.sandbox.faults import Faults
from gateway.sandbox.flex_channels import FlexChannels
from gateway.sandbox.flex_flows import FlexFlows
from gateway.sandbox.flow_channels import FlowChannels
from gateway.sandbox.interaction_webhooks import InteractionWebhooks
from gateway.sandbox.interactions import DOWNSTREAM_FAILED, Interactions
from gateway.sandbox.journal import Journal
from gateway.sandbox.life import Life
from gateway.sandbox.rest import mount, render_error
from gateway.sandbox.webhooks import Webhooks
from gateway.sandbox.work import Work
from gateway.sandbox.world import JSON, Generation, Media, Message, World

ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "sandbox"  # noqa: S105  (the sandbox's own, known to all)
SERVICE_SID = "IS" + "0" * 32
MESSAGING_SERVICE_SID = "MG" + "0" * 32
WORKSPACE_SID = "WS" + "0" * 32
WORKFLOW_SID = "WW" + "0" * 32
INSTANCE_SID = "GO" + "0" * 32


class SandboxApp(Quart):
    """A Quart app behind its door. What the door gives back reaches the server, which is how a connection is cut."""

    def __init__(self, journal: Journal, faults: Faults) -> None:
        super().__init__(__name__, static_folder=None)
        self._door = Door(self.asgi_app, journal, faults)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return await self._door(scope, receive, send)


class Sandbox:
    """Twilio on your own machine. Serve *app* with uvicorn; the methods are what customers and agents do.

    Methods that act return when it has happened; the webhooks go out by themselves, `settled` waits for them.
    All methods must be called in the event loop that serves the app.
    """

    def __init__(self, account: Account, *, switches: Switches, retries: int, now: Callable[[], datetime]) -> None:
        self.account = account
        self.world = World(account, switches, now)
        self.webhooks = Webhooks(self.world, retries=retries)
        self.journal = Journal()
        self.faults = Faults()
        life = Life(self.world, self.webhooks)
        work = Work(self.world, Callback(self.world, self.webhooks))
        interactions = Interactions(self.world, life, work, self.webhooks)
        contacts = Contacts(self.world, life)
        self.desk = Desk(self.world, life, contacts)
        self.agents = Agents(self.world, life, work, interactions, self.desk)
        self.app = self._make_app(life, work, interactions, contacts)

    async def create_conversation(
        self,
        *,
        generation: Generation = "conversations",
        identity: str | None = None,
        address: str | None = None,
        proxy_address: str | None = None,
        friendly_name: str | None = None,
        attributes: JSON | None = None,
        webhook_url: str | None = None,
        filters: Sequence[str] | None = None,
        service_sid: str | None = None,
    ) -> JSON:
        """A contact begins, as a web chat or an inbound text begins it; gives its ``sid``, ``service_sid``, …"""
        conversation = self.desk.create_conversation(
            generation=generation,
            identity=identity,
            address=address,
            proxy_address=proxy_address,
            friendly_name=friendly_name,
            attributes=attributes,
            webhook_url=webhook_url,
            filters=filters,
            service_sid=service_sid,
        )
        return show_conversation(conversation)

    async def customer_writes(
        self,
        sid: str,
        body: str | None,
        *,
        author: str | None = None,
        media: Sequence[Media] = (),
        attributes: JSON | None = None,
        source: str | None = None,
    ) -> JSON:
        """The customer (or *author*) writes; gives the message."""
        message = self.desk.customer_writes(sid, body, author=author, media=media, attributes=attributes, source=source)
        return show_message(message)

    async def inbound_message(self, from_: str, to: str, body: str | None, *, media: Sequence[Media] = ()) -> JSON:
        """A text from an address to one of the account's; gives the message and its ``conversation_sid``.

        It goes into the open conversation of the two, else into a new one, as the address configuration says.
        """
        conversation, message = self.desk.inbound_message(from_, to, body, media)
        return {**show_message(message), "conversation_sid": conversation.sid}

    async def close_conversation(self, sid: str) -> JSON:
        """The conversation is ended as an agent ends it, with its tasks."""
        return show_conversation(self.agents.close(sid))

    async def timer_fires(self, sid: str, state: str = "closed") -> JSON:
        """A timer moves the conversation to *state*."""
        return show_conversation(self.desk.timer_fires(sid, state))

    async def offer_task(self, task_sid: str, worker: str | None = None) -> JSON:
        """A waiting task is offered to an agent, who does not answer yet; gives the task."""
        return show_task(self.agents.offer(task_sid, worker))

    async def agent_accepts(self, task_sid: str, worker: str | None = None) -> JSON:
        """An agent takes a waiting task and joins; gives the task."""
        return show_task(self.agents.accept(task_sid, worker))

    async def agent_declines(self, task_sid: str, worker: str | None = None) -> JSON:
        """An agent rejects a waiting task, which waits again; one that only he could take is canceled."""
        return show_task(self.agents.decline(task_sid, worker))

    async def agent_ignores(self, task_sid: str, worker: str | None = None) -> JSON:
        """An agent lets the offer of a waiting task time out; it waits again."""
        return show_task(self.agents.ignore(task_sid, worker))

    async def agent_writes(self, task_sid: str, body: str) -> JSON:
        """The agent who has the task writes; gives the message."""
        return show_message(self.agents.write(task_sid, body))

    async def agent_wraps_up(self, task_sid: str) -> JSON:
        """The agent ends the talk and has notes to write; `agent_finishes` completes the task then."""
        return show_task(self.agents.wrap_up(task_sid))

    async def agent_finishes(self, task_sid: str, *, keep_open: bool = False) -> JSON:
        """The agent ends the task and the conversation, or with *keep_open* only his part; gives the task."""
        return show_task(self.agents.finish(task_sid, keep_open=keep_open))

    async def agent_leaves(self, task_sid: str) -> JSON:
        """The agent parks the conversation: it is inactive, the task completed. A chat cannot be left."""
        return show_task(self.agents.leave(task_sid))

    async def agent_transfers(self, task_sid: str, worker: str, *, accepts: bool = True) -> JSON:
        """The agent passes the customer on; gives the task of *worker*, who takes over at once or by `agent_accepts`.

        It is a new task of the interaction; without an interaction the same one, with another reservation.
        """
        return show_task(self.agents.transfer(task_sid, worker, accepts=accepts))

    async def task_times_out(self, task_sid: str) -> JSON:
        """Nobody takes the task and TaskRouter cancels it; the conversation stays open."""
        return show_task(self.agents.time_out(task_sid))

    async def cancel_task(self, task_sid: str, reason: str | None = None) -> JSON:
        """A supervisor cancels a waiting task; the conversation stays open."""
        return show_task(self.agents.cancel(task_sid, reason))

    async def fail_interaction(
        self, interaction_sid: str, *, code: int = DOWNSTREAM_FAILED[0], message: str = DOWNSTREAM_FAILED[1]
    ) -> None:
        """The channel of an interaction that was answered well fails; its tasks are canceled."""
        self.agents.fail_interaction(interaction_sid, code, message)

    def tasks(self) -> list[JSON]:
        """All tasks, oldest first."""
        return self.desk.tasks()

    def transcript(self, sid: str) -> JSON:
        """The whole conversation: state, messages, participants, webhooks, tasks."""
        return self.desk.transcript(sid)

    def listening(self, sid: str) -> AbstractContextManager[asyncio.Queue[Message]]:
        """``with sandbox.listening(sid) as queue:`` every message written meanwhile arrives in *queue*."""
        return self.desk.listening(sid)

    async def settled(self) -> None:
        """Wait until no webhook is under way."""
        await self.webhooks.settled()

    async def close(self) -> None:
        """Let go of held answers, deliveries under way and connections. A server does it at its end by itself."""
        self.faults.clear()
        await self.webhooks.close()

    def _make_app(self, life: Life, work: Work, interactions: Interactions, contacts: Contacts) -> Quart:
        app = SandboxApp(self.journal, self.faults)
        v1 = conversations.Conversations(self.world, life)
        for base in conversations.BASES:
            mount(app, self.account, conversations.HOST, base, v1.routes())
        mount(app, self.account, conversations.HOST, conversations.BASES[1], v1.service_routes())
        mount(app, self.account, conversations.HOST, conversations.BASES[0], Addresses(self.world).routes())
        mount(app, self.account, chat.HOST, chat.BASE, chat.Chat(self.world, life).routes())
        flow_channels = FlowChannels(self.world, life, work, contacts)
        for routes in (
            flex.Flex(self.world, interactions).routes(),
            InteractionWebhooks(self.world).routes(),
            FlexFlows(self.world).routes(),
            FlexChannels(self.world, flow_channels).routes(),
        ):
            mount(app, self.account, flex.HOST, flex.BASE, routes)
        mount(app, self.account, flex.HOST, web_chats.BASE, web_chats.WebChats(self.world, contacts).routes())
        mount(app, self.account, taskrouter.HOST, taskrouter.BASE, taskrouter.TaskRouter(self.world, work).routes())
        app.register_blueprint(
            control_routes(self.world, self.desk, self.agents, self.webhooks, self.journal, self.faults)
        )
        app.register_error_handler(TwilioError, _refuse)
        app.register_error_handler(HTTPException, _refuse_http)
        app.after_serving(self.close)
        return app


def create_sandbox(
    *,
    account_sid: str = ACCOUNT_SID,
    auth_token: str = AUTH_TOKEN,
    api_key: str | None = None,
    api_secret: str | None = None,
    service_sid: str = SERVICE_SID,
    messaging_service_sid: str = MESSAGING_SERVICE_SID,
    workspace_sid: str = WORKSPACE_SID,
    workflow_sid: str = WORKFLOW_SID,
    instance_sid: str = INSTANCE_SID,
    retries: int = 0,
    switches: Switches | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Sandbox:
    """An empty sandbox. ``https://HOST/PATH`` is served at ``/HOST/PATH``; URLs in answers are Twilio's own.

    *account_sid* with *auth_token*, and *api_key* with *api_secret*, are let in; the token signs the webhooks.
    *service_sid* is the default conversation service; *workspace_sid* the only workspace, *workflow_sid* where tasks
    go that name no workflow; *instance_sid* the Flex instance. A delivery that times out, or is answered 429, 503 or
    504, is repeated *retries* times, at once (a chat webhook's own ``RetryCount`` counts too). *now* tells the time,
    aware and UTC.
    """
    account = Account(
        account_sid=account_sid,
        auth_token=auth_token,
        api_key=api_key,
        api_secret=api_secret,
        service_sid=service_sid,
        messaging_service_sid=messaging_service_sid,
        workspace_sid=workspace_sid,
        workflow_sid=workflow_sid,
        instance_sid=instance_sid,
    )
    return Sandbox(account, switches=switches or Switches(), retries=retries, now=now)


async def _refuse(error: TwilioError) -> Response:
    return render_error(error)


async def _refuse_http(error: HTTPException) -> Response:
    """What Quart itself refuses: unknown paths and methods."""
    if request.path.startswith("/sandbox"):
        return refuse_route(error.code or 500)
    if error.code == 404:
        return render_error(not_found("/" + "/".join(request.path.split("/")[3:])))
    if error.code == 405:
        return render_error(TwilioError(405, 20004, "Method not allowed"))
    return render_error(failure(error.code or 500))
