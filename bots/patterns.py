"""Patterns for answers: RE2, whose time grows with the text and never explodes. The only importer of re2."""

from __future__ import annotations

import re2  # type: ignore[import-untyped]


class BrokenPattern(Exception):
    """A pattern that RE2 does not take; *message* is its own."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Pattern:
    """A compiled pattern."""

    def __init__(self, source: str) -> None:
        """Raises `BrokenPattern`."""
        try:
            self._compiled = re2.compile(source, _OPTIONS)
        except re2.error as broken:
            raise BrokenPattern(_words(broken)) from broken

    def fits(self, text: str) -> bool:
        """Whether the pattern is the whole of *text*."""
        try:
            return self._compiled.fullmatch(text) is not None
        except UnicodeEncodeError:
            # Half of a character, which no text that was written whole has.
            return False


def _options() -> re2.Options:
    options = re2.Options()
    # It would write to stderr what the exception tells.
    options.log_errors = False
    return options


_OPTIONS = _options()


def _words(broken: Exception) -> str:
    words = broken.args[0] if broken.args else ""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
