"""Count files, lines and functions of the source by room: ``python -m tools.size [FOLDER]``."""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

from tabulate import tabulate

ROOT = Path(__file__).parents[1]


def room_of(path: Path) -> str:
    """The room of a file, from its path relative to the checkout: ``bench/data``, ``methods``, ``tools/miniature``."""
    folders = path.parts[:-1]
    return "/".join(folders[:2]) if folders[:1] in (("bench",), ("tools",)) else folders[0] if folders else "."


def functions(source: str) -> list[int]:
    """The lengths of all functions of a file, in lines."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes]


def table(root: Path) -> list[list[str | int]]:
    """One row per room and one total: files, lines, functions, and the median and largest length of a function."""
    files: dict[str, list[str]] = defaultdict(list)
    for folder in ("bench", "methods", "tools", "benchmarks", "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            files[room_of(path.relative_to(root))].append(path.read_text(encoding="utf-8"))
    files["all but tests"] = [text for room, texts in files.items() if room != "tests" for text in texts]
    rows: list[list[str | int]] = []
    for room, texts in files.items():
        lengths = [length for text in texts for length in functions(text)]
        lines = sum(text.count("\n") for text in texts)
        rows.append([room, len(texts), lines, len(lengths), int(median(lengths or [0])), max(lengths, default=0)])
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="a checkout (default: this one)")
    head = ["room", "files", "lines", "functions", "median", "longest"]
    sys.stdout.write(f"{tabulate(table(parser.parse_args().folder), head)}\n")


if __name__ == "__main__":
    main()
