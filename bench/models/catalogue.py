"""The catalogue of pretrained models, read from ``models.toml`` beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

#: The files of a pipeline in Stable Diffusion's folder format that are loaded.
_STABLE_DIFFUSION = (
    "model_index.json",
    "scheduler/*.json",
    "tokenizer/*",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
)
_STABLE_DIFFUSION_REQUIRED = (
    ("scheduler/scheduler_config.json",),
    ("tokenizer/vocab.json", "tokenizer/tokenizer.json"),
    *((name,) for name in _STABLE_DIFFUSION if name.startswith(("text_encoder/", "unet/", "vae/"))),
)


class Model(BaseModel):
    """A pretrained model.

    ``paper`` is "Author et al.: Title, VENUE YEAR, arXiv ID". ``mini`` is its folder among the embedded weights (empty
    if the miniature has none). ``hub`` is its repository on the Hugging Face Hub and ``revision`` the commit or branch;
    without a repository, ``downloads`` maps the addresses of its files to the first digits of their SHA-256, or
    ``source`` says where to find them. ``files`` are the patterns of the files that are loaded and hashed; of each
    group of ``required``, one file must exist. ``layout`` names a folder format that sets both. If ``one_file``, the
    authors' single file is enough. ``commercial`` says whether the licence allows commercial use.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    title: str
    paper: str
    mini: str = ""
    hub: str = ""
    revision: str = ""
    downloads: Mapping[str, str] = {}
    source: str = ""
    layout: Literal["stable_diffusion"] | None = None
    files: tuple[str, ...] = ()
    required: tuple[tuple[str, ...], ...] = (("model.safetensors",),)
    one_file: bool = False
    size: str
    licence: str
    commercial: Literal["yes", "no", "with conditions", "unclear"]

    @property
    def where(self) -> str:
        """Where its files are, for people."""
        return self.hub or ", ".join(self.downloads) or self.source

    @model_validator(mode="before")
    @classmethod
    def _expand_layout(cls, values: dict[str, object]) -> dict[str, object]:
        if values.get("layout") == "stable_diffusion":
            return {"files": _STABLE_DIFFUSION, "required": _STABLE_DIFFUSION_REQUIRED, **values}
        return values

    @model_validator(mode="after")
    def _check(self) -> Model:
        if not self.files:
            raise ValueError("files are missing")
        if bool(self.hub) != bool(self.revision) or not (self.hub or self.downloads or self.source):
            raise ValueError("hub with revision, downloads or source is missing")
        return self


def _load() -> dict[str, Model]:
    entries = tomllib.loads(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))
    return {role: Model.model_validate({"role": role, **entry}) for role, entry in entries.items()}


MODELS: Mapping[str, Model] = _load()
