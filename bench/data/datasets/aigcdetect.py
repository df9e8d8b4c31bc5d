"""AIGCDetectBenchmark's test set: sixteen generators, ``<folder>[/<class>]/{0_real,1_fake}`` (arXiv 2311.12397).

Folder names: Ekko-zn/AIGCDetectBenchmark@0c775e2:eval_config.py. Fifteen subsets are of ForenSynths' and GenImage's
generators.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.data.dataset import Dataset, Folders, Subset, class_folders
from bench.data.files import subfolders


class AIGCDetect(Dataset):
    """The test set of AIGCDetectBenchmark; it has no training split."""

    name = "aigcdetect"
    title = "AIGCDetectBenchmark"
    paper = (
        "Zhong et al.: PatchCraft: Exploring Texture Patch for Efficient AI-generated Image Detection, arXiv 2311.12397"
    )
    subsets = (
        Subset("progan", "ProGAN", "progan", ("progan",), released="2017-10"),
        Subset("stylegan", "StyleGAN", "stylegan", ("stylegan",), released="2018-12"),
        Subset("biggan", "BigGAN", "biggan", ("biggan",), released="2018-09"),
        Subset("cyclegan", "CycleGAN", "cyclegan", ("cyclegan",), released="2017-03"),
        Subset("stargan", "StarGAN", "stargan", ("stargan",), released="2017-11"),
        Subset("gaugan", "GauGAN", "gaugan", ("gaugan",), released="2019-03"),
        Subset("stylegan2", "StyleGAN2", "stylegan", ("stylegan2",), released="2019-12"),
        Subset("whichfaceisreal", "WFIR", "stylegan", ("whichfaceisreal",), released="2018-12"),
        Subset("adm", "ADM", "adm", ("adm",), released="2021-05"),
        Subset("glide", "GLIDE", "glide", ("glide",), released="2021-12"),
        Subset("midjourney", "MJ", "midjourney", ("midjourney",), released="2023-03"),
        Subset("sdv14", "SDv1.4", "sd1", ("stable_diffusion_v_1_4",), released="2022-08"),
        Subset("sdv15", "SDv1.5", "sd1", ("stable_diffusion_v_1_5",), released="2022-10"),
        Subset("vqdm", "VQDM", "vqdm", ("vqdm",), released="2021-11"),
        Subset("wukong", "Wukong", "sd1", ("wukong",), released="2022-09"),
        Subset("dalle2", "DALL·E 2", "dalle2", ("dalle2",), released="2022-04"),
        # The authors' tables do not have it; some copies of the set do.
        Subset("sdxl", "SDXL", "sdxl", ("sd_xl", "sdxl"), averaged=False, released="2023-07"),
    )

    page = "https://modelscope.cn/datasets/aemilia/AIGCDetectionBenchmark"
    afterwards = "test.zip there; or read the copy on the Hub: --data hf:TheKernel01/AIGC-Detection-Benchmark"

    def find(self, root: Path) -> Mapping[str, Folders]:
        """Subset folders in ``root`` or in its folder ``test``, each with class folders at any depth."""
        by_alias, subsets = self.by_alias(), dict[str, Folders]()
        outer = subfolders(root)
        for folder in [*outer, *(inner for f in outer if f.name.lower() == "test" for inner in subfolders(f))]:
            name = by_alias.get(folder.name.lower())
            if name and name not in subsets and (found := class_folders(folder)):
                subsets[name] = {"test": found}
        return subsets

    def layout(self) -> str:
        """The expected folder layout as a pattern."""
        return "DIR/stable_diffusion_v_1_4/[airplane/]{0_real,1_fake}/*.png"


DATASET = AIGCDetect()
