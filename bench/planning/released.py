"""Detectors with the weights that their authors released: fits that are not trained here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.detector import Detector
from bench.errors import UserError
from bench.planning.request import Chosen, choose_methods
from bench.suites.suite import Suite
from bench.types import Fit


@dataclass(frozen=True)
class Released:
    """A detector with a file of released weights; ``content`` is the SHA-256 of the file."""

    chosen: Chosen
    path: Path
    content: str

    def fit(self, hash_of: Callable[[str], str]) -> Fit:
        """The fit that these weights are: with the method's own parameters, and no training or validation images.

        ``hash_of`` gives the content hash of a companion, such as a frozen encoder that the file does not contain.
        """
        return fit_of(self.chosen, self.content, hash_of)


def fit_of(chosen: Chosen, content: str, hash_of: Callable[[str], str]) -> Fit:
    """The fit of a detector with a checkpoint, whose SHA-256 is ``content``. Raises UserError for a statistic."""
    method = chosen.method
    if not isinstance(method, Detector):
        raise UserError(f"{chosen.label} has no checkpoints.", "It is a statistic.", "Name a detector.")
    return Fit(
        method=chosen.name,
        variant=chosen.variant,
        version=method.card.version,
        params=asdict(method.params),
        weights={role: hash_of(role) for role in method.companions()},
        recipes=(),
        source=f"checkpoint {content[:12]}",
        train=(content,),
        val=(),
        protocol="",
        seed=0,
    )


def named(texts: Sequence[str], suite: Suite) -> dict[str, tuple[Chosen, Path]]:
    """The detectors and files of ``--checkpoint METHOD=FILE``, by label, with the papers' parameters.

    Raises UserError if one is not in that form, names no file, or names a method twice.
    """
    plain, found = suite.model_copy(update={"methods": {}}), dict[str, tuple[Chosen, Path]]()
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or not Path(file).is_file():
            problem = f"{file} is not a file." if equals else "There is no `=`."
            raise UserError(f"--checkpoint {text!r} cannot be used.", problem, "Give METHOD=FILE, univfd=fc.pth.")
        (chosen,) = choose_methods(name, plain)
        if chosen.label in found:
            raise UserError(
                f"--checkpoint names {chosen.label} twice.",
                f"{found[chosen.label][1]} and {file}.",
                "Use one, or name a variant for the other, if it has another network.",
            )
        found[chosen.label] = chosen, Path(file)
    return found


def beside(released: Collection[str], methods: Sequence[Chosen]) -> None:
    """Raise UserError if a method is both trained and given as a checkpoint: their rows would have one name."""
    both = sorted({chosen.label for chosen in methods} & set(released))
    if both:
        raise UserError(
            f"{', '.join(both)} cannot be trained and given by --checkpoint in one run.",
            "Their rows would have the same name.",
            "Make two runs, and compare them with `compare`.",
        )
