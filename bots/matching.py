"""Phrases, and whether they stand in what a customer wrote. The only importer of rapidfuzz."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

from rapidfuzz import process
from rapidfuzz.distance import OSA

MOST_WORDS = 6
"""In a message with more words a phrase is not looked for: it is about something else."""
LETTERS_FOR_AN_ERROR = 5

Meaning = TypeVar("Meaning")


def normalised(text: str) -> str:
    """*text* as it is compared: case, accents and the punctuation around words aside.

    A text without letters or digits stays what it is, so that "?" or an emoji can be a phrase.
    """
    plain = text.lower() if text.isascii() else _without_accents(text)
    words = [word if word.isalnum() else _without_edges(word) for word in plain.split()]
    return " ".join(filter(None, words)) or " ".join(plain.split())


class Spoken:
    """What a customer wrote, made ready once to look for phrases in it.

    With *whole_only* a phrase is heard only when it is the whole message.
    """

    __slots__ = ("parts", "text", "words")

    def __init__(self, text: str, *, whole_only: bool = False) -> None:
        self.text = normalised(text)
        self.words = self.text.split()
        self.parts = (self.text,) if whole_only or len(self.words) > MOST_WORDS else tuple(_parts(self.words))


class Phrases(Generic[Meaning]):
    """Phrases with their meanings, in the order of writing."""

    def __init__(self, phrases: Iterable[tuple[str, Meaning]]) -> None:
        """Of phrases that are the same when normalised the first counts."""
        self._meanings: dict[str, Meaning] = {}
        for phrase, meaning in phrases:
            self._meanings.setdefault(normalised(phrase), meaning)
        self._order = {phrase: place for place, phrase in enumerate(self._meanings)}
        self._by_errors = _by_errors(self._meanings)
        self._longest = max((len(phrase) + errors for errors, some in self._by_errors for phrase in some), default=0)

    def exact(self, spoken: Spoken) -> Meaning | None:
        """The meaning of the longest phrase that was written without an error."""
        found = [part for part in spoken.parts if part in self._meanings]
        return self._meanings[max(found, key=self._rank)] if found else None

    def near(self, spoken: Spoken) -> Meaning | None:
        """The meaning of the phrase with the fewest typing errors, of several the longest."""
        parts = [part for part in spoken.parts if len(part) <= self._longest]
        found = [
            (-errors, *self._rank(phrase), phrase)
            for most, phrases in self._by_errors
            for part in parts
            for phrase, errors, _ in process.extract(
                part, phrases, scorer=OSA.distance, processor=None, score_cutoff=most, limit=None
            )
            # An order's number that is one digit off is another order.
            if _digits(phrase) == _digits(part)
        ]
        return self._meanings[max(found)[-1]] if found else None

    def _rank(self, phrase: str) -> tuple[int, int]:
        return len(phrase), -self._order[phrase]


def _parts(words: list[str]) -> Iterable[str]:
    """Every row of neighbouring words."""
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            yield " ".join(words[start:end])


def _by_errors(phrases: Iterable[str]) -> list[tuple[int, list[str]]]:
    """The phrases that may have typing errors, by how many."""
    groups = defaultdict(list)
    for phrase in phrases:
        errors = sum(character.isalpha() for character in phrase) // LETTERS_FOR_AN_ERROR
        if errors:
            groups[errors].append(phrase)
    return list(groups.items())


def _digits(text: str) -> list[str]:
    return [character for character in text if character.isdigit()]


_APOSTROPHES = dict.fromkeys(map(ord, "‘’ʼ´"), "'")
# What makes an emoji of a digit or a heart.
_EMOJI_SIGNS = dict.fromkeys((0xFE0E, 0xFE0F, 0x20E3))
# Marks on Latin, Greek and Cyrillic letters. Other scripts' marks make other letters, not accents.
_ACCENTS = dict.fromkeys(range(0x300, 0x370))


def _without_accents(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES | _EMOJI_SIGNS)).casefold()
    bare = unicodedata.normalize("NFKD", folded).translate(_ACCENTS)
    return unicodedata.normalize("NFC", bare)


def _without_edges(word: str) -> str:
    start, end = 0, len(word)
    while start < end and _is_punctuation(word[start]):
        start += 1
    while start < end and _is_punctuation(word[end - 1]):
        end -= 1
    return word[start:end]


def _is_punctuation(character: str) -> bool:
    """Whether it can stand around a word without being part of it, as emoji do too."""
    category = unicodedata.category(character)
    return category[0] in "PC" or category in ("So", "Sk")
