"""Generators by the names that datasets give them: relatives of the training generator are told from strangers."""

from pathlib import Path

import pytest

from bench import discover
from bench.cli.located import families
from bench.data.dataset import Subset
from bench.data.generators import generator
from bench.planning.matrix import relation
from bench.planning.sources import Source

#: Names of OpenFake, Community Forensics, the Hub and folders of users.
NAMES = {
    "stable-diffusion-v1-5": ("sd1", "2022-10"),
    "CompVis/stable-diffusion-v1-4": ("sd1", "2022-08"),
    "sd-1.5": ("sd1", "2022-10"),
    "sd15": ("sd1", "2022-10"),
    "stabilityai/stable-diffusion-2-1": ("sd2", "2022-11"),
    "sd-3.5": ("sd3", "2024-10"),
    "stable-diffusion-3-medium": ("sd3", "2024-06"),
    "SDXL_Turbo": ("sdxl", "2023-07"),
    "stable-diffusion-xl-base-1.0": ("sdxl", "2023-07"),
    "flux.1-dev": ("flux1", "2024-08"),
    "flux-1.1-pro": ("flux1", ""),
    "FLUX.2-dev": ("flux2", "2025-11"),
    "midjourney-6": ("midjourney", "2023-12"),
    "midjourney_v7": ("midjourney", "2025-04"),
    "dalle-3": ("dalle3", "2023-10"),
    "DALL-E 2": ("dalle2", "2022-04"),
    "gpt-image-1": ("gpt_image", "2025-04"),
    "gpt-image-1.5": ("gpt_image", ""),
    "imagen-4.0": ("imagen", "2025-05"),
    "grok-2-image-1212": ("aurora", "2024-12"),
    "hidream-i1-full": ("hidream", "2025-04"),
    "ideogram-3.0": ("ideogram", ""),
    "kandinsky2.1": ("kandinsky2", "2023-04"),
    "StyleGAN-XL": ("stylegan_xl", "2022-02"),
    "stylegan3-t": ("stylegan", "2021-06"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_people_use(name):
    assert tuple(generator(name)) == NAMES[name]


@pytest.mark.parametrize("name", ["imagenet", "fakes", "my-model", "sdf", "editing", "adam", "unknown"])
def test_other_names_are_unknown(name):
    assert generator(name) is None


def test_a_run_says_which_names_it_takes_for_which_family():
    subsets = {name: {} for name in ("sdv14", "flux.1-dev", "mine")}
    assert families({"genimage": (Path(), subsets)}) == [
        "families, by name: flux.1-dev (flux1)",
        "of no known family, so out of family: mine",
    ]
    assert families({"genimage": (Path(), {"sdv14": {}})}) == []


def test_the_families_are_those_of_the_datasets():
    """A name that a dataset lists has the same family here, or none: the two never disagree."""
    for dataset in discover.datasets():
        for subset in discover.dataset(dataset).subsets:
            found = generator(subset.name)
            if found is not None and dataset not in ("chameleon", "wildrf"):
                assert found.family == subset.family, (dataset, subset.name)


def test_a_relative_in_an_unknown_folder_is_no_stranger():
    source = Source("sdv14", ("sdv14",), "")
    assert relation(source, "folder", "stable-diffusion-v1-5") == "family"
    assert relation(source, "folder", "flux.1-dev") == "out"
    assert discover.dataset("folder").subset("flux.1-dev") == Subset(
        "flux.1-dev", "flux.1-dev", "flux1", ("flux.1-dev",), released="2024-08"
    )
    assert discover.dataset("folder").subset("mine").family == "unknown mine"
