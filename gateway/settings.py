"""What the operator sets: environment variables, read once, all problems told at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

SID = "it is {0} and 32 hexadecimal digits"


class SettingsError(Exception):
    """Settings are wrong. *problems* pairs each one's name with a sentence."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__(self.report("start"))

    def report(self, what: str) -> str:
        """The text for the operator: ``usher cannot WHAT, 2 settings are wrong: …``."""
        count = "1 setting is" if len(self.problems) == 1 else f"{len(self.problems)} settings are"
        width = max(len(name) for name, _ in self.problems)
        lines = [f"  {name:<{width}}  {sentence}" for name, sentence in self.problems]
        return "\n".join([f"usher cannot {what}, {count} wrong:", *lines])


def _sid(prefix: str) -> AfterValidator:
    def check(value: str) -> str:
        if value and not re.fullmatch(prefix + "[0-9a-fA-F]{32}", value):
            raise ValueError(f'is "{value}"; {SID.format(prefix)}')
        return value

    return AfterValidator(check)


def _url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment):
        raise ValueError(f'is "{value}"; give a URL such as https://bot.example.com, without "?" or "#"')
    return value.rstrip("/")


def _database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError(f'is "{value.split(":", 1)[0]}:…"; give sqlite:///FILE or postgresql://…')
    if value in {"sqlite:///", "sqlite:///:memory:"}:
        raise ValueError("names no file, and what is only in memory is lost; give sqlite:///usher.db")
    return value


Url = Annotated[str, AfterValidator(_url)]


class Settings(BaseSettings):
    """The environment, by the names of the design's surface in lower case.

    An empty string means *unset*. Times are seconds.
    """

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    twilio_account_sid: Annotated[str, _sid("AC")] = ""
    twilio_auth_token: SecretStr = SecretStr("")
    twilio_auth_token_secondary: SecretStr = SecretStr("")
    twilio_api_key: Annotated[str, _sid("SK")] = ""
    twilio_api_secret: SecretStr = SecretStr("")
    twilio_base_url: Url = ""
    flex_workspace_sid: Annotated[str, _sid("WS")] = ""
    flex_workflow_sid: Annotated[str, _sid("WW")] = ""
    flex_task_channel: str = "chat"
    usher_public_url: Url = ""
    usher_database_url: Annotated[str, AfterValidator(_database)] = "sqlite:///usher.db"
    usher_flows: Path = Path("flows")
    usher_default_flow: str = ""
    usher_bot_name: str = "Bot"
    usher_webhook_key: SecretStr = SecretStr("")
    usher_host: str = "127.0.0.1"
    usher_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    usher_time_limit: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How long a request to Twilio may take. A dead process's lease runs out after three times as long."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that sign webhooks; the second during a rotation."""
        both = (self.twilio_auth_token, self.twilio_auth_token_secondary)
        return tuple(token.get_secret_value() for token in both if token.get_secret_value())

    @property
    def credentials(self) -> tuple[str, str]:
        """User name and password for REST: the API key where there is one."""
        if self.twilio_api_key:
            return self.twilio_api_key, self.twilio_api_secret.get_secret_value()
        return self.twilio_account_sid, self.twilio_auth_token.get_secret_value()

    @property
    def ours(self) -> frozenset[str]:
        """Authors whose messages are the house's own."""
        # https://www.twilio.com/docs/conversations/api: the default author is `system`; `Concierge` is the web chat's
        return frozenset({self.usher_bot_name, "system", "Concierge"})


NEEDED_TO_SERVE = {
    "twilio_account_sid": "is missing; it is on the Twilio console's first page",
    "twilio_auth_token": "is missing; it is on the Twilio console's first page",
    "flex_workspace_sid": "is missing; it is in the console under TaskRouter, Workspaces",
    "usher_public_url": "is missing; it is the URL under which Twilio reaches this gateway, https://…",
}


def read_settings(overrides: Mapping[str, Any] | None = None, *, to_serve: bool = True) -> Settings:
    """The settings, from the environment and *overrides*. Raises `SettingsError` with all that is wrong.

    With *to_serve* what a gateway cannot do without must be there.
    """
    problems: list[tuple[str, str]] = []
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as invalid:
        wrong = {str(error["loc"][0]): error for error in invalid.errors()}
        problems += [(name.upper(), _sentence(error)) for name, error in wrong.items()]
        # What is wrong is known; what is missing is still to be found.
        settings = Settings.model_construct(**{**_environment(), **given, **dict.fromkeys(wrong, "given")})
    if to_serve:
        problems += [
            (name.upper(), sentence)
            for name, sentence in NEEDED_TO_SERVE.items()
            if not str(getattr(settings, name) or "")
        ]
        if settings.twilio_api_key and not str(settings.twilio_api_secret):
            problems.append(("TWILIO_API_SECRET", "is missing; it goes with TWILIO_API_KEY"))
    if problems:
        raise SettingsError(sorted(problems))
    return settings


def _environment() -> dict[str, str]:
    return {name: os.environ[name.upper()] for name in Settings.model_fields if os.environ.get(name.upper())}


def _sentence(error: Any) -> str:
    cause = error.get("ctx", {}).get("error")
    return str(cause) if cause else f"is wrong: {error['msg'].lower()}"
