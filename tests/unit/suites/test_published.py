"""The papers' numbers: their averages are those of their cells, but for one."""

from decimal import Decimal

import pytest

from bench.suites import published

#: Tables whose columns are averaged instead of their rows.
DOWN = {("semgir", "table1"), ("semgir", "table4")}
#: What the papers print as an average, and what their cells give.
WRONG = {("sare", "table4", "DRCT"): ("79.67", "80.58")}


def averages():
    """(paper, table, what is averaged): the printed average and the mean of the cells."""
    lines = published.read().query("value != ''")
    for (paper, table), part in lines.groupby(["paper", "table"]):
        along, across = ("column", "row") if (paper, table) in DOWN else ("row", "column")
        task = part["row"].str.partition(", ")[0].where(part["row"].str.contains(", "), "")
        groups = part.groupby([task, along] if (paper, table) in DOWN else [along])
        for name, group in groups:
            cells = group.set_index(across)["value"].map(Decimal)
            means = cells[cells.index.str.contains("Average|Avg")]
            rest = cells.drop(means.index)
            if len(means) == 1 and len(rest) > 2:
                yield (paper, table, *(part for part in name if part)), means.iloc[0], sum(rest) / len(rest)


def test_the_averages_that_are_printed_are_those_of_the_cells():
    """To the last digit: SARE rounds, SemGIR cuts off."""
    found, wrong = 0, {}
    for name, printed, mean in averages():
        found += 1
        if abs(printed - mean) >= Decimal(1).scaleb(printed.as_tuple().exponent):
            wrong[name] = (str(printed), str(round(mean, 2)))
    assert found == 7 * 4 + 9 + 4 + 5
    assert wrong == WRONG


@pytest.mark.parametrize(
    ("paper", "table", "row", "column", "value"),
    [
        ("sare", "table1", "DRCT + SARE", "Avg ACC", "93.17"),
        ("sare", "table2", "Conv-B", "Avg AUC", "95.84"),
        ("sare", "table3", "Conv-B", "SITD", "62.5"),
        ("sare", "table6", "DRCT + SARE, w = 2.5", "Avg AUC", "98.24"),
        ("semgir", "table1", "Midjourney", "LNP", "1.0000"),
        ("semgir", "table3", "PSNR (dB), DIRE", "ADM", "19.96"),
        ("semgir", "table4", "Attribution, SDv2.1", "Feature Extraction", "0.9670"),
    ],
)
def test_numbers_have_the_digits_of_the_paper(paper, table, row, column, value):
    assert str(published.values(paper, table)[row, column]) == value


def test_what_the_text_does_not_print_is_a_named_hole():
    holes = published.holes()
    assert ("lare2", "figure4") in holes
    assert ("sare", "figure8") in holes
    assert all(published.values(*hole) == {} for hole in holes)
