"""The two classes in other people's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.errors import UserError

#: Words for the two classes, in lower case: 0 for a photograph, 1 for a generated image.
LABELS: Mapping[str, int] = {
    **dict.fromkeys(("0", "real", "nature", "natural", "photograph", "photo", "authentic", "0_real", "false"), 0),
    **dict.fromkeys(("1", "fake", "ai", "generated", "synthetic", "1_fake", "true"), 1),
}


def label_in(word: object) -> int | None:
    """The label that a word or number names: 0 for real, 1 for fake, None for any other."""
    return LABELS.get(str(word).strip().lower().removesuffix(".0"))


def not_labels(column: str, words: Iterable[object]) -> UserError:
    """The error for a column with words that are neither real nor fake."""
    return UserError(
        f"Labels in the column {column} that are neither real nor fake: {', '.join(map(str, words))}.",
        f"Known: {', '.join(LABELS)}.",
        "Write 0 or real for photographs, and 1 or fake for generated images.",
    )
