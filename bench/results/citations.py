"""``CITATIONS.bib``: the papers that a run's results are based on, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bench import __version__

_VENUE = re.compile(
    r",\s+((?:AAAI|ACM MM|CCS|CVPR|ECCV|EMNLP|ICCV|ICIP|ICLR|ICML|IEEE OJSP|KDD|NeurIPS|TMLR)\s+(\d{4}))"
)
#: The first author; without "et al." the only one. A control's text begins with "none".
_AUTHOR = re.compile(r"(?!none\b)([\w'-]+)( et al\.)?: ")
_ARXIV, _DOI = re.compile(r"arXiv (\d{2})(\d{2}\.\d{5})"), re.compile(r"doi (\S+?)[,;)]?$")
_SOFTWARE = f"""@software{{reconbench,
  title = {{reconbench: a leak-audited benchmark for detectors of AI-generated images}},
  version = {{{__version__}}}
}}
"""


def entry(key: str, paper: str) -> str:
    """A paper as a BibTeX entry, from ``Wang et al.: Title, CVPR 2020, arXiv 1912.11035`` or ``Wang: Title, …``.

    Text after a semicolon is left out. Raises ValueError if there is no title, or neither a venue nor an arXiv id.
    """
    first = paper.split(";")[0]
    author = _AUTHOR.match(first)
    rest = first[author.end() :] if author else ""
    venue, arxiv, doi = _VENUE.search(rest), _ARXIV.search(rest), _DOI.search(rest)
    starts = [match.start() for match in (venue, arxiv) if match]
    if author is None or not starts:
        raise ValueError(f"{paper!r} is not 'Author et al.: Title, VENUE YEAR' or '…, arXiv ID'.")
    year = venue[2] if venue else f"20{arxiv[1]}" if arxiv else ""
    fields = {
        "author": f"{author[1]}{' and others' if author[2] else ''}",
        "title": f"{{{rest[: min(starts)].rstrip(' ,(')}}}",
        "year": year,
    }
    if venue:
        fields["booktitle"] = venue[1]
    if arxiv:
        fields |= {"eprint": f"{arxiv[1]}{arxiv[2]}", "archivePrefix": "arXiv"}
    if doi:
        fields["doi"] = doi[1]
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{'inproceedings' if venue else 'misc'}{{{key},\n{body}\n}}\n"


def render(papers: Mapping[str, str]) -> str:
    """The benchmark itself and ``papers``, by citation key. A paper with several keys has one entry.

    A paper without an author, such as that of a control, has no entry.
    """
    entries: dict[str, str] = {}
    for key, paper in papers.items():
        if _AUTHOR.match(paper):
            entries.setdefault(paper.split(";")[0], entry(key, paper))
    return "\n".join([_SOFTWARE, *entries.values()])
