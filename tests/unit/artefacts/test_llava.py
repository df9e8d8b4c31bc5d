"""The long captioner's engine on an untrained model in the Hub's format, against a plain call of transformers."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPImageProcessor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    LlavaProcessor,
)

from bench.artefacts.batching import make_chunk
from bench.artefacts.engine import Request
from bench.artefacts.engines import llava
from bench.models.zoo import Zoo
from bench.progress import Meter
from tests.conftest import picture
from tools.miniature import talker

WORDS = 5


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of models with a LLaVA whose answers differ from image to image."""
    root = tmp_path_factory.mktemp("models")
    model = talker.new_llava().eval()
    with torch.no_grad():
        for parameter in model.model.multi_modal_projector.parameters():
            parameter.mul_(40)
    talker.save_llava(root / "llava", model)
    return root


def plain(folder, rgb):
    """transformers' own way, one image at a time."""
    processor = LlavaNextProcessor.from_pretrained(folder)
    model = LlavaNextForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    asked = [{"type": "image"}, {"type": "text", "text": llava.QUESTION}]
    prompt = processor.apply_chat_template([{"role": "user", "content": asked}], add_generation_prompt=True)
    given = processor(images=Image.fromarray(rgb), text=prompt, return_tensors="pt")
    made = model.generate(**given, max_new_tokens=WORDS, do_sample=False)
    return processor.tokenizer.decode(made[0, given["input_ids"].shape[1] :], skip_special_tokens=True).strip()


def test_captions_are_transformers_own_whatever_the_batch_and_the_sizes(models):
    recipe = llava.recipe(max_new_tokens=WORDS).bind("source")
    engine, meter = llava.Llava(), Meter()
    engine.load(recipe, Zoo(str(models)), "cpu", meter)
    sizes = [(64, 64), (64, 64), (80, 48), (128, 96)]
    requests = [Request(f"{i:032x}", picture(i, *size, grain=30.0), {}) for i, size in enumerate(sizes)]
    made = {identity: data.decode() for identity, data in make_chunk(engine, requests).items()}
    wanted = {r.image_id: plain(models / "llava", r.rgb) for r in requests}
    assert {k: " ".join(v.split()) for k, v in wanted.items()} == made
    assert len(set(made.values())) > 1
    assert make_chunk(engine, requests[2:3])[requests[2].image_id].decode() == made[requests[2].image_id]
    assert meter.forwards % engine.batch == 0


def test_llava_1_5_answers_a_whole_prompt(models):
    """The model of Manifold-Induced Biases, whose prompt stands as it is."""
    folder, prompt = models / "llava15", "<image>\nUSER: Describe this image\nASSISTANT:"
    config = talker.new_llava().config
    parts = {"vision_config": config.vision_config, "text_config": config.text_config, "image_token_index": 3}
    torch.manual_seed(2)
    model = LlavaForConditionalGeneration(LlavaConfig(**parts, image_seq_length=64)).eval()
    images = CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    settings = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    processor = LlavaProcessor(images, talker.new_tokenizer(), **settings)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    engine, rgb = llava.Llava(), picture(1, 80, 48, grain=30.0)
    engine.load(llava.recipe(role="llava15", prompt=prompt, max_new_tokens=WORDS), Zoo(str(models)), "cpu", Meter())
    (made,) = engine.run([Request("0" * 32, rgb, {})], [rgb])
    given = processor(images=Image.fromarray(rgb), text=prompt, return_tensors="pt")
    tokens = model.generate(**given, max_new_tokens=WORDS, do_sample=False)
    answer = processor.tokenizer.decode(tokens[0], skip_special_tokens=True).split("ASSISTANT:", 1)[1]
    assert made == " ".join(answer.split()) != ""


def test_the_template_asks_one_question_about_one_image():
    processor = talker.new_processor()
    asked = [{"type": "image"}, {"type": "text", "text": llava.QUESTION}]
    prompt = processor.apply_chat_template([{"role": "user", "content": asked}], add_generation_prompt=True)
    assert prompt == f"USER: <image> {llava.QUESTION} ASSISTANT: "
    ids = processor(images=np.zeros((64, 64, 3), np.uint8), text=prompt, return_tensors="pt")["input_ids"][0]
    words = processor.tokenizer.convert_ids_to_tokens(ids)
    assert words.count("<image>") == 8 * 8 + 8 * (8 + 1)  # the overview, and one tile whose rows end in a mark
    assert "<unk>" not in words
