"""Protocols that treat the codec alone: images keep their size, and what they show.

They answer how much of a raw score is the codec's; sizes and framing stay as they are in the files, so only ``aligned``
measures a detector. ``codec_match`` gives fakes the JPEG coding of photographs, ``codec_both`` encodes both classes in
one way, and ``codec_fakes_only`` encodes fakes as GenImage's photographs mostly are (as Grommelt et al., Fake or JPEG?,
arXiv 2403.17608, train). An image that was encoded before is encoded a second time; ``docs/protocols.md`` shows what
detectors find then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench.data import jpeg
from bench.data.decode import RGB, read
from bench.data.splits import rank
from bench.errors import UserError
from bench.operations import Encoding
from bench.recipe import SOURCE, Recipe, content_key
from bench.types import FAKE, REAL, Item, Slice

CODEC_VERSION = 1
#: The quality, with 4:2:0 chroma, that ``codec_both`` gives to all: that of ``aligned``.
BOTH = 75
#: The quality, with 4:2:0 chroma, of most of ImageNet's photographs.
PHOTOGRAPHS = 96


def _distinct(slice_: Slice, label: int) -> dict[str, Item]:
    """The images of a class by id; without those that are in both classes, which cannot be treated in two ways."""
    ids = {side: {item.image_id for item in slice_.usable if item.label == side} for side in (REAL, FAKE)}
    one_class = ids[REAL] ^ ids[FAKE]
    return {i.image_id: i for i in reversed(slice_.usable) if i.label == label and i.image_id in one_class}


def _with(slice_: Slice, name: str, encodings: Mapping[str, tuple[Encoding, str]]) -> Slice:
    """The slice whose images are encoded as ``encodings`` say, by image id, each with what describes it in the key."""
    usable = {item.row_id for item in slice_.usable}
    chosen = tuple(item for item in slice_.items if item.image_id in encodings and item.row_id in usable)
    described = sorted([identity, text] for identity, (_, text) in encodings.items())
    recipe = Recipe("codec", CODEC_VERSION, {"encodings": content_key(described)}, inputs={"image": SOURCE})
    operations = {item.row_id: encodings[item.image_id][0] for item in chosen}
    left_out = len(slice_.usable) - len(chosen)
    return replace(slice_, items=chosen, protocol=name, image=recipe, operations=operations, left_out=left_out)


def match(slice_: Slice) -> Slice:
    """Every fake is encoded with the quantisation tables and chroma subsampling of a seeded partner photograph.

    Photographs stay as they are. The fake of a photograph that is no JPEG file stays too. Raises UserError if no
    photograph is a JPEG file.
    """
    reals, fakes = (
        sorted(_distinct(slice_, label).values(), key=lambda item: rank(4, item.image_id)) for label in (REAL, FAKE)
    )
    if not any(item.container == "jpeg" for item in reals):
        raise UserError(
            f"codec_match cannot treat {slice_.name}.",
            "None of its photographs is a JPEG file.",
            "Use another protocol.",
        )
    encodings = {item.image_id: (Encoding(), "") for item in reals}
    for index, fake in enumerate(fakes):
        partner = reals[index % len(reals)]
        coded = (Encoding(partner.quality, partner.path), partner.file_id)
        encodings[fake.image_id] = coded if partner.container == "jpeg" else (Encoding(), "")
    return _with(slice_, "codec_match", encodings)


def both(slice_: Slice) -> Slice:
    """Every image of both classes is encoded once, at quality 75."""
    encodings = {i: (Encoding(BOTH), str(BOTH)) for label in (REAL, FAKE) for i in _distinct(slice_, label)}
    return _with(slice_, "codec_both", encodings)


def fakes_only(slice_: Slice) -> Slice:
    """Every fake is encoded once, at quality 96; photographs stay as they are."""
    encodings = {identity: (Encoding(), "") for identity in _distinct(slice_, REAL)}
    encodings |= {identity: (Encoding(PHOTOGRAPHS), str(PHOTOGRAPHS)) for identity in _distinct(slice_, FAKE)}
    return _with(slice_, "codec_fakes_only", encodings)


def coding(encoding: Encoding) -> tuple[str, int] | None:
    """Container and quality that an encoding gives an image; None if it does nothing."""
    return ("jpeg", encoding.quality) if encoding.quality else None


def encode(encoding: Encoding, rgb: RGB) -> RGB:
    """An image uint8 [H, W, 3] after its encoding, of the same shape."""
    if encoding.like is not None:
        options = jpeg.settings(read(encoding.like))
        return rgb if options is None else jpeg.recompress(rgb, options)
    return jpeg.recompress(rgb, jpeg.plain(encoding.quality)) if encoding.quality else rgb
