"""Probes: recipes that give one number per image, by the names used in suites and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.artefacts.engines import blip, lpips, sd_img2img
from bench.recipe import Recipe


def lpips_shift(**settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - sd_img2img's own settings
    """LPIPS between an image and its reconstruction, with and without its caption (SARE, Figure 4)."""
    return {
        "lpips": lpips.recipe(sd_img2img.recipe(None, **settings)),
        "lpips+caption": lpips.recipe(sd_img2img.recipe(blip.recipe(), **settings)),
    }


#: The probes that a suite may use as ``[probes.<name>]``; the table's settings are the function's arguments.
PROBES: Mapping[str, Any] = {"lpips_shift": lpips_shift}
