from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.gateway.sandbox.oracle import Oracle


async def said(oracle: Oracle, count: int) -> str:
    made = await oracle.conversations.conversations.create_async()
    for n in range(count):
        await made.messages.create_async(author="Bot", body=str(n))
    return str(made.sid)


@pytest.mark.parametrize(("order", "expected"), [("asc", ["0", "1", "2", "3", "4"]), ("desc", list("43210"))])
async def test_the_client_walks_through_all_pages(oracle: Oracle, order: str, expected: list[str]) -> None:
    sid = await said(oracle, 5)
    messages = await oracle.conversations.conversations(sid).messages.list_async(order=order, page_size=2)
    assert [one.body for one in messages] == expected


async def test_a_page_has_its_meta(oracle: Oracle) -> None:
    sid = await said(oracle, 3)
    url = f"https://conversations.twilio.com/v1/Conversations/{sid}/Messages"
    _, first = await oracle.call("GET", f"{url}?PageSize=2&Order=desc")
    meta = first["meta"]
    assert (meta["page"], meta["page_size"], meta["key"], meta["previous_page_url"]) == (0, 2, "messages", None)
    assert meta["url"] == meta["first_page_url"] == f"{url}?Order=desc&PageSize=2&Page=0"
    link = urlsplit(meta["next_page_url"])
    assert link.hostname == "conversations.twilio.com"
    assert parse_qs(link.query)["Page"] == ["1"]
    _, second = await oracle.call("GET", meta["next_page_url"])
    assert [one["body"] for one in second["messages"]] == ["0"]
    assert second["meta"]["next_page_url"] is None
    _, back = await oracle.call("GET", second["meta"]["previous_page_url"])
    assert [one["body"] for one in back["messages"]] == ["2", "1"]


async def test_a_newcomer_does_not_shift_the_next_page(oracle: Oracle) -> None:
    """Newest first, a message comes while we turn the page: nothing is read twice."""
    sid = await said(oracle, 4)
    url = f"https://conversations.twilio.com/v1/Conversations/{sid}/Messages?PageSize=2&Order=desc"
    _, first = await oracle.call("GET", url)
    await oracle.conversations.conversations(sid).messages.create_async(body="new")
    _, second = await oracle.call("GET", first["meta"]["next_page_url"])
    assert [one["body"] for one in first["messages"] + second["messages"]] == ["3", "2", "1", "0"]


async def test_an_empty_list_is_one_page(oracle: Oracle) -> None:
    sid = await said(oracle, 0)
    assert await oracle.conversations.conversations(sid).messages.list_async() == []


async def test_no_page_is_larger_than_allowed(oracle: Oracle) -> None:
    sid = await said(oracle, 0)
    for path, most in (("Messages", 100), ("Webhooks", 5)):
        url = f"https://conversations.twilio.com/v1/Conversations/{sid}/{path}"
        _, listed = await oracle.call("GET", f"{url}?PageSize=1000")
        assert listed["meta"]["page_size"] == most


async def test_a_token_of_another_list_is_refused(oracle: Oracle) -> None:
    sid = await said(oracle, 1)
    url = f"https://conversations.twilio.com/v1/Conversations/{sid}/Messages?PageToken=PAIMother"
    status, body = await oracle.call("GET", url)
    assert (status, body["code"]) == (400, 20001)
