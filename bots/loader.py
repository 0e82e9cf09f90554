"""Flows from YAML: the neutral model, where everything stands in the file, and all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol, cast

from bots import grammar, nodes
from bots.check import unknown_targets
from bots.flow import Ask, End, Field, Flow, HandOff, Say, State
from bots.nodes import Entry, Node, Scalar, read_nodes
from bots.problems import (
    Code,
    Page,
    Positions,
    Problem,
    Span,
    Where,
    did_you_mean,
    has_errors,
    hints,
    in_order,
    listed,
    shortened,
)
from bots.texts import BrokenText, compile_text, compile_value
from bots.traps import as_quoted, why_quotes

NAME = re.compile(r"[a-z][a-z0-9_]*")
SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
SOURCE = re.compile(r"[a-z_]+(\.\w+)*")
OTHER_FILES = frozenset({"calls.yaml", "targets.yaml"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A flow file that was read.

    *flow* is there when *problems* holds no errors. *draft* is what could be read all the same, for
    checks only. *positions* tell where each value stands.
    """

    path: str
    page: Page
    flow: Flow | None
    draft: Flow | None
    problems: tuple[Problem, ...]
    positions: Positions


@dataclass(frozen=True, slots=True)
class Folder:
    """All flow files of a folder, in the order of their names."""

    loaded: tuple[Loaded, ...]

    @property
    def flows(self) -> dict[str, Flow]:
        """The flows that have no errors, by name."""
        return {one.flow.name: one.flow for one in self.loaded if one.flow is not None}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of all files."""
        return tuple(problem for one in self.loaded for problem in one.problems)


def load_flow(text: str | bytes, *, path: str) -> Loaded:
    """The flow in *text*. Nothing is raised: what is wrong stands in its problems, all at once.

    *path* is for messages; where it ends in ``.yaml``, the flow must be named like the file.
    """
    reading = read_nodes(text, path=path)
    reader = _Reader(reading.page)
    draft = reader.flow(reading.root) if reading.root is not None else None
    if draft is not None:
        reader.problems += unknown_targets(draft, reading.page, reader.positions)
    problems = in_order([*reading.problems, *reader.problems])
    return Loaded(path, reading.page, None if has_errors(problems) else draft, draft, problems, reader.positions)


def load_folder(folder: Path) -> Folder:
    """All ``NAME.yaml`` flows of *folder*; overlays (``NAME.LANG.yaml``) and calls and targets are passed over.

    Raises `OSError` where the folder or a file cannot be read.
    """
    files = sorted(file for file in folder.iterdir() if is_flow_file(file.name) and file.is_file())
    return Folder(tuple(load_flow(file.read_bytes(), path=file.as_posix()) for file in files))


def is_flow_file(name: str) -> bool:
    """Whether a file of that name holds a flow."""
    return name.endswith(".yaml") and name.count(".") == 1 and name not in OTHER_FILES


class _HasNames(Protocol):
    names: frozenset[str]


class _Reader:
    """Reads one file's nodes, and collects problems and positions on the way."""

    def __init__(self, page: Page) -> None:
        self.problems: list[Problem] = []
        self.positions: dict[Where, Span] = {}
        self._page = page
        self._data: dict[str, Field] = {}

    def flow(self, root: Node) -> Flow | None:
        """The flow, as far as it can be read; None when there are no keys at all."""
        if not isinstance(root, nodes.Mapping):
            self._problem(Code.WRONG_SHAPE, root.span, "a flow has keys", "it begins with its name:  flow: welcome")
            return None
        entries = self._keys(root, (), grammar.FLOW_KEYS, grammar.FLOW_LATER, "a flow")
        for key in grammar.FLOW_NEEDS:
            if key not in entries:
                hint = _MISSING[key]
                self._problem(Code.MISSING_KEY, Span(1, 1), f"the flow has no `{key}`", hint)
        self._format(entries.get("format"))
        self._data = self._all_data(entries.get("data"))
        return Flow(
            name=self._flow_name(entries.get("flow")),
            language=self._language(entries.get("language")),
            start=self._word(entries.get("start"), ("start",)),
            trouble=self._word(entries.get("trouble"), ("trouble",)) or None,
            data=self._data,
            states=self._states(entries.get("states")),
        )

    def _flow_name(self, entry: Entry | None) -> str:
        if entry is None:
            return ""
        name = self._name(entry, ("flow",), "a flow")
        path = PurePath(self._page.path)
        if NAME.fullmatch(name) and path.suffix == ".yaml" and path.stem != name:
            message = f'the flow is named "{name}", its file "{path.name}"'
            self._problem(
                Code.OTHER_FILE_NAME, entry.value.span, message, f"name the file {name}.yaml{_or_flow(path.stem)}"
            )
        return name

    def _format(self, entry: Entry | None) -> None:
        found = self._word(entry, ("format",))
        if entry is not None and found and found != grammar.FORMAT:
            message = f'this version of Usher reads format {grammar.FORMAT}, not "{shortened(found)}"'
            self._problem(Code.BAD_VALUE, entry.value.span, message, f"write  format: {grammar.FORMAT}")

    def _language(self, entry: Entry | None) -> str:
        found = self._word(entry, ("language",))
        if entry is not None and found and not LANGUAGE.fullmatch(found):
            message = f'"{shortened(found)}" is not a language'
            self._problem(Code.BAD_VALUE, entry.value.span, message, "give its code, like en, es or pt-BR")
        return found or "en"

    # data

    def _all_data(self, entry: Entry | None) -> dict[str, Field]:
        mapping = self._mapping(entry, ("data",), "order_no: {type: text}")
        return {one.key.text: self._field(one) for one in self._entries(mapping)}

    def _field(self, entry: Entry) -> Field:
        where = ("data", entry.key.text)
        self._check_data_name(entry.key)
        mapping = self._mapping(entry, where, f"{entry.key.text}: {{type: text}}")
        if mapping is None:
            return Field()
        keys = self._keys(mapping, where, grammar.FIELD_KEYS, (), "data")
        type_ = self._type(keys.get("type"), where)
        return Field(
            type=type_,
            label=self._text(keys.get("label"), (*where, "label")),
            otherwise=self._otherwise(keys.get("otherwise"), where, type_),
            from_=self._from(keys.get("from"), (*where, "from")),
            private=self._one_of(keys.get("private"), (*where, "private"), ("true", "false")) == "true",
        )

    def _check_data_name(self, key: Scalar) -> None:
        self._check_name(key.text, key.span, "data")
        if key.text in grammar.BUILT_IN_NAMES or key.text in grammar.TEXT_WORDS:
            self._problem(
                Code.BAD_NAME, key.span, f'the name "{key.text}" has a meaning of its own in texts', "take another"
            )

    def _type(self, entry: Entry | None, where: Where) -> str:
        found = self._scalar(entry)
        if entry is not None and found is not None and found.text in grammar.FIELD_TYPES_LATER:
            self._later(found.span, f"the type `{found.text}`", f"types now: {listed(grammar.FIELD_TYPES)}")
            return "text"
        return self._one_of(entry, (*where, "type"), grammar.FIELD_TYPES) or "text"

    def _otherwise(self, entry: Entry | None, where: Where, type_: str) -> str | None:
        if entry is None:
            return None
        text = self._text(entry, (*where, "otherwise"), may_be_empty=True)
        if type_ == "object":
            self._problem(
                Code.BAD_VALUE, entry.key.span, "`otherwise` is a text, and an object is none", "take it away"
            )
        return text

    def _from(self, entry: Entry | None, where: Where) -> str | None:
        found = self._word(entry, where)
        if entry is None or not found:
            return None
        if not SOURCE.fullmatch(found) or found.partition(".")[0] not in grammar.FIELD_SOURCES:
            message = f'`from` is "{shortened(found)}", which is nothing that Usher knows'
            hint = "give a name like pre_engagement.email or customer.name"
            self._problem(Code.BAD_VALUE, entry.value.span, message, hint)
        return found

    # states

    def _states(self, entry: Entry | None) -> dict[str, State]:
        mapping = self._mapping(entry, ("states",), "hello: {say: Hello!, end: close}")
        if entry is not None and mapping is not None and not mapping.entries:
            self._problem(Code.EMPTY, entry.key.span, "the flow has no states", _MISSING["states"])
        return {one.key.text: self._state(one) for one in self._entries(mapping)}

    def _state(self, entry: Entry) -> State:
        name = entry.key.text
        where = ("states", name)
        self._check_name(name, entry.key.span, "a state")
        mapping = self._mapping(entry, where, 'say: "Hello!"')
        kind = self._kind(entry, mapping) if mapping is not None else None
        if mapping is None or kind is None:
            return Say(text="", end="close")
        every = {one.key.text for one in mapping.entries}
        keys = self._state_keys(mapping, where, kind)
        if kind == "handoff":
            return self._handoff(keys, where)
        text = self._template(keys[kind], (*where, kind), compile_text)
        goto = self._word(keys.get("goto"), (*where, "goto")) or None
        end = cast("End | None", self._one_of(keys.get("end"), (*where, "end"), grammar.ENDS) or None)
        self._check_way_on(entry, keys, every)
        if kind == "say":
            return Say(text=text, goto=goto, end=end)
        return Ask(text=text, save_as=self._save_as(keys.get("save_as"), where), goto=goto, end=end)

    def _kind(self, entry: Entry, mapping: nodes.Mapping) -> str | None:
        """The state's kind, the first of several; None where there is none of those known now."""
        kinds = [one.key for one in mapping.entries if one.key.text in grammar.KINDS]
        name = shortened(entry.key.text)
        if len(kinds) > 1:
            message = f'state "{name}" has two kinds, `{kinds[0].text}` and `{kinds[1].text}`'
            self._problem(Code.NOT_ONE_KIND, kinds[1].span, message, "make two states of it, one leading to the other")
        if kinds:
            return kinds[0].text
        later = [one for one in mapping.entries if one.key.text in grammar.KINDS_LATER]
        if not later:
            hint = f"give it one of {listed(grammar.KINDS)}"
            self._problem(Code.NOT_ONE_KIND, entry.key.span, f'state "{name}" does not say what it does', hint)
        every = tuple(dict.fromkeys(key for keys in grammar.STATE_KEYS.values() for key in keys))
        self._keys(mapping, ("states", entry.key.text), every, grammar.STATE_LATER, "a state")
        return None

    def _state_keys(self, mapping: nodes.Mapping, where: Where, kind: str) -> dict[str, Entry]:
        """The keys that go with *kind*. Other kinds were told before."""
        rest = tuple(one for one in mapping.entries if one.key.text == kind or one.key.text not in grammar.KINDS)
        one_kind = nodes.Mapping(rest, mapping.span)
        return self._keys(one_kind, where, grammar.STATE_KEYS[kind], grammar.STATE_LATER, f"`{kind}`")

    def _check_way_on(self, entry: Entry, keys: Mapping[str, Entry], every: set[str]) -> None:
        name = shortened(entry.key.text)
        if "goto" in keys and "end" in keys:
            message = f'state "{name}" has both `goto` and `end`'
            self._problem(Code.NOT_ONE_WAY_ON, keys["end"].key.span, message, "keep one of them")
        elif "goto" not in keys and "end" not in keys and not every & set(grammar.STATE_LATER):
            message = f'state "{name}" does not say what comes next'
            self._problem(Code.NOT_ONE_WAY_ON, entry.key.span, message, "add  goto: STATE  or  end: close")

    def _save_as(self, entry: Entry | None, where: Where) -> str | None:
        found = self._word(entry, (*where, "save_as"))
        if entry is None or not found:
            return None
        if found not in self._data:
            message = f'`save_as` names "{shortened(found)}", which is not in `data`'
            hint = did_you_mean(found, self._data) or f"declare it:  data: {{{shortened(found)}: {{type: text}}}}"
            self._problem(Code.UNKNOWN_DATA, entry.value.span, message, hint)
        elif self._data[found].type == "object":
            message = f'an answer is a text, and "{found}" is an object'
            self._problem(Code.BAD_VALUE, entry.value.span, message, "save it under data of the type text")
        return found

    def _handoff(self, keys: Mapping[str, Entry], where: Where) -> HandOff:
        target = self._name(keys["handoff"], (*where, "handoff"), "a target")
        attributes = self._mapping(keys.get("attributes"), (*where, "attributes"), 'topic: "{{ topic }}"')
        return HandOff(
            target=target,
            attributes={
                one.key.text: self._template(one, (*where, "attributes", one.key.text), compile_value)
                for one in self._entries(attributes)
            },
            outcomes=self._outcomes(keys, where),
        )

    def _outcomes(self, keys: Mapping[str, Entry], where: Where) -> dict[str, str]:
        entry = keys.get("outcomes")
        where = (*where, "outcomes")
        mapping = self._mapping(entry, where, "{failed: STATE, ended: STATE}")
        outcomes = {}
        for one in self._entries(mapping):
            if one.key.text in grammar.OUTCOMES:
                outcomes[one.key.text] = self._word(one, (*where, one.key.text))
            else:
                message = f'"{shortened(one.key.text)}" is not an outcome of a handoff'
                hint = hints(did_you_mean(one.key.text, grammar.OUTCOMES), f"outcomes: {listed(grammar.OUTCOMES)}")
                self._problem(Code.UNKNOWN_OUTCOME, one.key.span, message, hint)
        if entry is None or mapping is not None:
            self._check_outcomes(outcomes, (entry or keys["handoff"]).key.span)
        return outcomes

    def _check_outcomes(self, outcomes: Mapping[str, str], span: Span) -> None:
        for needed in grammar.OUTCOMES_NEEDED:
            if needed not in outcomes:
                message = f'the handoff does not say what follows "{needed}"'
                self._problem(Code.MISSING_OUTCOME, span, message, f"add to its outcomes  {needed}: STATE")

    # keys and values

    def _keys(
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
                self._later(span, f"`{key}`", f"keys of {owner} now: {listed(allowed)}")
            else:
                message = f'"{shortened(key)}" is not a key of {owner}'
                hint = hints(did_you_mean(key, allowed), f"keys of {owner}: {listed(allowed)}")
                self._problem(Code.UNKNOWN_KEY, span, message, hint)
        return known

    def _later(self, span: Span, what: str, hint: str) -> None:
        message = f"{what} is part of the language, but this version of Usher does not know it yet"
        self._problem(Code.LATER_KEY, span, message, hint)

    def _entries(self, mapping: nodes.Mapping | None) -> tuple[Entry, ...]:
        return mapping.entries if mapping is not None else ()

    def _mapping(self, entry: Entry | None, where: Where, example: str) -> nodes.Mapping | None:
        if entry is None:
            return None
        self.positions[where] = entry.key.span
        if isinstance(entry.value, nodes.Mapping):
            return entry.value
        what = f"`{shortened(entry.key.text)}` has keys of its own"
        if isinstance(entry.value, Scalar) and not entry.value.text:
            self._problem(
                Code.EMPTY, entry.key.span, f"{what}, and here is nothing", f"write below it, or in braces:  {example}"
            )
        else:
            self._problem(
                Code.WRONG_SHAPE, entry.value.span, f"{what}, and this is {_shape(entry.value)}", f"write  {example}"
            )
        return None

    def _scalar(self, entry: Entry | None) -> Scalar | None:
        return entry.value if entry is not None and isinstance(entry.value, Scalar) else None

    def _word(self, entry: Entry | None, where: Where) -> str:
        """One word; empty where it is missing or something else. A comment may follow it."""
        if entry is None:
            return ""
        self.positions[where] = self._value_span(entry)
        value = self._scalar(entry)
        if value is None:
            message = f"`{entry.key.text}` is one word, and this is {_shape(entry.value)}"
            self._problem(Code.WRONG_SHAPE, entry.value.span, message, f"write  {entry.key.text}: NAME")
            return ""
        if not value.text.strip():
            self._problem(Code.EMPTY, entry.key.span, f"`{entry.key.text}` is empty", f"write  {entry.key.text}: NAME")
        return value.text

    def _one_of(self, entry: Entry | None, where: Where, allowed: tuple[str, ...]) -> str:
        """One of the words *allowed*; empty where it is none."""
        found = self._word(entry, where)
        if entry is None or not found or found in allowed:
            return found
        message = f'`{entry.key.text}` is "{shortened(found)}"'
        hint = hints(did_you_mean(found, allowed), f"it can be: {listed(allowed)}")
        self._problem(Code.BAD_VALUE, entry.value.span, message, hint)
        return ""

    def _name(self, entry: Entry, where: Where, owner: str) -> str:
        found = self._word(entry, where)
        if found:
            self._check_name(found, entry.value.span, owner)
        return found

    def _check_name(self, name: str, span: Span, owner: str) -> None:
        if not NAME.fullmatch(name):
            message = f'"{shortened(name)}" cannot be the name of {owner}'
            if SID.fullmatch(name):
                self._problem(Code.BAD_NAME, span, message, "a flow holds no SIDs; give a name, like support")
                return
            proposal = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
            usable = f'for example "{shortened(proposal)}"' if NAME.fullmatch(proposal) else ""
            self._problem(
                Code.BAD_NAME, span, message, hints("a name has a to z, 0 to 9 and _, a letter first;", usable)
            )

    def _text(self, entry: Entry | None, where: Where, *, may_be_empty: bool = False) -> str:
        """A text as its author meant it; empty where it is missing or something else."""
        if entry is None:
            return ""
        self.positions[where] = span = self._value_span(entry)
        value = entry.value
        if not isinstance(value, Scalar):
            return self._text_in_braces(entry, value)
        if value.comment:
            text = f"{value.text} {value.comment}"
            message = f'the text ends before the #: "{shortened(value.text)}"'
            hint = "put the text in quotes, with the # if it belongs to it; else give the comment a line of its own"
            self._problem(Code.CUT_OFF, span, message, hint)
            return text
        if not value.text.strip() and not (may_be_empty and not value.plain):
            self._problem(
                Code.EMPTY, entry.key.span, f"`{entry.key.text}` is empty", f'write  {entry.key.text}: "a text"'
            )
        return value.text

    def _text_in_braces(self, entry: Entry, value: nodes.Mapping | nodes.Sequence) -> str:
        if value.written:
            hint = f"put the text in quotes: {as_quoted(value.written)}"
            self._problem(Code.NEEDS_QUOTES, value.span, why_quotes(value.written), hint)
        else:
            message = f"`{shortened(entry.key.text)}` is a text, and this is {_shape(value)}"
            self._problem(Code.WRONG_SHAPE, value.span, message, f'write  {shortened(entry.key.text)}: "a text"')
        return value.written

    def _template(self, entry: Entry, where: Where, compile_: Callable[[str], _HasNames]) -> str:
        text = self._text(entry, where)
        try:
            names = compile_(text).names
        except BrokenText as broken:
            line = f", on line {broken.line} of it" if broken.line > 1 else ""
            hint = _FILTERS if "filter" in broken.message else _BRACES
            self._problem(
                Code.BROKEN_TEXT, self.positions[where], f"the text cannot be read{line}: {broken.message}", hint
            )
            return text
        for name in sorted(names - {*self._data, *grammar.BUILT_IN_NAMES}):
            self._unknown_name(name, self._place_of(name, text, self.positions[where]))
        return text

    def _unknown_name(self, name: str, span: Span) -> None:
        known = [*self._data, *grammar.BUILT_IN_NAMES]
        message = f'the text reads "{shortened(name)}", which is not in `data`'
        hint = hints(did_you_mean(name, known), f"names here: {listed(known)}")
        self._problem(Code.UNKNOWN_DATA, span, message, hint)

    def _place_of(self, name: str, text: str, span: Span) -> Span:
        """Where *name* stands in the text at *span*, in braces if it can; else *span*."""
        word = re.compile(rf"(?<![\w.\"'])({re.escape(name)})(?!\w)")
        lines = self._page.lines[span.line - 1 : span.line + len(text.splitlines())]
        for pattern in (re.compile(r"\{[{%]" + r"[^{}]*?" + word.pattern), word):
            for number, line in enumerate(lines, span.line):
                found = pattern.search(line, span.column - 1 if number == span.line else 0)
                if found:
                    return Span(number, found.start(1) + 1, len(name))
        return span

    def _value_span(self, entry: Entry) -> Span:
        is_there = not isinstance(entry.value, Scalar) or entry.value.text or not entry.value.plain
        return entry.value.span if is_there else entry.key.span

    def _problem(self, code: Code, span: Span, message: str, hint: str) -> None:
        self.problems.append(self._page.problem(code, span, message, hint))


_BRACES = "between {{ and }} stands a name or an expression, like {{ customer.name }}"
_FILTERS = "after | stands `otherwise('…')` or a filter of Jinja2"
_MISSING = {
    "flow": "begin with its name, which is the file's too:  flow: welcome",
    "start": "say in which state it begins:  start: hello",
    "states": 'write at least one:  states: {hello: {say: "Hello!", end: close}}',
}


def _or_flow(stem: str) -> str:
    return f", or the flow {stem}" if NAME.fullmatch(stem) else ""


def _shape(node: Node) -> str:
    match node:
        case Scalar():
            return f'a text, "{shortened(node.text)}"'
        case nodes.Mapping():
            return "something with keys"
        case nodes.Sequence():
            return "a list"
