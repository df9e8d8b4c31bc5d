import numpy as np
import pytest

from bench.artefacts import encoding
from tests.conftest import picture


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("png", picture(1, 33, 20)),
        ("txt", "ein Stern, blau – на траве"),
        ("json", 0.1234567890123456),
        ("safetensors", np.random.default_rng(0).standard_normal((4, 8, 8)).astype(np.float32)),
    ],
)
def test_what_is_encoded_is_decoded_bit_by_bit(kind, value):
    data = encoding.to_bytes(kind, value)
    back = encoding.from_bytes(kind, data)
    assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value
    assert encoding.to_bytes(kind, back) == data


def test_nan_and_an_unknown_kind_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        encoding.to_bytes("json", float("nan"))
    with pytest.raises(ValueError, match="not a kind of payload"):
        encoding.to_bytes("gif", b"")
