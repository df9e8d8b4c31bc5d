"""Manifold-Induced Biases: what a diffusion model's predicted noise looks like beside the image (ICLR 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bench.artefacts.engines import llava, manifold_criterion
from bench.detector import Card, Sample, Share, Stage, TrainingFree
from bench.recipe import Recipe

#: The authors' prompt of LLaVA-1.5.
PROMPT = "<image>\nUSER: Generate a caption for the image that contains only facts and detailed\nASSISTANT:"


@dataclass(frozen=True)
class Params:
    """``size``: side of the diffusion model's images. ``draws``: how often noise is added to an image.

    ``time``: share of the diffusion's steps at which it is added. ``prompt`` and ``max_new_tokens``: what the captioner
    is asked, and the length of its answer.
    """

    size: int = 512
    draws: int = 8
    time: Share = 0.01
    prompt: str = PROMPT
    max_new_tokens: int = 76


class ManifoldBias(TrainingFree):
    """How CLIP sees an image beside the decoded noise that a diffusion model predicts on it; nothing is trained."""

    card = Card(
        title="Manifold-Induced Biases",
        year=2025,
        paper="Brokman et al.: Manifold Induced Biases for Zero-shot and Few-shot Detection of Generated Images, "
        "ICLR 2025, arXiv 2504.15470",
        code="JonathanBrok/Manifold-Induced-Biases-for-Zero-shot-and-Few-shot-Detection-of-Generated-Images@1e42a51",
        licence="none (no licence file)",
        pretraining="Stable Diffusion v1.4, CLIP ViT-L/14 and LLaVA-1.5 7B (captions)",
        label_convention="larger = fake",
        geometry="torchvision on tensors, bilinear: shorter side 515, centre crop 512 for the diffusion model; "
        "transformers' processor for CLIP (Pillow, bicubic: shorter side 224, centre crop 224)",
        version=1,
        deviations=(
            "noise is drawn per image; in the official code one generator without a seed draws it for a whole batch",
            "arithmetic between the networks is in single precision, and so are the networks on a CPU; the official "
            "code rounds all but CLIP and the captioner to half precision, in which √(1 − ᾱ) is 0.0988, not 0.0978",
            "CLIP's preprocessing is Pillow's, as in the release of transformers that the authors name; newer releases "
            "resize with torchvision, which moves the bias by up to 6e-5",
            "as in the official code, predicted noise is divided by the scale of the latents before it is decoded and "
            "added noise is not, and the formula has 512 dimensions although CLIP's embedding has 768",
            "whitespace in captions is made even, which CLIP's tokenizer does as well",
            "the zero-shot criterion alone, as the authors released it: the mixture of experts for a few known images "
            "is not public",
            "the official code has no threshold: one is calibrated on the training images, and the direction stays",
        ),
    )
    Params = Params
    #: The README's example has two draws, the authors' script eight.
    in_all = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"draws2": {"draws": 2}}

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """The criterion with a caption as the prompt."""
        p = self.params
        caption = llava.recipe(role="llava15", prompt=p.prompt, max_new_tokens=p.max_new_tokens)
        return {"criterion": manifold_criterion.recipe(caption, size=p.size, draws=p.draws, time=p.time)}

    def value(self, sample: Sample) -> float:
        """Return the criterion."""
        return float(sample.artefacts["criterion"])


METHOD = ManifoldBias
