"""Released weights on a folder of one's own: no training, the same scores as ``score``, one table for all detectors."""

import hashlib
import json

import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from tests.conftest import picture
from tests.e2e.conftest import bench


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two generators with both classes and one without photographs, and weights of two networks."""
    import torch
    from torchvision.models import resnet50

    root = tmp_path_factory.mktemp("released")
    for seed, (generator, kinds) in enumerate({"flux": "rf", "sora": "rf", "veo": "f"}.items()):
        for kind, suffix in (("real", "jpg"), ("fake", "png")):
            for number in range(20 if kind[0] in kinds else 0):
                folder = root / "data" / generator / kind
                folder.mkdir(parents=True, exist_ok=True)
                image = picture(1000 * seed + number + 500 * (kind == "fake"), 40, 36)
                Image.fromarray(image).save(folder / f"{number}.{suffix}")
    torch.manual_seed(0)
    for name in ("one", "two"):
        torch.save({"model": resnet50(num_classes=1).state_dict()}, root / f"{name}.pth")
    return root


@pytest.fixture(scope="module")
def done(place):
    files = ("--checkpoint", f"cnnspot={place / 'one.pth'}", "--checkpoint", f"cnnspot[drct]={place / 'two.pth'}")
    places = ("--data", place / "data", "--store", place / "store", "--results", place / "results", "--device", "cpu")
    done = bench("run", *files, *places, "--protocols", "raw", "--models", "mini", "--no-figures")
    assert done.returncode == 0, done.stderr
    return done


def test_every_score_is_that_of_score(place, done):
    rows = pd.read_csv(place / "results" / "summary.csv", keep_default_na=False)
    assert set(rows["train"]) == set(rows["train_protocol"]) == {"released"}
    lines = bench(
        *("score", "cnnspot", place / "data" / "flux", "--checkpoint", place / "one.pth", "--json"),
        *("--store", place / "store", "--models", "mini", "--device", "cpu"),
    )
    logits = {line["path"].rpartition("/data/")[2]: line["logit"] for line in json.loads(lines.stdout)}
    entry = next((place / "results" / "scores" / "cnnspot").glob("*/folder-flux-test@raw.parquet"))
    scores = pd.read_parquet(entry).merge(pd.read_parquet(place / "results" / "images.parquet"), on="row_id")
    assert len(scores) == len(logits) == 40
    assert scores["logit"].tolist() == pytest.approx([logits[path] for path in scores["path"]], abs=1e-4)


def test_rows_say_which_file_and_a_subset_without_a_class_is_a_hole(place, done):
    cards = json.loads((place / "results" / "methods.json").read_text())
    digest = hashlib.sha256((place / "one.pth").read_bytes()).hexdigest()
    assert cards["cnnspot"]["released"] == {"file": "one.pth", "sha256": digest}
    rows = pd.read_csv(place / "results" / "rows.csv", keep_default_na=False)
    assert set(rows.loc[rows["subset"] == "veo", "status"]) == {"missing"}
    assert rows.loc[rows["subset"] == "veo", "reason"].str.contains("no readable real image").all()
    assert "## folder, released weights, raw" in (place / "results" / "leaderboard.md").read_text()
    run = json.loads((place / "results" / "run.json").read_text())
    assert run["fits_trained"] == 0
    assert bench("verify", "--results", place / "results").returncode == 0


def test_what_does_not_fit_is_one_message_before_anything_is_scored(place):
    places = ("--data", place / "data", "--store", place / "store", "--results", place / "none", "--device", "cpu")
    wrong = bench("run", "--checkpoint", f"gramnet={place / 'one.pth'}", *places, "--models", "mini")
    assert (wrong.returncode, "does not fit GramNet" in wrong.stderr) == (2, True)
    both = bench("run", "--methods", "cnnspot", "--checkpoint", f"cnnspot={place / 'one.pth'}", *places)
    assert (both.returncode, "cannot be trained and given" in both.stderr) == (2, True)


def score(place, *words, store="store"):
    """``score`` by both networks with their released weights, on images of the folder."""
    weights = ("--checkpoint", f"cnnspot={place / 'one.pth'}", "--checkpoint", f"cnnspot[drct]={place / 'two.pth'}")
    places = ("--store", place / store, "--models", "mini", "--device", "cpu")
    return bench("score", "cnnspot,cnnspot[drct]", *words, *weights, *places)


def test_several_detectors_judge_by_the_users_photographs(place, done):
    out = place / "scores.csv"
    reals = place / "data" / "sora" / "real"
    told = score(place, place / "data" / "flux", "--calibrate", reals, "--fpr", "0.2", "--out", out)
    assert told.returncode == 0, told.stderr
    lines = pd.read_csv(out, keep_default_na=False)
    assert lines.groupby("method").size().to_dict() == {"cnnspot": 40, "cnnspot[drct]": 40}
    assert lines.groupby("label").size().to_dict() == {"fake": 40, "real": 40}
    (cut,) = set(lines[lines["method"] == "cnnspot"]["threshold"])
    photographs = score(place, reals, "--json")
    logits = [line["logit"] for line in json.loads(photographs.stdout) if line["method"] == "cnnspot"]
    assert sorted(logits)[15] == pytest.approx(cut)  # 4 of 20 are above.
    low, high = (lines[name].iloc[0] for name in ("low", "high"))
    expected = ["fake" if x > high else "inconclusive" if x > low else "real" for x in lines["logit"][::2]]
    assert lines["verdict"][::2].tolist() == expected
    assert "TPR at 20 % FPR" in told.stdout
    assert "worst mistakes" in told.stdout
    # The photographs are not scored again, and an image without change neither.
    again = score(place, place / "data" / "flux", "--calibrate", reals, "--fpr", "0.5", "--out", place / "s.html")
    assert again.returncode == 0, again.stderr
    page = (place / "s.html").read_text()
    assert page.count("<img ") == 40
    assert "at most 50 % of 20 photographs" in page
    assert not list(place.glob(".s.html*"))


def test_scores_can_be_imported(place, done):
    assert score(place, place / "data" / "flux", "--out", place / "import.csv").returncode == 0
    made = bench("import-scores", place / "import.csv", "--results", place / "imported")
    assert made.returncode == 0, made.stderr
    rows = pd.read_csv(place / "imported" / "summary.csv", keep_default_na=False)
    own = pd.read_csv(place / "results" / "summary.csv", keep_default_na=False)
    values = [
        float(
            t[(t["subset"] == s) & (t["metric"] == "auc") & (t["method"] == "cnnspot") & (t["variant"] == "")][
                "value"
            ].iloc[0]
        )
        for t, s in ((rows, "all"), (own, "flux"))
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-6)


def test_what_score_cannot_use_is_told(place, done):
    flux = place / "data" / "flux"
    for words, told in (
        (("cnnspot,gramnet", flux, "--checkpoint", place / "one.pth"), "does not say of which method"),
        (("cnnspot", flux, "--checkpoint", f"univfd={place / 'one.pth'}"), "univfd"),
        (("cnnspot", flux, "--checkpoint", place / "one.pth", "--out", "x.txt"), "has no known form"),
        (("cnnspot", flux, "--checkpoint", place / "one.pth", "--fpr", "5"), "--fpr is 5"),
        (("cnnspot,cnnspot[drct]", flux, "--artefact", "a=b"), "--artefact needs one method"),
    ):
        done = bench("score", *words, "--store", place / "store", "--models", "mini", "--device", "cpu")
        assert done.returncode == 2, done.stderr
        assert told in done.stderr


def test_files_of_newer_detectors_are_read_in_the_layouts_that_people_have(place):
    """Bare tensors, below ``model``, with ``module.`` before every name: random weights at the papers' sizes."""
    import torch

    from bench import discover

    layouts = {
        "npr[resize]": lambda state: state,
        "safe": lambda state: {"model": state, "epoch": 19},
        "ladeda[tiny]": lambda state: state,
        "freqnet": lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
        "patchcraft": lambda state: {"netC": {f"module.{name}": tensor for name, tensor in state.items()}},
        "community_forensics[224]": lambda state: {
            "model": {f"_orig_mod.vit.{name}": tensor for name, tensor in state.items()},
            "optimizer": {},
            "epoch": 5,
        },
        "aligned_forensics[sync]": lambda state: {"model": state, "optimizer": {}, "total_steps": 9},
    }
    words = []
    for label, wrapped in layouts.items():
        name, _, variant = label.partition("[")
        kind = discover.method(name)
        torch.manual_seed(0)
        model = kind(kind.Params(**kind.variants.get(variant.rstrip("]"), {}))).build({})
        torch.save(wrapped(model.state_dict()), place / f"{name}.pth")
        words += ["--checkpoint", f"{label}={place / name}.pth"]
    places = ("--data", place / "data", "--store", place / "store", "--results", place / "newer", "--device", "cpu")
    few = ("--test", "folder:flux", "--limit-test", "5")
    done = bench("run", *words, *places, "--protocols", "raw", *few, "--no-figures")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(place / "newer" / "rows.csv", keep_default_na=False)
    found = rows[(rows["metric"] == "auc") & (rows["subset"] == "flux")]
    labels = {f"{name}[{variant}]" if variant else name for name, variant in found[["method", "variant"]].to_numpy()}
    assert labels == set(layouts)
    assert found["value"].astype(float).between(0, 1).all()


def test_a_detector_without_training_is_measured_as_published(place):
    places = ("--data", place / "data", "--store", place / "store", "--results", place / "free", "--device", "cpu")
    words = ("--checkpoint", "aeroblade=none", "--models", "mini", "--protocols", "raw", "--no-figures")
    done = bench("run", *words, *places)
    assert done.returncode == 0, done.stderr
    assert "AEROBLADE (not calibrated)" in done.stdout
    (entry,) = (place / "free" / "scores" / "aeroblade").glob("*/folder-flux-test@raw.parquet")
    scores = pd.read_parquet(entry)
    assert (scores["logit"] < 0).all(), "the score is the negative distance"
    rows = pd.read_csv(place / "free" / "rows.csv", keep_default_na=False)
    own = (rows["metric"] == "auc") & (rows["subset"] == "flux") & (rows["perturbation"] == "none")
    (found,) = rows[own]["value"].astype(float)
    assert found == pytest.approx(roc_auc_score(scores["label"], scores["logit"]))
    given = f"aeroblade={place / 'one.pth'}"
    for word, told in (("aeroblade=", "is not a file"), (given, "no weights"), ("safe=none", "is trained")):
        wrong = bench("run", "--checkpoint", word, *places)
        assert wrong.returncode == 2
        assert told in wrong.stderr


#: A detector whose files contain CLIP's whole image tower, with a small one: a plugin.
SMALL = """
from dataclasses import dataclass
from methods import {name}
from methods._shared import tuned_clip

tuned_clip.VIT_L14 |= {sizes}

@dataclass(frozen=True)
class Small({name}.Params):
    crop_size: int = 56

class METHOD({name}.METHOD):
    Params = Small
"""
SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"image_size": 56, "projection_dim": 32}


def test_files_that_contain_the_whole_clip_are_read_in_the_layouts_that_people_have(place, monkeypatch):
    """Effort's script saves CLIP's text half too, or names with ``module.``; C2P-CLIP's LoRA is merged."""
    import torch

    from methods._shared import tuned_clip

    monkeypatch.setattr(tuned_clip, "VIT_L14", tuned_clip.VIT_L14 | SIZES)
    torch.manual_seed(0)
    one, two = (tuned_clip.Effort(None, classes, 1).state_dict() for classes in (1, 2))
    ufd = {n.replace("backbone.", "model.vision_model.").replace("head.", "fc."): t for n, t in one.items()}
    ufd |= {"model.logit_scale": torch.zeros(()), "model.text_model.final_layer_norm.bias": torch.zeros(8)}
    files = {
        "small_effort": {"model": ufd, "optimizer": {}, "total_steps": 18_000},
        "small_effort[demo]": {f"module.{name}": tensor for name, tensor in two.items()},
    }
    files["small_c2p_clip"] = {n: t for n, t in tuned_clip.C2PClip(None, 6).state_dict().items() if "lora" not in n}
    words = []
    for label, content in files.items():
        torch.save(content, place / f"{label}.pth")
        words += ["--checkpoint", f"{label}={place / label}.pth"]
    for name in ("c2p_clip", "effort"):
        (place / f"small_{name}.py").write_text(SMALL.format(name=name, sizes=SIZES))
        words += ["--plugin", place / f"small_{name}.py"]
    places = ("--data", place / "data", "--store", place / "store", "--results", place / "whole", "--device", "cpu")
    done = bench("run", *words, *places, "--protocols", "raw", "--test", "folder:flux", "--no-figures")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(place / "whole" / "rows.csv", keep_default_na=False)
    found = rows[(rows["metric"] == "auc") & (rows["subset"] == "flux")]
    labels = {f"{name}[{variant}]" if variant else name for name, variant in found[["method", "variant"]].to_numpy()}
    assert labels == set(files)
    assert found["value"].astype(float).between(0, 1).all()


def test_fires_file_has_the_autoencoder_in_half_precision(place, tmp_path):
    """A bare state dict: random weights at the paper's size, and the frozen autoencoder's, which must be the same."""
    import torch
    from diffusers import AutoencoderKL

    from bench import discover
    from bench.models.zoo import Zoo

    kind, folder = discover.method("fire"), Zoo("mini").folder("sd15_vae")
    torch.manual_seed(0)
    state = kind(kind.Params(pretrained=False)).build({"sd15_vae": folder}).state_dict()
    copy = AutoencoderKL.from_pretrained(folder / "vae", low_cpu_mem_usage=False).half().state_dict()
    other = {name: tensor + 1 for name, tensor in copy.items()}
    for name, autoencoder in (("whole", copy), ("other", other)):
        vae = {f"vae.{key}": tensor for key, tensor in autoencoder.items()}
        torch.save({**state, **vae}, tmp_path / f"{name}.pt")
    for number, kind_of in enumerate(("real", "fake")):
        Image.fromarray(picture(number, 40, 36)).save(tmp_path / f"{kind_of}.png")
    places = ("--store", place / "store", "--models", "mini", "--device", "cpu")
    done = bench("score", "fire", tmp_path, "--checkpoint", tmp_path / "whole.pt", "--json", *places)
    assert done.returncode == 0, done.stderr
    assert [line["status"] for line in json.loads(done.stdout)] == ["ok", "ok"]
    done = bench("score", "fire", tmp_path, "--checkpoint", tmp_path / "other.pt", *places)
    assert (done.returncode, "has other values" in done.stderr) == (2, True)


def test_ddas_file_is_scored_with_its_own_copy_of_dinov2(place):
    import torch

    from bench.nets.vit import Shape
    from tests.parity.twins import released

    state = released(Shape(width=48, depth=5, heads=3, patch=8, size=56))
    torch.save({"model": state, "optimizer": {}, "total_steps": 1}, place / "dda.pth")
    places = ("--store", place / "store", "--models", "mini", "--device", "cpu")
    done = bench("score", "dda", place / "data" / "veo", "--checkpoint", place / "dda.pth", "--json", *places)
    assert done.returncode == 0, done.stderr
    assert "using the complete copy of dinov2_vitl14" in done.stderr
    assert len({line["logit"] for line in json.loads(done.stdout)}) == 20
