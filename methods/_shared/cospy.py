"""CO-SPY's network: a head on a frozen encoder, a small ResNet on pixel artefacts, and the fusion of their logits.

Megum1/CO-SPY@310d048:detectors/*/{semantic,artifact,fusion}.py and train.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, relu

from bench.nets.frozen import BesideFrozen
from bench.nets.pretrained import load_pretrained
from bench.nets.siglip import FILE, SigLIP, load_siglip
from bench.nets.truncated_resnet import NPR, Shape, TruncatedResNet
from methods._shared.clip import MEAN, STD, ImageEncoder
from methods._shared.tensors import HALF, IMAGENET_MEAN, IMAGENET_STD, standardised

#: The prefix of the VAE's tensors in the authors' network.
VAE = "art.artifact_encoder.vae."
#: What the difference from the reconstruction is multiplied by.
_GAIN = 100 / 7


class CoSpy(BesideFrozen):
    """``semantic`` and ``artifact`` views [B, 3, S, S] to logits [B, 1].

    ``vae`` reconstructs the artefact view; without one, it is compared with itself at half the resolution (NPR).
    ``weight`` and ``bias``: where the fusion starts.
    """

    def __init__(self, encoder: Any, vae: Any, shape: Shape, weight: float, bias: float) -> None:  # noqa: ANN401 - SigLIP or CLIP; diffusers ships no types
        super().__init__(encoder, *([] if vae is None else [vae.requires_grad_(False)]))
        self.sem = nn.Linear(encoder.width, 1)
        self.art: TruncatedResNet = NPR(shape, 1) if vae is None else TruncatedResNet(shape, 1)
        self.fc = nn.Linear(2, 1)
        for layer in (self.sem, self.art.fc1, self.fc):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        with torch.no_grad():
            self.fc.weight += weight
            self.fc.bias.fill_(bias)

    def embedded(self, semantic: Tensor) -> Tensor:
        """The embeddings [B, width] of the encoder."""
        features: Tensor = self.frozen[0](semantic)
        return features

    def traces(self, artifact: Tensor) -> Tensor:
        """The logits [B, 1] of the artefact branch."""
        if len(self.frozen) > 1:
            artifact = (artifact - self._reconstructed(artifact)) * _GAIN
        logits: Tensor = self.art(artifact)
        return logits

    @torch.no_grad()
    def _reconstructed(self, x: Tensor) -> Tensor:
        """Encoded to the mean latents and decoded, in 0…1 as it is: neither scaled nor mapped to −1…1."""
        vae = self.frozen[1]
        made: Tensor = vae.decode(vae.encode(x).latent_dist.mean).sample
        return made

    def forward(self, semantic: Tensor, artifact: Tensor) -> Tensor:
        """Return the fused logits."""
        both = torch.cat([self.sem(self.embedded(semantic)), self.traces(artifact)], 1)
        logits: Tensor = self.fc(both)
        return logits

    def other_vae(self, released: Mapping[str, Tensor]) -> str:
        """How the copy of the VAE in an official checkpoint differs from the frozen one; '' if it does not.

        Both are compared in half precision.
        """
        own = self.frozen[1].state_dict() if len(self.frozen) > 1 else {}
        state = {name.removeprefix(VAE): t for name, t in released.items() if name.startswith(VAE)}
        strange = sorted(set(state) ^ set(own)) if state else []
        changed = [n for n in set(state) & set(own) if not torch.equal(state[n].half(), own[n].to("cpu").half())]
        names = strange or sorted(changed)
        return (
            f"The VAE in the checkpoint is another, in {len(names)} tensors: {', '.join(names[:6])}." if names else ""
        )


def build(semantic: Path, vae: Path | None, shape: Shape, weight: float, bias: float) -> CoSpy:
    """The network with the frozen encoder in ``semantic``, SigLIP or a CLIP, and the VAE in ``vae``, if any.

    ``vae`` is a folder in diffusers' format, or a Stable Diffusion with such a folder inside.
    """
    encoder: SigLIP | ImageEncoder = load_siglip(semantic) if (semantic / FILE).is_file() else ImageEncoder(semantic)
    if vae is None:
        return CoSpy(encoder, None, shape, weight, bias)
    inner = vae / "vae"
    options: dict[str, Any] = {"low_cpu_mem_usage": False, "torch_dtype": torch.float32}
    return CoSpy(
        encoder, load_pretrained(AutoencoderKL, inner if inner.is_dir() else vae, **options), shape, weight, bias
    )


def normalised(semantic: Tensor, artifact: Tensor, side: int, family: str) -> dict[str, Tensor]:
    """Both views of pixels in 0…1, of which the second is shrunk if it is not [3, side, side]."""
    if artifact.shape[-1] != side:
        artifact = interpolate(artifact[None], (side, side), mode="bilinear", align_corners=False)[0]
    if family == "sd":
        return {"semantic": standardised(semantic, HALF, HALF), "artifact": artifact}
    traces = standardised(artifact, IMAGENET_MEAN, IMAGENET_STD)
    return {"semantic": standardised(semantic, MEAN, STD), "artifact": traces}


def mixed(features: Tensor, labels: Tensor, prob: float, alpha: float) -> tuple[Tensor, Tensor]:
    """Features [B, width] and labels [B], each with probability ``prob`` mixed with those of a random image.

    The share of the image itself is drawn from Beta(``alpha``, ``alpha``).
    """
    count, device = len(features), features.device
    share = torch.distributions.Beta(alpha, alpha).sample((count,)).to(device)
    share = torch.where(torch.rand(count).to(device) < prob, share, 1.0)
    partner = torch.randint(count, (count,)).to(device)
    made = share[:, None] * features + (1 - share[:, None]) * features[partner]
    return made, share * labels + (1 - share) * labels[partner]


def loss(
    model: Any,  # noqa: ANN401 - a CoSpy
    semantic: Tensor,
    artifact: Tensor,
    labels: Tensor,
    mix: tuple[float, float],
    bias: float,
) -> Tensor:
    """The sum of the losses of both branches and of the fusion, none of which trains the weights of another.

    ``mix``: probability and concentration of :func:`mixed`. The fusion's bias is pulled up while it is below ``bias``.
    """
    features, real = model.embedded(semantic), labels.float()
    blended, soft = mixed(features, real, *mix) if mix[0] else (features, real)
    traces = model.traces(artifact)
    both = torch.cat([model.sem(features), traces], 1).detach()
    cases = ((model.sem(blended), soft), (traces, real), (model.fc(both), real))
    total = torch.stack([binary_cross_entropy_with_logits(x[:, 0], y) for x, y in cases]).sum()
    lacking: Tensor = relu(bias - model.fc.bias[0])
    return total + lacking


def ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the authors' fusion network under our names, without those that are frozen or never used."""
    names = {"sem.fc.": "sem.", "art.fc.": "art.fc1.", "art.artifact_encoder.": "art."}
    left_out = ("sem.clip.", VAE, "art.artifact_encoder.fc1.")
    renamed = {}
    for name, tensor in state.items():
        if not name.startswith(left_out):
            old = next((prefix for prefix in names if name.startswith(prefix)), "")
            renamed[names.get(old, "") + name.removeprefix(old)] = tensor
    return renamed
