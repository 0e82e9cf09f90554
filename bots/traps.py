"""What authors get wrong in YAML, in their own words, and how reading goes on all the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from bots.problems import Code, Problem, Span, hints, shortened
from bots.source import Place, Source


class Seen(NamedTuple):
    """The last scalar before a fault; *quote* is empty, ``'`` or ``"``."""

    start: Place
    end: Place
    quote: str


class Fault(NamedTuple):
    """What the parser stumbled over: its own words, *at* a place, in something that began at *since*.

    *depth* counts the braces and brackets that are open, *seen* is the last scalar before.
    """

    words: str
    at: Place
    since: Place | None
    depth: int
    seen: Seen | None


class Mended(NamedTuple):
    """A fault in the author's words, and whether *source* can now be read again from the top."""

    problem: Problem
    can_go_on: bool = True


def explain(source: Source, fault: Fault) -> Mended:
    """The problem behind *fault*. Where the author's intention is plain, *source* is read accordingly from now on."""
    for trap in _TRAPS:
        mended = trap(source, fault)
        if mended is not None:
            return mended
    return _not_understood(source, fault)


def as_quoted(text: str) -> str:
    """*text*, shortened, as an author would write it in quotes."""
    text = shortened(text)
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def why_quotes(text: str) -> str:
    """Why *text* cannot be written without quotes."""
    if text[:1] and text[0] in _OPENERS:
        return f'a text that begins with "{"{{" if text.startswith("{{") else text[0]}" needs quotes'
    if re.search(r":(\s|$)", text):
        return "a text with a colon in it needs quotes"
    if " #" in text:
        return 'a text with " #" in it needs quotes'
    if "," in text:
        return "a text with a comma in braces or brackets needs quotes"
    return "this text needs quotes"


_OPENERS = "{}[]@`%*&!|>?-#,:\"'"
_ENTRY = re.compile(
    r"""^\s*(?:-\s+)*(?P<key>"[^"]*"|'[^']*'|[^\s'"{}\[\],#&*!|>@`%][^:#]*?)\s*:\s+(?P<value>\S.*?)\s*$"""
)
_COLON_WITHOUT_SPACE = re.compile(r"^\s*(?:-\s+)*[\w-]+:(?=\S)")
_WORD_WITHOUT_COLON = re.compile(r"^\s*(?:-\s+)*[\w-]+(?=\s|$)")
_CLOSED_BRACES = re.compile(r"^\{[^{}]*:[^{}]*\}\s*(?P<rest>.+)$")
_NEXT_ITEM = re.compile(r""",\s*["']?\w[\w ]*["']?:(?:\s|$)""")

_Trap: TypeAlias = Callable[[Source, Fault], Mended | None]


def _second_document(source: Source, fault: Fault) -> Mended | None:
    if "document start" not in fault.words:
        return None
    span = _whole_line(source, fault.at.line)
    message, hint = "the flow has ended before this line", "one file holds one flow; keys begin in the first column"
    return Mended(source.page.problem(Code.MANY_DOCUMENTS, span, message, hint), can_go_on=False)


def _tab(source: Source, fault: Fault) -> Mended | None:
    line = source.line(fault.at.line)
    if "\t" not in _indent(line):
        return None
    column = _indent(line).index("\t")
    problem = source.page.problem(
        Code.TAB,
        source.span(Place(fault.at.line, column), Place(fault.at.line, column + 1)),
        "this line is indented with a tab",
        hints("indent with spaces, two for each level", _others(source, fault.at.line)),
    )
    for number in range(source.count()):
        _without_tabs(source, number)
    return Mended(problem)


def _others(source: Source, but: int) -> str:
    others = sum("\t" in _indent(source.line(number)) for number in range(source.count()) if number != but)
    return f"({others} more lines have tabs)" if others > 1 else "(one more line has a tab)" if others else ""


def _without_tabs(source: Source, number: int) -> None:
    indent = _indent(source.line(number))
    if "\t" in indent:
        source.replace(number, 0, len(indent), indent.replace("\t", "  "))


def _open_quote(source: Source, fault: Fault) -> Mended | None:
    start = _where_quote_opens(fault)
    if start is None:
        return None
    quote = source.line(start.line)[start.column]
    end = _value_end(source.line(start.line), start.column, fault.depth)
    problem = source.page.problem(
        Code.QUOTES,
        source.span(start, Place(start.line, end)),
        f"the quote {quote} opens here and is not closed on its line",
        "close it at the end of the text",
    )
    source.quote(start.line, start.column, end, skip=1)
    return Mended(problem)


def _where_quote_opens(fault: Fault) -> Place | None:
    if "quoted scalar" in fault.words and "escape" not in fault.words:
        return fault.since
    seen = fault.seen
    if seen is not None and seen.quote and seen.start.line < seen.end.line == fault.at.line:
        return seen.start
    return None


def _after_quote(source: Source, fault: Fault) -> Mended | None:
    seen = fault.seen
    line = source.line(fault.at.line)
    if seen is None or not seen.quote or seen.end.line != fault.at.line or not _is_after(line, seen.end, fault.at):
        return None
    end = _value_end(line, seen.start.column, fault.depth)
    rest = line[seen.end.column : end].strip()
    if rest == ",":
        return _comma(source, seen.end, end)
    closes_again = end > seen.end.column and line[end - 1] == seen.quote
    problem = source.page.problem(
        Code.QUOTES,
        source.span(Place(seen.end.line, seen.end.column - 1), Place(seen.end.line, end)),
        f'the quote {seen.quote} closes here, and "{shortened(rest)}" follows it',
        'inside the text use the other kind of quote: "it\'s me" or \'say "yes"\''
        if closes_again
        else "put all of the text in quotes",
    )
    source.quote(seen.start.line, seen.start.column, end, skip=1, drop=int(closes_again))
    return Mended(problem)


def _comma(source: Source, start: Place, end: int) -> Mended:
    span = source.span(Place(start.line, end - 1), Place(start.line, end))
    problem = source.page.problem(Code.NOT_UNDERSTOOD, span, "a comma ends this line", "take it away")
    source.replace(start.line, start.column, end, "")
    return Mended(problem)


def _is_after(line: str, end: Place, at: Place) -> bool:
    return end.column <= at.column and not line[end.column : at.column].strip() and bool(line[at.column :].strip())


def _escape(source: Source, fault: Fault) -> Mended | None:
    if "escape" not in fault.words or fault.since is None or fault.since.line != fault.at.line:
        return None
    line, start = source.line(fault.since.line), fault.since.column
    closing = re.compile(r'"(?:[^"\\]|\\.)*"').match(line, start)
    end = closing.end() if closing else _value_end(line, start, fault.depth)
    backslash = line.find("\\", max(fault.at.column - 1, start))
    place = Place(fault.at.line, backslash if backslash >= 0 else start)
    problem = source.page.problem(
        Code.QUOTES,
        source.span(place, Place(place.line, min(place.column + 2, len(line)))),
        "in double quotes a backslash begins an escape, and this one is not known",
        r"use single quotes, or write the backslash twice: \\",
    )
    source.quote(fault.at.line, start, end, skip=1, drop=int(closing is not None))
    return Mended(problem)


def _no_key(source: Source, fault: Fault) -> Mended | None:
    number = _line_without_key(source, fault)
    if number is None:
        return None
    line = source.line(number)
    found = _COLON_WITHOUT_SPACE.match(line)
    what, belongs = ("a space", " ") if found else ("a colon and a space", ": ")
    found = found or _WORD_WITHOUT_COLON.match(line)
    problem = source.page.problem(
        Code.NOT_UNDERSTOOD,
        _whole_line(source, number),
        "this line is not a key with a value",
        f'put {what} after "{found[0].strip(" -")}"' if found else "a line reads key: value",
    )
    if found is None:
        return Mended(problem, can_go_on=False)
    source.insert(number, found.end(), belongs)
    return Mended(problem)


def _line_without_key(source: Source, fault: Fault) -> int | None:
    """The line that has no ``key: value``, where that is what made the parser stumble on a later one."""
    if "simple key" in fault.words and fault.since is not None:
        return fault.since.line
    seen = fault.seen
    if seen is None or fault.depth or seen.start.line >= fault.at.line:
        return None
    begins_line = not source.line(seen.start.line)[: seen.start.column].strip(" -")
    if not begins_line or _ENTRY.match(source.line(seen.start.line)):
        return None
    runs_on = "mapping values" in fault.words and not seen.quote and seen.end.line == fault.at.line
    return seen.start.line if runs_on or (seen.quote and _is_indent(source, fault.at)) else None


def _indentation(source: Source, fault: Fault) -> Mended | None:
    line = source.line(fault.at.line)
    if fault.depth or not (_runs_on(fault) or (_is_indent(source, fault.at) and "expected key" in fault.words)):
        return None
    above = fault.seen.start.line + 1 if fault.seen and _runs_on(fault) else fault.at.line
    found, expected = len(_indent(line)), _indent_above(source, above)
    if found == expected or not line.strip():
        return None
    problem = source.page.problem(
        Code.NOT_UNDERSTOOD,
        _whole_line(source, fault.at.line),
        f"this line has {found} spaces before it, the one above has {expected}",
        "keys that belong together begin in the same column",
    )
    source.replace(fault.at.line, 0, found, " " * expected)
    return Mended(problem)


def _runs_on(fault: Fault) -> bool:
    """Whether a text without quotes ran on into a line with a key."""
    seen = fault.seen
    return "mapping values" in fault.words and seen is not None and seen.start.line < seen.end.line == fault.at.line


def _open_braces(source: Source, fault: Fault) -> Mended | None:
    since, seen = fault.since, fault.seen
    if not fault.depth or since is None or since.line >= fault.at.line:
        return None
    ran_on = seen is not None and seen.start.line < seen.end.line == fault.at.line
    if not ran_on and not _is_indent(source, fault.at) and source.line(fault.at.line).strip():
        return None
    line = source.line(since.line)
    opener = line[since.column : since.column + 1]
    if opener not in ("{", "["):
        return None
    hash_at = line.find(" #", since.column)
    if hash_at >= 0:
        return _in_braces(source, fault._replace(at=Place(since.line, hash_at + 1)))
    closer = "}" if opener == "{" else "]"
    problem = source.page.problem(
        Code.NOT_UNDERSTOOD,
        source.span(since, Place(since.line, since.column + 1)),
        f'the "{opener}" opens here and is not closed',
        f'put "{closer}" where it ends; a text that begins with "{opener}" needs quotes',
    )
    source.insert(since.line, len(line.rstrip()), closer)
    return Mended(problem)


def _in_braces(source: Source, fault: Fault) -> Mended | None:
    line = source.line(fault.at.line)
    colons = [colon.end() for colon in re.finditer(r":\s+", line) if colon.end() <= fault.at.column]
    if not fault.depth or not colons:
        return None
    start = colons[-1]
    return _quoted(source, fault.at.line, start, _value_end(line, start, fault.depth))


def _after_braces(source: Source, fault: Fault) -> Mended | None:
    entry = _ENTRY.match(source.line(fault.at.line))
    closed = _CLOSED_BRACES.match(entry["value"]) if entry else None
    if fault.depth or entry is None or closed is None or fault.at.column < entry.start("value"):
        return None
    start, end = entry.start("value") + closed.start("rest"), entry.end("value")
    problem = source.page.problem(
        Code.NOT_UNDERSTOOD,
        source.span(Place(fault.at.line, start), Place(fault.at.line, end)),
        f'"{shortened(closed["rest"])}" stands after the closing brace',
        "take it away; if all of this is a text, put the text in quotes",
    )
    source.replace(fault.at.line, start, end, "")
    return Mended(problem)


def _value(source: Source, fault: Fault) -> Mended | None:
    entry = _ENTRY.match(source.line(fault.at.line))
    if entry is None or fault.at.column < entry.start("value") or entry["value"][0] in "\"'":
        return None
    return _quoted(source, fault.at.line, entry.start("value"), entry.end("value"))


def _quoted(source: Source, line: int, start: int, end: int) -> Mended | None:
    text = source.line(line)[start:end]
    if not text or text[0] in "\"'":
        return None
    problem = source.page.problem(
        Code.NEEDS_QUOTES,
        source.span(Place(line, start), Place(line, end)),
        why_quotes(text),
        f"put the text in quotes: {as_quoted(text)}",
    )
    source.quote(line, start, end)
    return Mended(problem)


def _not_understood(source: Source, fault: Fault) -> Mended:
    at = fault.since if fault.since is not None and not source.line(fault.at.line).strip() else fault.at
    problem = source.page.problem(
        Code.NOT_UNDERSTOOD,
        source.span(at, Place(at.line, at.column + 1)),
        f"this cannot be read: {fault.words}",
        "a line reads key: value; a text with punctuation in it needs quotes",
    )
    return Mended(problem, can_go_on=False)


_TRAPS: tuple[_Trap, ...] = (
    _second_document,
    _tab,
    _escape,
    _open_quote,
    _after_quote,
    _no_key,
    _open_braces,
    _indentation,
    _in_braces,
    _after_braces,
    _value,
)


def _value_end(line: str, start: int, depth: int) -> int:
    """Where the value that begins at *start* ends: with its line or, in braces, before the next key or the closing."""
    end = len(line.rstrip())
    if not depth:
        return end
    following = _NEXT_ITEM.search(line, start)
    if following:
        return following.start()
    before = line[:start]
    for _ in range(before.count("{") + before.count("[") - before.count("}") - before.count("]")):
        if end > start and line[end - 1] in "}]":
            end = len(line[: end - 1].rstrip())
    return max(end, start)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _is_indent(source: Source, at: Place) -> bool:
    return at.column == len(_indent(source.line(at.line)))


def _indent_above(source: Source, number: int) -> int:
    for line in map(source.line, range(number - 1, -1, -1)):
        if line.strip() and not line.lstrip().startswith("#"):
            return len(_indent(line))
    return 0


def _whole_line(source: Source, number: int) -> Span:
    line = source.line(number)
    return source.span(Place(number, len(_indent(line))), Place(number, len(line.rstrip())))
