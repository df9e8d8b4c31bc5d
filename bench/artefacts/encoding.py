"""Encode artefacts as bytes and decode them: one lossless container per kind, regardless of the input's format."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from bench.data.decode import decode, encode_png

#: The kinds of payload: an image uint8 [H, W, 3]; a text; one finite number; one array.
KINDS = ("png", "txt", "json", "safetensors")


def to_bytes(kind: str, value: Any) -> bytes:  # noqa: ANN401 - an image, a text, a number or an array
    """Encode an artefact. Raises ValueError for an unknown kind or a number that is not finite."""
    if kind == "png":
        return encode_png(value)
    if kind == "txt":
        return str(value).encode("utf-8")
    if kind == "json":
        return json.dumps(float(value), allow_nan=False).encode("ascii")
    if kind == "safetensors":
        from safetensors.numpy import save

        data: bytes = save({"value": np.ascontiguousarray(value)})
        return data
    raise ValueError(f"{kind!r} is not a kind of payload; known: {', '.join(KINDS)}")


def from_bytes(kind: str, data: bytes) -> Any:  # noqa: ANN401 - an image, a text, a number or an array
    """Decode the output of :func:`to_bytes`."""
    if kind == "png":
        return decode(data).rgb
    if kind == "txt":
        return data.decode("utf-8")
    if kind == "json":
        return json.loads(data)
    from safetensors.numpy import load

    return load(data)["value"]
