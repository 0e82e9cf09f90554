"""Nodes read as keys, words and texts, with a problem at its place for each that is something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from bots import grammar, nodes
from bots.flow import Field
from bots.nodes import Entry, Node, Scalar
from bots.problems import Code, Page, Problem, Span, Where, did_you_mean, hints, listed, shortened
from bots.texts import BrokenText
from bots.traps import as_quoted, why_quotes

NAME = re.compile(r"[a-z][a-z0-9_]*")
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")


class HasNames(Protocol):
    """What is compiled from a text: *names* are the root names that it reads."""

    names: frozenset[str]


class Reader:
    """Collects *problems* and *positions* while one file's nodes are read. *data* is what the file has declared."""

    def __init__(self, page: Page) -> None:
        self.problems: list[Problem] = []
        self.positions: dict[Where, Span] = {}
        self.data: dict[str, Field] = {}
        self.page = page

    def keys(
        self, mapping: nodes.Mapping, where: Where, allowed: tuple[str, ...], later: tuple[str, ...], owner: str
    ) -> dict[str, Entry]:
        """The entries whose keys are *allowed*, by key; a problem for each other one."""
        known = {}
        for entry in mapping.entries:
            key, span = entry.key.text, entry.key.span
            if key in allowed:
                known[key] = entry
                self.positions[*where, key] = span
            elif key in later:
                self.later(span, f"`{key}`", f"keys of {owner} now: {listed(allowed, most=_MOST_KEYS)}")
            else:
                message = f'"{shortened(key)}" is not a key of {owner}'
                hint = hints(did_you_mean(key, allowed), f"keys of {owner}: {listed(allowed, most=_MOST_KEYS)}")
                self.problem(Code.UNKNOWN_KEY, span, message, hint)
        return known

    def later(self, span: Span, what: str, hint: str) -> None:
        """A problem: *what* comes with a later version."""
        message = f"{what} is part of the language, but this version of Usher does not know it yet"
        self.problem(Code.LATER_KEY, span, message, hint)

    def entries(self, mapping: nodes.Mapping | None) -> tuple[Entry, ...]:
        """The entries of a mapping, if there is one."""
        return mapping.entries if mapping is not None else ()

    def mapping(self, entry: Entry | None, where: Where, example: str) -> nodes.Mapping | None:
        """Something with keys; None where it is missing or something else."""
        if entry is None:
            return None
        self.positions[where] = entry.key.span
        if isinstance(entry.value, nodes.Mapping):
            return entry.value
        what = f"`{shortened(entry.key.text)}` has keys of its own"
        if isinstance(entry.value, Scalar) and not entry.value.text:
            self.problem(
                Code.EMPTY, entry.key.span, f"{what}, and here is nothing", f"write below it, or in braces:  {example}"
            )
        else:
            self.problem(
                Code.WRONG_SHAPE, entry.value.span, f"{what}, and this is {_shape(entry.value)}", f"write  {example}"
            )
        return None

    def scalar(self, entry: Entry | None) -> Scalar | None:
        """A text as it was written, without a word about anything else."""
        return entry.value if entry is not None and isinstance(entry.value, Scalar) else None

    def word(self, entry: Entry | None, where: Where) -> str:
        """One word; empty where it is missing or something else. A comment may follow it."""
        if entry is None:
            return ""
        self.positions[where] = self.value_span(entry)
        value = self.scalar(entry)
        if value is None:
            message = f"`{entry.key.text}` is one word, and this is {_shape(entry.value)}"
            self.problem(Code.WRONG_SHAPE, entry.value.span, message, f"write  {entry.key.text}: NAME")
            return ""
        if not value.text.strip():
            self.problem(Code.EMPTY, entry.key.span, f"`{entry.key.text}` is empty", f"write  {entry.key.text}: NAME")
        return value.text

    def one_of(self, entry: Entry | None, where: Where, allowed: tuple[str, ...]) -> str:
        """One of the words *allowed*; empty where it is none."""
        found = self.word(entry, where)
        if entry is None or not found or found in allowed:
            return found
        message = f'`{entry.key.text}` is "{shortened(found)}"'
        hint = hints(did_you_mean(found, allowed), f"it can be: {listed(allowed)}")
        self.problem(Code.BAD_VALUE, entry.value.span, message, hint)
        return ""

    def name(self, entry: Entry, where: Where, owner: str) -> str:
        """One word that can be the name of *owner*; empty where it is missing or something else."""
        found = self.word(entry, where)
        if found:
            self.check_name(found, entry.value.span, owner)
        return found

    def check_name(self, name: str, span: Span, owner: str) -> None:
        """A problem where *name* cannot be a name."""
        if not NAME.fullmatch(name):
            message = f'"{shortened(name)}" cannot be the name of {owner}'
            if SID.fullmatch(name):
                self.problem(Code.BAD_NAME, span, message, "a flow holds no SIDs; give a name, like support")
                return
            proposal = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
            usable = f'for example "{shortened(proposal)}"' if NAME.fullmatch(proposal) else ""
            self.problem(
                Code.BAD_NAME, span, message, hints("a name has a to z, 0 to 9 and _, a letter first;", usable)
            )

    def text(self, entry: Entry | None, where: Where, *, may_be_empty: bool = False) -> str:
        """A text as its author meant it; empty where it is missing or something else."""
        if entry is None:
            return ""
        self.positions[where] = span = self.value_span(entry)
        value = entry.value
        if not isinstance(value, Scalar):
            return self._text_in_braces(entry, value)
        if value.comment:
            text = f"{value.text} {value.comment}"
            message = f'the text ends before the #: "{shortened(value.text)}"'
            hint = "put the text in quotes, with the # if it belongs to it; else give the comment a line of its own"
            self.problem(Code.CUT_OFF, span, message, hint)
            return text
        if not value.text.strip() and not (may_be_empty and not value.plain):
            self.problem(
                Code.EMPTY, entry.key.span, f"`{entry.key.text}` is empty", f'write  {entry.key.text}: "a text"'
            )
        return value.text

    def _text_in_braces(self, entry: Entry, value: nodes.Mapping | nodes.Sequence) -> str:
        if value.written:
            hint = f"put the text in quotes: {as_quoted(value.written)}"
            self.problem(Code.NEEDS_QUOTES, value.span, why_quotes(value.written), hint)
        else:
            message = f"`{shortened(entry.key.text)}` is a text, and this is {_shape(value)}"
            self.problem(Code.WRONG_SHAPE, value.span, message, f'write  {shortened(entry.key.text)}: "a text"')
        return value.written

    def template(self, entry: Entry, where: Where, compile_: Callable[[str], HasNames], what: str = "text") -> str:
        """The source of a text or a condition that *compile_* takes and whose names are known."""
        source = self.text(entry, where)
        try:
            names = compile_(source).names
        except BrokenText as broken:
            line = f", on line {broken.line} of it" if broken.line > 1 else ""
            hint = _FILTERS if "filter" in broken.message else _EXPRESSIONS[what]
            message = f"the {what} cannot be read{line}: {broken.message}"
            self.problem(Code.BROKEN_TEXT, self.positions[where], message, hint)
            return source
        for name in sorted(names - {*self.data, *grammar.BUILT_IN_NAMES}):
            self._unknown_name(what, name, self._place_of(name, source, self.positions[where]))
        return source

    def templates(self, entry: Entry | None, where: Where, compile_: Callable[[str], HasNames]) -> tuple[str, ...]:
        """One text or a list of them."""
        if entry is None:
            return ()
        if not isinstance(entry.value, nodes.Sequence):
            return (self.template(entry, where, compile_),)
        items = self.items(entry, where, '["a text", "another"]')
        return tuple(self.template(item, place, compile_) for item, place in items)

    def items(self, entry: Entry | None, where: Where, example: str) -> tuple[tuple[Entry, Where], ...]:
        """The items of a list, as if each was the value of the list's key, and their places."""
        if entry is None:
            return ()
        self.positions[where] = entry.key.span
        key, value = entry.key, entry.value
        if isinstance(value, nodes.Sequence) and value.items:
            return tuple((Entry(key, item), (*where, str(number))) for number, item in enumerate(value.items))
        if isinstance(value, nodes.Sequence) or (isinstance(value, Scalar) and not value.text):
            message = f"`{shortened(key.text)}` is a list, and here is nothing"
            self.problem(Code.EMPTY, key.span, message, f"write  {shortened(key.text)}: {example}")
        else:
            message = f"`{shortened(key.text)}` is a list, and this is {_shape(value)}"
            self.problem(Code.WRONG_SHAPE, value.span, message, f"write  {shortened(key.text)}: {example}")
        return ()

    def number(self, entry: Entry | None, where: Where, *, least: int) -> int | None:
        """A whole number of at least *least*; None where it is missing or something else."""
        found = self.word(entry, where)
        if entry is None or not found:
            return None
        if WHOLE_NUMBER.fullmatch(found) and int(found) >= least:
            return int(found)
        message = f'`{entry.key.text}` is a whole number, and this is "{shortened(found)}"'
        self.problem(Code.BAD_VALUE, entry.value.span, message, f"give one from {least} on")
        return None

    def needed(self, keys: Mapping[str, Entry], key: str, span: Span, owner: str, example: str) -> Entry | None:
        """The entry of *key*, with a problem at *span* where it is missing."""
        if key not in keys:
            self.problem(Code.MISSING_KEY, span, f"{owner} has no `{key}`", f"add  {example}")
        return keys.get(key)

    def _unknown_name(self, what: str, name: str, span: Span) -> None:
        known = [*self.data, *grammar.BUILT_IN_NAMES]
        message = f'the {what} reads "{shortened(name)}", which is not in `data`'
        hint = hints(did_you_mean(name, known), f"names here: {listed(known)}")
        self.problem(Code.UNKNOWN_DATA, span, message, hint)

    def _place_of(self, name: str, text: str, span: Span) -> Span:
        """Where *name* stands in the text at *span*, in braces if it can; else *span*."""
        word = re.compile(rf"(?<![\w.\"'])({re.escape(name)})(?!\w)")
        lines = list(self.page.lines[span.line - 1 : span.line + len(text.splitlines())])
        # The quote before the text is none within it.
        lines[0] = (
            f"{lines[0][: span.column - 1]} {lines[0][span.column :]}" if _is_quoted(lines[0], span) else lines[0]
        )
        for pattern in (re.compile(r"\{[{%]" + r"[^{}]*?" + word.pattern), word):
            for number, line in enumerate(lines, span.line):
                found = pattern.search(line, span.column - 1 if number == span.line else 0)
                if found:
                    return Span(number, found.start(1) + 1, len(name))
        return span

    def value_span(self, entry: Entry) -> Span:
        """Where the value stands; where there is none, its key."""
        is_there = not isinstance(entry.value, Scalar) or entry.value.text or not entry.value.plain
        return entry.value.span if is_there else entry.key.span

    def problem(self, code: Code, span: Span, message: str, hint: str) -> None:
        """Tell that something is wrong at *span*."""
        self.problems.append(self.page.problem(code, span, message, hint))


_MOST_KEYS = 12
_EXPRESSIONS = {
    "text": "between {{ and }} stands a name or an expression, like {{ customer.name }}",
    "condition": "a condition is an expression without braces, like order.total > 100",
}
_FILTERS = "after | stands `otherwise('…')` or a filter of Jinja2"


def _is_quoted(line: str, span: Span) -> bool:
    return line[span.column - 1 : span.column] in ("'", '"')


def _shape(node: Node) -> str:
    match node:
        case Scalar():
            return f'a text, "{shortened(node.text)}"'
        case nodes.Mapping():
            return "something with keys"
        case nodes.Sequence():
            return "a list"
