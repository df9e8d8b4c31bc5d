"""Write docs/licences.md from the catalogue, the datasets and the cards: ``python -m tools.licences_page``."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from bench import discover
from bench.detector import STAGES, Detector, Method
from bench.models.catalogue import MODELS

PAGE = Path(__file__).parents[1] / "docs" / "licences.md"
_HEAD = """# Licences

Written by `python -m tools.licences_page`. The project's own code is Apache-2.0, and so are the miniature's
images and weights, which that code made. Datasets and pretrained weights are not part of it: whoever
downloads them accepts their licences. This page repeats what their authors state; it is not legal advice. A detector's
result depends on every weight that it uses, so the strictest of their licences counts.
"""


def _roles(method: type[Method]) -> list[str]:
    """The roles of the models that a method, its variants, their artefacts and their checkpoints use, sorted."""
    roles = set(method.card.weights)
    for changes in ({}, *method.variants.values()):
        variant = method(method.Params(**changes))
        roles |= set(variant.companions()) if isinstance(variant, Detector) else set()
        roles = roles.union(*(need.roles() for stage in STAGES for need in variant.needs(stage).values()))
    return sorted(roles)


def render() -> str:
    """The text of the page: licences of datasets, models and the methods' official code."""
    datasets = [dataset for name in discover.datasets() if (dataset := discover.dataset(name)).paper]
    users: dict[str, list[str]] = {role: [] for role in MODELS}
    for name in discover.methods():
        for role in _roles(discover.method(name)):
            users[role].append(f"`{name}`")
    tables = {
        "Datasets": (["dataset", "licence", "commercial use"], [[d.title, d.licence, d.commercial] for d in datasets]),
        "Pretrained weights": (
            ["role", "model", "licence", "commercial use", "methods that use it"],
            [[f"`{m.role}`", m.title, m.licence, m.commercial, ", ".join(users[m.role])] for m in MODELS.values()],
        ),
        "Official code of the methods": (
            ["method", "code", "licence"],
            [
                [f"`{name}`", card.code, card.licence]
                for name in discover.methods()
                if (card := discover.method(name).card).year
            ],
        ),
    }
    sections = (f"\n## {title}\n\n{tabulate(body, head, 'github')}\n" for title, (head, body) in tables.items())
    note = "\nThe project contains no code of these repositories: methods are written from papers and facts.\n"
    return _HEAD + "".join(sections) + note


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
