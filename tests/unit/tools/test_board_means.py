import csv
import lzma
import sys
from collections import defaultdict
from statistics import mean

import pytest

from tests.conftest import ROOT
from tools import board_means


def test_means_are_those_of_the_committed_rows(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["board_means", "adm,vqdm"])
    board_means.main()
    lines = [line.rsplit(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    (printed,) = ([float(word) for word in words[1:]] for words in lines if words[0].startswith("bytes per pixel"))
    place = {
        "method": "bytes_per_pixel",
        "metric": "auc",
        "dataset": "genimage",
        "train_protocol": "aligned",
        "protocol": "aligned",
        "perturbation": "none",
    }
    found = defaultdict(list)
    with lzma.open(board_means.BOARD / "rows.csv.xz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            if all(row[name] == value for name, value in place.items()) and row["subset"] in ("adm", "vqdm"):
                found[row["subset"]].append(float(row["value"]))
    assert set(found) == {"adm", "vqdm"}
    values = [100 * mean(seeds) for seeds in found.values()]
    assert printed == pytest.approx([mean(values), mean(max(v, 100 - v) for v in values)], abs=0.051)
    assert printed[1] - printed[0] > 10, "one of the two is below 50"


def test_an_unknown_subset_is_told_with_those_that_exist(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["board_means", "adm,prgan"])
    with pytest.raises(SystemExit, match=r"The board has no prgan\. Known: midjourney, sdv14"):
        board_means.main()
