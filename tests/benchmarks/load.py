"""The load: virtual users in a closed loop, who check every answer, and the stub of Twilio that they hear it from.

`python -m tests.benchmarks.load` is a process of its own. It prints ``{"provider": URL}``, reads a `Plan` as one line
of JSON, and prints one line of JSON, a `Measured`, for each target of each round.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import httptools
import uvloop

from tests.benchmarks.dialogue import BOT, PATH, PUBLIC_URL, QUERY, Turn, new_sid, turns, webhook
from tests.benchmarks.provider import Arrived, Provider

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """A server under load: its *name* in the table, where it listens, and its process (0: not known)."""

    name: str
    url: str
    pid: int = 0


@dataclass(frozen=True)
class Plan:
    """*users* talk to each target in turn, *rounds* times, for *seconds* after a *warm_up*.

    A message that has no answer or no reply after *patience* seconds is lost.
    """

    targets: Sequence[Target]
    rounds: int = 5
    users: int = 32
    seconds: float = 2.0
    warm_up: float = 0.5
    patience: float = 5.0


@dataclass
class Faults:
    """What went wrong with messages; all must be 0, of warm-up too."""

    wrong: int = 0
    """The reply was another text than the dialogue's, or signed by another."""
    lost: int = 0
    """There was no HTTP answer, or no reply."""
    refused: int = 0
    """The HTTP answer was not 2xx, or the connection broke."""
    unexpected: int = 0
    """A second reply to one message, or a message into a conversation that is not ours."""
    unknown: int = 0
    """A request that the stub of Twilio has no answer for."""

    def __bool__(self) -> bool:
        return any(asdict(self).values())


@dataclass(frozen=True)
class Measured:
    """One target in one round. Latencies are milliseconds from the webhook sent to the reply arrived.

    *busy* is the load's own share of its core: near 1 it is the load that was measured. *requests* counts the calls
    of Twilio's REST API by kind.
    """

    name: str
    messages: int
    seconds: float
    cpu_s: float
    rss_before_mb: float
    rss_mb: float
    busy: float
    p50_ms: float
    p99_ms: float
    first_p50_ms: float
    faults: Faults
    requests: Mapping[str, int]

    @property
    def per_second(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the target's process for a message."""
        return self.cpu_s / max(self.messages, 1) * 1e6


class Load:
    """The users of one process. `start` it, give *provider*'s URL to the targets, then `drive` them one by one."""

    provider: Provider

    def __init__(self) -> None:
        self._patience = 0.0
        self._talks: dict[str, _Talk] = {}
        self._faults = Faults()
        self._samples: list[_Sample] = []
        self.provider = Provider(self._hear)

    async def start(self) -> asyncio.Server:
        """Begin to play Twilio."""
        return await self.provider.start()

    async def drive(self, target: Target, plan: Plan) -> Measured:
        """Let the plan's users talk to *target* for one round."""
        rss_before_mb = _used(target.pid)[1]
        self._patience = plan.patience
        self._talks, self._faults, self._samples = {}, Faults(), []
        self.provider.unknown, self.provider.answered = 0, {}
        ends = time.perf_counter() + plan.warm_up + plan.seconds
        talking = [asyncio.create_task(self._talk_until(ends, target.url)) for _ in range(plan.users)]
        await asyncio.sleep(plan.warm_up)
        before = _Clocks.read(target.pid)
        await asyncio.sleep(plan.seconds)
        after = _Clocks.read(target.pid)
        await asyncio.gather(*talking)
        self._faults.unknown = self.provider.unknown
        return self._measured(target, rss_before_mb, before, after)

    def _hear(self, arrived: Arrived) -> int:
        """The stub has a message: is it the reply that a user waits for?"""
        talk = self._talks.get(arrived.conversation)
        if talk is None or talk.reply.done():
            self._faults.unexpected += 1
            return talk.next_index() if talk else 0
        self._faults.wrong += arrived.text != talk.expected or arrived.author != BOT
        talk.reply.set_result(time.perf_counter())
        return talk.next_index()

    async def _talk_until(self, ends: float, url: str) -> None:
        client = _Client(url)
        while time.perf_counter() < ends:
            conversation = new_sid("CH")
            talk = self._talks[conversation] = _Talk()
            for n, turn in enumerate(turns(conversation)):
                if time.perf_counter() >= ends or not await self._take(client, conversation, talk, turn, n):
                    break
        client.close()

    async def _take(self, client: _Client, conversation: str, talk: _Talk, turn: Turn, n: int) -> bool:
        """One message and its reply. False: the dialogue cannot go on."""
        talk.expected, talk.reply = turn.reply, asyncio.get_running_loop().create_future()
        body, signature = webhook(conversation, talk.next_index(), turn.text)
        sent = time.perf_counter()
        try:
            async with asyncio.timeout(self._patience):
                status = await client.post(body, signature)
                if not 200 <= status < 300:
                    self._faults.refused += 1
                    return False
                replied = await talk.reply
        except TimeoutError:
            self._faults.lost += 1
            client.close()
            return False
        self._samples.append(_Sample(ended=time.perf_counter(), latency=replied - sent, is_first=n == 0))
        return True

    def _measured(self, target: Target, rss_before_mb: float, before: _Clocks, after: _Clocks) -> Measured:
        counted = [one for one in self._samples if before.at <= one.ended < after.at]
        latencies = [one.latency for one in counted]
        return Measured(
            name=target.name,
            messages=len(counted),
            seconds=after.at - before.at,
            cpu_s=after.theirs - before.theirs,
            rss_before_mb=rss_before_mb,
            rss_mb=after.rss_mb,
            busy=(after.own - before.own) / (after.at - before.at),
            p50_ms=_quantile(latencies, 0.5) * 1e3,
            p99_ms=_quantile(latencies, 0.99) * 1e3,
            first_p50_ms=_quantile([one.latency for one in counted if one.is_first], 0.5) * 1e3,
            faults=self._faults,
            requests=dict(self.provider.answered),
        )


@dataclass(slots=True)
class _Talk:
    """A conversation as Twilio sees it: messages of both sides take indexes."""

    index: int = 0
    expected: str = ""
    reply: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def next_index(self) -> int:
        self.index += 1
        return self.index - 1


@dataclass(frozen=True, slots=True)
class _Sample:
    ended: float
    latency: float
    is_first: bool


@dataclass(frozen=True)
class _Clocks:
    """The time, and what two processes have used of it so far, in seconds."""

    at: float
    own: float
    theirs: float
    rss_mb: float

    @staticmethod
    def read(pid: int) -> _Clocks:
        theirs, rss_mb = _used(pid)
        return _Clocks(at=time.perf_counter(), own=time.process_time(), theirs=theirs, rss_mb=rss_mb)


class _Client:
    """One user's connection to the target, kept alive."""

    def __init__(self, url: str) -> None:
        self._host, _, port = url.removeprefix("http://").rpartition(":")
        self._port = int(port)
        self._line: _Line | None = None

    async def post(self, body: bytes, signature: str) -> int:
        """Send a webhook; gives the answer's status, 0 where the connection broke."""
        if self._line is None or self._line.is_broken:
            loop = asyncio.get_running_loop()
            try:
                _, self._line = await loop.create_connection(_Line, self._host, self._port)
            except OSError:
                return 0
        # https://www.twilio.com/docs/usage/webhooks/webhooks-overview: what Twilio sends along
        head = (
            f"POST {PATH}?{QUERY} HTTP/1.1\r\nHost: {PUBLIC_URL.removeprefix('https://')}\r\n"
            f"User-Agent: TwilioProxy/1.1\r\nAccept: */*\r\nX-Twilio-Signature: {signature}\r\n"
            f"I-Twilio-Idempotency-Token: {body[-32:].decode()}\r\n"
            f"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return await self._line.send(head.encode() + body)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class _Line(asyncio.Protocol):
    """A connection: one request, one answer, and again."""

    def __init__(self) -> None:
        self.is_broken = False
        self._status: asyncio.Future[int] | None = None

    def send(self, request: bytes) -> asyncio.Future[int]:
        self._status = asyncio.get_running_loop().create_future()
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport.write(request)
        return self._status

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not say so themselves

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._answer(self._parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        self.is_broken = True
        self._answer(0)

    def _answer(self, status: int) -> None:
        if self._status is not None and not self._status.done():
            self._status.set_result(status)


def _used(pid: int) -> tuple[float, float]:
    """Seconds that the process *pid* has used of its core, and its memory in megabytes; zeros where nobody tells."""
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: 14 utime, 15 stime, 24 rss
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _quantile(values: Sequence[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)] if values else float("nan")


async def _serve() -> None:
    load = Load()
    server = await load.start()
    _print({"provider": load.provider.url})
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if not line:
        return
    given = json.loads(line)
    plan = Plan(**{**given, "targets": [Target(**one) for one in given["targets"]]})
    for _ in range(plan.rounds):
        for target in plan.targets:
            _print(asdict(await load.drive(target, plan)))
    server.close()


def _print(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
