"""`python -m tests.benchmarks`: measure the gateway against the ceiling and print a table.

Ends with 1 when a message was lost, refused or answered wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict

import pytest

from tests.benchmarks.load import Plan
from tests.benchmarks.profile import CEILING, Summary, run, table
from tests.postgres import empty_postgres

DATABASES = ("sqlite", "postgres")


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    plan = Plan(targets=())
    for name, kind, text in (
        ("rounds", int, "how often each target is measured"),
        ("users", int, "how many customers talk at once"),
        ("seconds", float, "how long a round of one target lasts"),
    ):
        default = kind(os.environ.get(f"USHER_BENCHMARK_{name.upper()}") or getattr(plan, name))
        help_ = f"{text}  [env: USHER_BENCHMARK_{name.upper()}; default {default}]"
        parser.add_argument(f"--{name}", type=kind, default=default, help=help_)
    parser.add_argument("--database", choices=DATABASES, action="append", help="only this one; may be repeated")
    given = parser.parse_args()
    plan = Plan(targets=(), rounds=given.rounds, users=given.users, seconds=given.seconds)
    summaries = asyncio.run(_measure(given.database or DATABASES, plan))
    print(table(summaries))
    print(_last_line(summaries, plan))
    return 1 if any(one.faults for one in summaries) else 0


async def _measure(wanted: list[str] | tuple[str, ...], plan: Plan) -> list[Summary]:
    async with AsyncExitStack() as stack:
        databases = {"sqlite": ""} if "sqlite" in wanted else {}
        if "postgres" in wanted:
            try:
                databases["postgres"] = await stack.enter_async_context(empty_postgres())
            except pytest.skip.Exception as skipped:
                print(f"without PostgreSQL: {skipped}", file=sys.stderr)
        return await asyncio.to_thread(run, databases, plan)


def _last_line(summaries: list[Summary], plan: Plan) -> str:
    ratios = ", ".join(f"{one.name} {one.speed:.2f}" for one in summaries if one.name != CEILING)
    faults = {name: sum(asdict(one.faults)[name] for one in summaries) for name in asdict(summaries[0].faults)}
    busy = max(one.busy for one in summaries)
    counted = ", ".join(f"{count} {name}" for name, count in faults.items())
    return (
        f"{plan.users} users, {plan.rounds} rounds of {plan.seconds:g} s: msgs/s / ceiling {ratios}; {counted}; "
        f"the load used {busy:.0%} of its core at most"
    )


if __name__ == "__main__":
    sys.exit(main())
