"""What all benchmarks do with their figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def keep(document: Any, file: Path | None) -> None:  # noqa: ANN401 - any JSON
    """Write the figures to the file of ``--json``, if it was given."""
    if file is not None:
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
