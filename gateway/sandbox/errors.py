"""Errors as Twilio answers them: an HTTP status and a body with a code."""

from __future__ import annotations

from typing import Any


class TwilioError(Exception):
    """A request that Twilio refuses. *status* is HTTP's, *code* is Twilio's."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def unauthorized() -> TwilioError:
    """The credentials are missing or wrong."""
    return TwilioError(401, 20003, "Authenticate")


def not_found(resource: str) -> TwilioError:
    """There is no such resource; *resource* is its path behind the version, ``/Conversations/CH…``."""
    return TwilioError(404, 20404, f"The requested resource {resource} was not found")


def invalid(sentence: str) -> TwilioError:
    """A parameter is missing or wrong."""
    return TwilioError(400, 20001, sentence)


def refused(code: int, sentence: str, *, status: int = 400) -> TwilioError:
    """A rule of the product says no; *code* names the rule."""
    return TwilioError(status, code, sentence)


def failure(status: int) -> TwilioError:
    """The error that a whole product answers with *status*, whatever was asked."""
    codes = {401: 20003, 403: 20403, 404: 20404, 409: 20409, 412: 20412, 429: 20429, 500: 20500, 503: 20503}
    messages = {401: "Authenticate", 429: "Too many requests", 503: "Service unavailable", 500: "Internal server error"}
    return TwilioError(status, codes.get(status, status), messages.get(status, f"Status {status}"))
