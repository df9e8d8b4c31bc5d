"""Write docs/methods.md from the cards: ``python -m tools.methods_page``; a test fails where it is not current."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from bench import discover
from bench.detector import Method, Statistic

PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
_HEAD = """# Methods

Written by `python -m tools.methods_page` from the cards in `methods/`. Parameters are the papers'. A suite overrides
them by name under `[methods.NAME]`, or `[methods."NAME[variant]"]` for a variant alone; a file of your own begins with
`extends = "mini"` or `"paper"` and is named by `--suite FILE.toml`. An unknown name, or a value out of range, is
refused. A variant is asked for as `name[variant]`.

"""


def _section(name: str, method: type[Method]) -> str:
    card = method.card
    facts = [
        ("paper", card.paper),
        ("code", f"`{card.code}`" if "@" in card.code else card.code),
        ("licence", card.licence),
        ("pretrained on", card.pretraining),
        ("labels", card.label_convention),
        *([("test images", card.geometry)] if card.geometry else []),
        ("version", str(card.version)),
    ]
    if card.weights:
        facts.append(("weights", ", ".join(f"`{role}` ({use})" for role, use in card.weights.items())))
    for variant, changes in method.variants.items():
        facts.append((f"`{name}[{variant}]`", ", ".join(f"`{key} = {value}`" for key, value in changes.items())))
    defaults = _parameters(method)
    if defaults:
        facts.append(("parameters", defaults))
    listed = "".join(f"- {title}: {fact}\n" for title, fact in facts)
    text = f"## {card.title} (`{name}`)\n\n{(method.__doc__ or '').splitlines()[0]}\n\n{listed}"
    if card.deviations:
        text += "\nDiffers from the paper or its code:\n\n" + "".join(f"- {line}\n" for line in card.deviations)
    return text


def _parameters(method: type[Method]) -> str:
    """Every parameter with its default, and the words that it may be instead."""
    hints, listed = get_type_hints(method.Params), []
    for field in fields(method.Params):
        words = get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ()
        others = " or ".join(f"`{word}`" for word in words if word != field.default)
        listed.append(f"`{field.name} = {field.default}`{f' (or {others})' if others else ''}")
    return ", ".join(listed)


def render() -> str:
    """The page: detectors first, then the trivial baselines."""
    found = [(name, discover.method(name)) for name in discover.methods()]
    found.sort(key=lambda pair: (issubclass(pair[1], Statistic), pair[0]))
    return _HEAD + "\n".join(_section(name, method) for name, method in found)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
