"""Small made-up results folders for the tests of figures."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from bench.results import derived
from bench.results.folder import Column, Entry, Matrix, Results
from tests.unit.results.test_measure import scores

SUBSETS = (("sdv14", "source", 1.5), ("sdv15", "family", 1.2), ("adm", "out", 0.5), ("biggan", "out", 0.3))
KINDS = {"alpha": "detector", "beta": "detector", "gamma": "detector", "size": "statistic"}
SKILLS = {"alpha": 0.4, "beta": 0.0, "gamma": -0.2, "size": -0.5}
PLACE = {"variant": "", "train": "sdv14", "task": "detect", "dataset": "genimage", "role": "test"}


def stand_in(results, *names):
    """Files of a results folder that a test needs and does not look at: empty ones."""
    for name in names:
        file = getattr(results, name)
        if file.suffix == ".parquet":
            pq.write_table(pa.table({"row_id": [""], "image_id": [""], "label": [0]}), file)
        else:
            file.write_text("{}")


def made(root, seeds=2, protocols=("aligned",), perturbations=("none",), holes=(), failed=3, subsets=SUBSETS):
    """Results of :data:`KINDS`: every cell but the holes, named (method, subset), and a validation cell per fit."""
    results, entries, number = Results(root), [], 0
    for method, skill in SKILLS.items():
        for seed in range(seeds):
            for protocol in protocols:
                val = f"scores/val-{method}-{seed}-{protocol}.parquet"
                results.write_scores(root / val, scores(1000 + seed, shift=1.0 + skill), val)
                given = {"method": method, "seed": seed, "train_protocol": protocol, "protocol": protocol}
                fit, own = given | {"val": (val,)}, {"subset": "sdv14", "relation": "source", "perturbation": "none"}
                entries.append(Entry(**PLACE | {"role": "val"}, **given, **own, fit=f"{method}{seed}", scores=val))
                for perturbation in perturbations:
                    for subset, relation, shift in subsets:
                        number += 1
                        name = f"scores/{number}.parquet"
                        entry = Entry(**PLACE, **fit, subset=subset, relation=relation, perturbation=perturbation)
                        entry = replace(entry, fit=f"{method}{seed}", key=str(number), scores=name)
                        weaker = 0.1 * perturbations.index(perturbation)
                        results.write_scores(
                            root / name, scores(number, shift=shift + skill - weaker, failed=failed), ""
                        )
                        if (method, subset) in holes:
                            entry = replace(entry, scores="", status="missing", reason="no such images")
                        entries.append(entry)
    columns = tuple(Column("genimage", subset, subset.upper()) for subset, _, _ in subsets)
    results.write_matrix(Matrix(tuple(entries), columns, "a made-up suite"))
    results.write_json(results.cards, {m: {"kind": k, "title": m.capitalize()} for m, k in KINDS.items()})
    derived.write(results)
    return results


def cells_of(results, method, relation, perturbation="none"):
    """Logits and labels of the scored images of every test cell of a method and relation, from the files themselves."""
    found = []
    for entry in results.read_matrix().entries:
        place = (entry.role, entry.method, entry.relation, entry.perturbation)
        if place == ("test", method, relation, perturbation):
            table = results.table(entry.scores)
            usable = [place for place, status in enumerate(table["status"]) if status == "ok"]
            found.append(tuple([table[name][place] for place in usable] for name in ("logit", "label")))
    return found
