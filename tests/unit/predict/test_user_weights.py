"""Weights named by role on the command line: folders as they are, single files put into one."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPModel, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

from bench import discover
from bench.artefacts.store import Store
from bench.errors import UserError
from bench.models.configs import shipped
from bench.models.zoo import Zoo
from bench.nets.clip import load_half
from bench.nets.clip_text import from_transformers
from bench.planning.request import Chosen
from bench.predict.options import ScoreRequest
from bench.predict.predict import adopt_copies, import_checkpoint
from bench.predict.user_weights import own_weights
from bench.progress import Progress
from bench.suites import suite as suites
from methods import univfd

#: Shapes of the weights of an ImageNet classifier, after the number of classes.
SIZES = {"weight": (512,), "bias": ()}


def openai_layout(state):
    """The tensors of transformers' CLIPModel under OpenAI's names, the image half by the text half's mapping."""
    text = from_transformers({n: t for n, t in state.items() if n.startswith("text_")})
    vision = {
        n.replace("vision_model", "text_model"): t for n, t in state.items() if n.startswith("vision_model.encoder")
    }
    v = "vision_model"
    spare = {
        "text_model.embeddings.token_embedding.weight": torch.zeros(1),
        "text_model.embeddings.position_embedding.weight": state[f"{v}.embeddings.position_embedding.weight"],
        "text_projection.weight": state["visual_projection.weight"],
        **{f"text_model.final_layer_norm.{k}": state[f"{v}.post_layernorm.{k}"] for k in ("weight", "bias")},
    }
    found = from_transformers({**vision, **spare})
    for a, b in (("ln_final", "ln_post"), ("text_projection", "proj")):
        found = {n.replace(a, b): t for n, t in found.items()}
    seen = {f"visual.{n}": t for n, t in found.items() if n != "token_embedding.weight"}
    seen |= {f"visual.ln_pre.{k}": state[f"{v}.pre_layrnorm.{k}"] for k in ("weight", "bias")}
    seen["visual.class_embedding"] = state[f"{v}.embeddings.class_embedding"]
    seen["visual.conv1.weight"] = state[f"{v}.embeddings.patch_embedding.weight"]
    return {**text, **seen, "logit_scale": state["logit_scale"]}


def carrier(state):
    """A module with these tensors by name, as a script pickles it whole."""
    root = nn.Module()
    for name, tensor in state.items():
        *homes, last = name.split(".")
        place = root
        for home in homes:
            if home not in place._modules:
                place.add_module(home, nn.Module())
            place = place._modules[home]
        place.register_parameter(last, nn.Parameter(tensor.contiguous()))
    return root


def test_a_published_file_with_shared_tensors_becomes_a_folder_that_is_made_once(tmp_path):
    state = load_file(Zoo("mini").folder("cycleisp") / "model.safetensors")
    shared = next(iter(state.values()))
    torch.save({"state_dict": {f"module.{k}": t for k, t in {**state, "again": shared}.items()}}, tmp_path / "s.pth")
    folder = own_weights([f"cycleisp={tmp_path / 's.pth'}"], tmp_path / "store")["cycleisp"]
    kept = load_file(folder / "model.safetensors")
    assert set(kept) == {*state, "again"}
    assert all(torch.equal(kept[name], tensor) for name, tensor in state.items())
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert own_weights([f"cycleisp={tmp_path / 's.pth'}"], tmp_path / "store")["cycleisp"] == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_a_folder_is_taken_as_it_is(tmp_path):
    assert own_weights([f"lpips={tmp_path}"], tmp_path / "store") == {"lpips": tmp_path}


def test_a_broken_file_in_a_folder_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"lpips: .*model\.safetensors is not a valid safetensors file"):
        own_weights([f"lpips={tmp_path}"], tmp_path / "store")


def test_a_fine_tuned_clip_in_openais_layout_becomes_one_of_the_hubs(tmp_path):
    """As DE-FAKE's ``finetune_clip.pt``: a whole pickled module; halves and tokenizer are then loaded as the Hub's."""
    base = Zoo("mini").folder("clip_vit_b32")
    tuned = {
        name: t + 0.01 for name, t in CLIPModel.from_pretrained(base).state_dict().items() if t.is_floating_point()
    }
    torch.save(carrier(openai_layout(tuned)), tmp_path / "finetune_clip.pt")
    word = f"clip_vit_b32={tmp_path / 'finetune_clip.pt'}"
    with pytest.raises(UserError, match="--trust-pickle"):
        own_weights([word], tmp_path / "store", "mini")
    folder = own_weights([word], tmp_path / "store", "mini", trust_pickle=True)["clip_vit_b32"]
    kept = CLIPModel.from_pretrained(folder).state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in tuned.items())
    assert load_half(CLIPTextModelWithProjection, folder).config.projection_dim > 0
    assert {p.name for p in base.iterdir() if p.suffix == ".json"} <= {p.name for p in folder.iterdir()}


def test_another_clip_or_none_is_told_with_its_names(tmp_path):
    tensors = {
        n: t.contiguous()
        for n, t in openai_layout(CLIPModel.from_pretrained(Zoo("mini").folder("clip_vit_b32")).state_dict()).items()
    }
    save_file({**tensors, "visual.proj": torch.zeros(3, 3)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"visual_projection\.weight"):
        own_weights([f"clip_vit_b32={tmp_path / 'a.safetensors'}"], tmp_path / "store", "mini")
    save_file({"fc.weight": torch.zeros(2)}, tmp_path / "b.safetensors")
    with pytest.raises(UserError, match=r"It has no visual\.class_embedding"):
        own_weights([f"clip_vit_b32={tmp_path / 'b.safetensors'}"], tmp_path / "store", "mini")
    assert not list((tmp_path / "store" / "weights").glob("clip*"))


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("lpips", "names no folder"),
        ("lpisp=.", "no model role 'lpisp'"),
        ("lpips=/nowhere/at/all", "does not exist"),
        ("blip={file}", "is one file"),
        ("lpips={file}", "cannot be read as a checkpoint"),
    ],
)
def test_mistakes_are_told(tmp_path, word, told):
    (tmp_path / "x.pth").write_text("hello")
    with pytest.raises(UserError, match=told):
        own_weights([word.format(file=tmp_path / "x.pth")], tmp_path / "store")


def test_an_openai_file_of_the_image_half_needs_neither_hub_nor_tokenizer(tmp_path, monkeypatch):
    """With the real sizes: the configuration ships with the project, and nothing is asked of the Hub."""
    config = shipped("clip_vit_l14")
    for half in ("vision_config", "text_config"):  # The real widths on one layer: the format, not the size.
        config[half]["num_hidden_layers"] = 1
    monkeypatch.setattr("bench.predict.user_weights.shipped", lambda role: config)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("the Hub was asked"))
    from transformers import CLIPConfig

    state = CLIPModel(CLIPConfig.from_dict(config)).state_dict()
    vision = {n: t.contiguous() for n, t in openai_layout(state).items() if n.startswith("visual.")}
    save_file(vision, tmp_path / "ViT-L-14.safetensors")
    folder = own_weights([f"clip_vit_l14={tmp_path / 'ViT-L-14.safetensors'}"], tmp_path / "store")["clip_vit_l14"]
    half = load_half(CLIPVisionModelWithProjection, folder)
    assert torch.equal(half.visual_projection.weight, state["visual_projection.weight"])
    assert half.config.patch_size == 14
    assert Zoo("hub", {"clip_vit_l14": folder}).folder("clip_vit_l14") == folder


@pytest.mark.parametrize(
    ("role", "sizes"), [("clip_vit_l14", (1024, 24, 16, 768)), ("clip_vit_b32", (768, 12, 12, 512))]
)
def test_shipped_configurations_are_openais(role, sizes):
    """Widths, layers, heads and embeddings of arXiv 2103.00020, table 20; patches by the models' names."""
    config = shipped(role)
    vision = config["vision_config"]
    found = tuple(vision[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
    assert (*found, config["projection_dim"]) == sizes
    assert vision["patch_size"] == int(role[-2:])
    assert config["text_config"]["hidden_size"] == sizes[-1]
    assert {config[half]["hidden_act"] for half in ("vision_config", "text_config")} == {"quick_gelu"}


def test_a_copy_of_clip_inside_a_checkpoint_is_used_where_none_is_named(tmp_path):
    """UnivFD's training file: the trunk in it was tuned, and no weights are named."""
    base = Zoo("mini").folder("clip_vit_l14")
    state = {n: t for n, t in CLIPModel.from_pretrained(base).state_dict().items() if t.is_floating_point()}
    deep = "vision_model.encoder.layers.1.mlp.fc1.weight"
    tuned = {**state, deep: state[deep] + 0.25}
    saved = {f"model.{n}": t.contiguous() for n, t in openai_layout(tuned).items()}
    saved |= {"fc.weight": torch.ones(1, 128), "fc.bias": torch.zeros(1)}
    torch.save({"model": saved, "total_steps": 3}, tmp_path / "model_epoch_best.pth")
    chosen = Chosen("univfd", "", univfd.METHOD(univfd.Params()))
    paths, path = (), tmp_path / "model_epoch_best.pth"
    own = ScoreRequest(chosen, path, paths, Zoo("mini", store=tmp_path), Store(tmp_path), "cpu")
    adopt_copies(chosen.method, own, path, Progress())
    fit = import_checkpoint(own, path)
    half = load_half(CLIPVisionModelWithProjection, own.zoo.folder("clip_vit_l14"))
    assert torch.equal(half.state_dict()[deep], tuned[deep])
    assert fit.weights["clip_vit_l14"] == own.zoo.hash("clip_vit_l14")
    named = ScoreRequest(
        chosen, path, paths, Zoo("mini", {"clip_vit_l14": base}, tmp_path), Store(tmp_path / "b"), "cpu"
    )
    adopt_copies(chosen.method, named, path, Progress())
    with pytest.raises(UserError, match="was trained with different pretrained weights") as caught:
        import_checkpoint(named, path)
    assert "resblocks.1.mlp.c_fc.weight" in caught.value.context


def test_the_convnext_inside_aides_released_file_is_used_where_none_is_named(tmp_path):
    """The layout of its training script: a copy of the frozen network, and classifiers that are never used."""
    base = Zoo("mini").folder("clip_convnext_xxl")
    trunk = {n: t for n, t in load_file(base / "model.safetensors").items() if not n.startswith("head.fc.")}
    tuned = {**trunk, "stages.1.blocks.0.gamma": trunk["stages.1.blocks.0.gamma"] + 0.25}
    method = suites.instantiate(suites.load("mini"), "aide", "", discover.method("aide"))
    own = method.build({"clip_convnext_xxl": base}).state_dict()
    saved = {**own, **{f"openclip_convnext_xxl.{n}": t for n, t in tuned.items()}}
    saved |= {f"model_{kind}.fc.{n}": torch.zeros(1000, *s) for kind in ("min", "max") for n, s in SIZES.items()}
    path = tmp_path / "progan_train.pth"
    torch.save({"model": saved, "epoch": 19}, path)
    chosen = Chosen("aide", "", method)
    request = ScoreRequest(chosen, path, (), Zoo("mini", store=tmp_path), Store(tmp_path), "cpu")
    adopt_copies(method, request, path, Progress())
    import_checkpoint(request, path)
    adopted = load_file(request.zoo.folder("clip_convnext_xxl") / "model.safetensors")
    assert torch.equal(adopted["stages.1.blocks.0.gamma"], tuned["stages.1.blocks.0.gamma"])
    named = Zoo("mini", {"clip_convnext_xxl": base}, tmp_path)
    with pytest.raises(UserError, match="was trained with different pretrained weights") as caught:
        import_checkpoint(ScoreRequest(chosen, path, (), named, Store(tmp_path / "b"), "cpu"), path)
    assert "1 of 67 tensors of its ConvNeXt differ: stages.1.blocks.0.gamma." in caught.value.context
