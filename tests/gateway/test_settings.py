"""Settings: all that is wrong is told at once, and secrets are never shown."""

import pytest

from gateway.settings import Settings, SettingsError, read_settings

GOOD = {
    "TWILIO_ACCOUNT_SID": "AC" + "a" * 32,
    "TWILIO_AUTH_TOKEN": "secret-token",
    "FLEX_WORKSPACE_SID": "WS" + "b" * 32,
    "USHER_PUBLIC_URL": "https://bot.example.com/",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment with what is needed, and nothing else of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = read_settings()
    assert settings.usher_database_url == "sqlite:///usher.db"
    assert (settings.usher_host, settings.usher_port) == ("127.0.0.1", 8080)
    assert settings.usher_public_url == "https://bot.example.com"
    assert settings.credentials == ("AC" + "a" * 32, "secret-token")
    assert settings.tokens == ("secret-token",)
    assert settings.ours == {"Bot", "system", "Concierge"}


def test_all_that_is_missing_is_told_at_once(environment: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        environment.delenv(name)
    with pytest.raises(SettingsError) as wrong:
        read_settings()
    assert wrong.value.report("start") == (
        "usher cannot start, 4 settings are wrong:\n"
        "  FLEX_WORKSPACE_SID  is missing; it is in the console under TaskRouter, Workspaces\n"
        "  TWILIO_ACCOUNT_SID  is missing; it is on the Twilio console's first page\n"
        "  TWILIO_AUTH_TOKEN   is missing; it is on the Twilio console's first page\n"
        "  USHER_PUBLIC_URL    is missing; it is the URL under which Twilio reaches this gateway, https://…"
    )


def test_what_is_wrong_and_what_is_missing_are_told_together(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("TWILIO_AUTH_TOKEN")
    environment.setenv("TWILIO_ACCOUNT_SID", "SK123")
    environment.setenv("USHER_DATABASE_URL", "mysql://me:hidden@db/usher")
    environment.setenv("USHER_PORT", "eighty")
    environment.setenv("USHER_PUBLIC_URL", "bot.example.com")
    with pytest.raises(SettingsError) as wrong:
        read_settings()
    assert wrong.value.report("start") == (
        "usher cannot start, 5 settings are wrong:\n"
        '  TWILIO_ACCOUNT_SID  is "SK123"; it is AC and 32 hexadecimal digits\n'
        "  TWILIO_AUTH_TOKEN   is missing; it is on the Twilio console's first page\n"
        '  USHER_DATABASE_URL  is "mysql:…"; give sqlite:///FILE or postgresql://…\n'
        "  USHER_PORT          is wrong: input should be a valid integer, unable to parse string as an integer\n"
        '  USHER_PUBLIC_URL    is "bot.example.com"; give a URL such as https://bot.example.com, without "?" or "#"'
    )


def test_an_api_key_needs_its_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TWILIO_API_KEY", "SK" + "c" * 32)
    with pytest.raises(SettingsError, match="TWILIO_API_SECRET  is missing"):
        read_settings()
    environment.setenv("TWILIO_API_SECRET", "other-secret")
    assert read_settings().credentials == ("SK" + "c" * 32, "other-secret")
    assert read_settings().tokens == ("secret-token",), "the key does not sign webhooks"


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TWILIO_API_SECRET", "other-secret")
    assert "secret-token" not in repr(read_settings())
    assert "other-secret" not in str(read_settings())


def test_without_serving_nothing_is_needed(environment: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        environment.delenv(name)
    assert read_settings(to_serve=False).twilio_account_sid == ""


def test_an_option_wins_over_the_environment_and_nothing_leaves_it(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_PORT", "9000")
    assert read_settings({"usher_port": 7000, "usher_host": None}).usher_port == 7000
    assert read_settings({"usher_port": None}).usher_port == 9000


def test_an_empty_value_is_no_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_BOT_NAME", "")
    assert read_settings().usher_bot_name == "Bot"
