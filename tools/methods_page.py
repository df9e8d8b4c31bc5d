"""Write docs/methods.md from the cards: ``python -m tools.methods_page``. A test fails if the page is out of date."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from bench import discover
from bench.detector import Method, is_baseline

PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
#: Written by ``python -m benchmarks.drift --csv docs/drift.csv``.
DRIFT = PAGE.with_name("drift.csv")
_HEAD = """# Methods

Written by `python -m tools.methods_page` from the cards in `methods/`.

Default parameters are those of the papers or of their code; where neither says one, the card names it as ours. A suite
file overrides them by name under `[methods.NAME]`, or under `[methods."NAME[variant]"]` for a single variant. To change
them, write a suite file that starts with `extends = "mini"` or `"paper"`, and pass it with `--suite FILE.toml`. An
unknown parameter or a value out of range is an error. Select a variant as `name[variant]`, for example `--methods
"dire[adm]"`. An *ablation* is a variant without one part of its method, to show what that part adds; reports compare it
and do not rank it.

*Half precision* is how far scores move if artefacts and network are computed in bf16 or fp16 instead of fp32: the mean
difference of a logit in percent of the logits' standard deviation, and the AUC, for one fit on the miniature's aligned
test images of sdv14 and adm (`python -m benchmarks.drift`, on a CPU).

"""


def _meant(method: type[Method]) -> str:
    """What a method's parameters mean, from the docstring of their class; '' if it has none of its own."""
    text = inspect.cleandoc(method.Params.__doc__ or "")
    if text.startswith(f"{method.Params.__name__}("):  # That of a dataclass without one.
        return ""
    return " ".join(text.replace("``", "`").split())


def _section(name: str, method: type[Method], drifts: Sequence[Mapping[str, str]]) -> str:
    card = method.card
    facts = [
        ("paper", card.paper),
        ("code", f"`{card.code}`" if "@" in card.code else card.code),
        ("licence", card.licence),
        ("pretrained on", card.pretraining),
        ("label convention", card.label_convention),
        *([("preprocessing of test images", card.geometry)] if card.geometry else []),
        ("version", str(card.version)),
    ]
    if card.weights:
        facts.append(("weights", ", ".join(f"`{role}` ({use})" for role, use in card.weights.items())))
    for variant, changes in method.variants.items():
        changed = ", ".join(f"`{key} = {value}`" for key, value in changes.items())
        facts.append((f"`{name}[{variant}]`", f"{changed}{' (ablation)' if variant in method.ablations else ''}"))
    moved = [drift for drift in drifts if drift["method"] == name]
    if moved:
        told = [f"{d['precision']} {float(d['drift']):.1f} %, AUC {float(d['auc']):.1f}" for d in moved]
        facts.append(("half precision", "; ".join([*told, f"fp32: AUC {float(moved[0]['auc_fp32']):.1f}"])))
    defaults = _parameters(method)
    if defaults:
        facts.append(("parameters", defaults))
        facts.extend([("their meaning", meant)] if (meant := _meant(method)) else [])
    listed = "".join(f"- {title}: {fact}\n" for title, fact in facts)
    text = f"## {card.title} (`{name}`)\n\n{(method.__doc__ or '').splitlines()[0]}\n\n{listed}"
    if card.deviations:
        text += "\nDiffers from the paper or its code:\n\n" + "".join(f"- {line}\n" for line in card.deviations)
    return text


def _parameters(method: type[Method]) -> str:
    """Every parameter with its default and its other allowed values, as one line of Markdown."""
    hints, listed = get_type_hints(method.Params), []
    for field in fields(method.Params):
        choices = get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ()
        others = " or ".join(f"`{choice}`" for choice in choices if choice != field.default)
        listed.append(f"`{field.name} = {field.default}`{f' (or {others})' if others else ''}")
    return ", ".join(listed)


def render() -> str:
    """The text of the page: detectors first, then the trivial baselines."""
    methods = [(name, discover.method(name)) for name in discover.methods()]
    methods.sort(key=lambda pair: (is_baseline(pair[1]), pair[0]))
    with DRIFT.open(encoding="utf-8", newline="") as file:
        drifts = list(csv.DictReader(file))
    return _HEAD + "\n".join(_section(name, method, drifts) for name, method in methods)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
