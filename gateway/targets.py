"""Targets: where a handoff's task goes. `targets.yaml` names them; a name that it does not know is the default one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

from bots import nodes
from bots.problems import Code, Page, Problem, Span, did_you_mean, hints, listed

Via: TypeAlias = Literal["interactions", "task"]
T = TypeVar("T")

KEYS = ("workflow", "queue", "channel", "priority", "timeout", "via", "attributes")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# https://www.twilio.com/docs/taskrouter/api/task
LONGEST_TIMEOUT_S = 1_209_600
SIDS = {"workflow": "WW", "queue": "WQ"}


@dataclass(frozen=True)
class Target:
    """A workflow (``WW…``; empty: the workspace's only one) or a *queue* (``WQ…``), and how its tasks are made.

    *task_channel* is a unique name. *priority* and *timeout_s* are TaskRouter's; ``None``: Twilio's defaults. *via*
    ``task`` makes a plain task for a channel of Programmable Chat. *attributes* stand in every task of the target.
    """

    workflow: str
    task_channel: str
    queue: str = ""
    priority: int | None = None
    timeout_s: int | None = None
    via: Via = "interactions"
    attributes: Mapping[str, str] = field(default_factory=dict)

    def routing(self) -> dict[str, Any]:
        """The routing properties of an interaction, but for the workspace and the attributes."""
        # https://www.twilio.com/docs/flex/developer/conversations/interactions-api/interactions#routing
        routing = {
            "workflow_sid": None if self.queue else self.workflow or None,
            "queue_sid": self.queue or None,
            "task_channel_unique_name": self.task_channel,
            "priority": self.priority,
            "timeout": self.timeout_s,
        }
        return {name: value for name, value in routing.items() if value is not None}


def read_targets(
    text: str | bytes, *, path: str, default: Target, environment: Mapping[str, str]
) -> tuple[dict[str, Target], tuple[Problem, ...]]:
    """The targets in *text*, by name, and all problems with them.

    What a target does not say it takes from *default*. ``${NAME}`` is read from *environment*.
    """
    reading = nodes.read_nodes(text, path=path)
    reader = _Reader(reading.page, environment)
    reader.problems += reading.problems
    targets = {entry.key.text: reader.target(entry, default) for entry in reader.entries(reading.root, "targets")}
    return targets, tuple(reader.problems)


@dataclass(frozen=True)
class Targets:
    """All targets. *default* takes what no other does."""

    default: Target
    named: Mapping[str, Target] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Target:
        """The target of that name; one that no file names is the default one."""
        return self.named.get(name, self.default)


class _Reader:
    """Reads one file; what is wrong gathers in *problems*, and reading goes on."""

    def __init__(self, page: Page, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._page = page
        self._environment = environment

    def target(self, entry: nodes.Entry, default: Target) -> Target:
        target = default
        readers: dict[str, Callable[[Target, nodes.Entry], Target]] = {
            "workflow": lambda known, one: replace(known, workflow=self._sid(one)),
            "queue": lambda known, one: replace(known, queue=self._sid(one)),
            "channel": lambda known, one: replace(known, task_channel=self._text(one, known.task_channel)),
            "priority": lambda known, one: replace(known, priority=self._number(one)),
            "timeout": lambda known, one: replace(known, timeout_s=self._seconds(one)),
            "via": lambda known, one: replace(known, via=self._via(one)),
            "attributes": lambda known, one: replace(known, attributes=self._attributes(one)),
        }
        for one in self.entries(entry.value, f'target "{entry.key.text}"'):
            reader = readers.get(one.key.text)
            if reader is None:
                self._unknown_key(one.key)
            else:
                target = reader(target, one)
        return target

    def entries(self, node: nodes.Node | None, what: str) -> tuple[nodes.Entry, ...]:
        if node is None or isinstance(node, nodes.Mapping):
            return node.entries if node else ()
        self._problem(Code.WRONG_SHAPE, node.span, f"{what} must be names with values below them", "")
        return ()

    def _text(self, entry: nodes.Entry, otherwise: str) -> str:
        if not isinstance(entry.value, nodes.Scalar):
            self._problem(Code.WRONG_SHAPE, entry.value.span, f'"{entry.key.text}" must be a text', "")
            return otherwise
        return re.sub(r"\$\{(\w+)\}", lambda found: self._variable(found[1], entry.value.span), entry.value.text)

    def _variable(self, name: str, span: Span) -> str:
        value = self._environment.get(name)
        if value is None:
            self._problem(
                Code.BAD_VALUE, span, f"{name} is not set in the environment", f"set {name}, or write the value"
            )
        return value or ""

    def _sid(self, entry: nodes.Entry) -> str:
        name, value = entry.key.text, self._text(entry, "")
        if value and not re.fullmatch(SIDS[name] + "[0-9a-fA-F]{32}", value):
            message = f'{name} is "{value}", which is no SID of a {name}'
            self._problem(Code.BAD_VALUE, entry.value.span, message, f"give {SIDS[name]} and 32 hexadecimal digits")
        return value

    def _number(self, entry: nodes.Entry) -> int | None:
        value = self._text(entry, "")
        if value.isascii() and value.isdecimal() and len(value) < 10:
            return int(value)
        self._problem(Code.BAD_VALUE, entry.value.span, f'{entry.key.text} is "{value}", not a whole number', "")
        return None

    def _seconds(self, entry: nodes.Entry) -> int | None:
        value = self._text(entry, "")
        found = re.fullmatch(r"([0-9]{1,7})(s|m|h|d)", value)
        seconds = int(found[1]) * UNITS_S[found[2]] if found else 0
        if 0 < seconds <= LONGEST_TIMEOUT_S:
            return seconds
        self._problem(
            Code.BAD_VALUE, entry.value.span, f'timeout is "{value}"', "write 30s, 20m, 1h or 2d; 14d is the most"
        )
        return None

    def _via(self, entry: nodes.Entry) -> Via:
        value = self._text(entry, "")
        if value == "task":
            return "task"
        if value != "interactions":
            self._problem(Code.BAD_VALUE, entry.value.span, f'via is "{value}"', "it can be: interactions, task")
        return "interactions"

    def _attributes(self, entry: nodes.Entry) -> dict[str, str]:
        return {one.key.text: self._text(one, "") for one in self.entries(entry.value, "attributes")}

    def _unknown_key(self, key: nodes.Scalar) -> None:
        hint = hints(did_you_mean(key.text, KEYS), f"keys of a target: {listed(KEYS)}")
        self._problem(Code.UNKNOWN_KEY, key.span, f'a target has no key "{key.text}"', hint)

    def _problem(self, code: Code, span: Span, message: str, hint: str) -> None:
        self.problems.append(self._page.problem(code, span, message, hint))
