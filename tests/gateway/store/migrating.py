"""A process that migrates: ``migrating.py URL [half]``. With *half* it stops in the middle, for ever."""

import sys
import time

from alembic import op

from gateway.store.migrate import migrate

run = op.execute
ran: list[object] = []


def run_some_and_hang(statement: str) -> None:
    run(statement)
    ran.append(statement)
    if len(ran) == 3:
        print("half", flush=True)
        time.sleep(600)


if sys.argv[2:] == ["half"]:
    op.execute = run_some_and_hang  # type: ignore[assignment]  # a hook, for statements that are text
print("ready", flush=True)
sys.stdin.readline()
migrate(sys.argv[1])
print("done", flush=True)
