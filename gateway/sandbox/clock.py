"""Dates as Twilio writes them, and durations as it reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def utc_now() -> datetime:
    """The time now; aware, UTC."""
    return datetime.now(UTC)


def rest_date(at: datetime) -> str:
    """As REST answers have it: ``2015-12-16T22:18:37Z``."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def webhook_date(at: datetime) -> str:
    """As webhooks have it, with milliseconds: ``2021-08-10T18:00:58.111Z``."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def parse_date(text: str) -> datetime | None:
    """An ISO 8601 date, aware, or ``None``."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def parse_duration(text: str) -> timedelta | None:
    """An ISO 8601 duration of days, hours, minutes and seconds (``PT10M``), or ``None``."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
