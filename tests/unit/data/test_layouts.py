"""Every dataset is found in the layouts in which it is passed around, made up here from empty folders."""

import pytest

from bench import discover
from bench.planning.request import datasets_of
from bench.types import FAKE, REAL

#: (dataset, folders, subset → (folders of photographs, folders of fakes)).
LAYOUTS = (
    (
        "aigcdetect",
        ["progan/cat/0_real", "progan/cat/1_fake", "ADM/0_real", "ADM/1_fake", "stable_diffusion_v_1_4/0_real", "vals"],
        {
            "progan": (["progan/cat/0_real"], ["progan/cat/1_fake"]),
            "adm": (["ADM/0_real"], ["ADM/1_fake"]),
            "sdv14": (["stable_diffusion_v_1_4/0_real"], []),
        },
    ),
    (
        "aigcdetect",
        ["test/DALLE2/0_real", "test/DALLE2/1_fake"],
        {"dalle2": (["test/DALLE2/0_real"], ["test/DALLE2/1_fake"])},
    ),
    (
        "ufd",
        [f"diffusion_datasets/{n}" for n in ("imagenet/0_real", "laion/0_real", "guided/1_fake", "ldm_200/1_fake")],
        {
            "guided": (["diffusion_datasets/imagenet/0_real"], ["diffusion_datasets/guided/1_fake"]),
            "ldm_200": (["diffusion_datasets/laion/0_real"], ["diffusion_datasets/ldm_200/1_fake"]),
        },
    ),
    ("ufd", ["dalle/0_real", "dalle/1_fake"], {"dalle": (["dalle/0_real"], ["dalle/1_fake"])}),
    ("ufd", ["glide_50_27/1_fake"], {"glide_50_27": ([], ["glide_50_27/1_fake"])}),
    (
        "synthbuster",
        ["synthbuster/dalle2", "synthbuster/stable-diffusion-xl", "synthbuster/real_RAISE_1k", "synthbuster/other"],
        {
            "dalle2": (["synthbuster/real_RAISE_1k"], ["synthbuster/dalle2"]),
            "sdxl": (["synthbuster/real_RAISE_1k"], ["synthbuster/stable-diffusion-xl"]),
        },
    ),
    ("synthbuster", ["firefly"], {"firefly": ([], ["firefly"])}),
    (
        "synthwildx",
        ["dalle3", "firefly", "real"],
        {"dalle3": (["real"], ["dalle3"]), "firefly": (["real"], ["firefly"])},
    ),
    (
        "wildrf",
        ["WildRF/train/0_real", "WildRF/train/1_fake", "WildRF/test/reddit/0_real", "WildRF/test/reddit/1_fake"],
        {"reddit": (["WildRF/test/reddit/0_real"], ["WildRF/test/reddit/1_fake"])},
    ),
    ("wildrf", ["twitter/0_real", "twitter/1_fake"], {"twitter": (["twitter/0_real"], ["twitter/1_fake"])}),
    (
        "chameleon",
        ["Chameleon/test/0_real", "Chameleon/test/1_fake"],
        {"chameleon": (["Chameleon/test/0_real"], ["Chameleon/test/1_fake"])},
    ),
    ("chameleon", ["0_real", "1_fake"], {"chameleon": (["0_real"], ["1_fake"])}),
    (
        "drct2m",
        ["DRCT-2M/images/sd-turbo/val2017", "DRCT-2M/images/sd-turbo/train2017", "MSCOCO/val2017", "MSCOCO/train2017"],
        {"sd_turbo": (["MSCOCO/val2017"], ["DRCT-2M/images/sd-turbo/val2017"])},
    ),
    ("drct2m", ["stable-diffusion-2-1/val2017"], {"sdv21": ([], ["stable-diffusion-2-1/val2017"])}),
    (
        "diffusionforensics",
        [
            f"images/{n}"
            for n in ("train/imagenet/adm", "test/lsun_bedroom/real", "test/lsun_bedroom/ldm", "test/imagenet/adm")
        ]
        + ["recons/test/lsun_bedroom/real", "dire/test/lsun_bedroom/ldm"],
        {
            "ldm": (["images/test/lsun_bedroom/real"], ["images/test/lsun_bedroom/ldm"]),
            "imagenet-adm": ([], ["images/test/imagenet/adm"]),
        },
    ),
    (
        "diffusionforensics",
        ["DiffusionForensics/sdv1_new/0_real", "DiffusionForensics/sdv1_new/1_fake"],
        {"sdv1": (["DiffusionForensics/sdv1_new/0_real"], ["DiffusionForensics/sdv1_new/1_fake"])},
    ),
    (
        "folder",
        ["flux/test/real", "flux/test/fake", "flux/train/real", "sora/nature", "sora/ai", "notes"],
        {
            "flux": (["flux/test/real"], ["flux/test/fake"]),
            "sora": (["sora/nature"], ["sora/ai"]),
        },
    ),
    ("folder", ["flux/val/0_REAL", "flux/val/1_fake"], {"flux": (["flux/val/0_REAL"], ["flux/val/1_fake"])}),
)


@pytest.mark.parametrize(
    ("name", "folders", "expected"), LAYOUTS, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(LAYOUTS)]
)
def test_a_layout_is_found(name, folders, expected, tmp_path):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    found = discover.dataset(name).find(tmp_path)
    told = {
        subset: tuple(
            [path.relative_to(tmp_path).as_posix() for path in splits["test"].get(label, ())] for label in (REAL, FAKE)
        )
        for subset, splits in found.items()
    }
    assert told == expected


def test_class_folders_at_the_top_are_one_subset(tmp_path):
    home = tmp_path / "My Photos"
    for name in ("real", "fake"):
        (home / name).mkdir(parents=True)
    assert list(discover.dataset("folder").find(home)) == ["my_photos"]


def test_every_layout_has_a_test():
    assert {name for name, *_ in LAYOUTS} == set(discover.datasets()) - {"genimage", "forensynths"}


def test_releases_are_months_and_one_family_has_one_name_in_all_datasets():
    subsets = [subset for name in discover.datasets() for subset in discover.dataset(name).subsets]
    for subset in subsets:
        year, _, month = subset.released.partition("-")
        assert subset.family == "in the wild" or (2014 <= int(year) <= 2026 and 1 <= int(month) <= 12), subset
    # The same generator, by its name, is of the same family and date wherever it appears.
    for name in {subset.name for subset in subsets}:
        same = {(s.family, s.released) for s in subsets if s.name == name}
        assert len(same) == 1, (name, same)


def test_datasets_come_from_the_tests_and_from_their_own_folders(tmp_path):
    (tmp_path / "synthbuster").mkdir()
    assert datasets_of("all", tmp_path) == ["synthbuster"]
    assert datasets_of("ufd:guided,ldm_200,wildrf", tmp_path) == ["ufd", "ufd", "wildrf", "synthbuster"]
