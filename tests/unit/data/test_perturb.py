import io

import numpy as np
import pytest
from PIL import Image

from bench.data import perturb
from bench.errors import UserError
from bench.types import Slice
from tests.conftest import item, picture


def test_jpeg_is_one_encoding_at_the_quality_with_shared_chroma():
    part = perturb.perturbed("jpeg60", Slice("genimage", "adm", "test", (item(1, 0),)))
    rgb = picture(3, 40, 32)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=60, subsampling="4:2:0")
    assert np.array_equal(perturb.perform(part.image, rgb), np.asarray(Image.open(buffer).convert("RGB")))


@pytest.mark.parametrize("name", ["jpeg", "jpeg0", "jpeg101", "blur", "permuted"])
def test_other_words_are_refused(name):
    with pytest.raises(UserError, match=name):
        perturb.check_perturbation(name)
