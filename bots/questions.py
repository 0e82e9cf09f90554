"""Questions from YAML: what an `ask` takes for an answer, and what follows a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bots import grammar, nodes
from bots.flow import Ask, Choice, End, EveryQuestion, Scale, Tries
from bots.matching import normalised
from bots.nodes import Entry
from bots.patterns import BrokenPattern, Pattern
from bots.problems import Code, Where, did_you_mean, hints, listed, shortened
from bots.reader import Reader
from bots.texts import compile_text


class QuestionReader(Reader):
    """Reads the keys of questions and their defaults."""

    def ask(self, keys: Mapping[str, Entry], where: Where, text: str, goto: str | None, end: End | None) -> Ask:
        """The question whose *text* and way on were read already."""
        scale = self._scale(keys.get("choices"), (*where, "choices"))
        if scale is not None and "must" in keys:
            message = "`must` is for texts, and the choices are numbers"
            self.problem(Code.BAD_VALUE, keys["must"].key.span, message, "keep one of them")
        return Ask(
            text=text,
            choices=self._choices(keys.get("choices"), (*where, "choices")),
            scale=scale,
            save_as=self._save_as(keys.get("save_as"), where, scale),
            clean=self._clean(keys.get("clean"), (*where, "clean")),
            must=self._must(keys.get("must"), (*where, "must")),
            wrong=self.templates(keys.get("wrong"), (*where, "wrong"), compile_text),
            tries=self._tries(keys.get("tries"), (*where, "tries")),
            goto=goto,
            end=end,
        )

    def every_question(self, entry: Entry | None) -> EveryQuestion:
        """The defaults of all questions."""
        where = ("every_question",)
        mapping = self.mapping(entry, where, "tries: {most: 3, goto: STATE}")
        if mapping is None:
            return EveryQuestion()
        allowed, later = grammar.EVERY_QUESTION_KEYS, grammar.EVERY_QUESTION_LATER
        keys = self.keys(mapping, where, allowed, later, "`every_question`")
        tries = self._tries(keys.get("tries"), (*where, "tries"))
        return EveryQuestion(
            wrong=self.templates(keys.get("wrong"), (*where, "wrong"), compile_text),
            tries=None if tries == "none" else tries,
        )

    # choices

    def _choices(self, entry: Entry | None, where: Where) -> tuple[Choice, ...]:
        if entry is None or (isinstance(entry.value, nodes.Mapping) and _is_scale(entry.value)):
            return ()
        choices: list[Choice] = []
        for item, place in self.items(entry, where, "[{label: Yes, goto: STATE}, {label: No, goto: STATE}]"):
            choice = self._choice(item, place)
            if choice is not None:
                self._check_label(choice, choices, (*place, "label"))
                choices.append(choice)
        return tuple(choices)

    def _choice(self, item: Entry, where: Where) -> Choice | None:
        self.positions[where] = span = item.value.span
        if not isinstance(item.value, nodes.Mapping):
            example = shortened(item.value.text) if isinstance(item.value, nodes.Scalar) else "Yes"
            message = "each choice has keys of its own"
            self.problem(Code.WRONG_SHAPE, span, message, f"write  - {{label: {example}, goto: STATE}}")
            return None
        keys = self.keys(item.value, where, grammar.CHOICE_KEYS, (), "a choice")
        label = self.text(self.needed(keys, "label", span, "the choice", "label: Yes"), (*where, "label"))
        if "{{" in label or "{%" in label:
            message = "a label is shown as it is written, and this one has an expression in it"
            self.problem(Code.BAD_VALUE, self.positions[*where, "label"], message, "write plain words")
        return Choice(
            label=label,
            goto=self.word(keys.get("goto"), (*where, "goto")) or None,
            value=self.text(keys["value"], (*where, "value"), may_be_empty=True) if "value" in keys else None,
        )

    def _check_label(self, choice: Choice, before: list[Choice], where: Where) -> None:
        same = next((one for one in before if choice.label and normalised(one.label) == normalised(choice.label)), None)
        if same is not None:
            message = f'"{shortened(choice.label)}" is heard like "{shortened(same.label)}" before it'
            self.problem(Code.HEARD_TWICE, self.positions[where], message, "give it another label")

    def _scale(self, entry: Entry | None, where: Where) -> Scale | None:
        if entry is None or not isinstance(entry.value, nodes.Mapping) or not _is_scale(entry.value):
            return None
        self.positions[where] = span = entry.key.span
        keys = self.keys(entry.value, where, grammar.SCALE_KEYS, (), "`choices`")
        first = self.number(self.needed(keys, "from", span, "`choices`", "from: 1"), (*where, "from"), least=0)
        last = self.number(self.needed(keys, "to", span, "`choices`", "to: 5"), (*where, "to"), least=0)
        if first is not None and last is not None and first >= last:
            message = f"there is nothing to choose from {first} to {last}"
            self.problem(Code.BAD_VALUE, self.positions[*where, "to"], message, "give the smaller number first")
        return Scale(from_=first or 0, to=last or 0)

    def _save_as(self, entry: Entry | None, where: Where, scale: Scale | None) -> str | None:
        found = self.word(entry, (*where, "save_as"))
        if entry is None or not found:
            return None
        type_ = self.data[found].type if found in self.data else ""
        if not type_:
            message = f'`save_as` names "{shortened(found)}", which is not in `data`'
            kind = "text" if scale is None else "integer"
            hint = did_you_mean(found, self.data) or f"declare it:  data: {{{shortened(found)}: {{type: {kind}}}}}"
            self.problem(Code.UNKNOWN_DATA, entry.value.span, message, hint)
        elif scale is not None and type_ != "integer":
            message = f'the answer is an integer, and "{found}" is {_a(type_)}'
            self.problem(Code.BAD_VALUE, entry.value.span, message, "save it under data of the type integer")
        elif scale is None and type_ != "text":
            message = f'an answer is a text, and "{found}" is {_a(type_)}'
            scale_hint = "or ask for a number:  choices: {from: 1, to: 5}" if type_ == "integer" else ""
            hint = hints("save it under data of the type text", scale_hint)
            self.problem(Code.BAD_VALUE, entry.value.span, message, hint)
        return found

    # what an answer must be

    def _clean(self, entry: Entry | None, where: Where) -> tuple[str, ...]:
        found = []
        for item, place in self.items(entry, where, "[trim, remove_spaces]"):
            way = self.word(item, place)
            if way in grammar.CLEANINGS:
                found.append(way)
            elif way:
                message = f'`clean` has no way "{shortened(way)}"'
                hint = hints(did_you_mean(way, grammar.CLEANINGS), f"it can be: {listed(grammar.CLEANINGS)}")
                self.problem(Code.BAD_VALUE, item.value.span, message, hint)
        return tuple(found)

    def _must(self, entry: Entry | None, where: Where) -> str | None:
        mapping = self.mapping(entry, where, "match: '[0-9]{8}'")
        if entry is None or mapping is None:
            return None
        keys = self.keys(mapping, where, grammar.MUST_KEYS, (), "`must`")
        match = self.needed(keys, "match", entry.key.span, "`must`", "match: '[0-9]{8}'")
        pattern = self.text(match, (*where, "match"))
        try:
            Pattern(pattern)
        except BrokenPattern as broken:
            message = f"the pattern cannot be read: {broken.message}"
            hint = "patterns are those of RE2: no look-around, no backreferences; put them in single quotes"
            self.problem(Code.BROKEN_PATTERN, self.positions[*where, "match"], message, hint)
        return pattern

    def _tries(self, entry: Entry | None, where: Where) -> Tries | Literal["none"] | None:
        example = "{most: 3, goto: STATE}"
        if entry is None:
            return None
        if isinstance(entry.value, nodes.Scalar) and entry.value.text == "none":
            self.positions[where] = entry.value.span
            return "none"
        mapping = self.mapping(entry, where, f"tries: {example}  or  tries: none")
        if mapping is None:
            return None
        keys = self.keys(mapping, where, grammar.TRIES_KEYS, (), "`tries`")
        span = entry.key.span
        most = self.number(self.needed(keys, "most", span, "`tries`", "most: 3"), (*where, "most"), least=1)
        goto = self.needed(keys, "goto", span, "`tries`", "goto: STATE")
        return Tries(most=most or 1, goto=self.word(goto, (*where, "goto")))


def _is_scale(mapping: nodes.Mapping) -> bool:
    return any(entry.key.text in grammar.SCALE_KEYS for entry in mapping.entries)


def _a(type_: str) -> str:
    return f"a {type_}" if type_ == "text" else f"an {type_}"
