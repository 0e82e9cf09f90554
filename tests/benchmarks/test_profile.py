"""The profile in short: every reply right, none lost, and a message not much dearer than today."""

from __future__ import annotations

import pytest

from tests.benchmarks.load import Plan
from tests.benchmarks.profile import CEILING, run, table
from tests.postgres import empty_postgres

PLAN = Plan(targets=(), rounds=3, seconds=1.0, warm_up=0.5)
MOST = {"sqlite": 8.5, "postgres": 13.5}
"""Processor time for a message over the ceiling's: twice what README.md tells, for noise of the machine. Counts that
do not depend on the machine are guarded by `test_guard.py`."""


@pytest.mark.benchmark
@pytest.mark.process
async def test_a_gateway_on_sqlite_answers_rightly_at_its_price() -> None:
    _check("sqlite", "")


@pytest.mark.benchmark
@pytest.mark.process
@pytest.mark.postgres
async def test_a_gateway_on_postgresql_answers_rightly_at_its_price() -> None:
    async with empty_postgres() as url:
        _check("postgres", url)


def _check(name: str, database: str) -> None:
    summaries = run({name: database}, PLAN)
    gateway, ceiling = summaries
    assert (gateway.name, ceiling.name) == (name, CEILING)
    assert not gateway.faults, gateway
    assert not ceiling.faults, ceiling
    assert gateway.per_second > 0
    if not ceiling.cpu_us:
        pytest.skip("this system does not tell a process's time; replies were right")
    assert gateway.cost < MOST[name], table(summaries)
