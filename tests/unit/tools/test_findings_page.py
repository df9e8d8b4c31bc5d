"""The page of findings keeps what was measured before, as long as the claim is the same."""

import pandas as pd
import pytest

from bench.suites import experiment as experiments
from bench.suites.effects import Effect
from bench.suites.probed import Probed
from tests.unit.report.folders import made
from tests.unit.results.test_probed import NAMES, fill
from tools import findings_page

TOY = {
    "name": "toy",
    "title": "A toy",
    "paper": "sare",
    "quantity": "length",
    "probes": {},
    "kind": "gap",
    "values": NAMES,
}


@pytest.fixture
def claims(tmp_path, monkeypatch):
    """Two claims, of which the tests may change the second; the board of the first is always there."""

    def use(side):
        measures = ({"source": "board/x", "compare": ("alpha", "gamma"), "of": "genimage:adm"},)
        known = {"board": Effect(title="B", paper="sare", place="P", claim="C.", measures=measures)}
        measures = ({"source": "toy", "shift": ("guided",), "of": "genimage:sdv14", "side": side},)
        known["toy"] = Effect(title="T", paper="sare", place="P", claim="C.", measures=measures)
        monkeypatch.setattr(findings_page.claims, "load", lambda: known)

    board = made(tmp_path / "board", protocols=("raw",))
    monkeypatch.setattr(findings_page, "boards", lambda: {"board/x": board})
    monkeypatch.setattr(findings_page, "NUMBERS", tmp_path / "findings.csv")
    monkeypatch.setattr(findings_page, "PAGE", tmp_path / "findings.md")
    monkeypatch.setattr(experiments, "names", lambda: ["toy"])
    monkeypatch.setattr(experiments, "load", lambda name: Probed(**TOY))
    use("above")
    return use


def sources(tmp_path):
    return pd.read_csv(tmp_path / "findings.csv")["source"].tolist()


def test_experiments_that_are_gone_keep_their_numbers_until_the_claim_changes(tmp_path, claims, capsys):
    folder = tmp_path / "runs"
    fill(folder / "toy")
    (folder / "toy" / "run.json").write_text("{}")
    findings_page.main([str(folder)])
    assert sources(tmp_path) == ["board/x", "toy", "toy"]
    first = (tmp_path / "findings.md").read_text(encoding="utf-8")
    assert first == findings_page.render()
    findings_page.main([str(tmp_path / "empty")])
    assert (tmp_path / "findings.md").read_text(encoding="utf-8") == first
    claims("below")
    findings_page.main([str(tmp_path / "empty")])
    assert sources(tmp_path) == ["board/x"]
    assert "not measured: toy" in capsys.readouterr().out
