"""Means and differences of probes, against Student's and Welch's formulas written out."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.results import probed
from bench.results.folder import Column, Matrix, ProbeEntry, Results
from tests.conftest import item

SUBSETS = ("sdv14", "biggan")
NAMES = {"plain": "probe a", "guided": "probe b"}


def fill(root, count=60):
    """Two probes of two subsets raw, whose photographs are shared; aligned, BigGAN is a hole."""
    results, probes, rng = Results(root), [], np.random.default_rng(0)
    for subset, start in zip(SUBSETS, (0, 1000), strict=True):
        items = [item(i + (start if i % 2 else 0), i % 2) for i in range(count)]
        base = rng.normal(0.5, 0.1, count)
        for name, gap in (("probe a", 0.05), ("probe b", 0.2)):
            for protocol in ("raw", "aligned"):
                path = f"probes/{name}/{subset}@{protocol}.parquet"
                if subset == "biggan" and protocol == "aligned":
                    probes.append(ProbeEntry(name, "genimage", subset, protocol, "", "no size"))
                    continue
                results.write_probe(root / path, items, (base + [gap * (i.label == 0) for i in items]).tolist(), "key")
                probes.append(ProbeEntry(name, "genimage", subset, protocol, path))
    columns = tuple(Column("genimage", s, s.upper()) for s in SUBSETS)
    results.write_matrix(Matrix((), columns, "a toy suite", tuple(probes)))
    return results


def split(results, path):
    table = results.read_probe(path)
    values, labels = np.array(table["value"]), np.array(table["label"])
    return values[labels == 0], values[labels == 1]


def welch(real, fake):
    """Welch's 95 % interval of the difference of two means."""
    parts = [np.var(x, ddof=1) / len(x) for x in (real, fake)]
    freedom = sum(parts) ** 2 / sum(p**2 / (len(x) - 1) for p, x in zip(parts, (real, fake), strict=True))
    half = stats.t.ppf(0.975, freedom) * math.sqrt(sum(parts))
    return real.mean() - fake.mean() - half, real.mean() - fake.mean() + half


def test_means_and_differences_have_the_intervals_of_the_formulas(tmp_path):
    results = fill(tmp_path)
    found = probed.compute(results, NAMES).set_index(["probe", "subset", "protocol"])
    line = found.loc[("guided", "sdv14", "raw")]
    real, fake = split(results, "probes/probe b/sdv14@raw.parquet")
    assert line["real"] == pytest.approx(real.mean())
    half = stats.t.ppf(0.975, len(fake) - 1) * fake.std(ddof=1) / math.sqrt(len(fake))
    assert (line["fake_low"], line["fake_high"]) == pytest.approx((fake.mean() - half, fake.mean() + half))
    assert (line["delta_low"], line["delta_high"]) == pytest.approx(welch(real, fake))
    assert line["auc"] == pytest.approx(np.mean(fake[:, None] < real[None]))


def test_all_generators_together_count_each_image_once(tmp_path):
    results = fill(tmp_path)
    found = probed.compute(results, NAMES).set_index(["probe", "subset", "protocol"])
    pooled = found.loc[("plain", probed.POOLED, "raw")]
    assert (pooled["n_real"], pooled["n_fake"]) == (30, 60)
    aligned = found.loc[("plain", probed.POOLED, "aligned")]
    assert aligned["fake"] == found.loc[("plain", "sdv14", "aligned")]["fake"]


def test_a_hole_has_its_reason_and_few_images_no_interval(tmp_path):
    found = probed.compute(fill(tmp_path), NAMES)
    holes = found[found["reason"] == "no size"]
    assert holes["delta"].isna().all()
    assert len(holes) == 2
    few = probed.compute(fill(tmp_path / "few", 10), NAMES)
    assert few["delta_low"].isna().all()
    assert few.loc[few["reason"] == "", "delta"].notna().all()


def test_the_difference_of_two_probes_is_paired_by_image(tmp_path):
    results = fill(tmp_path)
    entries = {(p.name, p.subset, p.protocol): p for p in results.read_matrix().probes}
    found = probed.between(results, entries["probe a", "sdv14", "raw"], entries["probe b", "sdv14", "raw"])
    # Image by image the second probe adds 0.15 to photographs and nothing to fakes.
    assert (found.value, found.low, found.high) == pytest.approx((0.15, 0.15, 0.15))
    assert probed.between(results, entries["probe a", "biggan", "aligned"], entries["probe b", "sdv14", "raw"]) is None
