"""Tables and leaderboard of a fixed results folder, word for word.

To accept a change: python -m tests.golden.test_report
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.report.write import write_report
from bench.results import derived
from bench.results.folder import Column, Entry, Matrix, ProbeEntry, Results
from tests.conftest import item
from tests.unit.results.test_measure import scores

FILES = Path(__file__).parent / "files"
COMMON = {"train": "sdv14", "task": "detect", "dataset": "genimage", "role": "test", "variant": ""}
SUBSETS = (("sdv14", "source", 2.5), ("sdv15", "family", 2.0), ("biggan", "out", 0.6), ("adm", "out", 0.4))
#: What ``run.json`` says of the aligned test images of two subsets, and of the probes.
SLICES = {
    "genimage-sdv14-test@aligned": {"real": 30, "fake": 30, "left_out": 20, "window": 48, "scale": [0.375, 0.75]},
    "genimage-adm-test@aligned": {"real": 29, "fake": 29, "left_out": 0, "window": 24, "scale": [0.75, 0.75]},
    "genimage-adm-test@raw": {"real": 30, "fake": 29, "left_out": 0},
}
PROBES = {
    "lpips": {"network": "a trunk", "long_side": 64, "steps": 20, "strength": 0.5},
    "other": {"network": "a trunk"},
}
SETTINGS = (("raw", "raw"), ("raw", "aligned"), ("aligned", "aligned"))


def probes(results):
    """Distances whose gap grows with captions on two subsets; on the third the captioned probe failed."""
    rng, found = np.random.default_rng(5), []
    items = [item(i, i % 2) for i in range(60)]
    for subset, _, _ in SUBSETS:
        base = rng.normal(0.2, 0.03, len(items))
        for name, gap in (("lpips", 0.005), ("lpips+caption", 0.03)):
            entry = ProbeEntry(name, "genimage", subset, "raw", f"probes/{name}/{subset}.parquet")
            if subset in ("biggan", "adm") and name == "lpips+caption":
                found.append(replace(entry, values="", reason="no captioner"))
                continue
            values = base + [gap * (i.label == 0) for i in items] + rng.normal(0, 0.004, len(items))
            results.write_probe(results.root / entry.values, items, values.tolist(), name)
            found.append(entry)
    return found


def cells():
    """Three detectors, of which one has a hole and a control and one a single seed, an ablation and a baseline.

    They are on four subsets and in three settings.
    """
    skills = (("alpha", 0.4, 2), ("beta", 0.0, 2), ("gamma", 0.2, 1), ("delta", 0.1, 2), ("container", -2.0, 2))
    for method, skill, seeds in skills:
        for seed in range(seeds):
            for train_protocol, protocol in SETTINGS:
                for perturbation in ("none", "permuted") if method == "beta" else ("none",):
                    for subset, relation, shift in SUBSETS:
                        place = {"train_protocol": train_protocol, "protocol": protocol, "perturbation": perturbation}
                        place |= {"method": method, "subset": subset, "relation": relation, "seed": seed}
                        level = 0.0 if perturbation == "permuted" else max(shift + skill - 0.2 * seed, 0.0)
                        yield place, level


def fill(root):
    """A results folder with the scores of :func:`cells`."""
    results, entries = Results(root), []
    for number, (place, level) in enumerate(cells(), 1):
        entry = Entry(fit=f"{number:032x}", **COMMON, **place)
        if (entry.method, entry.subset, entry.protocol) == ("beta", "biggan", "aligned"):
            entries.append(replace(entry, status="missing", reason="no size that both classes share"))
            continue
        name = f"scores/{number}.parquet"
        results.write_scores(root / name, scores(number, shift=level), str(number))
        entries.append(replace(entry, key=str(number), scores=name))
    columns = [Column("genimage", s, s.upper()) for s, _, _ in SUBSETS]
    pairs = (("alpha", "beta"), ("alpha", "gamma"))
    results.write_matrix(Matrix(tuple(entries), tuple(columns), "golden suite", tuple(probes(results)), pairs))
    kinds = dict.fromkeys(("alpha", "beta", "gamma"), "detector") | {"delta": "ablation", "container": "statistic"}
    results.write_json(results.cards, {m: {"kind": k, "title": m.capitalize()} for m, k in kinds.items()})
    results.write_json(results.run, {"slices": SLICES, "probes": PROBES, "seeds_draw": ["weights", "order", "subset"]})
    derived.write(results)
    return results


def produced(root):
    results = fill(root)
    write_report(results)
    wanted = [results.leaderboard, results.comparisons, results.ranks, results.pairs, results.tables / "comparisons.md"]
    wanted += [*sorted(results.tables.glob("genimage-sdv14-*-to-aligned-a[cu]*"))]
    wanted += [*sorted(results.figures.glob("*-protocols.csv")), *sorted(results.figures.glob("*-matrix.csv"))]
    wanted += [*sorted(results.tables.glob("*-lpips-shift.*")), results.tables / "controls.md"]
    wanted += [results.protocols, results.tables / "protocols.md"]
    return {path.name: path.read_text() for path in wanted if "source-val" not in path.name}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return produced(tmp_path_factory.mktemp("golden"))


def test_the_golden_files_are_all_produced(made):
    assert set(made) == {path.name for path in FILES.iterdir()}


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.iterdir()))
def test_golden(made, name):
    assert made[name] == (FILES / name).read_text()


def test_figures_are_pictures_with_their_data(tmp_path):
    written = write_report(fill(tmp_path))
    kinds = Counter(figure.stem.rpartition("-")[2] for figure in written.figures)
    assert kinds == {"matrix": len(SETTINGS), "protocols": 1, "roc": 2, "scores": 2, "calibration": 2, "shift": 1}
    heads = {}
    for figure in written.figures:
        assert figure.read_bytes()[:4] == b"\x89PNG"
        assert figure.with_suffix(".svg").exists()
        heads[figure.stem.rpartition("-")[2]] = figure.with_suffix(".csv").read_text().splitlines()[0]
    assert heads["matrix"] == "dataset,method,column,auc,low,high"
    assert heads["protocols"] == "panel,method,kind,protocols,auc,low,high"
    assert "delta_low" in heads["shift"]


if __name__ == "__main__":
    import tempfile

    FILES.mkdir(exist_ok=True)
    for path in FILES.iterdir():
        path.unlink()
    for name, text in produced(Path(tempfile.mkdtemp())).items():
        (FILES / name).write_text(text)
