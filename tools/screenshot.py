"""The README's picture of the committed board's page: ``python -m tools.screenshot``. Needs Chromium."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import ViewportSize, sync_playwright

from bench.report.page.write import write_page
from bench.results.folder import Results

_ROOT = Path(__file__).parents[1]
_SIZE: ViewportSize = {"width": 1200, "height": 1135}


def draw(target: Path) -> None:
    """Draw the top of the committed board's page in a browser."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        copy = Results(shutil.copytree(_ROOT / "results" / "board" / "mini", Path(folder) / "board"))
        path, _ = write_page(copy)
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=_SIZE, color_scheme="light")
        page.goto(path.as_uri())
        page.wait_for_selector("#ranking tbody tr")
        shot = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    shot.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(target, "PNG", optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT / "docs" / "page.png")
