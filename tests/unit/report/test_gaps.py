"""Means and gaps: every generator in its row, on scales on which small ones can be read."""

import numpy as np
import pandas as pd
import pytest

from bench.report import gaps

TITLES = {("genimage", "adm"): "ADM", ("genimage", "glide"): "GLIDE", ("genimage", "vqdm"): "VQDM"}


def measured(conditions, spread):
    """Two generators in every condition, and a hole."""
    lines = []
    for number, condition in enumerate(conditions):
        for subset, real, fake in (("adm", 0.1, 0.1 + spread), ("glide", 0.2, 0.19)):
            line = {"dataset": "genimage", "subset": subset, "condition": condition, "reason": ""}
            values = {"real": real, "fake": fake + number / 100, "delta": real - fake - number / 100}
            for name, value in values.items():
                line |= {name: value, f"{name}_low": value - 0.01, f"{name}_high": value + 0.01}
            lines.append(line)
        lines.append({"dataset": "genimage", "subset": "vqdm", "condition": condition, "reason": "one class alone"})
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    "conditions", [("DIRE",), ("without captions", "with captions"), ("BLIP", "LLaVA", "shuffled")]
)
@pytest.mark.parametrize(("spread", "scale"), [(0.05, "linear"), (3.0, "log")])
def test_every_condition_has_a_panel_and_every_generator_a_row(conditions, spread, scale):
    table = measured(conditions, spread)
    figure = gaps.draw(table, TITLES, "made up", "LPIPS")
    *means, delta = figure.axes
    assert [axis.get_title() for axis in means] == list(conditions)
    assert {axis.get_xscale() for axis in means} == {scale}
    assert [label.get_text() for label in means[0].get_yticklabels()] == ["ADM", "GLIDE"]
    assert delta.get_xscale() == "symlog"
    low, high = delta.get_xlim()
    known = table[table["reason"] == ""]
    assert low < known["delta_low"].min() < known["delta_high"].max() < high
    drawn = [x for line in delta.get_lines() if len(line.get_xdata()) == 2 for x in line.get_xdata()]
    assert {round(x, 6) for x in known["delta"]} <= {round(float(x), 6) for x in drawn}
    for axis, condition in zip(means, conditions, strict=True):
        part = known[known["condition"] == condition]
        shown = [np.asarray(line.get_xdata(), float) for line in axis.get_lines()]
        assert any(np.allclose(x, part["fake"]) for x in shown if len(x) == len(part))
    assert figure.legends[0].get_texts()[0].get_text() == "photographs"
