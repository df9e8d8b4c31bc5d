"""The two classes in other people's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bench.errors import UserError

#: Words for the two classes, in lower case: 0 for a photograph, 1 for a generated image.
LABELS: Mapping[str, int] = {
    **dict.fromkeys(("0", "false", "real", "0_real", "nature", "natural"), 0),
    **dict.fromkeys(("photograph", "photo", "authentic", "human"), 0),
    **dict.fromkeys(("1", "true", "fake", "1_fake", "ai", "ai-generated", "ai_generated", "generated", "synthetic"), 1),
}


#: What a user may say of the words in a column of labels: ``real`` and ``fake`` with words that ``|`` separates.
KINDS: Mapping[str, int] = {"real": 0, "fake": 1}


def _plain(word: object) -> str:
    return str(word).strip().lower().removesuffix(".0")


def words_of(said: Mapping[str, str], kind: str) -> set[str]:
    """The words that were ``said`` to be of a kind, in lower case."""
    return {_plain(word) for word in said.get(kind, "").split("|") if word.strip()}


def label_in(word: object, said: Mapping[str, str] = MappingProxyType({})) -> int | None:
    """The label that a word or number names: 0 for real, 1 for fake, None for any other.

    ``said`` may say which words are ``real`` and which ``fake``. If that is the opposite of what a usual word means,
    no usual word counts.
    """
    own = {part: label for kind, label in KINDS.items() for part in words_of(said, kind)}
    turned = any(LABELS.get(part, label) != label for part, label in own.items())
    return own.get(_plain(word), None if turned else LABELS.get(_plain(word)))


def unused_words(words: Iterable[object], said: Mapping[str, str]) -> list[str]:
    """What was ``said`` to be real or fake and is not among ``words``, sorted."""
    found = {_plain(word) for word in words}
    return sorted(word for kind in KINDS for word in words_of(said, kind) - found)


#: Names of columns in which 1 or true means a photograph, the opposite of what is meant here.
_OPPOSITE = ("real", "is_real", "isreal", "authentic", "is_authentic", "human", "is_human")
_NUMBERS = ("0", "1", "false", "true")


def check_direction(column: str, words: Iterable[object], said: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raise UserError for a column such as ``is_real`` with numbers, unless it was ``said`` what they mean."""
    found = {_plain(word) for word in words}
    if said.keys() & KINDS.keys():
        return
    if column.lower().rpartition(".")[2] in _OPPOSITE and found & set(_NUMBERS):
        raise UserError(
            f"The column {column} seems to say 1 for photographs.",
            "A label is 1, true or fake for a generated image.",
            f"Say what they mean, --columns label={column},real=1,fake=0, or give a column with 1 for fakes.",
        )


def not_labels(column: str, words: Iterable[object]) -> UserError:
    """The error for a column with words that are neither real nor fake."""
    return UserError(
        f"Labels in the column {column} that are neither real nor fake: {', '.join(map(str, words))}.",
        f"Known: {', '.join(LABELS)}.",
        "Write 0 or real for photographs, and 1 or fake for generated images; of a table for --data, say which words "
        "are which: --columns 'real=WORD|WORD,fake=WORD'.",
    )
