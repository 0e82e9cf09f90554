"""A YAML file as nodes: texts as they were written, each with its place. The only importer of YAML.

Values are never made: YAML 1.1 turns ``no`` into False, ``01234`` into 668 and ``12:30`` into 750.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import yaml

from bots.problems import Code, Page, Problem, Span, hints, in_order
from bots.source import Place, Source
from bots.traps import Fault, Seen, as_quoted, explain, why_quotes

MOST_BYTES = 1_000_000
MOST_NODES = 100_000
DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text. *plain* is one without quotes, *comment* what follows a plain one on its line from ``#`` on."""

    text: str
    span: Span
    plain: bool = False
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values, no key twice. *written* is what the author wrote where it stands in braces, else empty."""

    entries: tuple[Entry, ...]
    span: Span
    written: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list. *written* is what the author wrote where it stands in brackets, else empty."""

    items: tuple[Node, ...]
    span: Span
    written: str = ""


Node: TypeAlias = Scalar | Mapping | Sequence


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read. *root* is missing where a problem left nothing to go on with."""

    page: Page
    root: Node | None
    problems: tuple[Problem, ...]


def read_nodes(text: str | bytes, *, path: str) -> Reading:
    """The nodes of *text* and all that is wrong with its YAML. Nothing is raised.

    A line at fault is read as its author meant it, where that is plain, so that one mistake does not hide the next.
    """
    decoded = _decoded(text, path)
    if isinstance(decoded, Reading):
        return decoded
    source = Source(decoded, path)
    problems = _mend_characters(source)
    for _ in range(_MOST_REPAIRS):
        tree = _Tree(source)
        tree.read()
        if tree.fault is None:
            break
        fresh = not source.was_mended(tree.fault.at.line)
        mended = explain(source, tree.fault)
        if fresh or not mended.can_go_on:
            problems.append(mended.problem)
        if not mended.can_go_on or source.most_mends() > _MOST_MENDS_OF_A_LINE:
            break
    root = tree.root if tree.fault is None else None
    return Reading(source.page, root, in_order([*problems, *tree.problems]))


_MOST_REPAIRS = 25
# Quoting a line again doubles its quotes: what is not mended after this often never will be.
_MOST_MENDS_OF_A_LINE = 6
# What YAML does not allow in a file, and three line breaks that an editor does not show.
_HIDDEN = re.compile("[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _decoded(text: str | bytes, path: str) -> str | Reading:
    if len(text) > MOST_BYTES:
        message = f"the file is larger than {MOST_BYTES:,} bytes"
        return _unread(Page(path, ("",)), Code.TOO_BIG, Span(1, 1), message, "split the flow into several")
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        page = Source(text.decode("utf-8-sig", "replace"), path).page
        before = Source(text[: broken.start].decode("utf-8-sig"), path).page.lines
        message = f"the byte {text[broken.start]:#04x} is not text in UTF-8"
        span = Span(len(before), len(before[-1]) + 1)
        return _unread(page, Code.NOT_TEXT, span, message, "save the file with the encoding UTF-8")


def _unread(page: Page, code: Code, span: Span, message: str, hint: str) -> Reading:
    return Reading(page, None, (page.problem(code, span, message, hint),))


def _mend_characters(source: Source) -> list[Problem]:
    problems = []
    for number in range(source.count()):
        line = source.line(number)
        found = _HIDDEN.search(line)
        if found:
            span = Span(number + 1, found.start() + 1)
            message = f"the character U+{ord(found[0]):04X} cannot be seen and is not allowed"
            hint = hints("delete it, or press Enter for a new line", _more(len(_HIDDEN.findall(line)) - 1))
            problems.append(source.page.problem(Code.NOT_TEXT, span, message, hint))
            source.replace(number, 0, len(line), _HIDDEN.sub(" ", line))
    return problems


def _more(others: int) -> str:
    return f"({others} more on this line)" if others else ""


@dataclass(slots=True)
class _Open:
    """A mapping or a list whose end has not come yet. *is_text* where it is a text in braces without quotes."""

    is_mapping: bool
    start: Place
    in_braces: bool
    is_text: bool
    children: list[tuple[Node, Place, Place]] = field(default_factory=list)


class _Tree:
    """One reading of a source from top to bottom, built from the parser's events and without recursion."""

    def __init__(self, source: Source) -> None:
        self.root: Node | None = None
        self.fault: Fault | None = None
        self.problems: list[Problem] = []
        self._source = source
        self._open: list[_Open] = []
        self._seen: Seen | None = None
        self._count = 0
        self._documents = 0

    def read(self) -> None:
        """Fill `root`, `problems` and, where the parser stumbled, `fault`."""
        try:
            for event in self._events():
                if not self._take(event):
                    self.root = None
                    return
        except yaml.MarkedYAMLError as broken:
            self.fault = self._fault(broken)
        if self.fault is None and (self.root is None or _is_blank(self.root)):
            self._problem(
                Code.EMPTY_FILE, Span(1, 1), "the file is empty", "a flow begins with its name:  flow: welcome"
            )
            self.root = None

    def _events(self) -> Iterator[yaml.Event]:
        events: Iterator[yaml.Event] = yaml.parse(self._source.text, Loader=yaml.CSafeLoader)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._second_document(event)
                    return
            yield event

    def _second_document(self, event: yaml.Event) -> None:
        span = self._span(event)
        self._problem(
            Code.MANY_DOCUMENTS, span, "a second document begins here", "one file holds one flow; take the --- away"
        )

    def _take(self, event: yaml.Event) -> bool:
        """Take one event in. False where the file is too big to go on."""
        match event:
            case yaml.ScalarEvent():
                self._check_plain(event)
                self._add(self._scalar(event), event)
            case yaml.AliasEvent():
                self._refuse(event, f"*{event.anchor}", "repeats another part of the file")
                self._add(Scalar(f"*{event.anchor}", self._span(event), plain=True), event)
            case yaml.CollectionStartEvent():
                self._check_plain(event)
                self._begin(event)
            case yaml.CollectionEndEvent():
                self._end(event)
        return self._is_within_limits(event)

    def _is_within_limits(self, event: yaml.Event) -> bool:
        if len(self._open) > DEEPEST:
            hint = "a flow needs far fewer; look for braces or brackets that are not closed"
            return self._too_big(event, f"more than {DEEPEST} levels inside each other", hint)
        self._count += isinstance(event, yaml.NodeEvent)
        if self._count > MOST_NODES:
            return self._too_big(
                event, f"the file has more than {MOST_NODES:,} keys and values", "split the flow into several"
            )
        return True

    def _too_big(self, event: yaml.Event, message: str, hint: str) -> bool:
        self.problems.append(self._source.page.problem(Code.TOO_BIG, self._span(event), message, hint))
        return False

    def _check_plain(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(event, f"&{event.anchor}", "names a part of the file")
        if event.tag is not None:
            self._refuse(event, self._source.after(_start(event)).split(" ")[0] or "!", "gives a type")

    def _refuse(self, event: yaml.Event, found: str, does: str) -> None:
        hint = "write it out; if it is part of a text, put the text in quotes"
        line, column, _ = self._span(event)
        self._problem(
            Code.NOT_PLAIN_YAML,
            Span(line, column, len(found)),
            f'"{found}" {does}; a flow has nothing of the kind',
            hint,
        )

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        span, plain = self._span(event), not event.style
        if event.value or not plain:
            self._seen = Seen(_start(event), _stop(event), event.style if event.style in ("'", '"') else "")
        rest = self._source.after(_stop(event)) if plain and event.value else ""
        return Scalar(event.value, span, plain, rest.strip() if rest.lstrip().startswith("#") else "")

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        is_mapping, in_braces = isinstance(event, yaml.MappingStartEvent), bool(event.flow_style)
        is_text = in_braces and self._source.after(_start(event)).startswith("{{")
        self._open.append(_Open(is_mapping, _start(event), in_braces, is_text))

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        ended = self._open.pop()
        stop = _stop(event) if ended.in_braces else ended.start
        span = self._source.span(ended.start, stop)
        written = self._source.between(ended.start, stop) if ended.in_braces else ""
        self._add(self._built(ended, span, written), event, ended.start)

    def _built(self, ended: _Open, span: Span, written: str) -> Node:
        if ended.is_text:
            hint = f"put the text in quotes: {as_quoted(written)}"
            self._problem(Code.NEEDS_QUOTES, span, why_quotes(written), hint)
            return Scalar(written, span, plain=True)
        if ended.is_mapping:
            return Mapping(self._entries(ended), span, written)
        return Sequence(tuple(node for node, _, _ in ended.children), span, written)

    def _add(self, node: Node, event: yaml.Event, start: Place | None = None) -> None:
        if self._open:
            self._open[-1].children.append((node, start or _start(event), _stop(event)))
        else:
            self.root = node

    def _entries(self, ended: _Open) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        last = ""
        starts: dict[str, Place] = {}
        children = ended.children
        for (key, _, key_stop), (value, start, stop) in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problem(
                    Code.NOT_UNDERSTOOD, key.span, "a key is one word", "if this is a text, put the text in quotes"
                )
            elif (
                ended.in_braces and last and key.plain and start == stop == key_stop and _is_plain(entries[last].value)
            ):
                entries[last] = self._joined(entries[last], starts[last], key_stop)
            elif self._is_new(entries, key):
                entries[key.text], starts[key.text], last = Entry(key, value), start, key.text
        return tuple(entries.values())

    def _joined(self, entry: Entry, start: Place, stop: Place) -> Entry:
        """*entry* with the words behind its comma, which YAML takes for a key of its own."""
        text, span = self._source.between(start, stop), self._source.span(start, stop)
        self.problems = [known for known in self.problems if (known.line, known.column) != (span.line, span.column)]
        message = f'the comma ends the text, and "{text.rpartition(",")[2].strip()}" becomes a key'
        self._problem(Code.NEEDS_QUOTES, span, message, f"put the text in quotes: {as_quoted(text)}")
        return Entry(entry.key, Scalar(text, span, plain=True))

    def _is_new(self, entries: dict[str, Entry], key: Scalar) -> bool:
        if key.plain and key.text == "<<":
            hint = "write the keys out"
            self._problem(
                Code.NOT_PLAIN_YAML,
                key.span,
                '"<<" takes in the keys of another part; a flow has nothing of the kind',
                hint,
            )
            return False
        if key.text in entries:
            first = entries[key.text].key.span.line
            message = f'"{key.text}" is given twice, first on line {first}'
            self._problem(Code.KEY_TWICE, key.span, message, "keep one of them; the first is taken")
            return False
        return True

    def _problem(self, code: Code, span: Span, message: str, hint: str) -> None:
        # What stands in a text without quotes is no YAML of the author's; the text is told as a whole.
        if not any(opened.is_text for opened in self._open):
            self.problems.append(self._source.page.problem(code, span, message, hint))

    def _span(self, event: yaml.Event) -> Span:
        return self._source.span(_start(event), _stop(event))

    def _fault(self, broken: yaml.MarkedYAMLError) -> Fault:
        words = ", ".join(filter(None, (broken.context, broken.problem)))
        depth = sum(opened.in_braces for opened in self._open)
        since = _place(broken.context_mark) if broken.context_mark else None
        return Fault(words, _place(broken.problem_mark or broken.context_mark), since, depth, self._seen)


def _start(event: yaml.Event) -> Place:
    return _place(event.start_mark)


def _stop(event: yaml.Event) -> Place:
    return _place(event.end_mark)


def _place(mark: _Mark | None) -> Place:
    return Place(mark.line, mark.column) if mark is not None else Place(0, 0)


class _Mark(Protocol):
    line: int
    column: int


def _is_blank(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and not node.text


def _is_plain(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and bool(node.text)
