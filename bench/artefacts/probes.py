"""Probes: recipes that make something of each image of a slice, by the names used in suites, experiments and reports.

Most give one number per image. Those of galleries give a text, a picture or a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.artefacts.engines import (
    adm_inversion,
    blip,
    clip_image,
    clip_text,
    cosine,
    ddim_inversion,
    latent_error,
    llava,
    lpips,
    map_mean,
    pixel_error,
    sd_img2img,
    shuffled_caption,
    txt2img,
)
from bench.recipe import Recipe


def lpips_shift(**settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - sd_img2img's own settings
    """LPIPS between an image and its reconstruction, with and without its caption (SARE, Figure 4)."""
    return {
        "lpips": lpips.recipe(sd_img2img.recipe(None, **settings)),
        "lpips+caption": lpips.recipe(sd_img2img.recipe(blip.recipe(), **settings)),
    }


def lpips_captioners(**settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - sd_img2img's own settings
    """LPIPS between an image and its reconstruction, with captions of two captioners (SARE, Figure 7)."""
    return {
        "lpips, blip": lpips.recipe(sd_img2img.recipe(blip.recipe(), **settings)),
        "lpips, llava": lpips.recipe(sd_img2img.recipe(llava.recipe(), **settings)),
    }


def lpips_captions(**settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - sd_img2img's own settings
    """LPIPS between an image and its reconstruction, with its own caption and another image's (a control of SARE)."""
    own = blip.recipe()
    return {
        "lpips, own caption": lpips.recipe(sd_img2img.recipe(own, **settings)),
        "lpips, another caption": lpips.recipe(sd_img2img.recipe(shuffled_caption.recipe(own), **settings)),
    }


def dire_mean(steps: int = 20, size: int = 512) -> dict[str, Recipe]:
    """The mean of DIRE, |x − x̂| in 0…1, with Stable Diffusion (SARE, Figure 2)."""
    return {"dire": pixel_error.recipe(ddim_inversion.recipe(steps, size))}


def latent_errors(timesteps: Sequence[int], **settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - latent_error's own
    """The mean latent reconstruction error at several timesteps, with the image's caption (LaRE², Figure 1b)."""
    caption = blip.recipe()
    return {
        f"latent error, t = {t}": map_mean.recipe(latent_error.recipe(caption=caption, timestep=t, **settings))
        for t in timesteps
    }


def regeneration(
    size: int = 512, steps: int = 50, dire_steps: int = 20, dire_size: int = 512, clip: str = "clip_vit_b32"
) -> dict[str, Recipe]:
    """CLIP score and PSNR of what SemGIR and DIRE make of an image (SemGIR, Table 3).

    The CLIP score is the cosine of the embeddings of the made image and of the given image's caption.
    """
    caption = blip.recipe()
    made = {
        "SemGIR": txt2img.recipe(caption, size=size, steps=steps),
        "DIRE": ddim_inversion.recipe(dire_steps, dire_size),
    }
    text = clip_text.recipe(caption, clip)
    scores = {f"clip score, {n}": cosine.recipe(text, clip_image.recipe(image, clip)) for n, image in made.items()}
    return scores | {f"psnr, {name}": pixel_error.recipe(image, "psnr") for name, image in made.items()}


def feature_cost(dire_steps: int = 20, dire_size: int = 512, adm_size: int = 256, size: int = 256) -> dict[str, Recipe]:
    """The features of DIRE, with ADM and with Stable Diffusion, and of LaRE² (LaRE², Figure 1c)."""
    return {
        "dire, adm": adm_inversion.recipe(dire_steps, adm_size),
        "dire, sd": ddim_inversion.recipe(dire_steps, dire_size),
        "lare2": latent_error.recipe(size=size),
    }


def dire_map(steps: int = 20, size: int = 512) -> dict[str, Recipe]:
    """DIRE's reconstruction with Stable Diffusion (SARE, Figure 2)."""
    return {"dire reconstruction": ddim_inversion.recipe(steps, size)}


def error_map(**settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - latent_error's own settings
    """LaRE²'s error map, with the image's caption (LaRE², Figure 2)."""
    return {"error map": latent_error.recipe(caption=blip.recipe(), **settings)}


def guided(**settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - sd_img2img's own settings
    """BLIP's caption, and the reconstruction that it guides (SARE, Figures 1 and 5)."""
    caption = blip.recipe()
    return {"blip": caption, "reconstruction, blip": sd_img2img.recipe(caption, **settings)}


def guided_llava(**settings: Any) -> dict[str, Recipe]:  # noqa: ANN401 - sd_img2img's own settings
    """LLaVA-NeXT's caption, and the reconstruction that it guides (SARE, Figures 6 and 9 to 12)."""
    caption = llava.recipe()
    return {"llava": caption, "reconstruction, llava": sd_img2img.recipe(caption, **settings)}


#: The probes that a suite may use as ``[probes.<name>]``; the table's settings are the function's arguments.
PROBES: Mapping[str, Any] = {
    probe.__name__: probe
    for probe in (
        *(lpips_shift, lpips_captioners, lpips_captions, dire_mean, latent_errors, regeneration, feature_cost),
        *(dire_map, error_map, guided, guided_llava),
    )
}
