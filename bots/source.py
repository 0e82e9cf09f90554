"""A file's lines while they are read: as the author wrote them, and as they are read on after a mistake."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from bots.problems import Page, Span

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class Place(NamedTuple):
    """A place counted from 0, as the parser counts."""

    line: int
    column: int


class Source:
    """*page* holds the lines as written; `line` and `text` give them as they are read.

    Where a mistake was mended, the two differ; `written` leads from a place that is read to the place as written.
    """

    def __init__(self, text: str, path: str) -> None:
        self.page = Page(path, tuple(_LINE_BREAK.split(text)))
        self._lines = list(self.page.lines)
        self._origins: dict[int, list[int]] = {}
        self._mends: Counter[int] = Counter()

    @property
    def text(self) -> str:
        """All lines as they are read."""
        return "\n".join(self._lines)

    def line(self, number: int) -> str:
        """One line as it is read; empty past the end."""
        return self._lines[number] if number < len(self._lines) else ""

    def count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def was_mended(self, line: int) -> bool:
        """Whether *line* is read otherwise than it was written."""
        return line in self._origins

    def most_mends(self) -> int:
        """How often the line that was mended most often was mended."""
        return max(self._mends.values(), default=0)

    def written(self, place: Place) -> Place:
        """Where the author wrote what is read at *place*."""
        origins = self._origins.get(place.line)
        if origins is None:
            return place
        return Place(place.line, origins[min(place.column, len(origins) - 1)])

    def span(self, start: Place, end: Place) -> Span:
        """What the author wrote from *start* to *end*, both as read; of several lines, what stands on the first."""
        first, last = self.written(start), self.written(end)
        until = last.column if last.line == first.line else len(self._written_line(first.line))
        return Span(first.line + 1, first.column + 1, max(1, until - first.column))

    def between(self, start: Place, end: Place) -> str:
        """The author's characters from *start* to *end*, on one line."""
        first, last = self.written(start), self.written(end)
        if first.line == last.line:
            return self._written_line(first.line)[first.column : last.column]
        lines = [self._written_line(number).strip() for number in range(first.line + 1, last.line)]
        tail = self._written_line(last.line)[: last.column].strip()
        return " ".join([self._written_line(first.line)[first.column :].strip(), *lines, tail]).strip()

    def after(self, place: Place) -> str:
        """The author's characters after *place* on its line."""
        line, column = self.written(place)
        return self._written_line(line)[column:]

    def quote(self, line: int, start: int, end: int, *, skip: int = 0, drop: int = 0) -> None:
        """Read the columns *start* to *end* as if quoted, without their first *skip* and last *drop* characters."""
        origins = self._origins_of(line)
        inner = range(start + skip, max(start + skip, end - drop))
        doubled = [(c, origins[i]) for i in inner for c in _in_quotes(self._lines[line][i])]
        self._splice(line, start, end, [("'", origins[start]), *doubled, ("'", origins[end])])

    def insert(self, line: int, column: int, text: str) -> None:
        """Read *line* with *text* put in at *column*."""
        origin = self._origins_of(line)[column]
        self._splice(line, column, column, [(character, origin) for character in text])

    def replace(self, line: int, start: int, end: int, text: str) -> None:
        """Read *line* with *text* instead of the columns *start* to *end*."""
        origins = self._origins_of(line)
        last = max(start, end - 1)
        self._splice(line, start, end, [(c, origins[min(start + i, last)]) for i, c in enumerate(text)])

    def _splice(self, line: int, start: int, end: int, new: list[tuple[str, int]]) -> None:
        self._mends[line] += 1
        origins = self._origins_of(line)
        read = self._lines[line]
        self._lines[line] = read[:start] + "".join(character for character, _ in new) + read[end:]
        self._origins[line] = [*origins[:start], *(origin for _, origin in new), *origins[end:]]

    def _origins_of(self, line: int) -> list[int]:
        return self._origins.get(line) or list(range(len(self._lines[line]) + 1))

    def _written_line(self, line: int) -> str:
        return self.page.lines[line] if line < len(self.page.lines) else ""


def _in_quotes(character: str) -> str:
    return "''" if character == "'" else character
