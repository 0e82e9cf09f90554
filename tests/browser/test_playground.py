"""The playground in a real browser: what a newcomer sees after the README's first command."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.processes.process import Process

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """Where `usher dev` serves its page."""
    process = Process("dev", "--port", "0", folder=tmp_path)
    await process.says("Ctrl-D")
    yield process.err.split("Open ")[1].split(" ")[0]
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0, process.err


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of a browser; what goes wrong in it fails the test."""
    if CHROMIUM is None:
        assert not os.environ.get("USHER_CI"), "chromium is not installed"
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = await browser.new_page()
        wrong: list[str] = []
        opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        yield opened
        await browser.close()
        assert wrong == []


async def write(page: Page, who: str, text: str) -> None:
    """Type *text* as the customer or the agent, and see it in the chat."""
    place = page.locator(f"#{who}")
    await place.get_by_label("Message of the").fill(text)
    await place.get_by_label("Message of the").press("Enter")
    await expect(place.locator(f"li.{who}").last).to_contain_text(text)


@pytest.mark.parametrize("generation", ["conversations", "chat"])
async def test_greeted_by_name_wrong_twice_a_person_and_the_end(url: str, page: Page, generation: str) -> None:
    customer, agent = page.locator("#customer"), page.locator("#agent")
    bot = customer.locator("li.bot")
    await page.goto(url)
    await page.get_by_label("Your name").fill("Žofie")
    await page.get_by_label("Twilio").select_option(generation)
    await page.get_by_text("Start the chat").click()

    await write(page, "customer", "Hello")
    await expect(bot.last).to_contain_text("Hi Žofie!")
    for wrong in ("banana", "<b>potato</b>"):
        said = await bot.count()
        await write(page, "customer", wrong)
        await expect(bot).to_have_count(said + 1)
    await expect(agent).to_contain_text("No task yet")

    await write(page, "customer", "a person please")
    await expect(agent).to_contain_text("The task is pending.")
    await expect(agent.locator("dd").filter(has_text="Žofie").first).to_be_visible()
    await page.get_by_text("Accept").click()
    await expect(agent).to_contain_text("The task is assigned.")

    said = await bot.count()
    for turn in range(3):
        await write(page, "agent", f"I am Ann {turn}")
        await expect(customer.locator("li.agent").last).to_contain_text(f"I am Ann {turn}")
        await write(page, "customer", f"مرحبا 🙂 {turn}")
    await expect(page.locator("#state")).to_contain_text("agent")
    await expect(bot).to_have_count(said)

    await page.get_by_text("End the chat").click()
    await expect(customer).to_contain_text("The chat is over.")
    await expect(page.locator("#state")).to_contain_text("closed")
    await expect(bot).to_have_count(said)


async def test_what_cannot_be_done_is_said(url: str, page: Page) -> None:
    await page.goto(url)
    answer = await page.request.post(f"{url}/conversations/CH{'0' * 32}/messages", data={"text": "x"})
    assert answer.status == 400
    assert "There is no conversation" in (await answer.json())["why"]
    answer = await page.request.post(f"{url}/conversations", data=[])
    assert (answer.status, await answer.json()) == (400, {"why": "Send a JSON object of texts."})
    answer = await page.request.post(f"{url}/conversations", form={"name": "x"})
    assert answer.status >= 400, "another site's page cannot post here"
