"""How often we try again, and how long we wait between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from gateway.store import StoreUnavailable
from gateway.twilio_api.errors import NotTaken, OutcomeUnknown

T = TypeVar("T")

READ_LIMIT_S = 2.0
READS_LIMIT_S = 5.0
LONGEST_PAUSE_S = 60.0

_UNTIL_AVAILABLE = AsyncRetrying(
    wait=wait_random_exponential(multiplier=0.05, max=2), retry=retry_if_exception_type(StoreUnavailable)
)
_GROWING = wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE_S)


def reads() -> AsyncRetrying:
    """Three tries, for what only reads from Twilio; the last error is raised. Give them `READS_LIMIT_S` in all."""
    return AsyncRetrying(
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.1, max=1),
        retry=retry_if_exception_type((NotTaken, OutcomeUnknown, TimeoutError)),
        reraise=True,
    )


async def surely(call: Callable[[], Awaitable[T]]) -> T:
    """What *call* gives, called again for as long as the database cannot commit."""
    try:
        return await call()
    except StoreUnavailable:
        return await _UNTIL_AVAILABLE(call)


def pause_s(attempt: int, at_least: float | None) -> float:
    """Seconds to wait after try number *attempt* (from 1): growing, with jitter, not below *at_least*."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return max(_GROWING(state), at_least or 0.0)
