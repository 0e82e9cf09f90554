"""What only the SQLite side has to prove: its disk can be full."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.store import Changes, Store, StoreUnavailable
from tests.gateway.store.conftest import opener, sqlite_url
from tests.gateway.store.turns import say

pytestmark = pytest.mark.promise(4)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "usher-test", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"only who may mount can have a full disk: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
async def store(small_disk: Path) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        yield await opener(stack, sqlite_url(small_disk))()


async def test_on_a_full_disk_an_event_is_acknowledged_or_has_not_happened(store: Store, small_disk: Path) -> None:
    """And with space again the store goes on by itself."""
    await say(store, "first")
    filler = small_disk / "filler"
    _fill(filler)

    outcomes = await asyncio.gather(*(say(store, f"m{n}", "x" * 5_000) for n in range(50)), return_exceptions=True)

    assert any(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    acknowledged = {f"m{n}" for n, outcome in enumerate(outcomes) if isinstance(outcome, Changes)}
    filler.unlink()
    assert {entry.event.key for entry in await store.journal("CH1")} == {"first", *acknowledged}
    again = await asyncio.gather(*(say(store, f"m{n}", "x") for n in range(50)))
    assert {f"m{n}" for n, changes in enumerate(again) if changes} == {f"m{n}" for n in range(50)} - acknowledged
    assert len(await store.effects("CH1")) == 51


async def test_a_store_cannot_be_opened_on_a_full_disk_and_says_so(small_disk: Path) -> None:
    _fill(small_disk / "filler")
    async with AsyncExitStack() as stack:
        open_another = opener(stack, sqlite_url(small_disk))
        with pytest.raises(StoreUnavailable, match="full"):
            await open_another()

        (small_disk / "filler").unlink()
        assert await say(await open_another(), "m1")


async def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(StoreUnavailable, match="unable to open database file"):
            await opener(stack, sqlite_url(tmp_path / "nowhere"))()


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
