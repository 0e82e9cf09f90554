"""The profile: the gateway and the ceiling, each a process of its own, under the same load in the same rounds."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from tests.benchmarks import dialogue
from tests.benchmarks.load import Faults, Measured, Plan, Target

ROOT = Path(__file__).parents[2]
FLOWS = Path(__file__).parent / "flows"
CEILING = "ceiling"
GATEWAY = (sys.executable, "-c", "from gateway.cli import main; main()", "serve", "--port", "0")
START_S = 30.0


@dataclass(frozen=True)
class Summary:
    """One target over all rounds: medians, of *ratio* too; all *faults* together.

    *speed* is its messages a second over the ceiling's of the same round, *cost* its processor time for a message.
    """

    name: str
    rounds: int
    per_second: float
    slowest: float
    fastest: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    first_p50_ms: float
    rss_idle_mb: float
    rss_mb: float
    busy: float
    speed: float
    cost: float
    faults: Faults


COLUMNS: Mapping[str, Callable[[Summary], str]] = {
    "": lambda one: one.name,
    "msgs/s / ceiling": lambda one: f"{one.speed:.2f}",
    "CPU / ceiling": lambda one: f"{one.cost:.2f}",
    "msgs/s (min-max)": lambda one: f"{one.per_second:.0f} ({one.slowest:.0f}-{one.fastest:.0f})",
    "CPU us": lambda one: f"{one.cpu_us:.0f}",
    "reply p50 / p99 ms": lambda one: f"{one.p50_ms:.1f} / {one.p99_ms:.1f}",
    "first reply p50 ms": lambda one: f"{one.first_p50_ms:.1f}",
    "MB idle / end": lambda one: f"{one.rss_idle_mb:.0f} / {one.rss_mb:.0f}",
}


def run(databases: Mapping[str, str], plan: Plan) -> list[Summary]:
    """Measure a gateway on each of *databases* (name and URL) and the ceiling. *plan*'s targets are filled in here.

    Raises `RuntimeError` with the last lines of the log of a process that failed.
    """
    with tempfile.TemporaryDirectory(prefix="usher-benchmark-") as made, ExitStack() as stack:
        folder = Path(made)
        load = stack.enter_context(_process("load", (sys.executable, "-m", "tests.benchmarks.load"), folder, core=1))
        provider = json.loads(load.line())["provider"]
        targets = [_gateway(stack, folder, name, url, provider) for name, url in databases.items()]
        targets.append(_ceiling(stack, folder, provider))
        load.tell(json.dumps(asdict(replace(plan, targets=targets))))
        limit = plan.seconds + plan.warm_up + 2 * plan.patience + START_S
        measured = [[_measured(load.line(limit)) for _ in targets] for _ in range(plan.rounds)]
    return [_summary([one[n] for one in measured], [one[-1] for one in measured]) for n in range(len(targets))]


def table(summaries: Sequence[Summary]) -> str:
    """The figures, as a table in Markdown."""
    rows = [list(COLUMNS), ["---"] * len(COLUMNS)]
    rows += [[show(one) for show in COLUMNS.values()] for one in summaries]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _summary(rounds: Sequence[Measured], ceiling: Sequence[Measured]) -> Summary:
    def middle(of: Callable[[Measured], float]) -> float:
        return median(of(one) for one in rounds)

    pairs = list(zip(rounds, ceiling, strict=True))
    speeds = [one.per_second for one in rounds]
    return Summary(
        name=rounds[0].name,
        rounds=len(rounds),
        per_second=median(speeds),
        slowest=min(speeds),
        fastest=max(speeds),
        cpu_us=middle(lambda one: one.cpu_us),
        p50_ms=middle(lambda one: one.p50_ms),
        p99_ms=middle(lambda one: one.p99_ms),
        first_p50_ms=middle(lambda one: one.first_p50_ms),
        rss_idle_mb=rounds[0].rss_before_mb,
        rss_mb=rounds[-1].rss_mb,
        busy=middle(lambda one: one.busy),
        speed=median(one.per_second / top.per_second if top.messages else float("nan") for one, top in pairs),
        cost=median(one.cpu_us / top.cpu_us if top.cpu_s else float("nan") for one, top in pairs),
        faults=Faults(*map(sum, zip(*(asdict(one.faults).values() for one in rounds), strict=True))),
    )


def _measured(line: str) -> Measured:
    given = json.loads(line)
    return Measured(**{**given, "faults": Faults(**given["faults"])})


# Processes


class _Process:
    """A process whose lines are read with a limit."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log
        self._rest = b""
        self.pid = process.pid

    def line(self, limit_s: float = START_S) -> str:
        """The next line of its standard output."""
        assert self._process.stdout is not None
        ends = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, ends - time.monotonic())):
                    raise self.failed(f"said nothing for {limit_s:.0f} s")
                if not (more := os.read(self._process.stdout.fileno(), 65536)):
                    raise self.failed("ended")
                self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def logged(self, word: str, limit_s: float = START_S) -> str:
        """The first line of its log that has *word* in it."""
        ends = time.monotonic() + limit_s
        while time.monotonic() < ends and self._process.poll() is None:
            found = [line for line in self._log.read_text().splitlines(keepends=True) if word in line and "\n" in line]
            if found:
                return found[0]
            time.sleep(0.02)
        raise self.failed(f'did not write "{word}"')

    def tell(self, line: str) -> None:
        """Write *line* to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def failed(self, how: str) -> RuntimeError:
        tail = "\n".join(self._log.read_text().splitlines()[-20:])
        return RuntimeError(f"the process {self._name} {how}; the end of its log:\n{tail}")


@contextmanager
def _process(
    name: str, command: Sequence[str], folder: Path, *, core: int, environment: Mapping[str, str] | None = None
) -> Iterator[_Process]:
    log = folder / f"{name}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**_clean(os.environ), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    with process:
        try:
            _pin(process.pid, core)
            yield _Process(name, process, log)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _gateway(stack: ExitStack, folder: Path, name: str, database: str, provider: str) -> Target:
    environment = {
        "TWILIO_ACCOUNT_SID": dialogue.ACCOUNT,
        "TWILIO_AUTH_TOKEN": dialogue.TOKEN,
        "TWILIO_BASE_URL": provider,
        "FLEX_WORKSPACE_SID": dialogue.WORKSPACE,
        "FLEX_WORKFLOW_SID": dialogue.WORKFLOW,
        "USHER_PUBLIC_URL": dialogue.PUBLIC_URL,
        "USHER_DATABASE_URL": database or f"sqlite:///{folder / 'usher.db'}",
        "USHER_FLOWS": str(FLOWS),
        "USHER_BOT_NAME": dialogue.BOT,
    }
    process = stack.enter_context(_process(name, GATEWAY, folder, core=0, environment=environment))
    url = process.logged("usher listens on ").split()[3].rstrip(",")
    return Target(name, url, process.pid)


def _ceiling(stack: ExitStack, folder: Path, provider: str) -> Target:
    command = (sys.executable, "-m", "tests.benchmarks.ceiling", provider)
    process = stack.enter_context(_process(CEILING, command, folder, core=0))
    return Target(CEILING, process.line(), process.pid)


def _pin(pid: int, which: int) -> None:
    """Give the process a core of its own, where there are two and the system lets us."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[which]})


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings that are not the benchmark's."""
    return {name: value for name, value in environment.items() if not name.startswith(("USHER_", "TWILIO_", "FLEX_"))}
