"""What an image file says of itself: generators and cameras in its metadata, and a C2PA manifest.

Anyone can write or delete these; a detector's score never uses them.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

#: Text fields of PNG and other containers into which generators write.
_FIELDS = (
    *("parameters", "prompt", "workflow", "dream", "sd-metadata", "invokeai_metadata", "software", "comment"),
    *("description", "title", "source", "author", "xml:com.adobe.xmp", "xmp"),
)
#: Names of generators, as they stand in such fields.
_GENERATORS = {
    "Stable Diffusion": r"stable.?diffusion|sampler:|\bsdxl\b|sd-metadata",
    "ComfyUI": r"comfyui|\"class_type\"",
    "InvokeAI": r"invoke.?ai",
    "Midjourney": r"midjourney",
    "DALL·E": r"dall.?[e·]",
    "Adobe Firefly": r"firefly",
    "NovelAI": r"novel.?ai",
    "Flux": r"\bflux\b",
    "Google": r"\bimagen\b|gemini|synthid",
    "OpenAI": r"openai|gpt-4o|gpt-image",
    "a generator (IPTC)": r"trainedalgorithmicmedia",
}
_EXIF = {ExifTags.Base.Make: "camera", ExifTags.Base.Model: "camera", ExifTags.Base.Software: "software"}
_SHOWN = 80


@dataclass(frozen=True)
class Provenance:
    """``generators`` named in the metadata, the ``camera`` and ``software`` of the EXIF, and the C2PA manifest.

    ``c2pa`` is empty without a manifest, ``not looked for`` without the extra ``provenance``, else who made it and what
    it says; a manifest that does not match the file is ``invalid``.
    """

    generators: tuple[str, ...] = ()
    camera: str = ""
    software: str = ""
    c2pa: str = ""

    def __str__(self) -> str:
        parts = [f"names {', '.join(self.generators)}" if self.generators else "", self.camera]
        parts += [self.software, f"C2PA: {self.c2pa}" if self.c2pa and self.c2pa != NOT_LOOKED_FOR else ""]
        return "; ".join(part for part in parts if part)


NOT_LOOKED_FOR = "not looked for"


def of_file(path: Path) -> Provenance:
    """What a file says of itself; empty for one that cannot be read."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            texts = {str(name).lower(): _text(value) for name, value in image.info.items()}
            # Of a PNG without EXIF, asking for it would decode the image.
            tags = image.getexif() if image.format != "PNG" or "exif" in image.info else {}
            exif = {name: _text(tags.get(tag, "")) for tag, name in reversed(_EXIF.items())}
            mime = Image.MIME.get(image.format or "", "")
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Provenance()
    words = " ".join(f"{name}: {text}" for name, text in texts.items() if name in _FIELDS and text)
    words += " " + exif["software"]
    if "parameters" in texts and "steps:" in texts["parameters"].lower():
        words += " stable diffusion"
    named = tuple(name for name, pattern in _GENERATORS.items() if re.search(pattern, words, re.IGNORECASE))
    return Provenance(named, exif["camera"], exif["software"], _c2pa(data, mime))


def _text(value: object) -> str:
    """A field as one line of printable text."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "".join(c if c.isprintable() else " " for c in text).strip()[: 1 << 16]


def _c2pa(data: bytes, mime: str) -> str:
    """Who signed the manifest in a file and what it calls the image; empty without one."""
    if importlib.util.find_spec("c2pa") is None:
        return NOT_LOOKED_FOR
    from c2pa import C2paError, Reader

    try:
        with Reader(mime or "image/jpeg", io.BytesIO(data)) as reader:
            manifests = json.loads(reader.json())
    except C2paError.ManifestNotFound:
        return ""
    except C2paError as error:
        return "" if "not supported" in str(error).lower() else f"invalid ({str(error)[:_SHOWN]})"
    active = manifests.get("manifests", {}).get(manifests.get("active_manifest", ""), {})
    maker = (active.get("claim_generator_info") or [{}])[0].get("name") or active.get("claim_generator", "")
    kinds = sorted(set(re.findall(r"digitalsourcetype/(\w+)", json.dumps(active))))
    state = "" if manifests.get("validation_state", "Valid") in ("Valid", "Trusted") else ", does not validate"
    return f"{maker or 'unnamed maker'}{' (' + ', '.join(kinds) + ')' if kinds else ''}{state}"
