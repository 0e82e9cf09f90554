"""Problems: what is wrong in an author's files, where, and what to do about it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

Severity: TypeAlias = Literal["error", "warning"]
Where: TypeAlias = tuple[str, ...]
"""A path through a flow's keys, like ``("states", "ask_order", "goto")``."""


class Code(StrEnum):
    """What kind of problem it is. flows/README.md explains each with an example."""

    NOT_TEXT = "F001"
    TOO_BIG = "F002"
    EMPTY_FILE = "F003"
    MANY_DOCUMENTS = "F004"
    TAB = "F005"
    NEEDS_QUOTES = "F006"
    CUT_OFF = "F007"
    QUOTES = "F008"
    NOT_UNDERSTOOD = "F009"
    NOT_PLAIN_YAML = "F010"
    KEY_TWICE = "F011"
    UNKNOWN_STATE = "F012"
    UNKNOWN_KEY = "F013"
    LATER_KEY = "F014"
    MISSING_KEY = "F015"
    WRONG_SHAPE = "F016"
    EMPTY = "F017"
    NOT_ONE_KIND = "F018"
    NOT_ONE_WAY_ON = "F019"
    UNKNOWN_OUTCOME = "F020"
    MISSING_OUTCOME = "F021"
    BAD_NAME = "F022"
    OTHER_FILE_NAME = "F023"
    BAD_VALUE = "F024"
    UNKNOWN_DATA = "F025"
    BROKEN_TEXT = "F026"
    UNKNOWN_WORDS = "F027"
    BROKEN_PATTERN = "F028"
    HEARD_TWICE = "F029"
    ENDLESS = "F030"
    UNREACHABLE = "F031"
    UNUSED = "F032"
    NO_OTHERWISE = "F033"


WARNINGS = frozenset({Code.UNREACHABLE, Code.UNUSED})


class Span(NamedTuple):
    """A place in a file: *line* and *column* count from 1, *length* is in characters."""

    line: int
    column: int
    length: int = 1


Positions: TypeAlias = Mapping[Where, Span]
"""Where the value at each path stands in its file; for a value with keys of its own, where its key stands."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. *source* is the whole line at fault, *hint* the next step, both perhaps empty."""

    code: Code
    severity: Severity
    path: str
    line: int
    column: int
    length: int
    message: str
    hint: str = ""
    source: str = ""


class Page(msgspec.Struct, frozen=True):
    """A file as its author sees it: *path* and *lines* (at least one)."""

    path: str
    lines: tuple[str, ...]

    def problem(self, code: Code, span: Span, message: str, hint: str = "") -> Problem:
        """A problem at *span*, which is moved into the text where it lies outside."""
        line = min(max(span.line, 1), len(self.lines))
        source = self.lines[line - 1]
        column = min(max(span.column, 1), len(source) + 1) if line == span.line else len(source) + 1
        return Problem(
            code=code,
            severity="warning" if code in WARNINGS else "error",
            path=self.path,
            line=line,
            column=column,
            length=max(1, min(span.length, len(source) + 1 - column)),
            message=message,
            hint=hint,
            source=source,
        )


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether one of *problems* is more than a warning."""
    return any(problem.severity == "error" for problem in problems)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """*problems* file by file, from top to bottom."""
    return tuple(sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column, problem.code)))


def render(problems: Iterable[Problem], *, flows: int) -> str:
    """All *problems* with their lines, then a summary. *flows* counts the flows that were looked at."""
    ordered = in_order(problems)
    return "\n".join([*(render_problem(problem) for problem in ordered), render_summary(ordered, flows=flows)])


def render_problem(problem: Problem) -> str:
    """Place, code and message; the line with carets under the place; the hint."""
    warning = "warning: " if problem.severity == "warning" else ""
    head = f"{problem.path}:{problem.line}:{problem.column}  {problem.code}  {warning}{problem.message}"
    lines = [_visible(head), *_excerpt(problem)]
    if problem.hint:
        lines.append("      " + _visible(problem.hint))
    return "\n".join(lines)


def render_summary(problems: Sequence[Problem], *, flows: int) -> str:
    """The last line: ``2 problems in 1 file.`` or, when all is fine, ``1 flow, no problems.``"""
    if not problems:
        return f"{_count(flows, 'flow')}, no problems."
    warnings = sum(problem.severity == "warning" for problem in problems)
    errors = len(problems) - warnings
    counts = [_count(number, word) for number, word in ((errors, "problem"), (warnings, "warning")) if number]
    return f"{' and '.join(counts)} in {_count(len({problem.path for problem in problems}), 'file')}."


def to_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """*problems* in order, as plain data for programs to read."""
    return [msgspec.to_builtins(problem) for problem in in_order(problems)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "confirm"?`` or nothing, when no known word is near."""
    near = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def listed(words: Iterable[str], *, most: int = 8) -> str:
    """*words* with commas between them; of many, the first *most* and how many more there are."""
    every = list(words)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def hints(*sentences: str) -> str:
    """The sentences that say something, on one line."""
    return "  ".join(filter(None, sentences))


def shortened(text: str, *, most: int = 40) -> str:
    """*text* on one line, with its end cut off where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


_TAB = "    "
_WIDEST = 100
_BEFORE = 40


def _excerpt(problem: Problem) -> list[str]:
    """The line and, below it, the carets; of a long line only what is around the place."""
    if not problem.source.strip():
        return []
    start, end = problem.column - 1, problem.column - 1 + problem.length
    first = max(0, start - _BEFORE) if len(problem.source) > _WIDEST else 0
    last = min(len(problem.source), first + _WIDEST)
    left = "…" if first else ""
    shown = left + _expanded(problem.source[first:last]) + ("…" if last < len(problem.source) else "")
    pad = _width(left + _expanded(problem.source[first:start]))
    carets = "^" * max(1, _width(_expanded(problem.source[start : min(end, last)])))
    return [f"{problem.line:>5} |   {shown}".rstrip(), f"{'':>5} |   {' ' * pad}{carets}"]


def _expanded(text: str) -> str:
    return _visible(text.replace("\t", _TAB))


def _visible(text: str) -> str:
    """*text* without what would move the cursor or turn the direction of writing."""
    return "".join("\ufffd" if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return True
    return unicodedata.bidirectional(character) in _DIRECTION_MARKS or character in "\u061c\u200e\u200f"


_DIRECTION_MARKS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def _width(text: str) -> int:
    """How many columns of a terminal *text* takes."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
