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
from bench.suites.effects import Effect

_PAPERS = {
    "sare": "SARE (arXiv 2508.09487)",
    "lare2": "LaRE² (CVPR 2024)",
    "semgir": "SemGIR (ACM MM 2024)",
}
_WORDS = {"shown": "shown", "opposite": "the opposite", "open": "open", "": "no interval"}
_READING = """*Shown*: the 95 % interval lies on the claimed side. *The opposite*: it lies on the other side. *Open*: it
includes the border, so these images do not decide. The last column counts generators by their own intervals, in this
order. Differences of methods are of AUC, in points. Their intervals include what the seeds of their source varied; a
source with one seed has test sampling alone. They are not corrected for their number: of {total} here, about {chance}
would miss the true value by chance."""
_HEADS = ("measured", "source", "protocol", "value", "images", "verdict", "generators: shown, opposite, open")


def _value(line: pd.Series) -> str:
    if line["unit"] == AUC:
        return interval(100 * line["value"], 100 * line["low"], 100 * line["high"], 1, True)
    if line["unit"] == TIMES:
        return interval(line["value"], line["low"], line["high"], 1) + " ×"
    return interval(line["value"], line["low"], line["high"], 4, True)


def _cells(line: pd.Series) -> list[str]:
    head = [line["measure"] or line["unit"], f"`{line['source']}`", line["protocol"]]
    if pd.isna(line["value"]):
        return [*head, "–", "–", line["reason"], ""]
    counts = [int(line[name]) for name in ("shown", "opposite", "open")]
    generators = ", ".join(map(str, counts)) if any(counts) else ""
    return [*head, _value(line), str(line["images"]), _WORDS[line["verdict"]], generators]


def _effect(effect: Effect, lines: pd.DataFrame) -> Iterator[str]:
    """One claim: its table, and a reason for each verdict that occurs."""
    yield f"### {effect.title}"
    yield ""
    yield f"{effect.claim} ({effect.place})"
    yield ""
    if lines.empty:
        sources = ", ".join(dict.fromkeys(f"`{measure.source}`" for measure in effect.measures))
        yield f"Not measured: it needs {sources}."
        yield ""
        return
    yield table([_cells(line) for _, line in lines.iterrows()], _HEADS)
    yield ""
    for verdict in (word for word in ("shown", "opposite", "open") if word in set(lines["verdict"])):
        if verdict in effect.because:
            yield f"{_WORDS[verdict].capitalize()}: {effect.because[verdict]}"
            yield ""


def _summary(effects: Mapping[str, Effect], found: pd.DataFrame) -> str:
    """How often each verdict was reached, by claim."""
    body = []
    for name, effect in effects.items():
        verdicts = found.loc[found["effect"] == name, "verdict"]
        counts = [str((verdicts == word).sum()) for word in ("shown", "opposite", "open")]
        body.append([_PAPERS[effect.paper].split(" (")[0], effect.title, effect.place, *counts])
    return table(body, ["paper", "claim", "where", "shown", "the opposite", "open"])


def markdown(effects: Mapping[str, Effect], found: pd.DataFrame) -> str:
    """The claims with what was measured, as GitHub Markdown; ``found`` is that of ``effects.measured``."""
    known = found["verdict"] != ""
    total = int(known.sum())
    lines = [_READING.format(total=total, chance=round(0.05 * total)), "", _summary(effects, found), ""]
    for paper, title in _PAPERS.items():
        own = {name: effect for name, effect in effects.items() if effect.paper == paper}
        lines += [f"## {title}", ""] if own else []
        for name, effect in own.items():
            lines += _effect(effect, found[found["effect"] == name])
    labels = "; ".join(dict.fromkeys(found["label"]))
    return "\n".join([*lines, *([f"Suites: {labels}.", ""] if labels else [])])


def write(sources: Mapping[str, Results], folder: Path) -> Written:
    """Write ``findings.md`` and ``findings.csv`` about the claims that the experiments ``sources`` measure."""
    known = claims.load()
    found = measured(known, sources)
    shown = {name: effect for name, effect in known.items() if name in set(found["effect"])}
    text = f"# What these numbers show of the papers' claims\n\n{markdown(shown, found)}"
    write_text(folder / "findings.md", text)
    write_text(folder / "findings.csv", to_csv(found))
    return Written(text, lines_of(found, "findings"))
