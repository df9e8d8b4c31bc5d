"""The papers' claims as a page: what was measured of each, with intervals, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from bench.report.effects import AUC, TIMES, measured
from bench.report.written import Written, interval, lines_of, table
from bench.results.folder import Results, write_text
from bench.results.frames import to_csv
from bench.suites import effects as claims
from bench.suites.effects import VERDICTS, Effect
from bench.suites.published import PAPERS

_WORDS = {"shown": "shown", "opposite": "the opposite", "open": "open", "": "no interval"}
_READING = """*Shown*: the 95 % interval lies on the claimed side. *The opposite*: it lies on the other side. *Open*: it
includes the border, so these images do not decide. The last column has the numbers of generators whose own interval
shows the claim, its opposite, or neither. The rows of a claim share images, so they are not independent. Differences
between methods are in points of AUC, whatever the paper prints (SemGIR accuracy, LaRE² accuracy and AP). Their
intervals include what the seeds of their source varied; a source with one seed has test sampling alone. The intervals
are not corrected for their number ({total} here): one in twenty misses the true value by chance."""
_HEADS = ("measured", "source", "protocol", "value", "images", "verdict", "generators: shown, opposite, open")


def _value(line: pd.Series) -> str:
    if line["unit"] == AUC:
        return interval(100 * line["value"], 100 * line["low"], 100 * line["high"], 1, True)
    if line["unit"] == TIMES:
        return interval(line["value"], line["low"], line["high"], 1) + " ×"
    return interval(line["value"], line["low"], line["high"], 4, True)


def _cells(line: pd.Series) -> list[str]:
    name = "AUC, first − second" if line["unit"] == AUC else line["unit"]
    head = [line["measure"] or name, f"`{line['source']}`", line["protocol"]]
    if pd.isna(line["value"]):
        return [*head, "–", "–", line["reason"], ""]
    counts = [int(line[name]) for name in VERDICTS]
    generators = ", ".join(map(str, counts)) if any(counts) else ""
    return [*head, _value(line), str(line["images"]), _WORDS[line["verdict"]], generators]


def _effect(effect: Effect, lines: pd.DataFrame) -> Iterator[str]:
    """One claim: its table, and a reason for each verdict that occurs."""
    yield f"### {effect.title}"
    yield ""
    yield f"{effect.claim} ({effect.place})"
    yield ""
    if not lines.empty:
        yield table([_cells(line) for _, line in lines.iterrows()], _HEADS)
        yield ""
    missing = dict.fromkeys(f"`{m.source}`" for m in effect.measures if m.source not in set(lines["source"]))
    if missing:
        yield f"Not measured: {', '.join(missing)}."
        yield ""
    for verdict in (word for word in VERDICTS if word in set(lines["verdict"])):
        if verdict in effect.because:
            yield f"{_WORDS[verdict].capitalize()}: {effect.because[verdict]}"
            yield ""


def _summary(effects: Mapping[str, Effect], found: pd.DataFrame) -> str:
    """How often each verdict was reached, by claim."""
    body = []
    for name, effect in effects.items():
        verdicts = found.loc[found["effect"] == name, "verdict"]
        counts = [str((verdicts == word).sum()) for word in VERDICTS]
        body.append([PAPERS[effect.paper][0], effect.title, effect.place, *counts])
    return table(body, ["paper", "claim", "where", *(_WORDS[word] for word in VERDICTS)])


def markdown(effects: Mapping[str, Effect], found: pd.DataFrame) -> str:
    """The claims with what was measured, as GitHub Markdown; ``found`` is that of ``effects.measured``."""
    total = int((found["verdict"] != "").sum())
    lines = [_READING.format(total=total), "", _summary(effects, found), ""]
    for paper, (name, place) in PAPERS.items():
        own = {key: effect for key, effect in effects.items() if effect.paper == paper}
        lines += [f"## {name} ({place})", ""] if own else []
        for key, effect in own.items():
            lines += _effect(effect, found[found["effect"] == key])
    labels = "; ".join(dict.fromkeys(found["label"]))
    return "\n".join([*lines, *([f"Suites: {labels}.", ""] if labels else [])])


def write(sources: Mapping[str, Results], folder: Path) -> Written | None:
    """Write ``findings.md`` and ``findings.csv`` about the claims that the experiments ``sources`` measure, if any."""
    known = claims.load()
    found = measured(known, sources)
    if found.empty:
        return None
    chosen = {name: effect for name, effect in known.items() if name in set(found["effect"])}
    text = f"# What these numbers show of the papers' claims\n\n{markdown(chosen, found)}"
    write_text(folder / "findings.md", text)
    write_text(folder / "findings.csv", to_csv(found))
    return Written(text, lines_of(found, "findings"))
