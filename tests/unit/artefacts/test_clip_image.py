"""The engine gives what transformers' processor and model give together."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from bench.artefacts.engine import Request
from bench.artefacts.engines import clip_image
from bench.models.zoo import Zoo
from bench.nets.clip import MEAN, STD
from bench.nets.clip_resnet import load_clip_resnet
from bench.progress import Meter
from tests.conftest import picture


def embeddings(role, pictures):
    engine, recipe = clip_image.ClipImage(), clip_image.recipe(role=role)
    engine.load(recipe, Zoo("mini"), "cpu", Meter())
    requests = [Request(str(i), rgb, {}) for i, rgb in enumerate(pictures)]
    return np.stack(engine.run(requests, [engine.view(request) for request in requests]))


@pytest.mark.parametrize("role", ["clip_vit_l14", "clip_vit_b32"])
def test_it_is_the_processor_and_the_model(role):
    folder, pictures = Zoo("mini").folder(role), [picture(n, 80, 64) for n in range(3)]
    given = CLIPImageProcessor.from_pretrained(folder)([Image.fromarray(p) for p in pictures], return_tensors="pt")
    model = CLIPVisionModelWithProjection.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        wanted = model(**given).image_embeds.numpy()
    assert embeddings(role, pictures) == pytest.approx(wanted, abs=2e-2)
    cosine = (embeddings(role, pictures) * wanted).sum(1) / np.linalg.norm(wanted, axis=1)
    assert cosine / np.linalg.norm(embeddings(role, pictures), axis=1) == pytest.approx(np.ones(3), abs=1e-4)


def test_a_resnets_clip_is_read_too():
    pictures = [picture(n, 56, 56) for n in range(2)]
    tower = load_clip_resnet(Zoo("mini").folder("clip_rn50")).eval()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    x = torch.stack([(torch.from_numpy(p).permute(2, 0, 1).float() / 255 - mean) / std for p in pictures])
    with torch.no_grad():
        wanted = tower(x).numpy()
    assert embeddings("clip_rn50x4", pictures) == pytest.approx(wanted, abs=1e-4)
