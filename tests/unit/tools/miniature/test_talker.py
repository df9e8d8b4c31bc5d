"""The long captioner starts from the short one's eyes."""

import torch
from torch import nn

from tests.conftest import picture
from tools.miniature import captioner, talker
from tools.miniature.clip import prepared
from tools.miniature.scenes import sample_scene


def test_the_tower_sees_what_the_short_captioners_sees_before_its_new_norm():
    images = torch.stack([torch.from_numpy(picture(i, 64, 64, grain=30.0)) for i in range(3)]).numpy()
    blip = captioner.new_blip().vision_model.eval()
    with torch.no_grad():
        for parameter in blip.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    tower = talker.new_llava().model.vision_tower.eval()
    talker.start_from_blip(tower, blip, images)
    given = prepared(images, "cpu")
    with torch.no_grad():
        embedded = tower.pre_layrnorm(tower.embeddings(given))
        tower.pre_layrnorm = nn.Identity()
        here = tower(given, output_hidden_states=True).hidden_states
        there = blip(given, output_hidden_states=True).hidden_states
    assert torch.allclose(here[0], there[0], atol=1e-5)
    assert torch.allclose(here[-2], there[talker.LAYERS - 1], atol=1e-4)
    assert torch.allclose(embedded.mean(), here[0].mean(), atol=0.01 * here[0].std())


def test_a_mirrored_lesson_tells_the_light_from_the_other_side():
    index = next(i for i in range(100) if sample_scene("generators", i).light == "left")
    photographs = torch.arange(64 * 64 * 3).view(1, 64, 64, 3).remainder(251).to(torch.uint8).numpy()
    seen = {}
    for step in (0, 1):
        pictures, texts = talker.lesson(photographs, step, first=index)
        seen[step] = pictures[0], texts[0]
    assert (seen[0][0] == photographs[0]).all()
    assert (seen[1][0] == photographs[0][:, ::-1]).all()
    assert "from the left" in seen[0][1]
    assert seen[0][1].replace("left", "right") == seen[1][1]


def test_each_detail_is_counted_alone():
    scenes = [sample_scene("heldout", index) for index in range(40)]
    right = [scene.long_caption for scene in scenes]
    assert set(talker.details(right, scenes).values()) == {1.0}
    dark = [text.partition(" , light")[0] for text in right]
    assert talker.details(dark, scenes) == {"pattern": 1.0, "clutter": 1.0, "count": 1.0, "light": 0.0}
