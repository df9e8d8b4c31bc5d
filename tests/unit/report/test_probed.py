"""Pages of experiments that are made of numbers per image."""

import csv

from bench.report import probed
from bench.suites import published
from bench.suites.probed import Probed
from tests.unit.results.test_probed import NAMES, fill

COMMON = {"name": "toy", "title": "A toy", "paper": "semgir", "quantity": "length", "probes": {}}


def write(root, **changes):
    """The page of an experiment, and its cells by the first words of a line."""
    text = probed.write(Probed(**COMMON | {"values": NAMES} | changes), fill(root)).text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return text, rows


def test_a_gap_has_a_table_for_each_value_and_protocol_and_one_of_differences(tmp_path):
    text, rows = write(tmp_path, kind="gap", note="A note.")
    assert text.startswith("# A toy\n\nA note.\n")
    assert text.count("length, plain, raw (a toy suite):") == 1
    paired = next(i for i, row in enumerate(rows) if row[-1] == "Δ guided − Δ plain, raw, paired by image")
    assert rows[paired + 2] == ["SDV14", "+0.1500 [+0.1500, +0.1500]"]
    assert "- BIGGAN, aligned: no size" in text
    folder = tmp_path / "reproduced"
    names = {"toy.md", "toy.csv"} | {f"toy-{p}.{kind}" for p in ("raw", "aligned") for kind in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == names
    assert all(f"]({name})" in text for name in names if name.endswith(".png"))


def test_a_series_has_all_generators_together_and_each(tmp_path):
    text, rows = write(tmp_path, kind="series", values={"1": "probe a", "500": "probe b"}, axis="timestep")
    assert "length; all generators together, raw (a toy suite):" in text
    assert [row[0] for row in rows if row[0] in ("1", "500")] == ["1", "500"] * 4
    header = next(row for row in rows if row[1] == "SDV14")
    assert header == ["timestep", "SDV14", "BIGGAN"]
    with (tmp_path / "reproduced" / "toy.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * (2 * 2 + 2)


def test_a_table_has_the_papers_layout_published_numbers_and_named_holes(tmp_path):
    columns = {
        "SDv1.5": {"of": "genimage:sdv14"},
        "SDv2.1": {"missing": "no such images"},
        "ADM": {"of": "genimage:adm"},
        "Average": {"mean": True},
    }
    values = {"PSNR (dB), SemGIR": "probe a", "PSNR (dB), DIRE": "probe b"}
    text, rows = write(tmp_path, kind="table", table="table3", values=values, columns=columns, digits=2)
    assert text.index("generated images, raw") < text.index("photographs, raw") < text.index("Published:")
    printed = rows[-1]
    assert printed[0] == "PSNR (dB), DIRE"
    assert printed[1] == str(published.values("semgir", "table3")["PSNR (dB), DIRE", "SDv1.5"]) == "10.60"
    measured = rows[2]
    assert measured[2:4] == ["–", "–"]
    assert measured[4] == measured[1].split(" ")[0]  # The mean of one column, without an interval.
    assert "- SDv2.1: no such images" in text
    assert "- ADM: not in the data" in text
    assert "Do not subtract" in text


def test_values_are_given_to_programs_without_nan(tmp_path):
    written = probed.write(Probed(**COMMON, kind="gap", values=NAMES), fill(tmp_path))
    assert {line["experiment"] for line in written.lines} == {"toy"}
    assert any(line["delta"] is None for line in written.lines)
