"""Controls: test images scored once more with artefacts that should not help, to see what a detector relies on.

A method that uses its artefacts loses what they tell it. A control is applied to every test slice of a method that has
artefacts in testing, and its rows have the control's name as their ``perturbation``. The choice of other images and of
noise follows the seed of the fit, so intervals over seeds include it.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Name → what is done, in words for captions.
CONTROLS: Mapping[str, str] = {
    "permuted": "artefacts of another image",
    "permuted_within": "artefacts of another image of the same class",
    "permuted_across": "artefacts of an image of the other class",
    "zeroed": "artefacts replaced by zeros",
    "other_noise": "artefacts made with other noise",
}
#: Added to the seed of artefacts by ``other_noise``: larger than any seed of a fit.
OTHER_NOISE = 2**32
