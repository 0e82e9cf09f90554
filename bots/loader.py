"""Flows from YAML: the neutral model, where everything stands in the file, and all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import cast

from bots import grammar, nodes
from bots.check import unknown_targets
from bots.flow import Ask, Case, Choose, End, Field, Flow, HandOff, Say, State
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
from bots.questions import QuestionReader
from bots.reader import NAME, WHOLE_NUMBER
from bots.texts import compile_condition, compile_text, compile_value
from bots.vocabulary import VocabularyReader

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
    reader = _FlowReader(reading.page)
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


class _FlowReader(QuestionReader, VocabularyReader):
    """Reads a flow: its keys, its data and its states."""

    def flow(self, root: Node) -> Flow | None:
        """The flow, as far as it can be read; None when there are no keys at all."""
        if not isinstance(root, nodes.Mapping):
            self.problem(Code.WRONG_SHAPE, root.span, "a flow has keys", "it begins with its name:  flow: welcome")
            return None
        entries = self.keys(root, (), grammar.FLOW_KEYS, grammar.FLOW_LATER, "a flow")
        for key in grammar.FLOW_NEEDS:
            if key not in entries:
                hint = _MISSING[key]
                self.problem(Code.MISSING_KEY, Span(1, 1), f"the flow has no `{key}`", hint)
        self._format(entries.get("format"))
        self.data = self._all_data(entries.get("data"))
        words = self.words(entries.get("words"))
        return Flow(
            name=self._flow_name(entries.get("flow")),
            language=self._language(entries.get("language")),
            start=self.word(entries.get("start"), ("start",)),
            trouble=self.word(entries.get("trouble"), ("trouble",)) or None,
            data=self.data,
            words=words,
            every_question=self.every_question(entries.get("every_question")),
            anywhere=self.anywhere(entries.get("anywhere"), words),
            states=self._states(entries.get("states")),
        )

    def _flow_name(self, entry: Entry | None) -> str:
        if entry is None:
            return ""
        name = self.name(entry, ("flow",), "a flow")
        path = PurePath(self.page.path)
        if NAME.fullmatch(name) and path.suffix == ".yaml" and path.stem != name:
            message = f'the flow is named "{name}", its file "{path.name}"'
            self.problem(
                Code.OTHER_FILE_NAME, entry.value.span, message, f"name the file {name}.yaml{_or_flow(path.stem)}"
            )
        return name

    def _format(self, entry: Entry | None) -> None:
        found = self.word(entry, ("format",))
        if entry is not None and found and found != grammar.FORMAT:
            message = f'this version of Usher reads format {grammar.FORMAT}, not "{shortened(found)}"'
            self.problem(Code.BAD_VALUE, entry.value.span, message, f"write  format: {grammar.FORMAT}")

    def _language(self, entry: Entry | None) -> str:
        found = self.word(entry, ("language",))
        if entry is not None and found and not LANGUAGE.fullmatch(found):
            message = f'"{shortened(found)}" is not a language'
            self.problem(Code.BAD_VALUE, entry.value.span, message, "give its code, like en, es or pt-BR")
        return found or "en"

    # data

    def _all_data(self, entry: Entry | None) -> dict[str, Field]:
        mapping = self.mapping(entry, ("data",), "order_no: {type: text}")
        return {one.key.text: self._field(one) for one in self.entries(mapping)}

    def _field(self, entry: Entry) -> Field:
        where = ("data", entry.key.text)
        self._check_data_name(entry.key)
        mapping = self.mapping(entry, where, f"{entry.key.text}: {{type: text}}")
        if mapping is None:
            return Field()
        keys = self.keys(mapping, where, grammar.FIELD_KEYS, (), "data")
        type_ = self._type(keys.get("type"), where)
        return Field(
            type=type_,
            label=self.text(keys.get("label"), (*where, "label")),
            otherwise=self._otherwise(keys.get("otherwise"), where, type_),
            from_=self._from(keys.get("from"), (*where, "from"), type_),
            private=self.one_of(keys.get("private"), (*where, "private"), ("true", "false")) == "true",
        )

    def _check_data_name(self, key: Scalar) -> None:
        self.check_name(key.text, key.span, "data")
        if key.text in grammar.BUILT_IN_NAMES or key.text in grammar.TEXT_WORDS:
            self.problem(
                Code.BAD_NAME, key.span, f'the name "{key.text}" has a meaning of its own in texts', "take another"
            )

    def _type(self, entry: Entry | None, where: Where) -> str:
        found = self.scalar(entry)
        if entry is not None and found is not None and found.text in grammar.FIELD_TYPES_LATER:
            self.later(found.span, f"the type `{found.text}`", f"types now: {listed(grammar.FIELD_TYPES)}")
            return "text"
        return self.one_of(entry, (*where, "type"), grammar.FIELD_TYPES) or "text"

    def _otherwise(self, entry: Entry | None, where: Where, type_: str) -> str | None:
        if entry is None:
            return None
        text = self.text(entry, (*where, "otherwise"), may_be_empty=True)
        if type_ == "object":
            self.problem(Code.BAD_VALUE, entry.key.span, "`otherwise` is a text, and an object is none", "take it away")
        elif type_ == "integer" and not WHOLE_NUMBER.fullmatch(text):
            message = f'`otherwise` is "{shortened(text)}", and an integer is a whole number'
            self.problem(Code.BAD_VALUE, self.positions[*where, "otherwise"], message, "write it in digits, like 0")
        return text

    def _from(self, entry: Entry | None, where: Where, type_: str) -> str | None:
        found = self.word(entry, where)
        if entry is None or not found:
            return None
        if not SOURCE.fullmatch(found) or found.partition(".")[0] not in grammar.FIELD_SOURCES:
            message = f'`from` is "{shortened(found)}", which is nothing that Usher knows'
            hint = "give a name like pre_engagement.email or customer.name"
            self.problem(Code.BAD_VALUE, entry.value.span, message, hint)
        elif type_ == "integer":
            hint = "take it away; an integer is kept by a question with choices: {from: 1, to: 5}"
            self.problem(Code.BAD_VALUE, entry.key.span, "what comes `from` there may be no integer", hint)
        return found

    # states

    def _states(self, entry: Entry | None) -> dict[str, State]:
        mapping = self.mapping(entry, ("states",), "hello: {say: Hello!, end: close}")
        if entry is not None and mapping is not None and not mapping.entries:
            self.problem(Code.EMPTY, entry.key.span, "the flow has no states", _MISSING["states"])
        return {one.key.text: self._state(one) for one in self.entries(mapping)}

    def _state(self, entry: Entry) -> State:
        name = entry.key.text
        where = ("states", name)
        self.check_name(name, entry.key.span, "a state")
        mapping = self.mapping(entry, where, 'say: "Hello!"')
        kind = self._kind(entry, mapping) if mapping is not None else None
        if mapping is None or kind is None:
            return Say(text="", end="close")
        every = {one.key.text for one in mapping.entries}
        keys = self._state_keys(mapping, where, kind)
        if kind == "handoff":
            return self._handoff(keys, where)
        if kind == "choose":
            return self._choose(keys["choose"], (*where, "choose"))
        text = self.template(keys[kind], (*where, kind), compile_text)
        goto = self.word(keys.get("goto"), (*where, "goto")) or None
        end = cast("End | None", self.one_of(keys.get("end"), (*where, "end"), grammar.ENDS) or None)
        is_say = kind == "say"
        state = Say(text=text, goto=goto, end=end) if is_say else self.ask(keys, where, text, goto, end)
        self._check_way_on(entry, keys, every, state)
        return state

    def _kind(self, entry: Entry, mapping: nodes.Mapping) -> str | None:
        """The state's kind, the first of several; None where there is none of those known now."""
        kinds = [one.key for one in mapping.entries if one.key.text in grammar.KINDS]
        name = shortened(entry.key.text)
        if len(kinds) > 1:
            message = f'state "{name}" has two kinds, `{kinds[0].text}` and `{kinds[1].text}`'
            self.problem(Code.NOT_ONE_KIND, kinds[1].span, message, "make two states of it, one leading to the other")
        if kinds:
            return kinds[0].text
        later = [one for one in mapping.entries if one.key.text in grammar.KINDS_LATER]
        if not later:
            hint = f"give it one of {listed(grammar.KINDS)}"
            self.problem(Code.NOT_ONE_KIND, entry.key.span, f'state "{name}" does not say what it does', hint)
        every = tuple(dict.fromkeys(key for keys in grammar.STATE_KEYS.values() for key in keys))
        self.keys(mapping, ("states", entry.key.text), every, grammar.STATE_LATER, "a state")
        return None

    def _state_keys(self, mapping: nodes.Mapping, where: Where, kind: str) -> dict[str, Entry]:
        """The keys that go with *kind*. Other kinds were told before."""
        rest = tuple(one for one in mapping.entries if one.key.text == kind or one.key.text not in grammar.KINDS)
        one_kind = nodes.Mapping(rest, mapping.span)
        return self.keys(one_kind, where, grammar.STATE_KEYS[kind], grammar.STATE_LATER, f"`{kind}`")

    def _check_way_on(self, entry: Entry, keys: Mapping[str, Entry], every: set[str], state: Ask | Say) -> None:
        name = shortened(entry.key.text)
        if "goto" in keys and "end" in keys:
            message = f'state "{name}" has both `goto` and `end`'
            self.problem(Code.NOT_ONE_WAY_ON, keys["end"].key.span, message, "keep one of them")
        elif "goto" in keys or "end" in keys or every & set(grammar.STATE_LATER):
            return
        elif isinstance(state, Ask) and "choices" in keys and state.scale is None and state.must is None:
            for number, choice in enumerate(state.choices):
                if choice.goto is None:
                    message = f'the choice "{shortened(choice.label)}" leads nowhere, nor does state "{name}"'
                    span = self.positions["states", entry.key.text, "choices", str(number)]
                    self.problem(Code.NOT_ONE_WAY_ON, span, message, "add  goto: STATE  to it, or to the state")
        else:
            message = f'state "{name}" does not say what comes next'
            self.problem(Code.NOT_ONE_WAY_ON, entry.key.span, message, "add  goto: STATE  or  end: close")

    def _choose(self, entry: Entry, where: Where) -> Choose:
        cases: list[Case] = []
        otherwise = ""
        is_closed = False
        items = self.items(entry, where, '[{when: "order.total > 100", goto: STATE}, {otherwise: STATE}]')
        for item, place in items:
            self.positions[place] = span = item.value.span
            if not isinstance(item.value, nodes.Mapping):
                message = "each case has keys of its own"
                self.problem(Code.WRONG_SHAPE, span, message, 'write  - {when: "order.total > 100", goto: STATE}')
                continue
            if is_closed:
                hint = "put `otherwise` at the end"
                self.problem(Code.NO_OTHERWISE, span, "what stands behind `otherwise` is never looked at", hint)
            if any(one.key.text == "otherwise" for one in item.value.entries):
                keys = self.keys(item.value, place, ("otherwise",), (), "the last case")
                otherwise = self.word(keys["otherwise"], (*where, str(len(cases)), "otherwise")) or otherwise
                is_closed = True
            else:
                cases.append(self._case(item.value, place))
        if items and not is_closed:
            hint = "add at its end  - {otherwise: STATE}"
            self.problem(
                Code.NO_OTHERWISE, entry.key.span, "`choose` does not say what follows when no case holds", hint
            )
        return Choose(cases=tuple(cases), otherwise=otherwise)

    def _case(self, mapping: nodes.Mapping, where: Where) -> Case:
        keys = self.keys(mapping, where, grammar.CASE_KEYS, (), "a case")
        when = self.needed(keys, "when", mapping.span, "the case", 'when: "order.total > 100"')
        goto = self.needed(keys, "goto", mapping.span, "the case", "goto: STATE")
        return Case(
            when=self.template(when, (*where, "when"), compile_condition, "condition") if when is not None else "",
            goto=self.word(goto, (*where, "goto")),
        )

    def _handoff(self, keys: Mapping[str, Entry], where: Where) -> HandOff:
        target = self.name(keys["handoff"], (*where, "handoff"), "a target")
        attributes = self.mapping(keys.get("attributes"), (*where, "attributes"), 'topic: "{{ topic }}"')
        return HandOff(
            target=target,
            attributes={
                one.key.text: self.template(one, (*where, "attributes", one.key.text), compile_value)
                for one in self.entries(attributes)
            },
            outcomes=self._outcomes(keys, where),
        )

    def _outcomes(self, keys: Mapping[str, Entry], where: Where) -> dict[str, str]:
        entry = keys.get("outcomes")
        where = (*where, "outcomes")
        mapping = self.mapping(entry, where, "{failed: STATE, ended: STATE}")
        outcomes = {}
        for one in self.entries(mapping):
            if one.key.text in grammar.OUTCOMES:
                outcomes[one.key.text] = self.word(one, (*where, one.key.text))
            else:
                message = f'"{shortened(one.key.text)}" is not an outcome of a handoff'
                hint = hints(did_you_mean(one.key.text, grammar.OUTCOMES), f"outcomes: {listed(grammar.OUTCOMES)}")
                self.problem(Code.UNKNOWN_OUTCOME, one.key.span, message, hint)
        if entry is None or mapping is not None:
            self._check_outcomes(outcomes, (entry or keys["handoff"]).key.span)
        return outcomes

    def _check_outcomes(self, outcomes: Mapping[str, str], span: Span) -> None:
        for needed in grammar.OUTCOMES_NEEDED:
            if needed not in outcomes:
                message = f'the handoff does not say what follows "{needed}"'
                self.problem(Code.MISSING_OUTCOME, span, message, f"add to its outcomes  {needed}: STATE")


_MISSING = {
    "flow": "begin with its name, which is the file's too:  flow: welcome",
    "start": "say in which state it begins:  start: hello",
    "states": 'write at least one:  states: {hello: {say: "Hello!", end: close}}',
}


def _or_flow(stem: str) -> str:
    return f", or the flow {stem}" if NAME.fullmatch(stem) else ""
