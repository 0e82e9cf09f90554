from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from gateway.sandbox.signature import sign

TOKEN = "12345"
MESSAGE = {
    "EventType": "onMessageAdded",
    "Attributes": "{}",
    "DateCreated": "2021-08-10T18:00:58.111Z",
    "Index": "35",
    "MessageSid": "IM8d613ccb9016450fa29faecfaa7bb6f4",
    "AccountSid": "AC" + "a" * 32,
    "Source": "SDK",
    "ClientIdentity": "dave",
    "RetryCount": "0",
    "Author": "dave",
    "ParticipantSid": "MBc58b06998c564765bbff41cfd3a03219",
    "Body": "two",
    "ConversationSid": "CH6c25138e952448e3b27ef8164097a1c7",
}
CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675310",
    "Digits": "1234",
    "From": "+14158675310",
    "To": "+18005551212",
}
GATEWAY = "https://gateway.example.com/twilio/conversations"


@pytest.mark.parametrize(
    ("url", "form", "signature"),
    [
        ("https://example.com/myapp.php?foo=1&bar=2", CALL, "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        (GATEWAY, MESSAGE, "yqU1Va/5Um9YFsqtkiLYHLrzlMI="),
        (GATEWAY, {**MESSAGE, "Body": "žluťoučký 🙂  two"}, "ss+/QgzqddBsEmhiYCBIf9kmFw0="),
        (GATEWAY, {**MESSAGE, "Body": ""}, "ro6tSdIqKWy52fEh6dX5u7i7OCk="),
        (GATEWAY.replace(".com", ".com:443"), MESSAGE, "EhidOaqrgLQJQc+7EM9AtREE7fk="),
    ],
)
def test_known_vectors(url: str, form: dict[str, str], signature: str) -> None:
    assert sign(TOKEN, url, form.items()) == signature


@given(form=st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=6), query=st.sampled_from(["", "?a=1"]))
def test_the_official_validator_accepts_every_form(form: dict[str, str], query: str) -> None:
    signature = sign(TOKEN, GATEWAY + query, form.items())
    assert RequestValidator(TOKEN).validate(GATEWAY + query, form, signature)


def test_neither_the_fragment_nor_credentials_are_signed() -> None:
    plain = sign(TOKEN, "https://example.com/hook?flow=a", MESSAGE.items())
    assert sign(TOKEN, "https://ann:secret@example.com/hook?flow=a#rc=2", MESSAGE.items()) == plain
