"""AEROBLADE: how little an autoencoder of a latent diffusion model changes an image (CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.artefacts.engines import autoencoder, lpips_layer
from bench.detector import Card, Sample, Stage, TrainingFree
from bench.recipe import Recipe


@dataclass(frozen=True)
class Params:
    """``autoencoders``: roles of the autoencoders, of which the one that changes an image least decides.

    ``layer``: layer of LPIPS, 1 to 5. ``quantise``: whether Kandinsky's autoencoder uses its codebook, as in the
    official code, which means to leave it out but does not.
    """

    autoencoders: tuple[str, ...] = ("sd1_vae", "sd2_vae", "kandinsky_movq")
    layer: int = 2
    quantise: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError for a layer that LPIPS has not, or without an autoencoder."""
        if not 1 <= self.layer <= 5:
            raise ValueError(f"layer is {self.layer}, not one of 1 to 5")
        if not self.autoencoders:
            raise ValueError("autoencoders is empty: name at least one role")


class Aeroblade(TrainingFree):
    """The smallest LPIPS distance between an image and its round trips through autoencoders; nothing is trained."""

    card = Card(
        title="AEROBLADE",
        year=2024,
        paper="Ricker et al.: AEROBLADE: Training-Free Detection of Latent Diffusion Images Using Autoencoder "
        "Reconstruction Error, CVPR 2024, arXiv 2401.17879",
        code="jonasricker/aeroblade@50fc2b2",
        licence="none (no licence file)",
        pretraining="autoencoders of Stable Diffusion v1.1, v2 and Kandinsky 2.1; VGG-16 on ImageNet (LPIPS)",
        label_convention="larger = fake (the negative distance)",
        geometry="native size, both sides cut evenly to multiples of 8",
        version=1,
        deviations=(
            "noise of the posterior is drawn per image; in the official code it depends on an image's place in its "
            "folder and on the batch size",
            "sides are cut to multiples of 8; the official code fails on other sizes",
            "maps of distances are kept in single precision; the official code rounds them to half precision before "
            "their mean (a resolution of 1.5e-5 at a distance of 0.02)",
            "the paper has no threshold: one is calibrated on the training images, and the direction stays",
        ),
    )
    Params = Params
    in_all = False

    def needs(self, stage: Stage) -> Mapping[str, Recipe]:
        """One distance per autoencoder, by its role."""
        p = self.params
        trips = {role: autoencoder.recipe(role, quantise=p.quantise) for role in p.autoencoders}
        return {role: lpips_layer.recipe(trip, p.layer) for role, trip in trips.items()}

    def value(self, sample: Sample) -> float:
        """Return the negative smallest distance."""
        return -min(float(sample.artefacts[role]) for role in self.params.autoencoders)


METHOD = Aeroblade
