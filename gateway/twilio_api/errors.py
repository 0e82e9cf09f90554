"""What can go wrong with a request to Twilio, told apart by what may be done next.

TwilioError
├── NotTaken       it had no effect; the same request may be sent again
├── OutcomeUnknown it may have had its effect; look before you send again
└── Refused        it had no effect and never will
    └── AlreadyClosed  the conversation is closed for good
"""

from __future__ import annotations

import json

# https://www.twilio.com/docs/api/errors
CONVERSATION_IS_CLOSED = {50377, 45354}
# 401: the operator's to mend, by turning the credentials; the request itself is fine.
MAY_HEAL = {401, 408, 409, 423, 425}


class TwilioError(Exception):
    """A request to Twilio failed. The text names the HTTP status and Twilio's code, never what was sent."""


class NotTaken(TwilioError):
    """Twilio did not take the request. *retry_after_s* is how long it asks us to wait, ``None`` if it does not say."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(TwilioError):
    """Nobody knows whether Twilio took the request: no answer, or an error in the midst of its work."""


class Refused(TwilioError):
    """Twilio will not take this request, now or later. *code* is Twilio's."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class AlreadyClosed(Refused):
    """The conversation is closed, which is final."""


def error_of(status: int, body: str, *, retry_after_s: float | None) -> TwilioError:
    """What an answer of 400 or more means."""
    if status == 429:
        # https://www.twilio.com/docs/api/errors/20429: was not processed
        return NotTaken("Twilio asks for patience: HTTP 429", retry_after_s)
    if status >= 500:
        return OutcomeUnknown(f"Twilio is in trouble: HTTP {status}")
    code = _code(body) or status
    reason = f"HTTP {status}, Twilio's code {code} (https://www.twilio.com/docs/api/errors/{code})"
    if status in MAY_HEAL:
        return NotTaken(reason)
    return AlreadyClosed(reason, code) if code in CONVERSATION_IS_CLOSED else Refused(reason, code)


def _code(body: str) -> int | None:
    """Twilio's code, which stands in both forms of its error bodies under the same name."""
    try:
        return int(json.loads(body)["code"])
    except (ValueError, TypeError, KeyError):
        return None
