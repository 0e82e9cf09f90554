"""What the gateway's tests stand on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.house import House, house


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that lives in a house belongs to the slower tier."""
    for item in items:
        if "home" in getattr(item, "fixturenames", ()):
            item.add_marker("loopback")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """A house with a bot that greets, asks one thing and hands over."""
    async with house(tmp_path) as built:
        yield built
