"""Signatures: the reference's vectors, and the official validator as the judge of all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from gateway.signature import Signatures

FORM = {
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
HOST = "https://gateway.example.com"


@pytest.mark.parametrize(
    ("public_url", "path", "query", "form", "signature"),
    [
        (
            "https://example.com",
            "/myapp.php",
            "foo=1&bar=2",
            {
                "CallSid": "CA1234567890ABCDE",
                "Caller": "+14158675310",
                "Digits": "1234",
                "From": "+14158675310",
                "To": "+18005551212",
            },
            "L/OH5YylLD5NRKLltdqwSvS0BnU=",
        ),
        (HOST, "/twilio/conversations", "", FORM, "yqU1Va/5Um9YFsqtkiLYHLrzlMI="),
        (
            HOST,
            "/twilio/conversations",
            "",
            {**FORM, "Body": "žluťoučký 🙂  two"},
            "ss+/QgzqddBsEmhiYCBIf9kmFw0=",
        ),
        (HOST, "/twilio/conversations", "", {**FORM, "Body": ""}, "ro6tSdIqKWy52fEh6dX5u7i7OCk="),
        (HOST + ":443", "/twilio/conversations", "", FORM, "EhidOaqrgLQJQc+7EM9AtREE7fk="),
        (HOST, "/twilio/conversations", "", FORM, "EhidOaqrgLQJQc+7EM9AtREE7fk="),
        (HOST + "/twilio", "/conversations", "", FORM, "yqU1Va/5Um9YFsqtkiLYHLrzlMI="),
    ],
)
def test_vectors(public_url: str, path: str, query: str, form: dict[str, str], signature: str) -> None:
    signatures = Signatures(public_url, ["12345"])
    assert signatures.accepts(path, query, list(form.items()), signature=signature)
    assert not signatures.accepts(path, query, list(form.items()), signature=signature[:-2] + "A=")
    assert not signatures.accepts(path, query, [*form.items(), ("Extra", "")], signature=signature)
    assert not Signatures(public_url, ["other"]).accepts(path, query, list(form.items()), signature=signature)


def test_two_tokens_are_accepted_during_a_rotation() -> None:
    both = Signatures(HOST, ["new", "12345"])
    assert both.accepts("/twilio/conversations", "", list(FORM.items()), signature="yqU1Va/5Um9YFsqtkiLYHLrzlMI=")


def test_without_a_token_nothing_is_accepted() -> None:
    none = Signatures(HOST, [])
    assert not none.accepts("/twilio/conversations", "", list(FORM.items()), signature="yqU1Va/5Um9YFsqtkiLYHLrzlMI=")


def test_the_order_of_the_query_is_kept_as_it_came() -> None:
    signature = RequestValidator("12345").compute_signature(f"{HOST}/w?b=%20x&a=1", {"A": "1"})
    signatures = Signatures(HOST, ["12345"])
    assert signatures.accepts("/w", "b=%20x&a=1", [("A", "1")], signature=signature)
    assert not signatures.accepts("/w", "a=1&b=%20x", [("A", "1")], signature=signature)


@pytest.mark.parametrize("signature", ["é", "=" * 28, "x" * 5000, "\x00"])
def test_a_strange_signature_is_just_wrong(signature: str) -> None:
    assert not Signatures(HOST, ["12345"]).accepts("/w", "", [("A", "1")], signature=signature)


class _Repeats(dict[str, list[str]]):
    def getlist(self, name: str) -> list[str]:
        return self[name]


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
VALUES = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=3)


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.sampled_from(["", "flow=welcome", "a=1&a=2"]))
def test_it_agrees_with_the_official_client_on_any_form(form: dict[str, list[str]], query: str) -> None:
    """Repeated names included: the client takes each different value once, sorted."""
    url = f"{HOST}/w?{query}" if query else f"{HOST}/w"
    signature = RequestValidator("12345").compute_signature(url, _Repeats(form))
    pairs = [(name, value) for name, values in form.items() for value in values]
    assert Signatures(HOST, ["12345"]).accepts("/w", query, pairs, signature=signature)
    assert not Signatures(HOST, ["12345"]).accepts("/w", query + "x", pairs, signature=signature)
