"""The load cannot lie: each way in which a server may misbehave is counted as a fault."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from gateway.server import bind, listening
from tests.benchmarks import dialogue
from tests.benchmarks.ceiling import Ceiling
from tests.benchmarks.load import Load, Measured, Plan, Target

PLAN = Plan(targets=(), users=2, seconds=0.1, warm_up=0.02, patience=0.1)


class Changed(Ceiling):
    async def _say(self, conversation: str, text: str, **how: str) -> None:
        await super()._say(conversation, text.replace("order", "buy"), **how)


class MixedUp(Ceiling):
    """Tells one customer what another said."""

    _last = ""

    async def _say(self, conversation: str, text: str, **how: str) -> None:
        if text.startswith("I see"):
            text, self._last = self._last or text, text
        await super()._say(conversation, text, **how)


class ByAnother(Ceiling):
    async def _say(self, conversation: str, text: str, **how: str) -> None:
        await super()._say(conversation, text, author="Concierge")


class Mute(Ceiling):
    async def _say(self, conversation: str, text: str, **how: str) -> None:
        return


class Twice(Ceiling):
    async def _say(self, conversation: str, text: str, **how: str) -> None:
        await super()._say(conversation, text, **how)
        await super()._say(conversation, text, **how)


class Elsewhere(Ceiling):
    async def _say(self, conversation: str, text: str, **how: str) -> None:
        await super()._say(dialogue.new_sid("CH"), text, **how)


class Failing(Ceiling):
    """Replies, but does not say 2xx."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def spoilt(message: dict[str, Any]) -> None:
            await send({**message, "status": 500} if "status" in message else message)

        await super().__call__(scope, receive, spoilt)


class Curious(Ceiling):
    """Asks what the stub of Twilio cannot answer."""

    async def _say(self, conversation: str, text: str, **how: str) -> None:
        await super()._say(conversation, text, **how)
        async with aiohttp.ClientSession() as session, session.get(f"{self._base}{conversation}/Webhooks") as answer:
            await answer.read()


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (Changed, "wrong"),
        (MixedUp, "wrong"),
        (ByAnother, "wrong"),
        (Mute, "lost"),
        (Twice, "unexpected"),
        (Elsewhere, "unexpected"),
        (Elsewhere, "lost"),
        (Failing, "refused"),
        (Curious, "unknown"),
    ],
)
async def test_a_server_that_misbehaves_is_caught(kind: type[Ceiling], fault: str) -> None:
    measured = await _drive(kind)
    assert asdict(measured.faults)[fault] > 0, measured


async def test_a_good_server_has_no_faults_and_as_many_replies_as_messages() -> None:
    measured = await _drive(Ceiling)
    assert not measured.faults
    assert 0 < measured.messages <= measured.requests["POST message"]
    assert 0 < measured.p50_ms <= measured.p99_ms < 1000


async def test_messages_to_nobody_are_refused() -> None:
    taken, url = bind("127.0.0.1", 0)
    taken.close()
    load = Load()
    server = await load.start()
    measured = await load.drive(Target("nobody", url), PLAN)
    server.close()
    assert measured.messages == 0
    assert measured.faults.refused > 0


def test_a_webhook_is_signed_as_twilio_does() -> None:
    """The official client accepts it, and nothing else in its place."""
    body, signature = dialogue.webhook(dialogue.new_sid("CH"), 0, "Hello, is anybody here?")
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    url = f"{dialogue.PUBLIC_URL}{dialogue.PATH}?{dialogue.QUERY}"
    validator = RequestValidator(dialogue.TOKEN)
    assert len(fields) == 17
    assert validator.validate(url, fields, signature)
    assert not validator.validate(url, {**fields, "Body": "Bye"}, signature)


async def _drive(kind: type[Ceiling]) -> Measured:
    load = Load()
    server = await load.start()
    app = kind(load.provider.url)
    taken, url = bind("127.0.0.1", 0)
    async with listening(app, taken):
        measured = await load.drive(Target(kind.__name__, url), PLAN)
    await app.close()
    server.close()
    return measured
