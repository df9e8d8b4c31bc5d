"""A CSV file that lists images, one line per image: ``path,label[,generator,split,class]``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from bench.data import listed
from bench.data.dataset import Split
from bench.data.listed import Place
from bench.errors import UserError
from bench.labels import check_direction, label_in, not_labels, unused_words
from bench.progress import Progress
from bench.recipe import content_key

#: Must be increased if the same file is laid out in another way.
_FORM = 2
_BATCH = 10_000
#: Rows whose files must not all be missing.
_TRIED = 100


def key_of(path: Path, columns: Mapping[str, str]) -> str:
    """The key of a file's tree: of its content, of the folder at which its relative paths start, and of the columns."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return content_key([_FORM, content, str(path.parent.absolute()), dict(columns)])


def read(path: Path, columns: Mapping[str, str], progress: Progress) -> pd.DataFrame:
    """Columns ``path`` (absolute), ``label``, ``generator``, ``split`` and ``class``, one row per image, as listed.

    Relative paths start at the file's folder. Without a column of splits, all rows are for testing. A row that is there
    twice counts once, and rows of no known split are not used; both are counted. Raises UserError for a file that
    cannot be read, a label that is neither real nor fake, an empty path, and a file without fakes.
    """
    table = read_table(path)
    chosen = listed.choose_columns(table, columns, str(path))
    progress.note(f"{path}: columns {listed.shown(chosen)}; --columns chooses others")
    rows = pd.DataFrame({"path": _paths(table[chosen["image"]], path), "label": _labels(table, chosen)})
    unused = unused_words(table[chosen["label"]].unique(), chosen)
    if unused:
        progress.warn(f"{path}: --columns names words that no row has: {', '.join(unused)}")
    named = table[chosen["generator"]] if "generator" in chosen else pd.Series("", table.index)
    rows["generator"] = named.map(cache(listed.folder_name))
    _warn_of_merged(named, path, progress)
    rows["split"] = _splits(table, chosen, path, progress)
    rows["class"] = table[chosen["class"]].str.strip() if "class" in chosen else ""
    _check_rows(rows, path)
    twice = rows.duplicated()
    if twice.any():
        progress.warn(f"{path}: {twice.sum()} rows are there more than once; each is used once")
    rows = rows[~twice & rows["split"].ne("")].reset_index(drop=True)
    if not (rows["label"] == 1).any():
        raise UserError(
            f"{path} lists no fakes.", f"It has {len(rows)} rows that can be used.", "Mark generated images as fake."
        )
    return rows


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file as text, with commas, semicolons or tabs; names of columns without blanks around them.

    Raises UserError for a file that cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
        separator = "," if "," in head else next((mark for mark in ";\t" if mark in head), ",")
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=separator)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(
            f"{path} cannot be read.",
            f"{type(error).__name__}: {error}.",
            "Give a CSV file in UTF-8 with a first line of names: path,label,generator,split,class.",
        ) from error
    return table.rename(columns=lambda name: str(name).strip())


def _check_rows(rows: pd.DataFrame, file: Path) -> None:
    """Raise UserError if a file is listed with both labels, or if none of the first files exists."""
    labels = rows.drop_duplicates(["path", "label"])
    both = labels["path"][labels["path"].duplicated()]
    if len(both):
        raise UserError(
            f"{file} lists {len(both)} files both as real and as fake.",
            f"The first is {both.iloc[0]}.",
            "Delete the wrong rows.",
        )
    first = rows["path"].head(_TRIED)
    if len(first) and not any(Path(path).exists() for path in first):
        raise UserError(
            f"None of the first {len(first)} files of {file} exists.",
            f"Looked for {first.iloc[0]}.",
            "Relative paths start at the folder of the CSV file; they have slashes, and addresses are not downloaded.",
        )


def _warn_of_merged(named: pd.Series, file: Path, progress: Progress) -> None:
    """Warn of generators whose names become the same folder."""
    names = pd.Series(named.str.strip().unique())
    for folder, part in names.groupby(names.map(listed.folder_name)):
        if len(part) > 1:
            progress.warn(f"{file}: the generators {', '.join(map(repr, part))} are read as one, {folder}")


def _paths(column: pd.Series, file: Path) -> pd.Series:
    """Absolute paths. Raises UserError for an empty one."""
    empty = column.str.strip().eq("")
    if empty.any():
        line = int(empty.to_numpy().argmax()) + 2
        raise UserError(f"{file}, line {line}: the path is empty.", f"{empty.sum()} lines have none.", "Delete them.")
    start = f"{file.parent.absolute()}/"
    return column.where(column.str.startswith("/"), start + column)


def _labels(table: pd.DataFrame, chosen: Mapping[str, str]) -> pd.Series:
    """The labels; where one column has both label and generator, every word that is not ``real`` is a fake's."""
    column = table[chosen["label"]]
    check_direction(chosen["label"], column.unique(), chosen)
    labels = {word: label_in(word, chosen) for word in column.unique()}
    if chosen["label"] == chosen.get("generator"):
        return column.map({word: 1 if label is None else label for word, label in labels.items()})
    strange = sorted(word for word, label in labels.items() if label is None)
    if strange:
        raise not_labels(chosen["label"], (word or "an empty field" for word in strange[:5]))
    return column.map(labels).astype("int64")


def _splits(table: pd.DataFrame, chosen: Mapping[str, str], file: Path, progress: Progress) -> pd.Series:
    """``train``, ``test``, or an empty string for a split that is neither."""
    if "split" not in chosen:
        return pd.Series("test", table.index)
    words = table[chosen["split"]]
    splits: dict[str, Split | str] = {word: listed.split_in(word) or "" for word in words.unique()}
    for word in sorted(word for word, split in splits.items() if not split):
        count = int(words.eq(word).sum())
        progress.warn(f"{file}: {count} rows of the split {word!r} are not used: it is neither train nor test")
    return words.map(splits)


def _names(rows: pd.DataFrame) -> pd.Series:
    """The names of the links: those of the files; where two in a folder would be equal, with a hash of the path.

    With classes, which are looked up by name, no two in the tree are equal.
    """
    names = rows["path"].str.rpartition("/")[2]
    scope = [names] if rows["class"].ne("").any() else [names, rows["split"], rows["label"], rows["generator"]]
    keys = pd.concat(scope, axis=1, keys=range(len(scope)))
    twice = keys.duplicated(keep=False)
    hashes = rows.loc[twice, "path"].map(lambda path: hashlib.sha256(path.encode()).hexdigest()[:8])
    return names.where(~twice, hashes + "-" + names)


def lay_out(rows: pd.DataFrame, tree: Path, progress: Progress) -> str:
    """Make the tree of the rows of :func:`read`: links to the files; returns the name of the dataset that reads it."""
    names = _names(rows)
    with progress.stage("linking the images", len(rows)) as stage:
        places = []
        for (split, label, generator), part in rows.groupby(["split", "label", "generator"], sort=True):
            places.append(Place(split, int(label), generator))
            folder = places[-1].below(tree / "images")
            folder.mkdir(parents=True)
            for count, (name, path) in enumerate(zip(names[part.index], part["path"], strict=True), 1):
                (folder / name).symlink_to(path)
                if count % _BATCH == 0:
                    progress.advance(stage, _BATCH)
            progress.advance(stage, len(part) % _BATCH)
    classed = rows["class"].ne("")
    return listed.arrange(tree, places, dict(zip(names[classed], rows.loc[classed, "class"], strict=True)))
