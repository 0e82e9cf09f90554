"""The outbox: performs committed effects, in order for each conversation, until each has ended.

An effect is leased to the process that wrote it. A process that dies loses its lease; whoever takes its effects over,
and whoever got no answer, looks whether Twilio has it before sending again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import structlog

from bots.effects import Effect, Read, effect_name
from bots.events import Closed, EffectFailed
from gateway.inbox import Inbox
from gateway.patience import pause_s, surely
from gateway.store import Changes, Ending, Leased, Store, StoreUnavailable
from gateway.twilio_api.errors import AlreadyClosed, NotTaken, OutcomeUnknown, Refused


@dataclass(frozen=True, slots=True)
class Done:
    """An effect was performed. *index* is a message's; *told*: the inbox has the answer, and ended it with that."""

    index: int | None = None
    told: bool = False


TOLD = Done(told=True)

Performer: TypeAlias = Callable[[Leased, bool], Awaitable[Done]]
"""Performs one effect; with ``True`` an earlier try may have had its effect, so it looks first.
Raises `gateway.twilio_api.errors.TwilioError`."""

TAKE_OVER_AT_ONCE = 100
STALE_S = 0.25
DEEDS = "deeds"
"""The lane of all effects that do more than read; each kind of read has one of its own."""


@dataclass
class _Item:
    """An effect in its lane. *look*: an earlier try may have had its effect. *behind_others*: another process may
    still have earlier ones. *lease* is the number of the lease under which it became ours."""

    leased: Leased
    look: bool
    behind_others: bool
    lease: int
    since: float = field(default_factory=time.monotonic)

    @property
    def is_stale(self) -> bool:
        """Whether it has waited so long that another process may have dropped it meanwhile."""
        return time.monotonic() - self.since > STALE_S

    @property
    def position(self) -> int:
        return self.leased.outgoing.position


@dataclass
class _Lane:
    """One conversation's deeds, or its reads of one kind, in order. *wake* ends a pause early."""

    items: deque[_Item] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Outbox:
    """Performs effects. *time_limit_s* is that of a request to Twilio, *lease_s* the store's lease."""

    def __init__(self, store: Store, clock: Callable[[], datetime], *, time_limit_s: float, lease_s: float) -> None:
        self._store = store
        self._clock = clock
        self._time_limit_s = time_limit_s
        self._lease_s = lease_s
        self._leased_until = 0.0
        self._lease = 0
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._stopping = False
        self._log = structlog.get_logger("outbox")

    def start(self, inbox: Inbox, performers: Mapping[type[Effect], Performer]) -> None:
        """Ready for effects. *inbox* is told of those that fail. The store's lease has just been taken."""
        self._inbox = inbox
        self._performers = performers
        self._leased_until = time.monotonic() + self._lease_s

    def put(self, changes: Changes) -> None:
        """Perform the effects of a commit, and forget those that it made stale."""
        conversation = changes.conversation
        if changes.drops_older:
            self._drop(conversation.id, conversation.epoch)
        for outgoing in changes.effects:
            if outgoing.epoch >= conversation.epoch:
                leased = Leased(conversation, outgoing, attempts=0)
                self._add(leased, look=False, behind_others=changes.others_pending)

    async def run(self) -> None:
        """Keep the lease, take over what dead processes left. Ends when cancelled."""
        while True:
            try:
                await self._keep_lease()
                for leased in await self._store.take_over(TAKE_OVER_AT_ONCE):
                    self._add(leased, look=True, behind_others=True)
            except StoreUnavailable as unavailable:
                self._log.warning("the lease cannot be kept", why=str(unavailable))
            # Whatever it is: without a lease nothing more would be sent, and nobody would notice.
            except Exception:
                self._log.exception("the lease cannot be kept: a bug")
            await asyncio.sleep(self._lease_s / 6)

    async def idle(self) -> None:
        """Wait until no effect is under way or due."""
        while tasks := [lane.task for lane in self._lanes.values() if lane.task]:
            await asyncio.wait(tasks)

    async def stop(self) -> None:
        """Begin nothing more; what is on the wire has its time limit to end. The rest stays for the next process."""
        self._stopping = True
        tasks = [lane.task for lane in self._lanes.values() if lane.task]
        for lane in self._lanes.values():
            lane.wake.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._time_limit_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # Lanes

    def _add(self, leased: Leased, *, look: bool, behind_others: bool) -> None:
        effect = leased.outgoing.effect
        reads = isinstance(effect, Read)
        where = (leased.conversation.id, effect_name(effect) if reads else DEEDS)
        item = _Item(leased, look=look, behind_others=behind_others and not reads, lease=self._lease)
        lane = self._lanes.get(where)
        if lane is None:
            lane = self._lanes[where] = _Lane()
            lane.task = asyncio.create_task(self._drain(where, lane))
        if any(other.leased.outgoing.id == leased.outgoing.id for other in lane.items):
            return
        lane.items.append(item)
        if len(lane.items) > 1 and lane.items[-2].position > item.position:
            lane.items = deque(sorted(lane.items, key=lambda one: one.position))

    def _drop(self, conversation_id: str, epoch: int) -> None:
        lane = self._lanes.get((conversation_id, DEEDS))
        if lane is not None:
            lane.items = deque(item for item in lane.items if item.leased.outgoing.epoch >= epoch)
            lane.wake.set()

    async def _drain(self, where: tuple[str, str], lane: _Lane) -> None:
        try:
            while lane.items and not self._stopping:
                item = lane.items[0]
                if await self._must_wait(item):
                    await self._pause(lane, self._time_limit_s / 5)
                elif lane.items and lane.items[0] is item:
                    await self._perform_or_give_up(lane.items.popleft(), lane)
        finally:
            del self._lanes[where]

    async def _perform_or_give_up(self, item: _Item, lane: _Lane) -> None:
        try:
            await self._perform(item, lane)
        # Its answer cannot be taken in, which is a mistake of ours; the conversation's other effects still can.
        except Exception:
            self._log.exception("effect given up: a bug", **_about(item.leased))

    async def _must_wait(self, item: _Item) -> bool:
        if not item.behind_others:
            return False
        place = item.leased.conversation.id, item.position
        item.behind_others = await surely(lambda: self._store.has_earlier(*place))
        return item.behind_others

    async def _pause(self, lane: _Lane, seconds: float) -> None:
        lane.wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await lane.wake.wait()
        except TimeoutError:
            return

    # One effect

    async def _perform(self, item: _Item, lane: _Lane) -> None:
        """Try until the effect has ended, or is not ours any more."""
        leased, tries, look = item.leased, item.leased.attempts, item.look
        while not self._stopping and await self._is_ours(item, doubtful=tries > 0 or look or item.is_stale):
            why: Exception
            try:
                done = await self._performers[type(leased.outgoing.effect)](leased, look)
            except NotTaken as failed:
                why, pause = failed, pause_s(tries + 1, failed.retry_after_s)
            except OutcomeUnknown as failed:
                why, pause, look = failed, pause_s(tries + 1, self._time_limit_s), True
            except Refused as refused:
                return await self._refused(leased, refused)
            except StoreUnavailable as failed:
                why, pause = failed, pause_s(tries + 1, None)
            # A mistake of ours in performing one effect must not hold up the rest, nor strand the customer.
            except Exception as bug:
                self._log.exception("effect not performed: a bug", **_about(leased))
                return await self._refused(leased, Refused(f"a bug: {type(bug).__name__}", code=0))
            else:
                return None if done.told else await self._finish(leased, "performed", index=done.index)
            tries += 1
            self._log.warning("effect not performed yet", **_about(leased), tries=tries, why=str(why), pause_s=pause)
            await self._note_attempt(leased.outgoing.id, str(why))
            await self._pause(lane, pause)
        return None

    async def _is_ours(self, item: _Item, *, doubtful: bool) -> bool:
        """Whether to go on. What we send must be over before our lease is, or its next holder could send it too."""
        while time.monotonic() > self._leased_until - self._time_limit_s:
            if self._stopping:
                return False
            doubtful = True
            await asyncio.sleep(self._time_limit_s / 10)
        if not doubtful and item.lease == self._lease:
            return True
        return await surely(lambda: self._store.is_pending(item.leased.outgoing.id))

    async def _refused(self, leased: Leased, refused: Refused) -> None:
        """Twilio will never take it: in the commit that ends the effect the flow goes the way that it has for this."""
        effect, name = leased.outgoing, effect_name(leased.outgoing.effect)
        self._log.error("effect refused", **_about(leased), why=str(refused))
        if isinstance(refused, AlreadyClosed):
            closed = Closed(key=f"{leased.conversation.id}:closed:{effect.id}", at=self._clock())
            await self._inbox.receive_surely(leased.conversation, closed)
            return await self._finish(leased, "refused", reason=str(refused))
        failed = EffectFailed(
            key=f"{effect.id}:failed", at=self._clock(), answers=effect.id, effect=name, reason=str(refused)
        )
        await self._inbox.receive_surely(leased.conversation, failed)
        return None

    async def _finish(self, leased: Leased, ending: Ending, *, reason: str = "", index: int | None = None) -> None:
        name = leased.outgoing.id
        await surely(lambda: self._store.finish(name, ending, reason=reason, message_index=index))

    async def _note_attempt(self, name: str, reason: str) -> None:
        await surely(lambda: self._store.note_attempt(name, reason))

    async def _keep_lease(self) -> None:
        asked = time.monotonic()
        if not await self._store.keep_lease():
            self._lease += 1
            self._log.warning("the lease had run out; another process may have taken our effects")
        self._leased_until = asked + self._lease_s


def _about(leased: Leased) -> dict[str, str]:
    return {
        "conversation": leased.conversation.id,
        "effect": leased.outgoing.id,
        "kind": effect_name(leased.outgoing.effect),
    }
