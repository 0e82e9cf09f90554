"""What customers say anywhere, from YAML: `words` and `anywhere`."""

from __future__ import annotations

from bots import grammar, nodes
from bots.flow import Shortcut
from bots.nodes import Entry
from bots.problems import Code, Where, did_you_mean, shortened
from bots.reader import Reader
from bots.texts import BrokenText, compile_value


class VocabularyReader(Reader):
    """Reads `words` and `anywhere` of a flow."""

    def words(self, entry: Entry | None) -> dict[str, tuple[str, ...]]:
        """Named lists of phrases."""
        words = {}
        for one in self.entries(self.mapping(entry, ("words",), "agent: [agent, human]")):
            where = ("words", one.key.text)
            self.check_name(one.key.text, one.key.span, "words")
            items = self.items(one, where, "[a phrase, another]")
            words[one.key.text] = tuple(self.text(item, place) for item, place in items)
            self.positions[where] = one.key.span
        return words

    def anywhere(self, entry: Entry | None, words: dict[str, tuple[str, ...]]) -> tuple[Shortcut, ...]:
        """What is heard before the current state."""
        shortcuts: list[Shortcut] = []
        lines: dict[str, int] = {}
        for item, where in self.items(entry, ("anywhere",), "[{hears: agent, goto: STATE}]"):
            shortcut = self._shortcut(item, where, words)
            if shortcut is None:
                continue
            line = self.positions[where].line
            if lines.setdefault(shortcut.hears, line) != line:
                message = f'"{shortened(shortcut.hears)}" is heard twice, first on line {lines[shortcut.hears]}'
                self.problem(Code.HEARD_TWICE, self.positions[*where, "hears"], message, "keep one of them")
            shortcuts.append(shortcut)
        return tuple(shortcuts)

    def _shortcut(self, item: Entry, where: Where, words: dict[str, tuple[str, ...]]) -> Shortcut | None:
        self.positions[where] = span = item.value.span
        if not isinstance(item.value, nodes.Mapping):
            message = "each line of `anywhere` has keys of its own"
            self.problem(Code.WRONG_SHAPE, span, message, "write  - {hears: agent, goto: STATE}")
            return None
        keys = self.keys(item.value, where, grammar.SHORTCUT_KEYS, (), "`anywhere`")
        hears = self.needed(keys, "hears", span, "this line of `anywhere`", "hears: WORDS")
        goto = self.needed(keys, "goto", span, "this line of `anywhere`", "goto: STATE")
        return Shortcut(
            hears=self._hears(hears, (*where, "hears"), words),
            goto=self.word(goto, (*where, "goto")),
            set_=self._set(keys.get("set"), (*where, "set")),
        )

    def _hears(self, entry: Entry | None, where: Where, words: dict[str, tuple[str, ...]]) -> str:
        found = self.word(entry, where)
        if entry is not None and found and found not in words:
            message = f'`hears` names "{shortened(found)}", which is not in `words`'
            hint = did_you_mean(found, words) or f"declare it:  words: {{{shortened(found)}: [a phrase, another]}}"
            self.problem(Code.UNKNOWN_WORDS, entry.value.span, message, hint)
        return found

    def _set(self, entry: Entry | None, where: Where) -> dict[str, str]:
        values = {}
        for one in self.entries(self.mapping(entry, where, "reason: asked for a person")):
            name = one.key.text
            place = (*where, name)
            values[name] = self.template(one, place, compile_value)
            type_ = self.data[name].type if name in self.data else "text"
            if name not in self.data:
                message = f'`set` names "{shortened(name)}", which is not in `data`'
                hint = did_you_mean(name, self.data) or f"declare it:  data: {{{shortened(name)}: {{type: text}}}}"
                self.problem(Code.UNKNOWN_DATA, one.key.span, message, hint)
            elif type_ != "text" and not _keeps_its_type(values[name]):
                message = f'this is a text, and "{name}" is an {type_}'
                hint = "give exactly one expression, like {{ order }}, or set data of the type text"
                self.problem(Code.BAD_VALUE, self.positions[place], message, hint)
        return values


def _keeps_its_type(source: str) -> bool:
    try:
        return compile_value(source).keeps_its_type
    except BrokenText:
        # It was told already what is wrong with it.
        return True
